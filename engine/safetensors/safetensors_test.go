package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	hf "github.com/nlpodyssey/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// sample holds what files hold: weights, a counter as PyTorch writes it, names that sort and names that need quotes.
func sample() (map[string]*tensor.Dense, map[string]string) {
	odd := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), math.Float32frombits(0x7fc00123), math.SmallestNonzeroFloat32, 1, 2, 3}
	large := make([]float32, 40000) // more than one chunk of writeAll
	for i := range large {
		large[i] = float32(i)
	}
	return map[string]*tensor.Dense{
		"layer1.0.bn1.weight":          tensor.New(tensor.WithShape(2, 1, 4), tensor.WithBacking(odd)),
		"fc.weight":                    tensor.New(tensor.WithShape(100, 400), tensor.WithBacking(large)),
		"bn1.num_batches_tracked":      tensor.New(tensor.FromScalar(int64(-7))),
		"steps":                        tensor.New(tensor.WithShape(3), tensor.WithBacking([]int64{1, math.MinInt64, math.MaxInt64})),
		"loss":                         tensor.New(tensor.FromScalar(float32(0.25))),
		`<"quotes" & 'größe'>` + "\n€": tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{5})),
	}, map[string]string{"format": "pt", "net": "resnet <20>"}
}

func encode(t testing.TB, tensors map[string]*tensor.Dense, metadata map[string]string) []byte {
	var b bytes.Buffer
	require.NoError(t, Encode(&b, tensors, metadata))
	return b.Bytes()
}

// assertEqual compares bit for bit, so that NaN and -0 count.
func assertEqual(t testing.TB, want, got map[string]*tensor.Dense) {
	require.Len(t, got, len(want))
	for name, w := range want {
		g := got[name]
		require.NotNil(t, g, name)
		assert.Equal(t, w.Dtype(), g.Dtype(), name)
		assert.Equal(t, []int(w.Shape()), []int(g.Shape()), name)
		wb, err := binary.Append(nil, binary.LittleEndian, w.Data())
		require.NoError(t, err)
		gb, err := binary.Append(nil, binary.LittleEndian, g.Data())
		require.NoError(t, err)
		assert.Equal(t, wb, gb, name)
	}
}

func TestRoundTrip(t *testing.T) {
	tensors, metadata := sample()
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	require.NoError(t, Write(path, nil, nil))
	got, gotMetadata, err := Read(path)
	require.NoError(t, err)
	assert.Empty(t, got)
	assert.Nil(t, gotMetadata)

	require.NoError(t, Write(path, tensors, metadata)) // over the first
	got, gotMetadata, err = Read(path)
	require.NoError(t, err)
	assertEqual(t, tensors, got)
	assert.Equal(t, metadata, gotMetadata)

	first, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, first, encode(t, got, gotMetadata), "bytes depend on the tensors alone")
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, files, 1, "no temporary file is left")
}

// TestAgainstOtherImplementation reads our file with nlpodyssey/safetensors, and its file with ours.
func TestAgainstOtherImplementation(t *testing.T) {
	tensors, metadata := sample()
	theirs, err := hf.Deserialize(encode(t, tensors, metadata))
	require.NoError(t, err)
	require.Equal(t, len(tensors), theirs.Len())

	views := make(map[string]hf.TensorView)
	for name, w := range tensors {
		view, ok := theirs.Tensor(name)
		require.True(t, ok, name)
		want, err := binary.Append(nil, binary.LittleEndian, w.Data())
		require.NoError(t, err)
		assert.Equal(t, want, view.Data(), name)
		require.Len(t, view.Shape(), w.Dims(), name)
		for i, d := range w.Shape() {
			assert.EqualValues(t, d, view.Shape()[i], name)
		}
		views[name] = view
	}
	b, err := hf.Serialize(views, metadata)
	require.NoError(t, err)
	got, gotMetadata, err := decode(b)
	require.NoError(t, err)
	assertEqual(t, tensors, got)
	assert.Equal(t, metadata, gotMetadata)
}

// Halves and doubles are read as float32.
func TestFloatTypes(t *testing.T) {
	b := file(`{"half":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"brain":{"dtype":"BF16","shape":[1,1],"data_offsets":[4,6]},"double":{"dtype":"F64","shape":[],"data_offsets":[6,14]}}`, 0)
	b = append(b, 0x00, 0x3c, 0x00, 0xc0, 0x80, 0x3f)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(-0.1))
	got, _, err := decode(b)
	require.NoError(t, err)
	assertEqual(t, map[string]*tensor.Dense{
		"half":   tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, -2})),
		"brain":  tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float32{1})),
		"double": tensor.New(tensor.FromScalar(float32(-0.1))),
	}, got)
}

