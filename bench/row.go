package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"mdp/engine/sensor"
)

// Row is one configuration's line of a table.
type Row struct {
	Key       string    `json:"key"` // the call's String
	StartedAt time.Time `json:"startedAt"`
	CostNS    int64     `json:"costNS"` // wall time the measurement took, set-up and warm-up with it

	// Reference is the largest configuration of the same layer, and ReferenceNS
	// what it took in the same rounds. A shared machine's pace changes by half
	// within a table, for calls that move memory more than for those that
	// compute; the ratio of two configurations of one layer hardly changes.
	Reference   string `json:"reference"`
	ReferenceNS int64  `json:"referenceNS"`

	// Under a rule that watches the clock: its median, and how many samples were
	// thrown away because it was low.
	ClockMHz  int `json:"clockMHz,omitempty"`
	Discarded int `json:"discarded,omitempty"`

	How   string          `json:"how,omitempty"`   // a library computed it, as JSON
	State *sensor.Reading `json:"state,omitempty"` // of the device when the row was done
	Result
}

// contents is a table's file, read.
type contents struct {
	header Header
	rows   []Row
	good   int // bytes up to the end of the last whole line
	torn   int // bytes after it, of a line whose writing was cut off
}

// parse reads a table. A line counts once its newline is there: what follows
// the last newline was cut off, and only that. An empty file, or one cut off
// within its header, has the zero header and no rows.
func parse(data []byte) (contents, error) {
	c := contents{good: bytes.LastIndexByte(data, '\n') + 1}
	c.torn = len(data) - c.good
	first := []byte(`{"format":"` + format + `"`)
	if n := min(len(first), len(data)); !bytes.Equal(data[:n], first[:n]) {
		return contents{}, fmt.Errorf("line 1 is not the header of a latency table; give another path, or move the file away")
	}
	lineOf := map[string]int{}
	for i, line := range bytes.SplitAfter(data[:c.good], []byte("\n")) {
		if len(line) == 0 {
			break // after the last newline
		}
		if i == 0 {
			if err := strict(line, &c.header); err != nil {
				return contents{}, fmt.Errorf("line 1, the header: %w; move the file away to start again", err)
			}
			if c.header.Version != version {
				return contents{}, fmt.Errorf("line 1: table version %d, this program reads version %d; measure into another folder", c.header.Version, version)
			}
			continue
		}
		r, err := parseRow(line)
		if err != nil {
			return contents{}, fmt.Errorf("line %d: %w; delete that line and its row is measured again", i+1, err)
		}
		if at := lineOf[r.Key]; at > 0 {
			return contents{}, fmt.Errorf("line %d repeats %q of line %d; delete one of them", i+1, r.Key, at)
		}
		lineOf[r.Key] = i + 1
		c.rows = append(c.rows, r)
	}
	return c, nil
}

// parseRow reads a row and computes its statistics again from its samples.
func parseRow(line []byte) (Row, error) {
	var r Row
	if err := strict(line, &r); err != nil {
		return Row{}, err
	}
	if r.Key == "" || len(r.SamplesNS) == 0 {
		return Row{}, fmt.Errorf("a row needs a key and samples")
	}
	for _, ns := range r.SamplesNS {
		if ns < 0 {
			return Row{}, fmt.Errorf("sample of %d ns is negative", ns)
		}
	}
	if r.Reference == "" || r.ReferenceNS <= 0 {
		return Row{}, fmt.Errorf("reference %q of %d ns; a row needs one that takes time", r.Reference, r.ReferenceNS)
	}
	s := summarise(r.SamplesNS, r.TickNS)
	if r.MedianNS != s.MedianNS || r.LowNS != s.LowNS || r.HighNS != s.HighNS {
		return Row{}, fmt.Errorf("median %d in [%d, %d] ns is not its samples' %d in [%d, %d]", r.MedianNS, r.LowNS, r.HighNS, s.MedianNS, s.LowNS, s.HighNS)
	}
	return r, nil
}

// strict decodes one JSON value that fills the line and has no unknown field.
func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("does not parse: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("does not parse: more than one value")
	}
	return nil
}
