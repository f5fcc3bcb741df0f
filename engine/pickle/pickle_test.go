package pickle

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"math/big"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What Python's pickle wrote of the same values in every protocol.
func TestEveryProtocol(t *testing.T) {
	integer := func(s string) any {
		n, ok := new(big.Int).SetString(s, 0)
		require.True(t, ok)
		return n
	}
	shared := &List{[]any{int64(1)}}
	table := &Dict{}
	for i := range 20 {
		table.Pairs = append(table.Pairs, Pair{fmt.Sprint(i), float64(i) / 4})
	}
	long := &List{}
	for range 1001 {
		long.Items = append(long.Items, int64(0))
	}
	list := func(items ...any) *List { return &List{items} }
	n := func(i int64) any { return i }
	want := map[string]any{
		"none": nil, "true": true, "false": false,
		"int": list(n(0), n(1), n(-1), n(255), n(256), n(65535), n(65536), n(-1<<31), n(1<<31), n(math.MaxInt64), n(math.MinInt64),
			integer("0x8000000000000000"), integer("-0x10000000000000000"), integer("0x1950A86A20F9469CFC6C")),
		"float": list(0.0, -1.5, 1e300, math.Inf(1)),
		"str":   list("", "a\n\\\"'", "é€😀", strings.Repeat("x", 300)),
		"bytes": list(Bytes(""), Bytes("\x00\xff"), Bytes(strings.Repeat("y", 300))),
		"tuple": list(Tuple{}, Tuple{n(1)}, Tuple{n(1), n(2)}, Tuple{n(1), n(2), n(3)}, Tuple{n(1), n(2), n(3), n(4)}),
		"dict":  &Dict{[]Pair{{n(1), &Dict{[]Pair{{"a", Tuple{n(2)}}}}}, {Tuple{n(1), n(2)}, nil}}},
		"set":   list(n(7)), "frozenset": list(n(8)),
		"ordered": &Dict{[]Pair{{"b", n(1)}, {"a", n(2)}}},
		"shared":  list(shared, shared),
		"object":  &Object{Class: Global{"shapes", "Point"}, Args: Tuple{}, State: &Dict{[]Pair{{"x", 3.5}}}},
		"class":   Global{"shapes", "Point"},
		"long":    long, "table": table,
	}
	for protocol := range 6 {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			f, err := os.Open(fmt.Sprintf("testdata/protocol%d.pkl", protocol))
			require.NoError(t, err)
			defer f.Close()
			r := bufio.NewReader(f)
			v, err := Read(r)
			require.NoError(t, err)
			d, ok := v.(*Dict)
			require.True(t, ok, "%T", v)
			require.Len(t, d.Pairs, len(want))
			for key, w := range want {
				got, ok := d.Get(key)
				assert.True(t, ok, key)
				assert.Equal(t, w, got, key)
			}
			twice, _ := d.Get("shared")
			assert.Same(t, twice.(*List).Items[0], twice.(*List).Items[1])

			behind, err := Read(r)
			require.NoError(t, err)
			assert.Equal(t, "behind it", behind)
			_, err = Read(r)
			assert.EqualError(t, err, "pickle: cut off after 0 bytes")
		})
	}
}

// A program that would run a command in Python is only noted here.
func TestNothingRuns(t *testing.T) {
	v, err := Read(bufio.NewReader(strings.NewReader("cos\nsystem\n(S'touch here'\ntR.")))
	require.NoError(t, err)
	assert.Equal(t, &Object{Class: Global{"os", "system"}, Args: Tuple{"touch here"}}, v)
	assert.NoFileExists(t, "here")

	v, err = Read(bufio.NewReader(strings.NewReader("ctorch\nTensor\n(U\x07storageI3\ntQ\x86.")))
	require.NoError(t, err)
	assert.Equal(t, Tuple{Global{"torch", "Tensor"}, Persistent{Tuple{"storage", int64(3)}}}, v)
}

func TestPartsOfAFile(t *testing.T) {
	b, err := os.ReadFile("testdata/protocol4.pkl")
	require.NoError(t, err)
	whole := len(b) - len("\x80\x04\x95\x0d\x00\x00\x00\x00\x00\x00\x00\x8c\x09behind it\x94.")
	for n := 0; n < whole; n += 7 {
		_, err := Read(bufio.NewReader(bytes.NewReader(b[:n])))
		require.ErrorContains(t, err, "pickle: cut off after", "%d bytes", n)
	}
}

