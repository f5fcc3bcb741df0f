//go:build cuda

package cudnn

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// recorder is a cuDNN that writes down what it is asked: testdata/libcudnn.cpp.
type recorder struct {
	t   *testing.T
	log string
	*Handle
}

func newRecorder(t *testing.T) *recorder {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), stub(t), 0o755)) // of another file, it counts anew
	t.Setenv("CUDNN_PATH", dir)
	r := &recorder{t: t, log: filepath.Join(dir, "log")}
	t.Setenv("CUDNN_LOG", r.log)
	l, err := Open()
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, name), l.Path())
	r.Handle, err = l.NewHandle(0x5000)
	require.NoError(t, err)
	assert.Equal(t, []string{"Create handle", "SetStream 0x5000"}, r.said())
	return r
}

var compiled struct {
	sync.Once
	library []byte
}

// stub is testdata/libcudnn.cpp, compiled.
func stub(t *testing.T) []byte {
	if _, err := exec.LookPath("g++"); err != nil {
		t.Skip("g++ is not installed")
	}
	compiled.Do(func() {
		path := filepath.Join(t.TempDir(), name)
		out, err := exec.Command("g++", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", path, "testdata/libcudnn.cpp").CombinedOutput()
		require.NoError(t, err, string(out))
		compiled.library, err = os.ReadFile(path)
		require.NoError(t, err)
	})
	return compiled.library
}

// said returns the calls since it was last asked.
func (r *recorder) said() []string {
	b, err := os.ReadFile(r.log)
	require.NoError(r.t, err)
	require.NoError(r.t, os.Truncate(r.log, 0))
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// done closes the handle; no descriptor may be left.
func (r *recorder) done() {
	require.NoError(r.t, r.Close())
	assert.Equal(r.t, []string{"Destroy handle, 0 descriptors left"}, r.said())
}

// once is a stopwatch on which everything takes the same time.
func once(run func() error) (int64, error) { return 1000, run() }

// layer is a convolution whose sizes all differ: 2 images of 16×18×20, filters
// of 24×3×5.
func layer() Problem {
	return Problem{Conv: engine.Conv{N: 2, H: 18, W: 20, C: 16, K: 24, R: 3, S: 5, P: 9, Q: 20, Stride: [2]int{2, 1}, Pad: [2]int{1, 2}, Dilation: [2]int{1, 1}, Groups: 2}, Precision: FP32}
}

var operands = Operands{X: 0x1000, W: 0x2000, Y: 0x3000, Z: 0x4000, B: 0x6000, Workspace: 0x7000, WorkspaceBytes: 1 << 20}

func TestForward(t *testing.T) {
	r := newRecorder(t)
	p := layer()
	choice, err := r.Find(p, operands, once)
	require.NoError(t, err)
	assert.Equal(t, Choice{Version: "9.1.0", Algorithm: 0, Math: 3, WorkspaceBytes: 1000, LatencyNS: 1000}, choice)
	const x, w, conv, y = "x[format 1 type 0: 2 16 18 20]@0x1000", "w[format 1 type 0: 24 8 3 5]@0x2000",
		"conv[pad 1 2 stride 2 1 dilation 1 1 mode 1 type 0 groups 2 math 3]", "y[format 1 type 0: 2 24 9 20]@0x3000"
	const space = "space 1048576@0x7000"
	run := func(algorithm int) string {
		return fmt.Sprintf("ConvolutionForward algo %d alpha 1 beta 0 %s %s %s %s %s", algorithm, x, w, conv, y, space)
	}
	assert.Equal(t, []string{"FindConvolutionForwardAlgorithmEx " + strings.Join([]string{x, w, conv, y, space}, " "), run(0), run(1)}, r.said(),
		"what needs too much memory, or failed, is not tried")

	c, err := r.Conv(p, choice)
	require.NoError(t, err)
	require.NoError(t, c.Run(operands))
	require.NoError(t, c.Run(operands))
	assert.Equal(t, []string{run(0), run(0)}, r.said())
	small := operands
	small.WorkspaceBytes = 999
	assert.EqualError(t, c.Run(small), "cuDNN needs 1000 bytes of workspace, there are 999")
	c.Close()

	// With less room there is another.
	choice, err = r.Find(p, small, once)
	require.NoError(t, err)
	assert.Equal(t, 1, choice.Algorithm)
	r.said()
	r.done()
}

// The fastest as deployed counts, not as cuDNN timed it alone.
func TestStopwatchDecides(t *testing.T) {
	r := newRecorder(t)
	took := []int64{9000, 8000}
	choice, err := r.Find(layer(), operands, func(run func() error) (int64, error) {
		ns := took[0]
		took = took[1:]
		return ns, run()
	})
	require.NoError(t, err)
	assert.Equal(t, 1, choice.Algorithm)
	assert.EqualValues(t, 8000, choice.LatencyNS)
	lost := errors.New("the device is lost")
	_, err = r.Find(layer(), operands, func(func() error) (int64, error) { return 0, lost })
	assert.ErrorIs(t, err, lost)
	r.said()
	r.done()
}

func TestLayoutsAndPrecisions(t *testing.T) {
	r := newRecorder(t)
	for _, c := range []struct {
		layout    Layout
		precision Precision
		answers   string // the math type that algorithms come with
		descr     string
		asks, has string
	}{
		{NHWC, FP32, "0", "format 1 type 0", "math 3", "math 3"}, // the default would allow TF32
		{NCHW, FP32, "3", "format 0 type 0", "math 3", "math 3"},
		{NHWC, TF32, "0", "format 1 type 0", "math 0", "math 0"},
		{NHWC, TF32, "1", "format 1 type 0", "math 0", "math 1"},
		{NHWC, BF16, "1", "format 1 type 9", "math 1", "math 1"},
		{NCHW, FP16, "1", "format 0 type 2", "math 1", "math 1"},
	} {
		p := layer()
		p.Layout, p.Precision = c.layout, c.precision
		t.Setenv("CUDNN_MATH", c.answers)
		_, err := r.Find(p, operands, once)
		require.NoError(t, err)
		said := r.said()
		for _, s := range said {
			for _, d := range []string{"x[", "w[", "y["} {
				assert.Contains(t, s, d+c.descr)
			}
			assert.Contains(t, s, "mode 1 type 0", "sums are float32")
		}
		assert.Contains(t, said[0], c.asks+"]")
		assert.Contains(t, said[1], c.has+"]")
	}
	r.done()
}

// float32 is never multiplied by tensor cores unless TF32 is asked for.
func TestTrueFP32(t *testing.T) {
	r := newRecorder(t)
	t.Setenv("CUDNN_MATH", "1")
	choice, err := r.Find(layer(), operands, once)
	require.NoError(t, err)
	assert.True(t, choice.Graph)
	assert.Equal(t, 12, choice.Algorithm, "engine 10 uses tensor cores, 11 is no plan")
	p := layer()
	p.Precision = TF32
	t.Setenv("CUDNN_REFUSE", "FindConvolutionForwardAlgorithmEx")
	choice, err = r.Find(p, operands, once)
	require.NoError(t, err)
	assert.Equal(t, 10, choice.Algorithm)
	r.said()
	r.done()
}

func TestFused(t *testing.T) {
	r := newRecorder(t)
	fused := func(change func(*Problem)) []string {
		p := layer()
		p.Bias = true
		change(&p)
		choice, err := r.Find(p, operands, once)
		require.NoError(t, err)
		assert.False(t, choice.Graph)
		return r.said()[1:]
	}
	const rest = "x[format 1 type 0: 2 16 18 20]@0x1000 w[format 1 type 0: 24 8 3 5]@0x2000 conv[pad 1 2 stride 2 1 dilation 1 1 mode 1 type 0 groups 2 math 3] " +
		"z[format 1 type 0: 2 24 9 20]@%s bias[format 1 type 0: 1 24 1 1]@0x6000 act[mode %d nan 0 coefficient 0] y[format 1 type 0: 2 24 9 20]@0x3000 space 1048576@0x7000"
	call := func(algorithm, add int, z string, act int) string {
		return fmt.Sprintf("ConvolutionBiasActivationForward algo %d alpha 1 %d "+rest, algorithm, add, z, act)
	}
	assert.Equal(t, []string{call(0, 1, "0x4000", 1), call(1, 1, "0x4000", 1)}, fused(func(p *Problem) { p.Add, p.Act = true, engine.ReLU }))
	assert.Equal(t, []string{call(1, 1, "0x4000", 5)}, fused(func(p *Problem) { p.Add = true }), "one algorithm alone fuses without an activation")
	r.done()
}

// Without an addend its factor is 0, and its place that of the output.
func TestFusedWithoutAddend(t *testing.T) {
	r := newRecorder(t)
	p := layer()
	p.Bias, p.Act = true, engine.ReLU
	o := operands
	o.Z = 0
	_, err := r.Find(p, o, once)
	require.NoError(t, err)
	assert.Contains(t, r.said()[1], "alpha 1 0 ")
	_, err = r.Find(p, o, once)
	require.NoError(t, err)
	assert.Contains(t, r.said()[1], "z[format 1 type 0: 2 24 9 20]@0x3000")
	r.done()
}

func TestBackward(t *testing.T) {
	r := newRecorder(t)
	p := layer()
	const x, w, conv, y = "[format 1 type 0: 2 16 18 20]@0x1000", "[format 1 type 0: 24 8 3 5]@0x2000",
		"conv[pad 1 2 stride 2 1 dilation 1 1 mode 1 type 0 groups 2 math 3]", "[format 1 type 0: 2 24 9 20]@0x3000"
	p.Direction = BackwardData
	_, err := r.Find(p, operands, once)
	require.NoError(t, err)
	said := r.said()
	assert.Equal(t, "FindConvolutionBackwardDataAlgorithmEx w"+w+" dy"+y+" "+conv+" dx"+x+" space 1048576@0x7000", said[0])
	assert.Equal(t, "ConvolutionBackwardData algo 0 alpha 1 beta 0 w"+w+" dy"+y+" "+conv+" dx"+x+" space 1048576@0x7000", said[1])
	p.Direction = BackwardFilter
	_, err = r.Find(p, operands, once)
	require.NoError(t, err)
	said = r.said()
	assert.Equal(t, "FindConvolutionBackwardFilterAlgorithmEx x"+x+" dy"+y+" "+conv+" dw"+w+" space 1048576@0x7000", said[0])
	assert.Equal(t, "ConvolutionBackwardFilter algo 0 alpha 1 beta 0 x"+x+" dy"+y+" "+conv+" dw"+w+" space 1048576@0x7000", said[1])
	r.done()
}

func TestRefusals(t *testing.T) {
	r := newRecorder(t)
	for _, c := range []struct {
		change func(*Problem)
		says   string
	}{
		{func(p *Problem) { p.Precision = "fp8" }, `precision "fp8" is none of`},
		{func(p *Problem) { p.Groups = 3 }, "3 groups of 16 and 24 channels"},
		{func(p *Problem) { p.Direction, p.Bias = BackwardData, true }, "are of the forward direction"},
		{func(p *Problem) { p.Layout = 7 }, "direction 0 or layout 7 is none"},
		{func(p *Problem) { p.Act = engine.HardSwish }, "cuDNN has no +hard_swish to fuse"},
	} {
		p := layer()
		c.change(&p)
		_, err := r.Find(p, operands, once)
		assert.ErrorContains(t, err, c.says)
	}
	for refuse, says := range map[string]string{
		"SetConvolutionGroupCount=2000":                          "cuDNN: describe forward NHWC fp32 n2_18x20x16_k24x3x5_s2x1_p1x2_d1x1_g2_o9x20: CUDNN_STATUS_OTHER: as it was told",
		"FindConvolutionForwardAlgorithmEx=5000":                 "cuDNN: find an algorithm for forward",
		"ConvolutionForward=5000":                                "cuDNN: forward by algorithm 0: CUDNN_STATUS_OTHER",
		"ConvolutionForward":                                     "cuDNN has nothing that computes forward",
		"CreateActivation CreateTensor":                          "cuDNN: describe forward", // on the way to the graph
		"FindConvolutionForwardAlgorithmEx BackendFinalize=4000": "cuDNN: describe a tensor: CUDNN_STATUS_OTHER",
	} {
		t.Setenv("CUDNN_REFUSE", refuse)
		_, err := r.Find(layer(), operands, once)
		if refuse == "CreateActivation CreateTensor" {
			require.NoError(t, err, "the graph API has it")
			continue
		}
		assert.ErrorContains(t, err, says, refuse)
	}
	t.Setenv("CUDNN_REFUSE", "")
	_, err := r.Conv(layer(), Choice{Version: "9.0.0"})
	assert.EqualError(t, err, "the choice was found by cuDNN 9.0.0, this is 9.1.0: find it again")
	r.said()
	r.done()
}
