//go:build cuda

package cuda

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver/cu"
	"mdp/engine/graph"
)

// TestMemoryOfManySteps counts what the driver is asked to make, by function: for 220
// steps and as many batches of another network's inference it is what it is for 20. Nor
// does the host's memory grow.
func TestMemoryOfManySteps(t *testing.T) {
	if os.Getenv("MDP_TEST_EMULATED_DRIVER") == "" {
		t.Skip("only the emulated driver counts")
	}
	calls := filepath.Join(t.TempDir(), "calls")
	t.Setenv("EMULATED_CALLS", calls)
	before, err := cu.Open(0)
	require.NoError(t, err)
	require.NoError(t, before.Close())
	counted := readCalls(t, calls) // of the tests before this one, too
	var made [2]map[string]int
	var host [2]uint64
	for i, steps := range []int{20, 220} {
		d, err := cu.Open(0)
		require.NoError(t, err)
		host[i] = manySteps(t, backend(t, d, Float16), steps)
		require.NoError(t, d.Close())
		made[i] = map[string]int{}
		for name, n := range readCalls(t, calls) {
			if makes.MatchString(name) {
				made[i][name] = n - counted[name]
				counted[name] = n
			}
		}
	}
	require.NotEmpty(t, made[0])
	assert.Equal(t, made[0], made[1])
	assert.LessOrEqual(t, int64(host[1])-int64(host[0]), int64(256<<10), "bytes of the host, after 20 and after 220 steps")
}

// makes matches the functions of the driver that leave something to give back.
var makes = regexp.MustCompile(`Alloc|Create|Instantiate|BeginCapture|Load|GetFunction|SetAttribute`)

// manySteps trains and infers, and says what the host holds in the end.
func manySteps(t *testing.T, b engine.Backend, steps int) (bytes uint64) {
	const n = 4
	builder := graph.NewBuilder("small", graph.Shape{H: 3, W: 3, C: 1})
	builder.Conv2D("conv", "input", graph.Conv2D{Out: 4, Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}, Dilation: [2]int{1, 1}, Groups: 1})
	builder.BatchNorm("norm", "conv")
	builder.Op(graph.OpGlobalAvgPool, "pool", "norm")
	builder.Linear("fc", "pool", 4)
	g, err := builder.Build()
	require.NoError(t, err)
	training, err := g.WithLoss(0.1)
	require.NoError(t, err)
	p, err := engine.Compile(training, b, engine.Options{Mode: engine.Train, Batch: n})
	require.NoError(t, err)
	q, err := engine.Compile(g, b, engine.Options{Mode: engine.Infer, Batch: n})
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	require.NoError(t, p.SetWeights(w))
	require.NoError(t, q.SetWeights(w))
	images, logits := make([]float32, n*g.Shape(0).Size()), make([]float32, n*4)
	for step := range steps {
		require.NoError(t, p.Start(engine.Batch{Images: images, Labels: []int32{0, 1, 2, 3}}, engine.Hyper{LearningRate: 0.01}))
		if step%engine.Recorded == 0 {
			_, err := p.Metrics()
			require.NoError(t, err)
		}
		require.NoError(t, q.Infer(logits, images))
	}
	runtime.GC()
	runtime.GC() // what was freed by the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	require.NoError(t, p.Close())
	require.NoError(t, q.Close())
	return m.HeapAlloc
}

// readCalls is how often each function of the driver was called.
func readCalls(t *testing.T, path string) map[string]int {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	all := map[string]int{}
	for s := bufio.NewScanner(f); s.Scan(); {
		name, n, _ := strings.Cut(s.Text(), " ")
		all[name], err = strconv.Atoi(n)
		require.NoError(t, err)
	}
	return all
}
