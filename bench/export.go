package bench

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"mdp/engine"
)

// WriteMedians writes a table as one JSON object: the header, and of each row all
// but the samples. Rows are in the order of their keys, so that two tables compare
// line by line.
func WriteMedians(w io.Writer, h Header, rows []Row) error {
	type median struct {
		Key         string  `json:"key"`
		MedianNS    int64   `json:"medianNS"`
		LowNS       int64   `json:"lowNS"`
		HighNS      int64   `json:"highNS"`
		RSD         float64 `json:"rsd"`
		Samples     int     `json:"samples"`
		Reference   string  `json:"reference"`
		ReferenceNS int64   `json:"referenceNS"`
	}
	medians := make([]json.RawMessage, len(rows))
	for i, r := range byKey(rows) {
		line, err := json.Marshal(median{r.Key, r.MedianNS, r.LowNS, r.HighNS, r.RSD, len(r.SamplesNS), r.Reference, r.ReferenceNS})
		if err != nil {
			return err
		}
		medians[i] = line
	}
	head, err := json.Marshal(h)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "{\"header\": %s,\n\"rows\": [", head) // the last write tells
	for i, m := range medians {
		fmt.Fprintf(w, "%s\n%s", strings.Repeat(",", min(i, 1)), m)
	}
	_, err = fmt.Fprint(w, "\n]}\n")
	return err
}

// WriteCSV writes a table's medians in ns with what calls, by key, says of their
// configurations. Columns that a call knows nothing of are empty.
func WriteCSV(w io.Writer, rows []Row, calls []engine.Call) error {
	of := map[string]engine.Call{}
	for _, c := range calls {
		of[c.String()] = c
	}
	out := csv.NewWriter(w)
	out.Write([]string{"call", "batch", "c_in", "c_out", "height", "width", "kernel_h", "kernel_w", "stride", "groups", // Error tells
		"median_ns", "low_ns", "high_ns", "rsd", "samples", "key"})
	for _, r := range byKey(rows) {
		name, _, _ := strings.Cut(r.Key, "/")
		record := append([]string{name}, make([]string, 9)...)
		if conv, ok := of[r.Key].(engine.ConvForward); ok {
			for i, v := range []int{conv.N, conv.C, conv.K, conv.H, conv.Conv.W, conv.R, conv.S, conv.Stride[0], conv.Groups} {
				record[i+1] = fmt.Sprint(v)
			}
		}
		for _, v := range []any{r.MedianNS, r.LowNS, r.HighNS, fmt.Sprintf("%.4f", r.RSD), len(r.SamplesNS), r.Key} {
			record = append(record, fmt.Sprint(v))
		}
		out.Write(record)
	}
	out.Flush()
	return out.Error()
}

func byKey(rows []Row) []Row {
	return slices.SortedFunc(slices.Values(rows), func(a, b Row) int { return strings.Compare(a.Key, b.Key) })
}
