package onnx

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
)

// unsupported are those of the peers' models that classify no images, or do it
// with what is not imported, each with a part of the reason given.
var unsupported = map[string]string{
	"light_bvlc_alexnet":    "(LRN): this operator is not supported",
	"light_inception_v1":    "(LRN): this operator is not supported",
	"light_zfnet512":        "(LRN): this operator is not supported",
	"light_shufflenet":      "(Reshape): it reshapes",
	"ch_PP-OCRv4_det_infer": "(Resize): this operator is not supported",
	"ch_PP-OCRv4_rec_infer": "(Pow): this operator is not supported",
}

// The models that come with onnx and rapidocr-onnxruntime, against ONNX Runtime;
// scripts/onnx-references made the folder.
func TestPeers(t *testing.T) {
	dir := os.Getenv("MDP_ONNX_MODELS")
	if dir == "" {
		t.Skip("make test-onnx runs this")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	rows := "\n## Models that other packages come with\n\nThe `light_*` models of `onnx==1.19.1`, as they are and with random weights, and those of `rapidocr-onnxruntime==1.4.4`,\n" +
		"against ONNX Runtime 1.32.0: the largest difference of an output, relative to the largest output.\n\n| model | difference | or why not |\n|---|---|---|\n"
	for _, path := range paths {
		stem := strings.TrimSuffix(path, ".onnx")
		name := filepath.Base(stem)
		t.Run(name, func(t *testing.T) {
			in, want := readTensor(t, stem+".in.pb"), readTensor(t, stem+".out.pb")
			n, err := Import(path, Options{Input: graph.Shape{C: int(in.Dims[1]), H: int(in.Dims[2]), W: int(in.Dims[3])}})
			if why, ok := unsupported[name]; ok {
				require.ErrorContains(t, err, why)
				var u Unsupported
				require.ErrorAs(t, err, &u)
				rows += fmt.Sprintf("| %s | – | %d nodes; the first: %s |\n", name, len(u.Nodes), u.Nodes[0])
				return
			}
			require.NoError(t, err)
			values, err := want.Floats(nil)
			require.NoError(t, err)
			have, _ := infer(t, n, in, int(in.Dims[0]))
			compare(t, values, have, 1e-4)
			rows += fmt.Sprintf("| %s | %.1e | |\n", name, difference(values, have))
		})
	}
	if path := os.Getenv("MDP_ONNX_TABLE"); path != "" && !t.Failed() {
		b, err := os.ReadFile(path) // of TestBackend
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, append(b, rows...), 0o644))
	}
}

// difference is the largest, relative to the largest value wanted.
func difference(want, have []float32) float64 {
	most, largest := 0.0, 0.0
	for i, w := range want {
		most = max(most, math.Abs(float64(w)-float64(have[i])))
		largest = max(largest, math.Abs(float64(w)))
	}
	return most / largest
}
