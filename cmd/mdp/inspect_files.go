package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mdp/bench"
	"mdp/prune"
	"mdp/prune/inspect"
)

// drawable is a network, with what draws it.
type drawable struct{ *inspect.Network }

func (n drawable) writeText(w io.Writer) error { return n.WriteText(w) }

// tensors are those of a file whose network is not known.
type tensors []tensorRow

type tensorRow struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	Type  string `json:"type"`
}

func (all tensors) writeText(w io.Writer) error {
	fmt.Fprintln(w, "no network that mdp nets lists has these tensors")
	rows := [][]string{{"tensor", "shape", "type"}}
	for _, t := range all {
		rows = append(rows, []string{t.Name, strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Shape), "[]"), " ", "×"), t.Type})
	}
	return table(w, rows)
}

// keptChannels are what a pruned network's layers keep.
type keptChannels struct{ prune.Kept }

func (k keptChannels) writeText(w io.Writer) error {
	fmt.Fprintf(w, "channels kept of %s; %d layers removed\n", k.Net, len(k.Removed))
	rows := [][]string{{"layer", "out", "in"}}
	for _, name := range slices.Sorted(maps.Keys(k.Layers)) {
		l, in := k.Layers[name], ""
		if len(l.In) > 0 {
			in = fmt.Sprintf("%d of %d", len(l.In), l.Shape[1])
		}
		rows = append(rows, []string{name, fmt.Sprintf("%d of %d", len(l.Out), l.Shape[0]), in})
	}
	return table(w, rows)
}

// latencies are a table measured here.
type latencies struct {
	Header bench.Header `json:"header"`
	Rows   []bench.Row  `json:"rows"`
}

func (l latencies) writeText(w io.Writer) error {
	fmt.Fprintf(w, "%d configurations of %s on %s, batch %d\n", len(l.Rows), l.Header.Backend, l.Header.CPU, l.Header.Batch)
	rows := [][]string{{"call", "µs"}}
	for _, r := range l.Rows {
		rows = append(rows, []string{r.Key, fmt.Sprintf("%.2f", float64(r.MedianNS)/1e3)})
	}
	return table(w, rows)
}

// published is a table that others measured.
type published struct{ *bench.Published }

func (p published) writeText(w io.Writer) error { return p.WriteCSV(w) }

func (p published) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"configurations": p.Len(), "batches": p.Batches()})
}
