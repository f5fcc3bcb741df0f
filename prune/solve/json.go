package solve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ReadProblem reads one problem as JSON and validates it. Keys it does not
// know are ignored, so the published problems are read as they are.
func ReadProblem(r io.Reader) (*Problem, error) {
	dec := json.NewDecoder(r)
	var p Problem
	err := dec.Decode(&p)
	if errors.Is(err, io.EOF) {
		return nil, errors.New("read problem: it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("read problem: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read problem: something follows the JSON object")
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("problem %q: %w", p.Name, err)
	}
	return &p, nil
}

// Write writes the problem as JSON, one group, block or layer a line.
func (p *Problem) Write(w io.Writer) error {
	var buf bytes.Buffer
	head := *p
	head.Groups, head.Blocks, head.Layers, head.Costs = nil, nil, nil, nil
	b, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("write problem %q: %w", p.Name, err)
	}
	// The head ends in ,"groups":null,"blocks":null,"layers":null}.
	buf.Write(b[:bytes.LastIndex(b, []byte(`,"groups":null`))])
	err = errors.Join(
		writeList(&buf, "groups", p.Groups),
		writeList(&buf, "blocks", p.Blocks),
		writeList(&buf, "layers", p.Layers))
	if len(p.Costs) > 0 {
		err = errors.Join(err, writeList(&buf, "costs", p.Costs))
	}
	if err != nil {
		return fmt.Errorf("write problem %q: %w", p.Name, err)
	}
	buf.WriteString("}\n")
	_, err = w.Write(buf.Bytes())
	return err
}

func writeList[T any](buf *bytes.Buffer, key string, list []T) error {
	fmt.Fprintf(buf, ",\n%q: [", key)
	for i, v := range list {
		if i > 0 {
			buf.WriteByte(',')
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		buf.WriteString("\n ")
		buf.Write(b)
	}
	buf.WriteString("\n]")
	return nil
}

// UnmarshalJSON accepts a list of integers or a list of such lists. Of deeper
// lists it only takes note, for Validate to name the layer.
func (t *Table) UnmarshalJSON(b []byte) error {
	*t = Table{}
	rest := bytes.TrimLeft(b, "[ \t\r\n")
	switch bytes.Count(b[:len(b)-len(rest)], []byte("[")) {
	case 0, 1:
		return json.Unmarshal(b, &t.Own)
	case 2:
		return json.Unmarshal(b, &t.Pair)
	}
	t.deeper = true
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (t Table) MarshalJSON() ([]byte, error) {
	if t.Pair != nil {
		return json.Marshal(t.Pair)
	}
	return json.Marshal(t.Own)
}
