package bench

import (
	"bufio"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"mdp/engine"
	"mdp/engine/pickle"
)

// Published is a latency table as HALP and MDP publish theirs: a pickled
// dictionary from batch_in_out_size_kernel_stride[_groups] to milliseconds, of
// convolutions alone, for square images and filters padded by half a filter.
type Published struct {
	latencyNS map[publishedKey]int64
	grouped   bool // its keys name groups
}

// publishedKey is a convolution of a published table.
type publishedKey struct {
	Batch, CIn, COut int
	Size             int // height and width of the input
	Kernel, Stride   int
	Groups           int
}

func (k publishedKey) fields() []int {
	return []int{k.Batch, k.CIn, k.COut, k.Size, k.Kernel, k.Stride, k.Groups}
}

// String is the key as the published tables have it, with its groups.
func (k publishedKey) String() string {
	var s []string
	for _, f := range k.fields() {
		s = append(s, strconv.Itoa(f))
	}
	return strings.Join(s, "_")
}

// ReadPublished reads a published table. Nothing in the file is executed.
func ReadPublished(path string) (*Published, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, err := pickle.Read(bufio.NewReader(f))
	if err == nil {
		var t *Published
		if t, err = newPublished(v); err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("published table %s: %w", path, err)
}

func newPublished(v any) (*Published, error) {
	d, ok := v.(*pickle.Dict)
	if !ok || len(d.Pairs) == 0 {
		return nil, fmt.Errorf("it holds a %T, not a dictionary of latencies", v)
	}
	t := &Published{latencyNS: map[publishedKey]int64{}}
	parts := 0
	for _, pair := range d.Pairs {
		name, ok := pair.Key.(string)
		if !ok {
			return nil, fmt.Errorf("a key is a %T, not batch_in_out_size_kernel_stride", pair.Key)
		}
		k, n, err := parsePublishedKey(name)
		if err != nil {
			return nil, err
		}
		if parts == 0 {
			parts = n
		}
		if n != parts {
			return nil, fmt.Errorf("key %q has %d numbers, others have %d", name, n, parts)
		}
		ms, err := number(pair.Value)
		if err != nil {
			return nil, fmt.Errorf("latency of %q: %w", name, err)
		}
		if !(ms >= 0 && ms < 1e9) {
			return nil, fmt.Errorf("latency of %q is %g ms", name, ms)
		}
		t.latencyNS[k] = int64(math.Round(ms * 1e6))
	}
	t.grouped = parts == 7
	return t, nil
}

// parsePublishedKey reads a key and says how many numbers it has.
func parsePublishedKey(s string) (k publishedKey, parts int, err error) {
	fields := strings.Split(s, "_")
	bad := fmt.Errorf("key %.40q is not batch_in_out_size_kernel_stride or that with _groups", s)
	if len(fields) != 6 && len(fields) != 7 {
		return k, 0, bad
	}
	k.Groups = 1
	for i, into := range []*int{&k.Batch, &k.CIn, &k.COut, &k.Size, &k.Kernel, &k.Stride, &k.Groups}[:len(fields)] {
		n, err := strconv.Atoi(fields[i])
		if err != nil || n < 1 || n > 1<<24 {
			return k, 0, bad
		}
		*into = n
	}
	return k, len(fields), nil
}

// number is a float or integer of Python, or a scalar of NumPy.
func number(v any) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case int64:
		return float64(v), nil
	case *pickle.Object: // numpy.core.multiarray.scalar(dtype, bytes)
		if strings.HasPrefix(v.Class.Module, "numpy") && v.Class.Name == "scalar" && len(v.Args) == 2 {
			dtype, _ := v.Args[0].(*pickle.Object)
			b, _ := v.Args[1].(pickle.Bytes)
			switch {
			case dtype == nil || len(dtype.Args) == 0:
			case dtype.Args[0] == "f8" && len(b) == 8:
				return math.Float64frombits(binary.LittleEndian.Uint64([]byte(b))), nil
			case dtype.Args[0] == "f4" && len(b) == 4:
				return float64(math.Float32frombits(binary.LittleEndian.Uint32([]byte(b)))), nil
			}
		}
		return 0, fmt.Errorf("%v is no number", v.Class)
	}
	return 0, fmt.Errorf("%T is no number", v)
}

// Len is the number of configurations.
func (t *Published) Len() int { return len(t.latencyNS) }

// Batches lists the batches of the table's rows, ascending.
func (t *Published) Batches() []int {
	seen := map[int]bool{}
	for k := range t.latencyNS {
		seen[k.Batch] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// LatencyNS looks up a convolution, whatever activation and addend it ends with:
// published rows are of convolutions alone. A table without groups answers for
// one it lacks, as its authors' programs do, with the mean of those with one
// channel more or less.
func (t *Published) LatencyNS(g engine.Conv) (ns int64, ok bool) {
	k := publishedKey{g.N, g.C, g.K, g.H, g.R, g.Stride[0], g.Groups}
	regular := g.H == g.W && g.R == g.S && g.Stride[0] == g.Stride[1] && g.Dilation == [2]int{1, 1} && g.Pad == [2]int{g.R / 2, g.R / 2}
	if !regular || !t.grouped && g.Groups > 1 {
		return 0, false
	}
	if ns, ok := t.latencyNS[k]; ok || t.grouped {
		return ns, ok
	}
	var sum, rows int64
	for in := -1; in <= 1; in++ {
		for out := -1; out <= 1; out++ {
			near := k
			near.CIn, near.COut = k.CIn+in, k.COut+out
			if ns, ok := t.latencyNS[near]; ok {
				sum, rows = sum+ns, rows+1
			}
		}
	}
	if rows == 0 {
		return 0, false
	}
	return sum / rows, true
}

// WriteCSV writes the table's rows in order, in nanoseconds.
func (t *Published) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"batch", "c_in", "c_out", "size", "kernel", "stride", "groups", "latency_ns"}) // Error tells
	keys := slices.SortedFunc(maps.Keys(t.latencyNS), func(a, b publishedKey) int { return slices.Compare(a.fields(), b.fields()) })
	for _, k := range keys {
		row := strings.Split(k.String(), "_")
		c.Write(append(row, strconv.FormatInt(t.latencyNS[k], 10)))
	}
	c.Flush()
	return c.Error()
}
