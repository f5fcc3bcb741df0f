package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// format is the file's shape; Version guards against readers of another age.
type format struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	Nodes   []Node `json:"nodes"`
}

const version = 1

// MarshalJSON writes the graph's name and nodes; shapes are inferred on reading.
func (g *Graph) MarshalJSON() ([]byte, error) {
	return json.Marshal(format{version, g.name, g.nodes})
}

// UnmarshalJSON reads and validates a graph; an unknown key is an error.
func (g *Graph) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var f format
	if err := d.Decode(&f); err != nil {
		return fmt.Errorf("graph JSON: %w", err)
	}
	if f.Version != version {
		return fmt.Errorf("graph JSON: version %d, this program reads %d", f.Version, version)
	}
	n, err := New(f.Name, f.Nodes)
	if err != nil {
		return err
	}
	*g = *n
	return nil
}

// Read reads one graph.
func Read(r io.Reader) (*Graph, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	g := new(Graph)
	if err := json.Unmarshal(b, g); err != nil {
		return nil, err
	}
	return g, nil
}

// Write writes the graph, indented for people.
func (g *Graph) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(g)
}
