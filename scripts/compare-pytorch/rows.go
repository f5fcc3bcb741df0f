package main

import (
	"slices"
	"strings"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

// A row compares one figure: the geometric mean over its works.
type row struct {
	name, title string
	unit        unit
	must, aim   float64 // of the ratio
	works       []work
	scaling     bool       // ours on all cores against ours on one
	figure      [2]float64 // must and aim of our own figure, where it has one
}

// unit is what a row counts.
type unit string

const (
	gflops unit = "GFLOP/s"
	images unit = "img/s"
	ms     unit = "ms"
	peak   unit = "MiB" // peak memory: the ratio is ours to PyTorch's, and small is good
)

// A work is one thing to time, told to both sides: a direction of a convolution, or a step or a pass of a network.
type work struct {
	Direction  string `json:"direction,omitempty"` // forward, input or filter
	Net        string `json:"net,omitempty"`
	Side       int    `json:"side,omitempty"`
	Parameters int    `json:"parameters,omitempty"`
	Training   bool   `json:"training,omitempty"`
	Precision  string `json:"precision,omitempty"` // bf16, float32 without
	Threads    int    `json:"threads"`

	N      int    `json:"n"`
	H      int    `json:"h,omitempty"`
	W      int    `json:"w,omitempty"`
	C      int    `json:"c,omitempty"`
	K      int    `json:"k,omitempty"`
	R      int    `json:"r,omitempty"`
	S      int    `json:"s,omitempty"`
	P      int    `json:"p,omitempty"`
	Q      int    `json:"q,omitempty"`
	Stride [2]int `json:"stride"`
	Pad    [2]int `json:"pad"`
	Groups int    `json:"groups,omitempty"`
}

func (w work) conv() engine.Conv {
	return engine.Conv{N: w.N, H: w.H, W: w.W, C: w.C, K: w.K, R: w.R, S: w.S, P: w.P, Q: w.Q,
		Stride: w.Stride, Pad: w.Pad, Dilation: [2]int{1, 1}, Groups: w.Groups}
}

const batch = 32

var directions = []string{"forward", "input", "filter"}

// rows are all there are, each with what it must and should reach.
func rows() ([]row, error) {
	var all []row
	dense, err := convolutions("resnet50", false)
	if err != nil {
		return nil, err
	}
	depthwise, err := convolutions("mobilenet_v2", true)
	if err != nil {
		return nil, err
	}
	figures := map[string][2]float64{"forward": {250, 320}, "input": {230, 300}, "filter": {220, 290}}
	for _, d := range directions {
		all = append(all, row{name: "conv-" + d, title: "ResNet-50's 23 convolutions, " + title[d], unit: gflops, must: 0.8, aim: 1,
			figure: figures[d], works: directed(dense, d)})
	}
	for _, d := range directions {
		all = append(all, row{name: "depthwise-" + d, title: "depthwise 3×3 of MobileNet-V2, " + title[d], unit: gflops, must: 1, aim: 2,
			works: directed(depthwise, d)})
	}
	for _, n := range []struct {
		name, title, net string
		unit             unit
		batch            int
		training         bool
		must, aim        float64
	}{
		{"resnet20-train", "ResNet-20 (32², batch 128), training step", "resnet20-cifar", images, 128, true, 1, 1.4},
		{"resnet50-train", "ResNet-50 (224², batch 32), training step", "resnet50", images, batch, true, 1, 1.4},
		{"resnet50-infer", "ResNet-50 (224², batch 32), inference", "resnet50", images, batch, false, 1, 1.5},
		{"mobilenet-train", "MobileNet-V2 (224², batch 32), training step", "mobilenet_v2", images, batch, true, 1.5, 3},
		{"mobilenet-infer", "MobileNet-V2 (224², batch 32), inference", "mobilenet_v2", images, batch, false, 1.2, 2},
		{"resnet50-one", "ResNet-50 (224²), inference of one image", "resnet50", ms, 1, false, 1, 1.3},
		{"resnet50-memory", "ResNet-50 (224², batch 32), peak memory of a training step", "resnet50", peak, batch, true, 1, 0.6},
	} {
		w, err := whole(n.net, n.batch, n.training)
		if err != nil {
			return nil, err
		}
		all = append(all, row{name: n.name, title: n.title, unit: n.unit, must: n.must, aim: n.aim, works: []work{w}})
	}
	for _, r := range all {
		if strings.HasPrefix(r.name, "conv-") || r.works[0].Net != "" && r.unit != peak {
			all = append(all, r.inBF16())
		}
	}
	for _, r := range slices.Clone(all) {
		if r.works[0].Precision == "" && (r.name == "conv-forward" || r.works[0].Net != "" && r.unit != peak) {
			r.name, r.scaling = r.name+"-scaling", true
			all = append(all, r)
		}
	}
	return all, nil
}

// inBF16 is the same work in bfloat16 on both sides: ours rounds the factors of products as they are read, PyTorch
// keeps weights and activations in it, or, in training, what its autocast chooses.
func (r row) inBF16() row {
	r.name, r.title, r.must, r.aim, r.figure = r.name+"-bf16", r.title+", bf16", 1, 1, [2]float64{}
	r.works = slices.Clone(r.works)
	for i := range r.works {
		r.works[i].Precision = cpu.BF16
	}
	return r
}

var title = map[string]string{"forward": "forward", "input": "input gradient", "filter": "filter gradient"}

func whole(net string, n int, training bool) (work, error) {
	side := 224
	if net == "resnet20-cifar" {
		side = 32
	}
	g, err := nets.Build(net, nets.Options{Input: graph.Shape{H: side, W: side, C: 3}})
	if err != nil {
		return work{}, err
	}
	w := work{Net: net, Side: side, Training: training, N: n, Threads: cpu.Info().Cores}
	for _, p := range g.Params() {
		if p.Role.Learned() {
			w.Parameters += p.Size()
		}
	}
	return w, nil
}

// convolutions are the distinct ones of a network at 224², dense or depthwise.
func convolutions(net string, depthwise bool) ([]work, error) {
	g, err := nets.Build(net, nets.Options{})
	if err != nil {
		return nil, err
	}
	var works []work
	seen := map[engine.Conv]bool{}
	for i := range g.Len() {
		c := g.Node(i).Conv2D
		if c == nil {
			continue
		}
		in, out := g.Shape(g.Inputs(i)[0]), g.Shape(i)
		w := work{Threads: cpu.Info().Cores, N: batch, H: in.H, W: in.W, C: in.C, K: out.C, R: c.Kernel[0], S: c.Kernel[1], P: out.H, Q: out.W,
			Stride: c.Stride, Pad: [2]int{c.Pad[0], c.Pad[1]}, Groups: c.Groups}
		if w.conv().Depthwise() == depthwise && !seen[w.conv()] {
			seen[w.conv()] = true
			works = append(works, w)
		}
	}
	return works, nil
}

func directed(works []work, direction string) []work {
	var of []work
	for _, w := range works {
		w.Direction = direction
		of = append(of, w)
	}
	return of
}
