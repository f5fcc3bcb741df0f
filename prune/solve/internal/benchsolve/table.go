//go:build unix

package main

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// samples are the figures of each benchmark: ms a run, or MB.
type samples struct {
	names   []string // in order of appearance
	figures map[string][]float64
}

func (s *samples) add(name string, figure float64) {
	if s.figures == nil {
		s.figures = map[string][]float64{}
	}
	if s.figures[name] == nil {
		s.names = append(s.names, name)
	}
	s.figures[name] = append(s.figures[name], figure)
}

var line = regexp.MustCompile(`(?m)^Benchmark(\S+)\s+\d+\s+([\d.]+) ns/op`)

// read takes what benchmarks printed.
func (s *samples) read(text string) {
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		if ns, err := strconv.ParseFloat(m[2], 64); err == nil {
			s.add(m[1], ns/1e6)
		}
	}
}

// medians returns the median of each benchmark whose name the pattern matches, ascending.
func (s *samples) medians(pattern string) []float64 {
	match := regexp.MustCompile(pattern)
	var all []float64
	for _, name := range s.names {
		if match.MatchString(name) {
			all = append(all, median(s.figures[name]))
		}
	}
	slices.Sort(all)
	return all
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// bound is a row of the table.
type bound struct {
	what, pattern string
	worst         bool    // of the problems; else their median
	must, aim     float64 // an aim of 0 is none
}

var bounds = []bound{
	{"one budget, published ResNet-50, ms", "^Optimum/rn50", false, 5, 1},
	{"one budget, published ResNet-101, ms", "^Optimum/rn101", false, 8, 1.5},
	{"one budget, published MobileNet-V1, ms", "^Optimum/mbv1", false, 3, 0.5},
	{"front, all published, ms", "^Front/", false, 500, 100},
	{"front, the slowest published, ms", "^Front/", true, 1000, 100},
	{"one budget, ResNet-50, steps of 8 (1462 options), ms", "^Fine/rn50_step8/", false, 100, 30},
	{"front, the same, ms", "^FineFront/rn50_step8/", false, 5000, 1500},
	{"one budget, ResNet-101, steps of 8 (2584 options), ms", "^Fine/rn101_step8/", false, 150, 60},
	{"one budget, ResNet-50, steps of 2 (5734 options), ms", "^Fine/rn50_step2/", false, 5000, 1000},
	{"two devices, published ResNet-50, both budgets tight, ms", "^Joint/rn50.*/2", false, 1000, 100},
	{"the same, the slowest, ms", "^Joint/rn50.*/2", true, 1000, 100},
	{"peak memory, published problems, MB", "^peak/published", false, 50, 0},
	{"peak memory, steps of 8, MB", "^peak/steps of 8", false, 300, 0},
}

func writeTable(w io.Writer, got samples) error {
	var b strings.Builder
	fmt.Fprintln(&b, "| | must | aim | measured | |\n|---|--:|--:|--:|---|")
	for _, row := range bounds {
		all := got.medians(row.pattern)
		if len(all) == 0 {
			return fmt.Errorf("no benchmark for %q", row.what)
		}
		v, aim := median(all), "–"
		if row.worst {
			v = all[len(all)-1]
		}
		if row.aim > 0 {
			aim = number(row.aim)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.what, number(row.must), aim, number(v), row.judge(v))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (b bound) judge(v float64) string {
	switch {
	case !(v <= b.must):
		return "missed"
	case b.aim == 0 || v <= b.aim:
		return "met"
	}
	return "met, short of the aim"
}

// number has three digits and no exponent.
func number(v float64) string {
	digits := 0
	if v > 0 {
		digits = max(0, 2-int(math.Floor(math.Log10(v))))
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
