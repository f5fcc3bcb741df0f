//go:build cuda

package cuda

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver/interpreted"
	"mdp/engine/enginetest"
	"mdp/kernels"
)

// ptxOfAll is what nvcc makes of each source: the PTX that is shipped or, of warpgroups,
// whose is for one GPU and not shipped, the same front end's.
var ptxOfAll = sync.OnceValues(func() (map[string]string, error) {
	images, err := kernels.Fatbins([2]int{9, 0})
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	var warpgroups []string
	for name, image := range images {
		if source, ok := strings.CutSuffix(name, ".sm_90a"); ok {
			warpgroups = append(warpgroups, source)
		} else {
			all[name] = interpreted.PTX(image)
		}
	}
	nvcc := os.Getenv("NVCC")
	if nvcc == "" {
		return nil, fmt.Errorf("no NVCC: eval \"$(scripts/cuda-toolchain)\"")
	}
	dir, err := os.MkdirTemp("", "mdp-ptx-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, kernels.Sources); err != nil {
		return nil, err
	}
	c := exec.Command("xargs", "-P2", "-I{}", nvcc, "-std=c++17", "-O3", "-DSM_90A", "-arch=sm_90a", "-ptx", "-o", "{}.ptx", "{}.cu")
	c.Dir, c.Stdin = dir, strings.NewReader(strings.Join(warpgroups, "\n"))
	if said, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%v: %w: %s", c, err, said)
	}
	for _, source := range warpgroups {
		text, err := os.ReadFile(filepath.Join(dir, source+".ptx"))
		if err != nil {
			return nil, err
		}
		all[source+".sm_90a"] = string(text)
	}
	return all, nil
})

// interpreter is a device that runs what nvcc made of the kernels, but for a change.
func interpreter(t *testing.T, change func(map[string]string)) *interpreted.Device {
	all, err := ptxOfAll()
	require.NoError(t, err)
	all = maps.Clone(all)
	if change != nil {
		change(all)
	}
	d, err := interpreted.Open(all)
	require.NoError(t, err)
	return d
}

// TestInterpreted runs what nvcc made of the kernels: every one of them, in calls and small
// networks that take an interpreter no long time.
func TestInterpreted(t *testing.T) {
	d := interpreter(t, nil)
	t.Run("fp32", func(t *testing.T) { enginetest.Run(t, few{backend(t, d, Float32)}) })
	t.Run("images", func(t *testing.T) { checkImages(t, backend(t, d, Float32)) })
	for _, s := range narrow {
		t.Run("in "+s.String(), func(t *testing.T) { enginetest.Run(t, few{in(t, d, s, Chosen)}) })
		t.Run("images in "+s.String(), func(t *testing.T) { checkImages(t, in(t, d, s, Chosen)) })
	}
	for _, p := range precisions {
		for _, v := range variants {
			name, b := string(p)+" "+string(v), variant(t, d, p, v)
			t.Run(name, func(t *testing.T) { checkPrecision(t, b, smallConvs) })
			t.Run("norm "+name, func(t *testing.T) { checkNorm(t, b, smallConvs) })
			t.Run("masked "+name, func(t *testing.T) { checkMasked(t, b, smallConvs[:1]) })
		}
		t.Run("masked ones "+string(p), func(t *testing.T) { checkMasked(t, variant(t, d, p, Small), smallConvs[4:]) })
	}
	for _, s := range narrow {
		for _, v := range append([]Variant{Short, Warpgroup, WarpgroupHalf, WarpgroupNarrow}, variants...) {
			name, b := "in "+s.String()+" "+string(v), in(t, d, s, v)
			t.Run(name, func(t *testing.T) { checkPrecision(t, b, smallConvs) })
			t.Run("norm "+name, func(t *testing.T) { checkNorm(t, b, smallConvs) })
			t.Run("masked "+name, func(t *testing.T) { checkMasked(t, b, smallConvs[:1]) })
		}
	}
	t.Run("norm of many tiles", func(t *testing.T) { checkNorm(t, variant(t, d, Float32, Small), normConvs[3:4]) })
	t.Run("masked filter", func(t *testing.T) { checkMaskFilter(t, backend(t, d, Float32)) })
	t.Run("atomics", func(t *testing.T) {
		for _, v := range variants {
			b := with(t, d, Options{Atomics: true, Variant: v})
			assert.Zero(t, deviation(t, b, engine.ConvBackwardFilter{Conv: maskedConvs[4], DW: 1, DY: 2, X: 3}, true))
		}
	})
	t.Run("trainings", func(t *testing.T) { checkTrainings(t, d) })
	t.Run("programs", func(t *testing.T) { checkPrograms(t, d) })
	t.Run("every kernel", func(t *testing.T) {
		for _, name := range d.Kernels() {
			assert.NotZero(t, d.Launched[name], "%s was never run", name)
		}
	})
	t.Logf("threads executed %d million instructions", d.Instructions/1e6)
	require.NoError(t, d.Close())
}

// smallConvs have channels in eights, of many taps and of one; in ones; in fours; and in ones.
var smallConvs = []engine.Conv{
	{N: 2, H: 5, W: 6, C: 40, K: 72, R: 3, S: 3, P: 5, Q: 6, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 1, H: 7, W: 7, C: 64, K: 72, R: 1, S: 1, P: 7, Q: 7, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 1, H: 9, W: 11, C: 3, K: 16, R: 3, S: 3, P: 5, Q: 6, Stride: [2]int{2, 2}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 2, H: 5, W: 6, C: 12, K: 20, R: 3, S: 2, P: 5, Q: 7, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 2, H: 5, W: 4, C: 19, K: 9, R: 2, S: 2, P: 4, Q: 3, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
}

// few is a backend that does calls of so much work and no more.
type few struct{ *Backend }

func (b few) Supports(c engine.Call) error {
	work := 0
	for _, o := range c.Operands() {
		work += o.Len
	}
	if conv, ok := c.(interface{ MACs() int64 }); ok {
		work += int(conv.MACs()) / 8
	}
	if work > 1<<14 {
		return fmt.Errorf("%v: takes too long: %w", c, engine.ErrUnsupported)
	}
	return b.Backend.Supports(c)
}
