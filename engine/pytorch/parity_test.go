package pytorch

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/safetensors"
)

// parityCase is a folder that scripts/parity wrote: a state dict (state.pth or
// state.safetensors) and in batch.safetensors images N×C×H×W and what PyTorch
// computed of them: logits, and of one training step on labels the loss, every
// gradient as grad.NAME and every running statistic as after.NAME.
type parityCase struct {
	Net   string  `json:"net"`
	Width float64 `json:"width"`
	State string  `json:"state"`
}

// parityResult is how far we are from PyTorch: the largest difference within a
// tensor, of its largest element, in the worst tensor. Of gradients, where the
// largest of all is a thousand times that, a thousandth of it counts instead: a
// bias that a batch norm takes away again has no gradient but rounding errors.
type parityResult struct {
	Logits     float64 `json:"logits"`
	Train      bool    `json:"train"`
	Loss       float64 `json:"loss"`
	Gradients  float64 `json:"gradients"`
	Gradient   string  `json:"gradient"` // the worst
	Statistics float64 `json:"statistics"`
	Statistic  string  `json:"statistic"` // the worst
}

// TestParity compares with what PyTorch computed: in testdata/golden, or in the
// folders of $MDP_PARITY, which get a result.json each.
func TestParity(t *testing.T) {
	dir, write := os.Getenv("MDP_PARITY"), true
	if dir == "" {
		dir, write = "testdata/golden", false
	}
	cases, err := filepath.Glob(filepath.Join(dir, "*", "case.json"))
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	for _, path := range cases {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			r := parity(t, b, folder)
			t.Logf("%+v", r)
			if write {
				text, err := json.Marshal(r)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(folder, "result.json"), text, 0o644))
			}
			assert.True(t, r.Logits <= 1e-4, "logits")
			assert.True(t, r.Loss <= 1e-3 && r.Gradients <= 1e-3 && r.Statistics <= 1e-3, "training step")
		})
	}
}

func parity(t *testing.T, b engine.Backend, folder string) (r parityResult) {
	var c parityCase
	text, err := os.ReadFile(filepath.Join(folder, "case.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &c))
	batch, _, err := safetensors.Read(filepath.Join(folder, "batch.safetensors"))
	require.NoError(t, err)
	size := batch["images"].Shape()
	state := open(t, filepath.Join(folder, c.State))
	g, err := state.Build(c.Net, 0, size[2], c.Width)
	require.NoError(t, err)
	g, w, err := state.Load(g)
	var m *MismatchError
	if errors.As(err, &m) {
		t.Log(m.Lines())
	}
	require.NoError(t, err)
	images := channelsLast(batch["images"])

	p, err := engine.Compile(g, b, engine.Options{Mode: engine.Infer, Batch: size[0]})
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, p.SetWeights(w))
	logits := make([]float32, batch["logits"].Shape().TotalSize())
	require.NoError(t, p.Infer(logits, images))
	r.Logits = difference(logits, data(batch["logits"]), 0)
	if batch["labels"] == nil {
		return r
	}

	r.Train = true
	var labels []int32
	for _, l := range batch["labels"].Data().([]int64) {
		labels = append(labels, int32(l))
	}
	g, err = g.WithLoss(0)
	require.NoError(t, err)
	q, err := engine.Compile(g, b, engine.Options{Mode: engine.Train, Batch: size[0]})
	require.NoError(t, err)
	defer q.Close()
	require.NoError(t, q.SetWeights(w))
	metrics, err := q.Gradient(images, labels)
	require.NoError(t, err)
	loss := float64(data(batch["loss"])[0])
	r.Loss = math.Abs(metrics.Loss/float64(len(labels))-loss) / loss
	gradients, err := q.Gradients()
	require.NoError(t, err)
	after, err := q.Weights()
	require.NoError(t, err)
	floor := 0.0
	for name, t := range batch {
		if strings.HasPrefix(name, "grad.") {
			floor = max(floor, 1e-3*largest(data(t)))
		}
	}
	for _, p := range g.Params() {
		have, prefix, worst, name := gradients, "grad.", &r.Gradients, &r.Gradient
		if !p.Role.Learned() {
			have, prefix, worst, name = after, "after.", &r.Statistics, &r.Statistic
		}
		theirs := batch[prefix+p.Name]
		require.NotNil(t, theirs, prefix+p.Name)
		want := make([]float32, p.Size())
		require.Len(t, data(theirs), len(want), p.Name)
		g.FromChannelsFirst(want, data(theirs), p)
		least := floor
		if !p.Role.Learned() {
			least = 0
		}
		if d := difference(have.Data(p.Name), want, least); d > *worst || math.IsNaN(d) {
			*worst, *name = d, p.Name
		}
		require.False(t, math.IsNaN(*worst), p.Name)
	}
	return r
}

// data are a tensor's numbers; a scalar has one.
func data(t *tensor.Dense) []float32 {
	if v, ok := t.Data().(float32); ok {
		return []float32{v}
	}
	return t.Data().([]float32)
}

// channelsLast turns N×C×H×W into N×H×W×C.
func channelsLast(t *tensor.Dense) []float32 {
	s := t.Shape()
	n, c, area := s[0], s[1], s[2]*s[3]
	from, to := data(t), make([]float32, n*c*area)
	for i := range n {
		for k := range c {
			for p := range area {
				to[(i*area+p)*c+k] = from[(i*c+k)*area+p]
			}
		}
	}
	return to
}

// difference is the largest |have − want| of the largest |want|, or of least if
// that is more.
func difference(have, want []float32, least float64) float64 {
	worst := 0.0
	for i, w := range want {
		d := math.Abs(float64(have[i]) - float64(w))
		if math.IsNaN(d) {
			return d
		}
		worst = max(worst, d)
	}
	if worst == 0 {
		return 0
	}
	return worst / max(largest(want), least)
}

func largest(v []float32) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(float64(x)))
	}
	return m
}
