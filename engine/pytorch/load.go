package pytorch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mdp/engine/graph"
)

// MismatchError lists everything in which a file and a network differ.
type MismatchError struct {
	Net     string   `json:"net"`
	Fit     int      `json:"fit"`     // parameters that the file has
	Missing []string `json:"missing"` // parameters of the network that the file lacks
	Extra   []string `json:"extra"`   // tensors of the file that the network lacks
	Wrong   []string `json:"differ"`  // tensors of another shape or type, with both
}

// Lines are the differences, one a line.
func (e *MismatchError) Lines() []string {
	var lines []string
	for _, l := range []struct {
		says  string
		names []string
	}{{"missing in the file", e.Missing}, {"not in the network", e.Extra}, {"differs", e.Wrong}} {
		for _, n := range l.names {
			lines = append(lines, l.says+": "+n)
		}
	}
	return lines
}

func (e *MismatchError) Error() string {
	lines := e.Lines()
	more := ""
	if len(lines) > 4 {
		more = fmt.Sprintf("; and %d more", len(lines)-4)
		lines = lines[:4]
	}
	return fmt.Sprintf("the tensors do not fit %s: %d do, %d are missing, %d have no place, %d differ: %s%s",
		e.Net, e.Fit, len(e.Missing), len(e.Extra), len(e.Wrong), strings.Join(lines, "; "), more)
}

// Load returns the weights of g as this program has them, channels last, under
// g's names. A file in another library's dialect is read as such, and the graph
// returned with its numbers of that dialect. A *MismatchError lists what does not
// fit, in the dialect in which the most does.
func (c *Checkpoint) Load(g *graph.Graph) (*graph.Graph, graph.Weights, error) {
	if err := g.ChannelsFirst(); err != nil && !c.ours {
		return nil, nil, err
	}
	var best *match
	for _, d := range dialects(g) {
		if m := c.match(g, d); best == nil || m.Fit > best.Fit {
			best = m
		}
	}
	if len(best.Missing)+len(best.Extra)+len(best.Wrong) > 0 {
		return nil, nil, &best.MismatchError
	}
	g, err := best.dialect.apply(g)
	if err != nil {
		return nil, nil, err
	}
	w := graph.Weights{}
	scratch := make([]float32, g.LargestParam())
	for _, p := range g.Params() {
		t := graph.NewTensor(p.Shape...)
		w[p.Name] = t
		dst := w.Data(p.Name)
		src := dst
		if !c.ours {
			src = scratch[:len(dst)]
		}
		if err := best.tensors[p.Name].read(src); err != nil {
			return nil, nil, fmt.Errorf("tensor %.80q: %w", best.tensors[p.Name].Name, err)
		}
		if !c.ours {
			g.FromChannelsFirst(dst, src, p)
		}
	}
	return g, w, nil
}

// match is what a dialect makes of a file.
type match struct {
	MismatchError
	dialect dialect
	tensors map[string]Tensor // by the network's names
}

func (c *Checkpoint) match(g *graph.Graph, d dialect) *match {
	m := &match{MismatchError{Net: g.Name()}, d, map[string]Tensor{}}
	byName := make(map[string]Tensor, len(c.Tensors))
	for _, t := range c.Tensors {
		byName[t.Name] = t
	}
	taken := map[string]bool{}
	for _, p := range g.Params() {
		node := g.Node(p.Node).Name
		name := d.name(node) + strings.TrimPrefix(p.Name, node)
		t, ok := byName[name]
		want := p.Shape
		if !c.ours {
			want = g.ChannelsFirstShape(p)
		}
		taken[name] = ok
		switch {
		case !ok:
			m.Missing = append(m.Missing, fmt.Sprintf("%s %v", name, want))
		case !t.Type.Float():
			m.Wrong = append(m.Wrong, fmt.Sprintf("%s is %s, no tensor of floating point", name, orNothing(string(t.Type))))
		case !fits(t.Shape, want):
			m.Wrong = append(m.Wrong, fmt.Sprintf("%s is %v, the network's is %v", name, t.Shape, want))
		default:
			m.Fit++
			m.tensors[p.Name] = t
		}
	}
	for _, t := range c.Tensors {
		// PyTorch counts the batches that a batch norm has seen. Nothing is computed of it.
		if norm, ok := strings.CutSuffix(t.Name, "num_batches_tracked"); ok && taken[norm+"running_mean"] {
			continue
		}
		if !taken[t.Name] {
			m.Extra = append(m.Extra, fmt.Sprintf("%.80s %v", shown(t.Name), t.Shape))
		}
	}
	return m
}

// shown is a name as a terminal can have it, quoted where it must be.
func shown(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

func orNothing(kind string) string {
	if kind == "" {
		return "something else"
	}
	return kind
}

// fits says whether a tensor of shape have holds one of shape want as it lies: the
// same, or one of them a linear layer and the other a convolution over all that
// the layer reads.
func fits(have, want []int) bool {
	if slices.Equal(have, want) {
		return true
	}
	if len(have) < 2 || len(want) < 2 || len(have) > 2 && len(want) > 2 || have[0] != want[0] {
		return false
	}
	n := func(shape []int) int64 {
		n := int64(1)
		for _, d := range shape[1:] {
			n = min(n, 1<<32) * int64(d) // more than any parameter has, and no overflow
		}
		return n
	}
	return n(have) == n(want)
}