// file joins a header and data bytes.
func file(header string, dataBytes int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, dataBytes)...)
}

// hostile lists files that lie, and a part of the error that each must end in.
var hostile = []struct {
	name, err string
	file      []byte
}{
	{"empty", "0 bytes, at least 8", nil},
	{"length of header over file", "truncated: header of 9 bytes", append(binary.LittleEndian.AppendUint64(nil, 9), "{}"...)},
	{"length of header over limit", "over the limit", append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "{}"...)},
	{"not JSON", "not a JSON object", file("hello", 0)},
	{"array", "not a JSON object", file("[]", 0)},
	{"cut JSON", `tensor "a"`, file(`{"a":{"dtype":"F32"`, 0)},
	{"unclosed", "header", file(`{"__metadata__":{}`, 0)},
	{"two objects", "something follows", file("{}{}", 0)},
	{"metadata not text", "metadata", file(`{"__metadata__":{"a":1}}`, 0)},
	{"metadata twice", "metadata given twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0)},
	{"null", `tensor "a": dtype ""`, file(`{"a":null}`, 0)},
	{"unknown key", `tensor "a": json: unknown field`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4)},
	{"unknown dtype", `tensor "a": dtype "F8_E4M3" is not known`, file(`{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}`, 4)},
	{"integers", `tensor "a": dtype "I16" is not read`, file(`{"a":{"dtype":"I16","shape":[2],"data_offsets":[0,4]}}`, 4)},
	{"no shape", `tensor "a": no shape`, file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4)},
	{"no offsets", `tensor "a": data_offsets []`, file(`{"a":{"dtype":"F32","shape":[1]}}`, 4)},
	{"three offsets", `tensor "a": data_offsets`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, 4)},
	{"offsets backwards", `tensor "a": data_offsets`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4)},
	{"negative offset", `tensor "a": data_offsets`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 4)},
	{"negative dimension", `tensor "a": shape [-1]`, file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4)},
	{"zero dimension", `tensor "a": shape [0 9]`, file(`{"a":{"dtype":"F32","shape":[0,9],"data_offsets":[0,0]}}`, 0)},
	{"dimension beyond int64", `tensor "a": json`, file(`{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}}`, 4)},
	{"product overflows to 1", `tensor "a": shape`, file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`, 4)},
	{"shape larger than data", `tensor "a": shape [2]`, file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4)},
	{"shape smaller than data", `tensor "a": shape [1]`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, 8)},
	{"half an element", `tensor "a": shape [1]`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,5]}}`, 5)},
	{"huge offsets", `tensor "a": truncated`, file(`{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}`, 4)},
	{"twice", `tensor "a": given twice`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8)},
	{"overlap", `tensor "b": data begin at byte 0, 4 expected`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4)},
	{"hole", `tensor "b": data begin at byte 8, 4 expected`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12)},
	{"truncated data", `tensor "a": truncated`, file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 7)},
	{"trailing data", "1 bytes follow", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 5)},
	{"million dimensions", "over the limit", file(`{"a":{"dtype":"F32","shape":[`+strings.Repeat("1,", 1<<20)+`1],"data_offsets":[0,4]}}`, 4)},
	{"long name", `tensor "nnn`, file(`{"`+strings.Repeat("n", 1<<20)+`":7}`, 0)},
	{"deep", `tensor "a"`, file(`{"a":`+strings.Repeat("[", 1<<20), 0)},
}

func TestHostileFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hostile.safetensors")
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, c.file, 0o600))
			_, _, err := Read(path)
			require.ErrorContains(t, err, c.err)
			assert.ErrorContains(t, err, path)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 2500)
		})
	}
	_, _, err := Read(path + ".absent")
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, path+".absent")
}

// TestMemory bounds what Decode allocates: once the tensors for an honest file, a few times the header for a hostile one.
func TestMemory(t *testing.T) {
	honest := encode(t, map[string]*tensor.Dense{
		"w": tensor.New(tensor.WithShape(1<<20), tensor.WithBacking(make([]float32, 1<<20))),
	}, nil)
	assert.Less(t, allocated(honest), 1.1)
	for _, c := range hostile {
		if len(c.file) > 1<<19 {
			assert.Less(t, allocated(c.file), 6.0, c.name)
		}
	}
}

// allocated returns the bytes Decode allocates per byte of the file.
func allocated(b []byte) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	decode(b)
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / float64(len(b))
}

