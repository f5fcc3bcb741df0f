package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"mdp/bench"
	"mdp/engine/sensor"
)

// benchSteps has a line for each step of gpu-bench, and tells its folder from others.
const benchSteps = "gpu-bench.jsonl"

// benched writes what is in gpu-bench's folder.
type benched struct {
	io.Writer
	*folder
	steps  []step
	tables []latencies // by name
	broken []error     // of tables that cannot be read
}

// latencies is a table of the folder.
type latencies struct {
	name string // its folder
	bench.Header
	rows []bench.Row
}

// benchPage is the tables of gpu-bench's folder.
func benchPage(w io.Writer, f *folder) error {
	b := benched{Writer: w, folder: f}
	var err error
	if b.steps, err = readSteps(f, benchSteps); err == nil {
		err = b.readTables()
	}
	if err != nil {
		return err
	}
	if len(b.tables) == 0 {
		return errors.Join(append(b.broken, fmt.Errorf("%s: there is no table to be read", f.dir))...)
	}
	b.machine()
	if err := b.selfTest(); err != nil {
		return err
	}
	b.beside()
	b.layersBeside("bf16")
	b.repeatability()
	b.cold()
	b.costs()
	for _, name := range []string{"resnet50", "small"} {
		if err := b.predictions(name); err != nil {
			return err
		}
	}
	for _, err := range b.broken {
		b.line("\n*%v.*", err)
	}
	failures(w, b.steps)
	return nil
}

func (b *benched) line(format string, a ...any) { fmt.Fprintf(b, format+"\n", a...) }

// readTables finds every table, wherever it is. One that was begun and has not even its
// header is as none.
func (b *benched) readTables() error {
	return filepath.WalkDir(b.dir, func(at string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "latency.jsonl" {
			return err
		}
		name, err := filepath.Rel(b.dir, filepath.Dir(at))
		if err != nil {
			return err
		}
		if text, err := os.ReadFile(at); err != nil || !bytes.Contains(text, []byte("\n")) {
			return err
		}
		t := latencies{name: filepath.ToSlash(name)}
		if t.Header, t.rows, err = bench.ReadTable(at); err != nil {
			b.broken = append(b.broken, err)
			return nil
		}
		b.tables = append(b.tables, t)
		b.uses(path.Join(t.name, "latency.jsonl"))
		return nil
	})
}

// table is the one of that name, without rows where it is not there.
func (b *benched) table(name string) latencies {
	for _, t := range b.tables {
		if t.name == name {
			return t
		}
	}
	return latencies{name: name}
}

// lacks says of each of these steps that it did not pass, or that it was not there.
func (b *benched) lacks(steps ...string) {
	for _, name := range steps {
		result := "not reached"
		if i := slices.IndexFunc(b.steps, func(s step) bool { return s.Step == name }); i >= 0 {
			result = b.steps[i].Result
		}
		if result != "passed" {
			b.line("\n*`%s`: %s.*", name, result)
		}
	}
}

// object reads a file of one JSON value; a file that was not finished is none.
func (b *benched) object(name string, v any) (bool, error) {
	text, err := os.ReadFile(b.path(name))
	if os.IsNotExist(err) || err == nil && !json.Valid(text) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", b.path(name), err)
	}
	b.uses(name)
	return true, nil
}

func (b *benched) machine() {
	h := b.tables[0].Header
	b.line("%s, driver %s, %s, %s SMs at up to %s MHz, %.1f GiB, a cache of %.1f MiB. Host: %s, %d cores. %s, build %s.",
		h.Model, h.Driver, h.ISA, whole(h.SMs), whole(h.ClockMHz), float64(h.MemoryBytes)/(1<<30), float64(h.CacheBytes)/(1<<20), h.CPU, h.Cores, h.Date.Format("2006-01-02"), h.Build)
	for _, t := range b.tables {
		s := t.Settings
		if s.Source == "" { // a run's table does not have them
			continue
		}
		if s == (sensor.Settings{Source: s.Source}) {
			b.line("Its settings are not known: %s.", s.Source)
		} else {
			b.line("Settings as told by %s: persistence %s, ECC %s, power limit %s W, clock at most %s MHz, for applications %s.", s.Source,
				cmp.Or(s.Persistence, "–"), cmp.Or(s.ECC, "–"), whole(s.PowerLimitW), whole(s.MaxMHz), whole(s.ApplicationMHz))
		}
		break
	}
	b.state()
	b.line("Medians; a dash is what was not measured or nobody told.")
}

// state is within what the device was while rows were measured.
func (b *benched) state() {
	var clock, celsius, watts []float64
	slowed := map[string]int{}
	rows := 0
	for _, t := range b.tables {
		for _, r := range t.rows {
			rows++
			clock = append(clock, float64(r.ClockMHz))
			if r.State != nil {
				celsius, watts = append(celsius, float64(r.State.TemperatureC)), append(watts, r.State.PowerW)
				for _, why := range r.State.Slowed {
					slowed[why]++
				}
			}
		}
	}
	of := func(x []float64) string {
		x = slices.DeleteFunc(x, func(v float64) bool { return v == 0 })
		if len(x) == 0 {
			return "–"
		}
		return fmt.Sprintf("%.0f to %.0f", slices.Min(x), slices.Max(x))
	}
	b.line("While its %d rows were measured: %s MHz, %s °C, %s W%s.", rows, of(clock), of(celsius), of(watts), reasons(slowed, rows))
}

func reasons(slowed map[string]int, rows int) string {
	text := ""
	for _, why := range sorted(slowed) {
		text += fmt.Sprintf("; slowed by %s in %d of them", why, slowed[why])
	}
	return text
}

// whole is a number, and a dash for what nobody knows.
func whole(n int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprint(n)
}
