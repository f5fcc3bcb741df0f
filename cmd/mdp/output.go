package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// result is what a command prints: itself as JSON, or text for people.
type result interface {
	writeText(w io.Writer) error
}

// print writes a result to stdout.
func (a *app) print(r result, asJSON bool) error {
	if !asJSON {
		return r.writeText(a.stdout)
	}
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// table writes rows in aligned columns; the first row is the head.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}