func TestWriteRefuses(t *testing.T) {
	matrix := func() *tensor.Dense {
		return tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	}
	transposed := matrix()
	require.NoError(t, transposed.T())
	column, err := matrix().Slice(nil, tensor.S(1))
	require.NoError(t, err)
	cases := map[string]struct {
		tensor *tensor.Dense
		name   string
	}{
		"nil":          {nil, "w"},
		"float64":      {tensor.New(tensor.WithShape(1), tensor.WithBacking([]float64{1})), "w"},
		"transposed":   {transposed, "w"},
		"column":       {column.(*tensor.Dense), "w"},
		"column-major": {tensor.New(tensor.WithShape(2, 3), tensor.AsFortran(make([]float32, 6))), "w"},
		"reserved":     {matrix(), "__metadata__"},
		"bad UTF-8":    {matrix(), "w\xff"},
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	tensors, metadata := sample()
	require.NoError(t, Write(path, tensors, metadata))
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := Write(path, map[string]*tensor.Dense{c.name: c.tensor}, nil)
			require.ErrorContains(t, err, fmt.Sprintf("%s: tensor %q", path, c.name))
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(want, got), "the old file was lost")
		})
	}
	require.ErrorContains(t, Write(path, nil, map[string]string{"k": "\xff"}), `metadata "k"`)
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, files, 1, "no temporary file is left")

	absent := filepath.Join(t.TempDir(), "absent", "w.safetensors")
	require.ErrorContains(t, Write(absent, tensors, nil), absent)
}

// fullDisk takes room bytes and no more.
type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestEncodeFullDisk(t *testing.T) {
	tensors := map[string]*tensor.Dense{"w": tensor.New(tensor.FromScalar(float32(1)))}
	size := len(encode(t, tensors, nil))
	require.NoError(t, Encode(&fullDisk{size}, tensors, nil))
	require.EqualError(t, Encode(&fullDisk{size - 1}, tensors, nil), `tensor "w": no space left`)
	require.EqualError(t, Encode(&fullDisk{7}, tensors, nil), "header: no space left")
}

// TestKill kills a process that rewrites a file without pause: whatever the moment, the file is one of its versions.
func TestKill(t *testing.T) {
	const env = "SAFETENSORS_KILL_PATH"
	version := func(v int) map[string]*tensor.Dense {
		data := make([]float32, 1<<18)
		for i := range data {
			data[i] = float32(v)
		}
		return map[string]*tensor.Dense{"w": tensor.New(tensor.WithShape(len(data)), tensor.WithBacking(data))}
	}
	if path := os.Getenv(env); path != "" {
		for v := 0; ; v++ {
			if err := Write(path, version(v), nil); err != nil {
				panic(err)
			}
		}
	}

	path := filepath.Join(t.TempDir(), "w.safetensors")
	require.NoError(t, Write(path, version(0), nil))
	for kill := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), env+"="+path)
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(60+17*kill) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		cmd.Wait()

		tensors, _, err := Read(path)
		require.NoError(t, err)
		data := tensors["w"].Data().([]float32)
		for _, v := range data {
			require.Equal(t, data[0], v)
		}
	}
}

// peer is a file that the format's own package wrote; see testdata/write.py.
func peer(t testing.TB) []byte {
	b, err := os.ReadFile("testdata/peer.safetensors")
	require.NoError(t, err)
	return b
}

func TestPeer(t *testing.T) {
	tensors, metadata, err := decode(peer(t))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"format": "pt", "who": "\"quoted\"\n€"}, metadata)
	six := tensor.New(tensor.WithShape(1, 2, 3), tensor.WithBacking([]float32{-2.5, -1.5, -0.5, 0.5, 1.5, 2.5}))
	assertEqual(t, map[string]*tensor.Dense{
		"single": six, "half": six, "brain": six, "double": six,
		"scalar":                  tensor.New(tensor.FromScalar(float32(0.1))),
		"bn1.num_batches_tracked": tensor.New(tensor.FromScalar(int64(-7))),
		"größe":                   tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{1 << 40, -1})),
	}, tensors)
}

// FuzzDecode: whatever the bytes, Decode neither panics nor accepts what Encode and Decode do not carry through unchanged.
func FuzzDecode(f *testing.F) {
	for _, c := range hostile {
		if len(c.file) < 1<<12 {
			f.Add(c.file)
		}
	}
	f.Add(peer(f))
	f.Add(file(`{"__metadata__":{"k":"v"},"b":{"dtype":"I64","shape":[],"data_offsets":[4,12]},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}  `, 12))
	f.Fuzz(func(t *testing.T, b []byte) {
		tensors, metadata, err := decode(b)
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		again, againMetadata, err := decode(encode(t, tensors, metadata))
		require.NoError(t, err)
		assertEqual(t, tensors, again)
		assert.Equal(t, len(metadata), len(againMetadata))
		for k, v := range metadata {
			assert.Equal(t, v, againMetadata[k])
		}
	})
}

func decode(b []byte) (map[string]*tensor.Dense, map[string]string, error) {
	return read(bytes.NewReader(b), int64(len(b)))
}
