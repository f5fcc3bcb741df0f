package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/cpu"
)

// backendData is the folder of ONNX's own tests of backends; scripts/test-onnx
// fetches them and says where they are.
const backendData = "MDP_ONNX_BACKEND_DATA"

// tally is one operator's line of the table.
type tally struct {
	images, constants int
	skipped           map[string]int // by reason
}

// Every test of ONNX's suite whose operators are all known here passes, as a
// network or, where nothing in it can be an image, as a folded constant; what
// does not has its reason in the table that MDP_ONNX_TABLE names.
func TestBackend(t *testing.T) {
	root := os.Getenv(backendData)
	if root == "" {
		t.Skip("make test-onnx runs this")
	}
	models, err := filepath.Glob(filepath.Join(root, "*", "*", "model.onnx"))
	require.NoError(t, err)
	require.Greater(t, len(models), 1000, "the suite is there")
	rows, others := map[string]*tally{}, 0
	for _, path := range models {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		m, err := Decode(b)
		require.NoError(t, err, path)
		op, ok := claimed(m)
		if !ok {
			others++
			continue
		}
		row := rows[op]
		if row == nil {
			row = &tally{skipped: map[string]int{}}
			rows[op] = row
		}
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("replay: %s=%s go test ./engine/onnx -run TestBackend/%s$", backendData, root, name)
				}
			}()
			switch done, err := backendCase(t, m, filepath.Join(filepath.Dir(path), "test_data_set_0")); {
			case err != nil:
				row.skipped[reason(err)]++
				t.Skip(err)
			case done == "constant":
				row.constants++
			default:
				row.images++
			}
		})
	}
	if path := os.Getenv("MDP_ONNX_TABLE"); path != "" && !t.Failed() {
		require.NoError(t, os.WriteFile(path, []byte(table(rows, len(models), others)), 0o644))
	}
}

// claimed is the operator a test is of, and whether all it uses are known here.
func claimed(m *Model) (string, bool) {
	op := "several together"
	for i, n := range m.Graph.Nodes {
		if _, ok := operators[n.OpType]; !ok && folded[n.OpType] == nil || n.Domain != "" {
			return "", false
		}
		if i == 0 && len(m.Graph.Nodes) == 1 {
			op = n.OpType
		}
	}
	return op, len(m.Graph.Nodes) > 0
}

// backendCase runs one test, with each input in turn as the image and the others
// as constants, and at last with nothing but constants. The error is why none could be.
func backendCase(t *testing.T, m *Model, dir string) (string, error) {
	tensors := map[string]*Tensor{}
	for i, v := range m.Graph.Inputs {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("input_%d.pb", i)))
		if errors.Is(err, os.ErrNotExist) {
			continue // an input that is an initialiser
		}
		require.NoError(t, err)
		if v.Type == 0 {
			return "", errors.New("an input is no tensor")
		}
		tensor, err := decodeTensor(b)
		if err != nil || tensor.Type.width() == 0 {
			return "", errors.New("an input's elements are of a type that is not read")
		}
		tensors[v.Name] = tensor
	}
	b, err := os.ReadFile(filepath.Join(dir, "output_0.pb"))
	require.NoError(t, err)
	want, err := decodeTensor(b)
	if err != nil {
		return "", errors.New("the output is no tensor that is read")
	}
	// The suite is newer and older than what is claimed; the operators' forms are what counts.
	for i := range m.Opsets {
		if o := &m.Opsets[i]; o.Domain == "" {
			if o.Version < MinOpset {
				return "", fmt.Errorf("opset below %d", MinOpset)
			}
			o.Version = min(o.Version, MaxOpset)
		}
	}
	first := error(nil)
	for _, v := range m.Graph.Inputs {
		image, ok := tensors[v.Name]
		if !ok {
			continue
		}
		others := map[string]*Tensor{}
		for name, tensor := range tensors {
			if name != v.Name {
				others[name] = tensor
			}
		}
		n, err := Convert(m, "test", dir, Options{Constants: others})
		if err == nil {
			return "image", runCase(t, n, image, want)
		}
		first = cmp.Or(first, err)
	}
	constant, err := foldAll(m, tensors)
	if err != nil {
		return "", cmp.Or(first, err)
	}
	have, err := constant.all(false)
	require.NoError(t, err)
	values, err := want.Floats(nil)
	require.NoError(t, err)
	assert.Equal(t, want.Dims, append([]int64(nil), constant.Dims...))
	compare(t, values, have, tolerance(t, want))
	return "constant", nil
}

