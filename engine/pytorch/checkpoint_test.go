package pytorch

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/dtype"
)

// values reads a tensor.
func values(t testing.TB, x Tensor) []float32 {
	n := 1
	for _, d := range x.Shape {
		n *= d
	}
	v := make([]float32, n)
	require.NoError(t, x.read(v), x.Name)
	return v
}

func open(t testing.TB, path string) *Checkpoint {
	c, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// What torch.save wrote, in its format of today and in that before 1.6:
// testdata/make.py has the values.
func TestTorchFiles(t *testing.T) {
	row := func(from, to, step int) []float32 {
		var r []float32
		for i := from; i < to; i += step {
			r = append(r, float32(i))
		}
		return r
	}
	for _, file := range []string{"state.pt", "legacy.pt"} {
		c := open(t, "testdata/"+file)
		want := []struct {
			name  string
			kind  dtype.Type
			shape []int
			v     []float32
		}{
			{"plain", dtype.F32, []int{2, 3}, row(0, 6, 1)},
			{"half", dtype.F16, []int{4}, []float32{1, -2, 0.5, 65504}},
			{"brain", dtype.BF16, []int{2, 2}, []float32{1, -2, 0.5, 0x1.c4p+127}},
			{"double", dtype.F64, []int{3}, []float32{0.1, float32(math.Inf(-1)), 3}},
			{"counter", dtype.I64, []int{}, nil},
			{"scalar", dtype.F32, []int{}, []float32{2.5}},
			{"shared", dtype.F32, []int{6}, row(4, 10, 1)},
			{"transposed", dtype.F32, []int{3, 2}, []float32{0, 3, 1, 4, 2, 5}},
			{"every_other", dtype.F32, []int{12}, row(1, 24, 2)},
			{"expanded", dtype.F32, []int{2, 2}, []float32{3, 3, 3, 3}},
			{"last", dtype.F32, []int{2, 3, 2, 2}, row(0, 24, 1)},
			{"parameter", dtype.F32, []int{2}, row(0, 2, 1)},
			{"text", "", nil, nil},
		}
		require.Len(t, c.Tensors, len(want), file)
		for i, w := range want {
			x := c.Tensors[i]
			assert.Equal(t, w.name, x.Name, file)
			assert.Equal(t, w.kind, x.Type, x.Name)
			assert.Equal(t, w.shape, x.Shape, x.Name)
			if w.v != nil {
				assert.Equal(t, w.v, values(t, x), x.Name)
			}
		}
	}
}

// A whole module, and its state dict among other things and behind two wrappers.
func TestModule(t *testing.T) {
	for _, file := range []string{"module.pt", "wrapped.pt"} {
		c := open(t, "testdata/"+file)
		var got []string
		for i, x := range c.Tensors {
			got = append(got, fmt.Sprint(x.Name, x.Shape))
			if x.Type == dtype.F32 {
				for j, v := range values(t, x) {
					require.Equal(t, float32(100*i+j), v, x.Name)
				}
			}
		}
		assert.Equal(t, []string{"0.weight[2 1 3 3]", "0.bias[2]", "1.weight[2]", "1.bias[2]", "1.running_mean[2]", "1.running_var[2]", "1.num_batches_tracked[]", "2.1.weight[4 3]"}, got, file)
	}
}

// archive is a zip archive of files, none of it compressed.
func archive(t testing.TB, files ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: files[i], Method: zip.Store})
		require.NoError(t, err)
		_, err = io.WriteString(w, files[i+1])
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// one is a pickle of a dict with one tensor: offset, shape and strides of a
// storage "0" as protocol 0 spells them.
func one(class, offset, shape, strides string) string {
	return "(dS'w'\nctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\n" + class + "\nS'0'\nS'cpu'\nI4\ntQI" + offset + "\n(" + shape + "t(" + strides + "tI00\nNtRs."
}

