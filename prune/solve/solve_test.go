package solve

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// frontOf returns the steps of best importance by latency.
func frontOf(best map[int64]int64) []Point {
	var front []Point
	for lat, imp := range best {
		front = append(front, Point{lat, imp})
	}
	slices.SortFunc(front, func(a, b Point) int { return int(a.Latency - b.Latency) })
	n := 0
	for _, pt := range front {
		if n == 0 || pt.Importance > front[n-1].Importance {
			front[n] = pt
			n++
		}
	}
	return front[:n]
}

// wholeFront is the front of a problem that was not planned before.
func wholeFront(ctx context.Context, p *Problem, opts Options) ([]Point, error) {
	s, err := New(p, opts)
	if err != nil {
		return nil, err
	}
	return s.Front(ctx)
}

// optima answers several budgets from one plan.
func optima(ctx context.Context, p *Problem, budgets []int64, opts Options) (answers []Solution, err error) {
	s, err := New(p, opts)
	for i := 0; i < len(budgets) && err == nil; i++ {
		var a Solution
		a, err = s.Optimum(ctx, budgets[i])
		answers = append(answers, a)
	}
	return answers, err
}

// checkAnswer holds an answer against the front it must lie on.
func checkAnswer(t *testing.T, p *Problem, front []Point, s Solution) {
	t.Helper()
	require.Equal(t, front[0].Latency, s.MinLatency)
	if s.Budget < front[0].Latency {
		require.Equal(t, Infeasible, s.Status)
		require.Nil(t, s.Options)
		return
	}
	want := front[0]
	for _, pt := range front {
		if pt.Latency <= s.Budget {
			want = pt
		}
	}
	require.Equal(t, Optimal, s.Status)
	require.Equal(t, want, Point{s.Latency, s.Objective})
	require.Equal(t, want.Importance, s.Bound)
	importance, latency, err := p.Evaluate(s.Options, s.BlocksOn)
	require.NoError(t, err)
	require.Equal(t, want, Point{latency, importance})
}

// Ten thousand problems of every shape, each at ten budgets.
func TestOptimumAgainstBruteForce(t *testing.T) {
	for _, shape := range shapes {
		for i := range few(1700) {
			name := fmt.Sprintf("%s-%d", shape, i)
			t.Run(name, func(t *testing.T) {
				r := seeded(name)
				p := randomProblem(r, shape, 1+r.IntN(5), 3)
				require.NoError(t, p.Validate())
				front := bruteFront(p)
				last := front[len(front)-1].Latency
				budgets := []int64{front[0].Latency - 1, front[0].Latency, last, last + 1, 1 << 62}
				for range 5 {
					budgets = append(budgets, front[0].Latency+r.Int64N(last-front[0].Latency+1))
				}
				answers, err := optima(context.Background(), p, budgets, Options{})
				require.NoError(t, err)
				for _, s := range answers {
					checkAnswer(t, p, front, s)
				}
			})
		}
	}
}

// The coarse-to-fine path, which only large problems take, on small ones.
func TestCoarseToFine(t *testing.T) {
	for i := range few(600) {
		name := fmt.Sprintf("coarse-%d", i)
		t.Run(name, func(t *testing.T) {
			r := seeded(name)
			p := randomProblem(r, shapes[i%len(shapes)], 1+r.IntN(4), 6)
			front := bruteFront(p)
			s, err := New(p, Options{})
			require.NoError(t, err)
			s.coarseWork = 1
			for _, pt := range front {
				for _, budget := range []int64{pt.Latency - 1, pt.Latency} {
					answer, err := s.Optimum(context.Background(), budget)
					require.NoError(t, err)
					checkAnswer(t, p, front, answer)
				}
			}
		})
	}
}

func readInstance(t testing.TB, name string) *Problem {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".json"))
	require.NoError(t, err)
	defer f.Close()
	p, err := ReadProblem(f)
	require.NoError(t, err)
	return p
}

type published struct {
	Name           string
	Optimum        int64
	Bound          int64 `json:"lagrangian_bound"`
	MinLatency     int64 `json:"min_latency"`
	FrontierPoints int   `json:"frontier_points"`
}

func publishedOptima(t testing.TB) []published {
	t.Helper()
	f, err := os.Open("testdata/optima.jsonl")
	require.NoError(t, err)
	defer f.Close()
	var all []published
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var o published
		require.NoError(t, json.Unmarshal(sc.Bytes(), &o))
		all = append(all, o)
	}
	require.Len(t, all, 12)
	return all
}

func TestPublishedOptima(t *testing.T) {
	for _, want := range publishedOptima(t) {
		t.Run(want.Name, func(t *testing.T) {
			p := readInstance(t, want.Name)
			s, err := Optimum(context.Background(), p, p.Capacity, Options{})
			require.NoError(t, err)
			assert.Equal(t, Optimal, s.Status)
			assert.Equal(t, want.Optimum, s.Objective)
			assert.Equal(t, want.MinLatency, s.MinLatency)
			assert.LessOrEqual(t, s.Latency, p.Capacity)
			t.Logf("%d labels, %.2f ms", s.Labels, s.Seconds*1e3)
		})
	}
}

func TestCancelledSolve(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Optimum(ctx, readInstance(t, "mbv1_mdp_00"), 1e6, Options{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestLabelLimit(t *testing.T) {
	want := publishedOptima(t)[0]
	p := readInstance(t, want.Name)
	s, err := Optimum(context.Background(), p, p.Capacity, Options{MaxLabels: 100})
	require.NoError(t, err)
	assert.Equal(t, Feasible, s.Status)
	assert.LessOrEqual(t, s.Objective, want.Optimum)
	assert.GreaterOrEqual(t, s.Bound, want.Optimum)
	assert.Greater(t, s.Gap, 0.0)
}

func BenchmarkOptimum(b *testing.B) {
	for _, o := range publishedOptima(b) {
		p := readInstance(b, o.Name)
		b.Run(o.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Optimum(context.Background(), p, p.Capacity, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