// foldAll computes a model of constants.
func foldAll(m *Model, tensors map[string]*Tensor) (*constant, error) {
	c := &converter{graph: &m.Graph, opset: m.Opset(), values: map[string]value{}, batch: anyBatch, release: func([]byte) {}, left: maxWeights}
	if err := c.constants(tensors); err != nil {
		return nil, err
	}
	for i := range m.Graph.Nodes {
		if err := c.convert(&m.Graph.Nodes[i]); err != nil {
			return nil, err
		}
	}
	v := c.values[m.Graph.Outputs[0].Name]
	if v.constant == nil {
		return nil, errors.New("not a constant")
	}
	return v.constant, nil
}

func runCase(t *testing.T, n *Network, image, want *Tensor) error {
	if _, err := image.Floats(nil); err != nil {
		return err
	}
	values, err := want.Floats(nil)
	if err != nil {
		return err
	}
	have, dims := infer(t, n, image, 64)
	var whole []int64
	for _, d := range dims {
		whole = append(whole, int64(d))
	}
	assert.Equal(t, append([]int64(nil), want.Dims...), whole)
	compare(t, values, have, tolerance(t, want))
	return nil
}

// tolerance is float32's, or of what the expected values are rounded to.
func tolerance(t testing.TB, want *Tensor) float64 {
	switch {
	case strings.HasSuffix(t.Name(), "averagepool_2d_ceil_last_window_starts_on_pad"): // written with four digits
		return 1e-3
	case want.Type == Float16:
		return 1. / (1 << 11)
	case want.Type == BFloat16:
		return 1. / (1 << 8)
	}
	return 1e-5
}

// infer runs a network on the processor.
func infer(t testing.TB, n *Network, in *Tensor, batch int) ([]float32, []int) {
	data, err := in.Floats(nil)
	require.NoError(t, err)
	var dims []int
	for _, d := range in.Dims {
		dims = append(dims, int(d))
	}
	b, err := cpu.New(cpu.Options{Threads: 2})
	require.NoError(t, err)
	have, dims, err := n.Run(b, dims, data, batch)
	require.NoError(t, err)
	return have, dims
}

// compare allows tol times the largest value, and times the value itself.
func compare(t testing.TB, want, have []float32, tol float64) {
	require.Len(t, have, len(want))
	largest := 1e-30
	for _, v := range want {
		if a := math.Abs(float64(v)); a <= math.MaxFloat32 {
			largest = max(largest, a)
		}
	}
	for i, w := range want {
		d := math.Abs(float64(w) - float64(have[i]))
		require.True(t, w == have[i] || d <= tol*largest || w != w && have[i] != have[i], "element %d is %g, must be %g", i, have[i], w)
	}
}

// reason shortens an error to what it says of every such test.
func reason(err error) string {
	var u Unsupported
	s := err.Error()
	if errors.As(err, &u) {
		_, s, _ = strings.Cut(u.Nodes[0], "): ")
	}
	return s
}

func table(rows map[string]*tally, all, others int) string {
	var b strings.Builder
	total := tally{}
	skipped := 0
	for _, r := range rows {
		total.images += r.images
		total.constants += r.constants
		for _, n := range r.skipped {
			skipped += n
		}
	}
	fmt.Fprintf(&b, "# ONNX's own backend tests\n\nWritten by `make test-onnx`, from the tests in `onnx==1.19.1`: of %d, %d are of operators that are not\nimported. Of the other %d, %d pass as networks, each on the CPU backend, %d as constants that importing\nfolds, none fails, and %d are skipped, each for the reason given. A test's inputs are all variable; here one\nis the image, and the others are constants, as weights are.\n\n", all, others, all-others, total.images, total.constants, skipped)
	fmt.Fprintf(&b, "| operator | passed as a network | passed as a constant | skipped | why |\n|---|---|---|---|---|\n")
	var ops []string
	for op := range rows {
		ops = append(ops, op)
	}
	slices.Sort(ops)
	for _, op := range ops {
		r := rows[op]
		n := 0
		var why []string
		for s, count := range r.skipped {
			n += count
			why = append(why, fmt.Sprintf("%d: %s", count, strings.ReplaceAll(s, "|", "\\|")))
		}
		slices.Sort(why)
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %s |\n", op, r.images, r.constants, n, strings.Join(why, "<br>"))
	}
	return b.String()
}
