package solve

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Renumbering groups and blocks and shuffling layers changes neither front nor optimum.
func TestPermutationChangesNothing(t *testing.T) {
	for i := range 100 {
		name := fmt.Sprintf("permute-%d", i)
		t.Run(name, func(t *testing.T) {
			r := seeded(name)
			p := randomProblem(r, shapes[i%len(shapes)], 6, 4)
			q := permuted(r, p)
			require.NoError(t, q.Validate())
			want, err := wholeFront(context.Background(), p, Options{})
			require.NoError(t, err)
			got, err := wholeFront(context.Background(), q, Options{})
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
	p := readInstance(t, "rn50_mdp_26")
	s, err := Optimum(context.Background(), permuted(seeded("rn50"), p), p.Capacity, Options{})
	require.NoError(t, err)
	assert.Equal(t, int64(6485002), s.Objective)
}

func permuted(r *rand.Rand, p *Problem) *Problem {
	q := &Problem{Name: p.Name, Capacity: p.Capacity, Constant: p.Constant}
	groups, blocks := r.Perm(len(p.Groups)), r.Perm(len(p.Blocks))
	q.Groups, q.Blocks = make([]Group, len(groups)), make([]Block, len(blocks))
	for i, g := range p.Groups {
		g.ID = groups[i]
		q.Groups[g.ID] = g
	}
	for i, b := range p.Blocks {
		b.ID = blocks[i]
		q.Blocks[b.ID] = b
	}
	q.Layers = slices.Clone(p.Layers)
	r.Shuffle(len(q.Layers), func(i, j int) { q.Layers[i], q.Layers[j] = q.Layers[j], q.Layers[i] })
	for i := range q.Layers {
		l := &q.Layers[i]
		l.Block = blocks[l.Block]
		if l.Group >= 0 {
			l.Group = groups[l.Group]
		}
		if l.PrevGroup >= 0 {
			l.PrevGroup = groups[l.PrevGroup]
		}
	}
	return q
}

// Scaling latency and importance up to 1e12 a cell scales the front: nothing
// overflows, though multipliers are then rounded to fit.
func TestHugeUnits(t *testing.T) {
	for i := range 120 {
		name := fmt.Sprintf("huge-%d", i)
		t.Run(name, func(t *testing.T) {
			r := seeded(name)
			p := randomProblem(r, shapes[i%len(shapes)], 1+r.IntN(5), 3)
			want := bruteFront(p)
			lat, imp := pick(r, 1, 1e6+3, 1e9+7), pick(r, 1, 1e6+1, 1e9+9)
			scale(p, lat, imp)
			for k := range want {
				want[k].Latency *= lat
				want[k].Importance *= imp
			}
			front, err := wholeFront(context.Background(), p, Options{})
			require.NoError(t, err)
			require.Equal(t, want, front)
			for _, pt := range want {
				for _, budget := range []int64{pt.Latency - 1, pt.Latency} {
					s, err := Optimum(context.Background(), p, budget, Options{})
					require.NoError(t, err)
					checkAnswer(t, p, want, s)
				}
			}
		})
	}
}

// scale multiplies the units of every cost and of importance.
func scale(p *Problem, cost, importance int64) {
	stretch := func(t Table) {
		for _, row := range append([][]int64{t.Own}, t.Pair...) {
			for k := range row {
				row[k] *= cost
			}
		}
	}
	p.Constant *= cost
	for i, l := range p.Layers {
		for k := range l.Importance {
			l.Importance[k] *= importance
		}
		stretch(l.Latency)
		for _, c := range p.Costs {
			stretch(c.Layers[i])
		}
	}
	for i := range p.Costs {
		p.Costs[i].Constant *= cost
	}
}

func TestSlopeFits(t *testing.T) {
	r := seeded("slope")
	for range 20000 {
		reach := ranges{1 << r.IntN(57), 1 << r.IntN(57)}
		a := Point{r.Int64N(reach.latency), r.Int64N(reach.importance)}
		b := Point{r.Int64N(reach.latency + 1), r.Int64N(reach.importance + 1)}
		m := reach.slope(a, b)
		require.GreaterOrEqual(t, m.p, int64(0))
		require.Greater(t, m.q, int64(0))
		require.True(t, reach.fits(m.p, m.q), "%+v %+v %+v %+v", reach, a, b, m)
		if dl, di := b.Latency-a.Latency, b.Importance-a.Importance; dl > 0 && di > 0 && reach.latency < 1<<29 && reach.importance < 1<<29 {
			require.Equal(t, di*m.q, dl*m.p, "exact where it can be")
		}
	}
}

func TestWriteReadsBack(t *testing.T) {
	problems := []*Problem{readInstance(t, "rn50_mdp_04"), {Name: "empty"}}
	for i, shape := range shapes {
		problems = append(problems, randomProblem(seeded(shape), shape, 2+i, 3))
	}
	for _, p := range problems {
		var buf bytes.Buffer
		require.NoError(t, p.Write(&buf))
		q, err := ReadProblem(&buf)
		require.NoError(t, err)
		var again bytes.Buffer
		require.NoError(t, q.Write(&again))
		buf.Reset()
		require.NoError(t, p.Write(&buf))
		require.Equal(t, buf.String(), again.String())
	}
}

func TestNothingToChoose(t *testing.T) {
	p := &Problem{Constant: 5, Blocks: []Block{{ID: 0}, {ID: 1, Prunable: true}}, Layers: []Layer{
		{Name: "fixed", Group: -1, PrevGroup: -1, Latency: Table{Own: []int64{7}}, Importance: []int64{3}}}}
	s, err := Optimum(context.Background(), p, 12, Options{})
	require.NoError(t, err)
	checkAnswer(t, p, []Point{{12, 3}}, s)
	s, err = Optimum(context.Background(), &Problem{}, 0, Options{})
	require.NoError(t, err)
	checkAnswer(t, &Problem{}, []Point{{0, 0}}, s)
	front, err := wholeFront(context.Background(), p, Options{})
	require.NoError(t, err)
	require.Equal(t, []Point{{12, 3}}, front)
}

func TestBadProblems(t *testing.T) {
	good := func() *Problem {
		return &Problem{
			Groups: []Group{{ID: 0, Options: 3, MinOption: 1, MaxOption: 2}, {ID: 1, Options: 2, MinOption: 1, MaxOption: 1}},
			Blocks: []Block{{ID: 0}},
			Layers: []Layer{{Name: "conv", Group: 0, PrevGroup: 1, Importance: []int64{0, 1, 2},
				Latency: Table{Pair: [][]int64{nil, {-9, 1}, {-9, 2}}}}}, // cells of option 0 are never looked at
		}
	}
	require.NoError(t, good().Validate())
	for message, spoil := range map[string]func(p *Problem){
		"ids must count up":          func(p *Problem) { p.Groups[1].ID = 7 },
		"want 0 ≤ min_option":        func(p *Problem) { p.Groups[0].MaxOption = 3 },
		"more than 65536":            func(p *Problem) { p.Groups[0].Options = 1 << 30 },
		"block at index 0":           func(p *Problem) { p.Blocks[0].ID = 1 },
		"block 4 does not exist":     func(p *Problem) { p.Layers[0].Block = 4 },
		"group 2 does not exist":     func(p *Problem) { p.Layers[0].Group = 2 },
		"group -2 does not exist":    func(p *Problem) { p.Layers[0].PrevGroup = -2 },
		"latency has 2 rows":         func(p *Problem) { p.Layers[0].Latency.Pair = p.Layers[0].Latency.Pair[:2] },
		"latency row 1 has 1 values": func(p *Problem) { p.Layers[0].Latency.Pair[1] = []int64{1} },
		"importance has 1 values":    func(p *Problem) { p.Layers[0].Importance = []int64{1} },
		"= -1 is outside":            func(p *Problem) { p.Layers[0].Latency.Pair[2][1] = -1 },
		"add up to more than 2^56":   func(p *Problem) { p.Layers[0].Latency.Pair[2][1] = 1 << 56; p.Constant = 1 },
		"is outside ±2^56":           func(p *Problem) { p.Layers[0].Importance[2] = -1 << 60 },
		"constant latency":           func(p *Problem) { p.Constant = -1 },
		"must be a list":             func(p *Problem) { p.Layers[0].Latency = Table{} },
	} {
		p := good()
		spoil(p)
		assert.ErrorContains(t, p.Validate(), message)
		_, err := Optimum(context.Background(), p, 10, Options{})
		assert.ErrorContains(t, err, message)
	}
	for text, message := range map[string]string{
		"":                                 "it is empty",
		"{} {}":                            "something follows",
		`{"layers":[{"latency":[["x"]]}]}`: "cannot unmarshal",
		`{"layers":[{"latency":{}}]}`:      "cannot unmarshal",
		`{"capacity":1.5}`:                 "cannot unmarshal",
		`{"capacity":1e30}`:                "cannot unmarshal",
	} {
		_, err := ReadProblem(strings.NewReader(text))
		assert.ErrorContains(t, err, message, text)
	}
}

// A table over three groups cannot be written down: the error names the layer.
func TestConcatenation(t *testing.T) {
	const text = `{"name":"dense","groups":[{"id":0,"options":2,"min_option":1,"max_option":1}],"blocks":[{"id":0}],"layers":[
		{"name":"stem","group":0,"prev_group":-1,"block":0,"latency":[0,3]},
		{"name":"after_concat","group":0,"prev_group":-1,"block":0,"latency":%s}],
		"costs":[{"name":"bytes","layers":[[0,1],%s]}]}`
	const deep = `[[[0,1],[2,3]],[[4,5],[6,7]]]`
	_, err := ReadProblem(strings.NewReader(fmt.Sprintf(text, `[0,1]`, `[0,1]`)))
	require.NoError(t, err)
	_, err = ReadProblem(strings.NewReader(fmt.Sprintf(text, deep, `[0,1]`)))
	require.EqualError(t, err, `problem "dense": layer "after_concat": latency is a table over three groups or more, as behind a concatenation; `+
		`it can be over the layer's own group and one before it`)
	_, err = ReadProblem(strings.NewReader(fmt.Sprintf(text, `[0,1]`, deep)))
	require.ErrorContains(t, err, `layer "after_concat": cost 0 (bytes) is a table over three groups`)
}

func TestTooEntangled(t *testing.T) {
	p := &Problem{Name: "knot", Blocks: []Block{{ID: 0}}}
	for g := range 8 {
		p.Groups = append(p.Groups, Group{ID: g, Options: 33, MinOption: 1, MaxOption: 32})
	}
	row := make([]int64, 33)
	table := make([][]int64, 33)
	for i := range table {
		table[i] = row
	}
	for g := range 8 {
		for h := range g {
			p.Layers = append(p.Layers, Layer{Name: "conv", Group: g, PrevGroup: h, Latency: Table{Pair: table}})
		}
	}
	_, err := Optimum(context.Background(), p, 10, Options{})
	assert.ErrorContains(t, err, `problem "knot": groups`)
}

func FuzzReadProblem(f *testing.F) {
	for _, shape := range shapes {
		var buf bytes.Buffer
		require.NoError(f, randomProblem(seeded(shape), shape, 3, 2).Write(&buf))
		f.Add(buf.Bytes())
	}
	f.Add([]byte(`{"name":"published","capacity":9,"extra_space":0,"reference":{"options":[1]},"groups":[{"id":0,"layers":["a"],
		"options":3,"min_option":1,"max_option":2}],"blocks":[{"id":0,"prunable":true,"layers":["a"]}],
		"layers":[{"name":"a","group":0,"prev_group":-1,"block":0,"importance":[0,2,5],"latency":[0,3,4]}]}`))
	var buf bytes.Buffer
	require.NoError(f, withCosts(seeded("costs"), randomProblem(seeded("fuzz"), "chain", 3, 2), 2).Write(&buf))
	f.Add(buf.Bytes())
	f.Add([]byte(`{"groups":[{"options":1}],"blocks":[{}],"layers":[{"latency":[null],"prev_group":-1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ReadProblem(bytes.NewReader(b))
		if err != nil {
			return
		}
		s, err := Optimum(context.Background(), p, p.Capacity, Options{MaxLabels: 10000})
		if err != nil {
			return
		}
		if s.Status != Infeasible {
			require.LessOrEqual(t, s.Latency, p.Capacity)
		}
		joint, err := Joint(context.Background(), p, budgetsOf(p), Options{MaxLabels: 10000})
		require.NoError(t, err)
		for i, cost := range joint.Costs {
			require.LessOrEqual(t, cost, joint.Budgets[i])
		}
		var buf bytes.Buffer
		require.NoError(t, p.Write(&buf))
	})
}
