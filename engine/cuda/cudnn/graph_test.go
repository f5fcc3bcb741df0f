//go:build cuda

package cudnn

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// What the classic functions do not fuse goes to the graph API: a convolution,
// a bias, an addend and a ReLU6, with nothing but the ends in memory.
func TestGraph(t *testing.T) {
	r := newRecorder(t)
	p := layer()
	p.Bias, p.Add, p.Act = true, true, engine.ReLU6
	choice, err := r.Find(p, operands, once)
	require.NoError(t, err)
	assert.Equal(t, Choice{Version: "9.1.0", Graph: true, Algorithm: 12, Rank: 2, WorkspaceBytes: 2000, LatencyNS: 1000}, choice)
	r.said()

	c, err := r.Conv(p, choice)
	require.NoError(t, err)
	const tensor = "901=[0] 902=[2 24 9 20] 903=[4320 1 480 24] "
	assert.Equal(t, []string{
		"17 900=[16] 901=[0] 902=[2 16 18 20] 903=[5760 1 320 16] 906=[1] 907=[false]", // x
		"17 900=[16] 901=[0] 902=[24 8 3 5] 903=[120 1 40 8] 906=[2] 907=[false]",      // w
		"17 900=[16] " + tensor + "906=[6] 907=[true]",                                 // conv(x, w)
		"1 100=[0] 101=[1] 102=[1 1] 103=[2 1] 104=[0 2] 105=[1 2] 106=[2]",            // one row less below
		"10 700=[1] 701=[0] 702=[conv] 703=[w] 704=[x] 705=[6]",                        // the convolution
		"0 0=[0] 1=[0]", // add
		"17 900=[16] 901=[0] 902=[1 24 1 1] 903=[24 1 24 24] 906=[5] 907=[false]", // b
		"17 900=[16] " + tensor + "906=[7] 907=[true]",                            // + b
		"13 750=[pointwise] 751=[6] 752=[b] 753=[7]",                              //
		"0 0=[0] 1=[0]", // add
		"17 900=[16] " + tensor + "906=[4] 907=[false]",                 // z
		"17 900=[16] " + tensor + "906=[8] 907=[true]",                  // + z
		"13 750=[pointwise] 751=[7] 752=[z] 753=[8]",                    //
		"0 0=[100] 1=[0] 4=[6]",                                         // ReLU up to 6
		"17 900=[16] " + tensor + "906=[3] 907=[false]",                 // y
		"13 750=[pointwise] 751=[8] 753=[y]",                            //
		"15 800=[handle] 801=[operation operation operation operation]", //
		"4 200=[3] 201=[graph]",                                         // the heuristic
		"4 200=[2] 201=[graph]",                                         // and what is left to fall back on
		"5 400=[handle] 401=[engine 12]",                                // the plan
	}, readable(r.said()))

	require.NoError(t, c.Run(operands))
	require.NoError(t, c.Run(operands))
	run := "BackendExecute engine 12 ids[1 2 3 4 5] at[0x1000 0x2000 0x3000 0x4000 0x6000] space 0x7000"
	said := r.said()
	assert.Equal(t, []string{run, run}, said[1:], "the operands are handed over once")
	other := operands
	other.X = 0x9000
	require.NoError(t, c.Run(other))
	assert.Contains(t, r.said()[1], "at[0x9000 ")
	c.Close()

	choice.Algorithm++
	_, err = r.Conv(p, choice)
	assert.EqualError(t, err, "cuDNN's engine 12 stands where the choice had 13: find it again")
	choice.Rank = 100
	_, err = r.Conv(p, choice)
	assert.ErrorContains(t, err, "find it again")
	small := operands
	small.WorkspaceBytes = 1999
	_, err = r.Find(p, small, once)
	assert.ErrorContains(t, err, "cuDNN has nothing that computes forward+bias+add+relu6")
	r.said()
	r.done()
}

// readable takes the numbers of descriptors out of their finalization: a
// descriptor that another names is called by what it is, a tensor by its id.
func readable(lines []string) []string {
	kind := map[string]string{"1": "conv", "0": "pointwise", "10": "operation", "11": "operation", "12": "operation", "13": "operation", "15": "graph"}
	tensors := map[string]string{"1": "x", "2": "w", "3": "y", "4": "z", "5": "b"}
	var swap, out []string
	for _, l := range lines {
		words := strings.SplitN(strings.TrimPrefix(l, "BackendFinalize "), " ", 4) // #7 type 17 …
		rest := words[2] + " " + words[3]
		for i := len(swap) - 2; i >= 0; i -= 2 { // longer numbers come later
			rest = strings.ReplaceAll(rest, swap[i], swap[i+1])
		}
		out = append(out, strings.Replace(rest, "handle1", "handle", 1))
		is := kind[words[2]]
		if words[2] == "17" {
			id := strings.Split(strings.SplitN(rest, "906=[", 2)[1], "]")[0]
			if is = tensors[id]; is == "" {
				is = id
			}
		}
		swap = append(swap, words[0], is)
	}
	return out
}

// Padding that differs before and after is the graph's in every direction, and
// each has its own names for the same things.
func TestGraphDirections(t *testing.T) {
	for direction, operation := range map[Direction]string{
		Forward:        "10 700=[1] 701=[0] 702=[conv] 703=[w] 704=[x] 705=[y]",
		BackwardData:   "12 706=[1] 707=[0] 708=[conv] 709=[w] 710=[x] 711=[y]",
		BackwardFilter: "11 712=[1] 713=[0] 714=[conv] 715=[w] 716=[x] 717=[y]",
	} {
		r := newRecorder(t)
		p := layer()
		p.Direction, p.Layout, p.Q, p.Precision = direction, NCHW, 18, FP16
		p.Pad[1] = 0
		p.Q = 18
		choice, err := r.Find(p, operands, once)
		require.NoError(t, err)
		require.True(t, choice.Graph)
		r.said()
		c, err := r.Conv(p, choice)
		require.NoError(t, err)
		said := readable(r.said())
		assert.Equal(t, "17 900=[16] 901=[2] 902=[2 16 18 20] 903=[5760 360 20 1] 906=[1] 907=[false]", said[0])
		assert.Equal(t, "17 900=[16] 901=[2] 902=[24 8 3 5] 903=[120 15 5 1] 906=[2] 907=[false]", said[1])
		assert.Equal(t, "17 900=[16] 901=[2] 902=[2 24 9 18] 903=[3888 162 18 1] 906=[3] 907=[false]", said[2])
		assert.Equal(t, "1 100=[0] 101=[1] 102=[1 1] 103=[2 1] 104=[0 2] 105=[1 0] 106=[2]", said[3])
		assert.Equal(t, operation, said[4])
		c.Close()
		r.done()
	}
}
