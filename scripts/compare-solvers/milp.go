package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mdp/prune/solve"
)

// milp is a solver of mixed-integer linear programs, run as a command.
type milp struct {
	name   string
	args   func(program, result string, limit time.Duration) []string
	status func(result, output string) status
}

type status int

const (
	stopped status = iota
	optimal
	infeasible
)

var glpsol = milp{
	name: "glpsol",
	args: func(program, result string, limit time.Duration) []string {
		return []string{"--lp", program, "--tmlim", seconds(limit), "--output", result}
	},
	status: func(result, output string) status {
		switch {
		case strings.Contains(result, "INTEGER OPTIMAL"):
			return optimal
		case strings.Contains(output, "HAS NO PRIMAL FEASIBLE"), strings.Contains(output, "HAS NO INTEGER FEASIBLE"),
			strings.Contains(result, "INTEGER EMPTY"):
			return infeasible
		}
		return stopped
	},
}

var cbc = milp{
	name: "cbc",
	args: func(program, result string, limit time.Duration) []string {
		return []string{program, "-sec", seconds(limit), "-solve", "-solution", result}
	},
	status: func(result, _ string) status {
		first, _, _ := strings.Cut(result, "\n")
		switch {
		case strings.HasPrefix(first, "Optimal"):
			return optimal
		case strings.Contains(strings.ToLower(first), "infeasible"):
			return infeasible
		}
		return stopped
	},
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// answer is a configuration, or none where the program was proven infeasible.
type answer struct {
	proven   bool
	options  []int
	blocksOn []bool
}

// Both solvers list columns as: number, name, perhaps a mark, value.
var column = regexp.MustCompile(`(?m)^[ *]*\d+ +(x\d+_\d+|z\d+) +(?:\* +)?([-+.e\d]+)`)

func (m milp) solve(p *solve.Problem, program string, limit time.Duration) (answer, error) {
	result := program + "." + m.name
	output, err := exec.Command(m.name, m.args(program, result, limit)...).CombinedOutput()
	if err != nil {
		return answer{}, fmt.Errorf("%w: %s", err, output)
	}
	text, err := os.ReadFile(result)
	if err != nil {
		return answer{}, err
	}
	switch m.status(string(text), string(output)) {
	case stopped:
		return answer{}, nil
	case infeasible:
		return answer{proven: true}, nil
	}
	a := answer{proven: true, options: make([]int, len(p.Groups)), blocksOn: make([]bool, len(p.Blocks))}
	for _, match := range column.FindAllStringSubmatch(string(text), -1) {
		value, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			return answer{}, fmt.Errorf("column %s: %w", match[1], err)
		}
		if value < 0.5 {
			continue
		}
		var g, o int
		if n, _ := fmt.Sscanf(match[1], "x%d_%d", &g, &o); n == 2 {
			a.options[g] = o
		} else if n, _ := fmt.Sscanf(match[1], "z%d", &g); n == 1 {
			a.blocksOn[g] = true
		}
	}
	return a, nil
}
