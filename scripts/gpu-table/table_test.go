package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const shape = "n1_8x8x256_k256x3x3_s1x1_p1x1_d1x1_g1_o8x8"

var ours = strings.NewReplacer("SHAPE", shape).Replace(`{"device":{"name":"A GPU","driver":"580.1 (CUDA 13.0)"},"net":"resnet50","batch":256}
{"network":"resnet50","mode":"train","precision":"bf16","batch":256,"images_per_s":1000,"medianNS":256000000}
{"network":"resnet50","mode":"infer","precision":"fp32","batch":256,"error":"out of memory"}
{"call":"conv_forward+bias/SHAPE","precision":"bf16","flop":8000,"medianNS":4}
{"call":"conv_forward+bias/SHAPE","precision":"bf16","variant":"large","flop":8000,"medianNS":2}
{"call":"conv_forward+bias/SHAPE","precision":"bf16","variant":"small","flop":8000,"medianNS":8}
{"call":"conv_forward+bias/SHAPE","precision":"bf16","variant":"tiled","flop":8000,"medianNS":16}
{"call":"conv_forward/n1_8x8x64_k64x1x1_s1x1_p0x0_d1x1_g1_o8x8","precision":"bf16","flop":1000,"medianNS":2}
{"call":"masked32_conv_forward+bias/SHAPE","precision":"bf16","flop":2000,"medianNS":1}
{"call":"conv_backward_data/n1_8x8x64_k64x3x3_s1x1_p0x0_d1x1_g64_o8x8","precision":"fp32","flop":10,"bytes":300,"medianNS":2}
{"call":"conv_batch_norm_relu/SHAPE","precision":"fp32","flop":8000,"bytes":300,"medianNS":2}
{"call":"add_relu/100","precision":"fp32","bytes":1200,"medianNS":2}
{"call":"add/10","precision":"fp32","bytes":120,"medianNS":2}
{"call":"add/10","precision":"bf16","storage":"bf16","bytes":60,"medianNS":2}
{"call":"conv_forward+bias/SHAPE","precision":"bf16","storage":"bf16","flop":8000,"bytes":300,"medianNS":1}
{"call":"conv_forward+bias/SHAPE","precision":"bf16","storage":"bf16","variant":"large","flop":8000,"bytes":300,"medianNS":2}
{"call":"conv_forward+bias/SHAPE","precision":"bf16","storage":"bf16","variant":"warpgroup","flop":8000,"bytes":300,"medianNS":1}
{"network":"resnet50","mode":"train","precision":"bf16","storage":"bf16","batch":256,"images_per_s":4000,"medianNS":64000000}
{"call":"cut off`)

var theirs = strings.NewReplacer("SHAPE", shape).Replace(`{"torch":"2.15","cudnn":91000,"device":"A GPU"}
{"call":"copy","bytes":8000,"medianNS":10}
{"call":"matmul","precision":"bf16","flop":8000,"medianNS":2}
{"network":"resnet50","mode":"train","precision":"bf16","batch":256,"images_per_s":2000,"medianNS":128000000}
{"call":"conv_forward+bias/SHAPE","precision":"bf16","medianNS":3}
`)

// page is the page of one folder.
func page(w io.Writer, dir string) error {
	_, err := run(w, []string{dir})
	return err
}

func TestTable(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("kernels.jsonl", ours)
	table := func() string {
		var b strings.Builder
		require.NoError(t, page(&b, dir))
		return b.String()
	}
	alone := table()
	for _, line := range []string{
		"A GPU, driver 580.1 (CUDA 13.0): resnet50 at batch 256. Medians; a dash is what was not measured.",
		"| resnet50 train | 256 | bf16 | 256 | 1000 | – | – |",
		"| resnet50 infer | 256 | fp32 | – | – | – | – |",
		"| conv_forward | bf16 | 2 | 1.00 | – | – | – |", // √(2 · 0.5)
		"| conv_forward | 1 | 0.500 | 1.00 | 4.00 | 2.00 |",
		"| bf16 in bf16, TFLOP/s | shapes | large | warpgroup | chosen |\n|---|--:|--:|--:|--:|",
		"| conv_forward | 1 | 4.00 | 8.00 | 8.00 |",
	} {
		assert.Contains(t, alone, line+"\n")
	}
	write("cudnn.jsonl", theirs)
	beside := table()
	for _, line := range []string{
		"Beside it PyTorch 2.15 with cuDNN 91000 on A GPU, channels_last, algorithms chosen by measurement.",
		"| resnet50 train | 256 | bf16 | 256 | 1000 | 2000 | 0.500 |",
		"| conv_forward | bf16 | 2 | 1.00 | 2.67 | 0.750 | 25 % |",
		"| conv_forward | bf16 | 1 | 25 % | 25 % |",
		"| memory-bound, the largest of its kind | GB/s | of a copy's 800 |",
		"| add_relu/100 | 600 | 75 % |",
		"| add/10 | 60.0 | 8 % |",
		"| add/10 in bf16 | 30.0 | 4 % |",
		"| resnet50 train | 256 | bf16 in bf16 | 64.0 | 4000 | 2000 | 2.00 |",
		"| conv_forward | bf16 in bf16 | 1 | 8.00 | 2.67 | 3.00 | 200 % |",
		"| conv_forward+bias/" + shape + " | 0.00000400 | 2.00 | 0.00000300 | 0.750 | large: 0.00000200 ms |",
	} {
		assert.Contains(t, beside, line+"\n")
	}
	assert.NotContains(t, beside, "conv_batch_norm")
	write("gpu-check.jsonl", `{"step": "driver", "result": "passed", "seconds": 1, "file": "driver.txt"}
{"step": "kernels", "result": "cut off after 90 s", "seconds": 90, "file": "kernels.jsonl"}
{"step": "cud`)
	assert.Equal(t, beside+"\n| step that did not pass | result | s |\n|---|---|--:|\n| kernels | cut off after 90 s | 90 |\n", table())
}

func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	require.Error(t, page(&strings.Builder{}, dir))
	for _, text := range []string{"", "{\"net\":\"x\"}\n", "{\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "kernels.jsonl"), []byte(text), 0o644))
		assert.Error(t, page(&strings.Builder{}, dir), text)
	}
}

// Whatever was written when it was cut off makes a table: none of PyTorch's lines, or
// a part of one.
func TestCutOff(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kernels.jsonl"), []byte(ours), 0o644))
	var without strings.Builder
	require.NoError(t, page(&without, dir))
	for _, theirs := range []string{"", "{\"torch\": \"2."} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cudnn.jsonl"), []byte(theirs), 0o644))
		var got strings.Builder
		require.NoError(t, page(&got, dir))
		assert.Equal(t, without.String(), got.String())
	}
}
