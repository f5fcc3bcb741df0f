package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// step is a line of gpu-check or gpu-bench.
type step struct {
	Step    string `json:"step"`
	Result  string `json:"result"` // passed, or what happened
	Seconds int    `json:"seconds"`
}

// readSteps reads their lines. A last one that was cut off counts for nothing.
func readSteps(f *folder, name string) (steps []step, err error) {
	text, err := f.read(name)
	if err != nil {
		return nil, err
	}
	for _, line := range bytes.SplitAfter(text, []byte("\n")) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var s step
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path(name), err)
		}
		if s.Result != "" { // some lines are notes
			steps = append(steps, s)
		}
	}
	return steps, nil
}

// failures is every step that did not pass.
func failures(w io.Writer, steps []step) {
	head := "\n| step that did not pass | result | s |\n|---|---|--:|\n"
	for _, s := range steps {
		if s.Result != "passed" {
			fmt.Fprintf(w, "%s| %s | %s | %d |\n", head, s.Step, s.Result, s.Seconds)
			head = ""
		}
	}
}
