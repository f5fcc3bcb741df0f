package pytorch

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"mdp/engine/graph"
)

// WriteSource writes a Python module of plain torch.nn that builds g and loads its
// weights from what WriteStateDict wrote. facts are lines for its docstring.
func WriteSource(w io.Writer, g *graph.Graph, facts []string) error {
	g, err := g.WithoutLoss()
	if err != nil {
		return err
	}
	if err := g.ChannelsFirst(); err != nil {
		return err
	}
	s := &source{g: g, name: make([]string, g.Len()), flat: make([]bool, g.Len()), taken: map[string]bool{}}
	for _, word := range reserved {
		s.taken[word] = true
	}
	forward := s.forward()
	in := g.Shape(0)
	doc := fmt.Sprintf("%s for images of N×%d×%d×%d.\n", g.Name(), in.C, in.H, in.W)
	for _, f := range facts {
		doc += f + "\n"
	}
	doc = strings.NewReplacer(`\`, `\\`, `"""`, `'''`).Replace(doc)
	_, err = fmt.Fprintf(w, template, doc, s.scale(), strings.Join(s.modules(), "\n        "), strings.Join(forward, "\n        "))
	return err
}

const template = `"""%s
    from model import load
    model = load("model.safetensors")
"""

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

%s
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        %s

    def put(self, name, layer):
        """Adds a layer under a name with dots, as state dicts have them."""
        *parents, last = name.split(".")
        at = self
        for part in parents:
            if part not in at._modules:
                at.add_module(part, nn.Module())
            at = at._modules[part]
        at.add_module(last, layer)

    def forward(self, x):
        layer = self.get_submodule
        %s


def load(path):
    model = Net()
    model.load_state_dict(load_file(path))
    return model.eval()
`

const scaleClass = `
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return x * self.weight.view(shape) + self.bias.view(shape)

`

// reserved are words that no variable may be called.
var reserved = strings.Fields(`and as assert async await break class continue def del elif else except finally for from global if import in is
	lambda nonlocal not or pass raise return try while with yield False None True F nn torch self layer load_file x`)

// source is the text in the making.
type source struct {
	g     *graph.Graph
	name  []string // the variable that holds each node's value
	flat  []bool   // it is N×C, not N×C×H×W
	taken map[string]bool
}

func (s *source) scale() string {
	for i := range s.g.Len() {
		if s.g.Node(i).Op == graph.OpScale {
			return scaleClass
		}
	}
	return ""
}

// modules are the lines that make the layers.
func (s *source) modules() []string {
	var lines []string
	for i := range s.g.Len() {
		n := s.g.Node(i)
		if len(s.g.NodeParams(i)) == 0 {
			continue
		}
		in := s.g.Shape(s.g.Inputs(i)[0]).C
		layer := ""
		switch n.Op {
		case graph.OpConv2D:
			layer = conv(in, n.Conv2D)
		case graph.OpLinear:
			layer = fmt.Sprintf("nn.Linear(%d, %d%s)", in, n.Linear.Out, bias(n.Linear.Bias))
		case graph.OpBatchNorm:
			kind := "nn.BatchNorm2d"
			if s.flat[i] {
				kind = "nn.BatchNorm1d"
			}
			more := ""
			if e := n.BatchNorm.Eps; e != 1e-5 {
				more += ", eps=" + number(e)
			}
			if m := n.BatchNorm.Momentum; m != 0.1 {
				more += ", momentum=" + number(m)
			}
			layer = fmt.Sprintf("%s(%d%s)", kind, in, more)
		case graph.OpScale:
			layer = fmt.Sprintf("Scale(%d)", in)
		}
		lines = append(lines, fmt.Sprintf("self.put(%s, %s)", strconv.QuoteToASCII(n.Name), layer))
	}
	return lines
}

func conv(in int, c *graph.Conv2D) string {
	more := ""
	if c.Stride != [2]int{1, 1} {
		more += ", stride=" + pair(c.Stride)
	}
	if p, ok := symmetric(c.Pad); ok && p != [2]int{} {
		more += ", padding=" + pair(p)
	}
	if c.Dilation != [2]int{1, 1} {
		more += ", dilation=" + pair(c.Dilation)
	}
	if c.Groups > 1 {
		more += fmt.Sprintf(", groups=%d", c.Groups)
	}
	return fmt.Sprintf("nn.Conv2d(%d, %d, %s%s%s)", in, c.Out, pair(c.Kernel), more, bias(c.Bias))
}

func bias(have bool) string {
	if have {
		return ""
	}
	return ", bias=False"
}

// pair is a number for both directions, or two.
func pair(p [2]int) string {
	if p[0] == p[1] {
		return strconv.Itoa(p[0])
	}
	return fmt.Sprintf("(%d, %d)", p[0], p[1])
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// symmetric is padding that is the same on both sides.
func symmetric(pad [4]int) ([2]int, bool) {
	return [2]int{pad[0], pad[1]}, pad[0] == pad[2] && pad[1] == pad[3]
}

// variable names node i's value: x while the next node alone reads it, else after
// the node.
func (s *source) variable(i int) string {
	if r := s.g.Consumers(i); i == s.g.Len()-1 || !slices.ContainsFunc(r, func(c int) bool { return c != i+1 }) {
		return "x"
	}
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, s.g.Node(i).Name)
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	for s.taken[name] {
		name += "_"
	}
	s.taken[name] = true
	return name
}