func TestHostileFiles(t *testing.T) {
	numbers := strings.Repeat("\x00\x00\x80\x3f", 4)
	good := one("FloatStorage", "0", "I2\nI2\n", "I2\nI1\n")
	var deflated bytes.Buffer
	z := zip.NewWriter(&deflated)
	w, err := z.Create("a/data.pkl")
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	legacy, err := os.ReadFile("testdata/legacy.pt")
	require.NoError(t, err)
	damaged := archive(t, "a/data.pkl", good, "a/data/0", numbers)
	damaged[bytes.Index(damaged, []byte(numbers))]++
	for _, c := range []struct {
		name, says string
		file       []byte
	}{
		{"empty", "the file is empty", nil},
		{"text", "not a safetensors file", []byte("hello, world")},
		{"no archive", "zip: not a valid zip file", []byte("PK\x03\x04")},
		{"no pickle", "without data.pkl", archive(t, "a/version", "3")},
		{"two pickles", "two pickles", archive(t, "a/data.pkl", "N.", "b/data.pkl", "N.")},
		{"bomb", "is compressed", deflated.Bytes()},
		{"big endian", "little endian", archive(t, "a/data.pkl", "N.", "a/byteorder", "big")},
		{"no storage", `the archive has no "data/0"`, archive(t, "a/data.pkl", good)},
		{"no dict", "neither a state dict nor a module", archive(t, "a/data.pkl", "I1\n.")},
		{"million lists", "take more memory", archive(t, "a/data.pkl", strings.Repeat("]", 1<<20))},
		{"no names", `key "7"`, archive(t, "a/data.pkl", "(dI7\nNs.")},
		{"no module", `is no module`, archive(t, "a/data.pkl", "(icos\nsystem\n}b.")},
		{"command", `neither`, archive(t, "a/data.pkl", "cos\nsystem\n.")},
		{"storage without end", "reaches over", archive(t, "a/data.pkl", one("FloatStorage", "0", "I5\n", "I1\n"), "a/data/0", numbers)},
		{"offset behind the end", "reaches over", archive(t, "a/data.pkl", one("FloatStorage", "4", "I1\n", "I1\n"), "a/data/0", numbers)},
		{"offset of 2^63-1", "reaches over", archive(t, "a/data.pkl", one("FloatStorage", "9223372036854775807", "I2\n", "I1\n"), "a/data/0", numbers)},
		{"negative offset", "from -1 on", archive(t, "a/data.pkl", one("FloatStorage", "-1", "I2\n", "I1\n"), "a/data/0", numbers)},
		{"negative stride", "a tensor that is none", archive(t, "a/data.pkl", one("FloatStorage", "3", "I2\n", "I-1\n"), "a/data/0", numbers)},
		{"huge stride", "reaches over", archive(t, "a/data.pkl", one("FloatStorage", "0", "I2147483647\nI2147483647\nI2147483647\n", "I2147483647\nI2147483647\nI2147483647\n"), "a/data/0", numbers)},
		{"stride missing", "has strides", archive(t, "a/data.pkl", one("FloatStorage", "0", "I2\nI2\n", "I1\n"), "a/data/0", numbers)},
		{"two types", "of two types", archive(t, "a/data.pkl", "("+strings.TrimSuffix(good, ".")+strings.TrimSuffix(one("HalfStorage", "0", "I1\n", "I1\n"), ".")+"t.", "a/data/0", numbers)},
		{"another pickle", "that torch.save did not write", []byte("\x80\x02\x8a\x01\x01.")},
		{"a plain pickle", "that torch.save did not write", []byte("\x80\x02]q\x00.")},
		{"legacy cut off", "cut off", legacy[:len(legacy)-1]},
		{"legacy of keys alone", "cut off", legacy[:len(legacy)-400]},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hostile.pt")
			require.NoError(t, os.WriteFile(path, c.file, 0o600))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Open(path)
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, c.says)
			assert.ErrorContains(t, err, path)
			assert.NotContains(t, err.Error(), "\n")
			if len(c.file) < 1<<20 {
				assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
			}
		})
	}
	t.Run("damaged numbers", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "damaged.pt")
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		c := open(t, path)
		assert.ErrorIs(t, c.Tensors[0].read(make([]float32, 4)), zip.ErrChecksum)
	})
	t.Run("good", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "good.pt")
		require.NoError(t, os.WriteFile(path, archive(t, "a/data.pkl", good, "a/data/0", numbers), 0o600))
		assert.Equal(t, []float32{1, 1, 1, 1}, values(t, open(t, path).Tensors[0]))
	})
	_, err = Open(t.TempDir())
	assert.ErrorContains(t, err, "is a folder")
}

// What is there once, and named many times, takes neither time nor memory for each.
func TestHostileSharing(t *testing.T) {
	module := func(attribute, inner string) string { return "(inn\nM\n(dS'" + attribute + "'\n(d" + inner + "s" }
	tree := module("_modules", "") + "bp0\n0"
	for i := range 40 {
		tree += module("_modules", fmt.Sprintf("S'a'\ng%d\nsS'b'\ng%d\ns", i, i)) + fmt.Sprintf("bp%d\n0", i+1)
	}
	parameters := ""
	for i := range 1 << 12 {
		parameters += fmt.Sprintf("S'%d'\nI1\ns", i)
	}
	tuple := "N" + strings.Repeat("2\x86", 40)
	for _, c := range []struct{ name, says, pickle string }{
		{"modules of twice one", "take more memory", tree + "g40\n."},
		{"long names", "take more memory", module("_modules", "S'"+strings.Repeat("a", 1<<18)+"'\n"+module("_parameters", parameters)+"S'_modules'\n(dsbs") + "b."},
		{"tuples of twice one as a storage", "a pickle.Tuple names no storage", tuple + "Q."},
		{"tuples of twice one as a key", "the key a pickle.Tuple", "(d" + tuple + "Ns."},
		{"tuples of twice one as a class", "pickle.Tuple is called", tuple + ")}\x92."},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hostile.pt")
			require.NoError(t, os.WriteFile(path, archive(t, "a/data.pkl", c.pickle), 0o600))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Open(path)
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, c.says)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
		})
	}
}

// Whatever the bytes, opening a file and reading its tensors neither panics nor
// takes memory beyond the file's.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"state.pt", "legacy.pt", "module.pt", "wrapped.pt"} {
		b, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add(archive(f, "a/data.pkl", one("FloatStorage", "0", "I2\nI2\n", "I2\nI1\n"), "a/data/0", "0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &Checkpoint{}
		if err := c.open(bytes.NewReader(b), int64(len(b))); err != nil {
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		c.unwrap()
		for _, x := range c.Tensors {
			n := 1
			for _, d := range x.Shape {
				if n *= d; n > len(b) {
					break
				}
			}
			if x.Type.Float() && n <= len(b) {
				x.read(make([]float32, n))
			}
		}
	})
}