func TestDamagedFiles(t *testing.T) {
	for text, says := range map[string]string{
		".":                                    "byte 1: the stack is too small",
		"(.":                                   "the stack is too small",
		"NN.":                                  "the stack is too small",
		"0":                                    "the stack is too small",
		"t":                                    "the stack is too small",
		"(0R":                                  "the stack is too small",
		"(a":                                   "the stack is too small",
		"(o":                                   "the stack is too small",
		"N\x85N\x86b":                          "the stack is too small",
		"<html>":                               "opcode 0x3c",
		"\x82\x01":                             "opcode 0x82",
		"\x97":                                 "opcode 0x97",
		"g7\n":                                 "nothing was remembered as 7",
		"gx\n":                                 `"x" is no index`,
		"NNa":                                  "<nil> is not filled like that",
		"]NNs":                                 "*pickle.List is not filled like that",
		"}Na":                                  "*pickle.Dict is not filled like that",
		"}(Nu":                                 "a key has no value",
		"(Nd":                                  "a key has no value",
		"NNR":                                  "<nil> is called with <nil>",
		"NNb":                                  "<nil> has no state",
		"NN\x93":                               "a class is named by <nil> and <nil>",
		"ca\nb\nNN\x92":                        "<nil> where the arguments of a class are",
		"Ix\n":                                 "is no integer",
		"I" + strings.Repeat("1", 1001) + "\n": "an integer of 1001 digits",
		"\x8b\xe9\x03\x00\x00" + strings.Repeat("1", 1001): "an integer of 1001 bytes",
		"Fx\n":                                 "is no number",
		"Sx\n":                                 "is no quoted text",
		"S'\\q'\n":                             "is no quoted text",
		"V\\u12\n":                             "ends within an escape",
		"V\\uxxxx\n":                           "holds an escape that is none",
		"\x8c\x01\xff":                         "a text is not UTF-8",
		"\x8e\xff\xff\xff\xff\xff\xff\xff\xff": "a length of",
		"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f": "cut off after 9 bytes",
		"X\xff\xff\xff\xff":                    "cut off after 5 bytes",
		"\x8b\xff\xff\xff\xff":                 "cut off after 5 bytes",
	} {
		_, err := Read(bufio.NewReader(strings.NewReader(text)))
		assert.ErrorContains(t, err, says, "%q", text)
	}
}

// Half a megabyte of opcodes that each make something takes the room that there is, and
// not much more.
func TestRoom(t *testing.T) {
	const room = 1 << 20
	for _, op := range []string{"]", "}", ")", "N", "(", "]2", "]\x94", "]q\x00", "K\x07\x85", "((((t", "]Na", "}NNs", "\x8c\x01a", "C\x01a", "I5\n", "G\x00\x00\x00\x00\x00\x00\x00\x00",
		"cos\nsystem\n)R", "(ios\nsystem\n", "cos\nsystem\n(cos\nsystem\no", "cos\nsystem\n))\x92", "ccollections\nOrderedDict\n)R", "c_codecs\nencode\n(Vaaaaaaaa\nVlatin1\ntR", "I1" + strings.Repeat("0", 29) + "\n"} {
		b := []byte(strings.Repeat(op, 1<<19/len(op)))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := machine{r: bufio.NewReader(bytes.NewReader(b)), left: room, memo: map[uint32]any{}}
		var err error
		for err == nil {
			var c byte
			if c, err = m.r.ReadByte(); err == nil {
				if err = m.charge(perOpcode); err == nil {
					err = m.do(c)
				}
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(room+room/4), "%q: %v", op, err)
		runtime.KeepAlive(m)

		_, err = ReadPersistent(bufio.NewReader(bytes.NewReader(b)), room, nil)
		assert.ErrorContains(t, err, "take more memory", "%q", op)
	}
	// One tuple or text that is there once, copied by every call.
	const long = 1 << 13
	for _, b := range []string{
		"(" + strings.Repeat("N", long) + "tq\x00" + strings.Repeat("ca\nb\nh\x00}\x92", 1<<12),
		"V" + strings.Repeat("a", 1<<17) + "\nq\x00" + strings.Repeat("c_codecs\nencode\n(h\x00Vlatin1\ntR", 1<<7),
	} {
		_, err := ReadPersistent(bufio.NewReader(strings.NewReader(b)), 4*room, nil)
		assert.ErrorContains(t, err, "take more memory")
	}
	_, err := ReadPersistent(bufio.NewReader(strings.NewReader("X\x00\x00\x00\x01"+strings.Repeat("a", 1<<24))), room, nil)
	assert.ErrorContains(t, err, "take more memory")
}

// Whatever the file, reading it ends without a panic, with memory in proportion
// to it; and a list that holds itself is read.
func FuzzRead(f *testing.F) {
	for protocol := range 6 {
		b, err := os.ReadFile(fmt.Sprintf("testdata/protocol%d.pkl", protocol))
		require.NoError(f, err)
		f.Add(b)
	}
	for _, s := range []string{"]q\x00h\x00a.", "\x8b\xff\xff\xff\x7f", "(lp0\nI1\nag0\na.", "cos\nsystem\n(S'x'\ntR.", "(ia\nb\n}b.", "Px\n."} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for {
			if _, err := Read(r); err != nil {
				return
			}
		}
	})
}
