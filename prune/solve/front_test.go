package solve

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFrontAgainstBruteForce(t *testing.T) {
	for _, shape := range shapes {
		for i := range few(400) {
			name := fmt.Sprintf("front-%s-%d", shape, i)
			t.Run(name, func(t *testing.T) {
				r := seeded(name)
				p := randomProblem(r, shape, 1+r.IntN(5), 3)
				front, err := wholeFront(context.Background(), p, Options{})
				require.NoError(t, err)
				require.Equal(t, bruteFront(p), front)
			})
		}
	}
}

func TestPublishedFronts(t *testing.T) {
	for _, name := range []string{"mbv1_mdp_00", "rn101_mdp_02", "rn50_mdp_04", "rn50_mdp_20"} {
		t.Run(name, func(t *testing.T) {
			front, err := wholeFront(context.Background(), readInstance(t, name), Options{})
			require.NoError(t, err)
			require.Equal(t, readFront(t, name), front)
		})
	}
}

func readFront(t *testing.T, name string) []Point {
	t.Helper()
	f, err := os.Open("testdata/frontiers/" + name + ".csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var front []Point
	for _, row := range rows[1:] {
		lat, err := strconv.ParseInt(row[0], 10, 64)
		require.NoError(t, err)
		imp, err := strconv.ParseInt(row[1], 10, 64)
		require.NoError(t, err)
		front = append(front, Point{lat, imp})
	}
	return front
}

func TestPublishedFrontSizes(t *testing.T) {
	for _, want := range publishedOptima(t) {
		front, err := wholeFront(context.Background(), readInstance(t, want.Name), Options{})
		require.NoError(t, err)
		assert.Len(t, front, want.FrontierPoints, want.Name)
	}
}

// Every step of a front is a single solve's answer, and one tick below a step
// the answer is the step before.
func TestFrontAgainstSingleSolves(t *testing.T) {
	for _, name := range []string{"mbv1_mdp_20", "rn50_mdp_26"} {
		p := readInstance(t, name)
		front, err := wholeFront(context.Background(), p, Options{})
		require.NoError(t, err)
		var budgets []int64
		for i := 1; i < len(front); i++ {
			budgets = append(budgets, front[i].Latency, front[i].Latency-1)
		}
		answers, err := optima(context.Background(), p, budgets, Options{})
		require.NoError(t, err)
		for _, s := range answers {
			checkAnswer(t, p, front, s)
		}
	}
}

func TestApproximateFront(t *testing.T) {
	p := readInstance(t, "rn50_mdp_20")
	exact := readFront(t, "rn50_mdp_20")
	for _, epsilon := range []float64{1e-4, 1e-3, 0.05} {
		front, err := wholeFront(context.Background(), p, Options{Epsilon: epsilon})
		require.NoError(t, err)
		if epsilon > 1e-2 {
			require.Less(t, len(front), len(exact)/2)
		}
		require.Subset(t, exact, front)
		i := 0
		for _, pt := range exact {
			for i+1 < len(front) && front[i+1].Latency <= pt.Latency {
				i++
			}
			require.LessOrEqual(t, float64(pt.Importance), (1+epsilon)*float64(front[i].Importance))
		}
	}
}

func BenchmarkFront(b *testing.B) {
	for _, o := range publishedOptima(b) {
		p := readInstance(b, o.Name)
		b.Run(o.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := wholeFront(context.Background(), p, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A solver that has made the front gives the configuration of any of its points.
func TestConfigurationsOfAFront(t *testing.T) {
	p := readInstance(t, "rn50_mdp_16")
	s, err := New(p, Options{})
	require.NoError(t, err)
	front, err := s.Front(context.Background())
	require.NoError(t, err)
	for i := 0; i < len(front); i += 1 + len(front)/50 {
		answer, err := s.Optimum(context.Background(), front[i].Latency)
		require.NoError(t, err)
		checkAnswer(t, p, front, answer)
	}
}

func TestProgress(t *testing.T) {
	p := twoDevices(readInstance(t, "rn50_mdp_16"))
	var seen []Progress
	opts := Options{Progress: func(pr Progress) { seen = append(seen, pr) }}
	best, err := Optimum(context.Background(), p, p.Capacity, opts)
	require.NoError(t, err)
	require.NotEmpty(t, seen)
	for _, pr := range seen {
		require.LessOrEqual(t, pr.Objective, best.Objective)
		require.GreaterOrEqual(t, pr.Bound, best.Objective)
	}
	seen = nil
	front, err := wholeFront(context.Background(), p, opts)
	require.NoError(t, err)
	last := Progress{}
	for _, pr := range seen {
		if pr.Points > 0 {
			require.Greater(t, pr.Points, last.Points)
			require.Greater(t, pr.Latency, last.Latency)
			require.Contains(t, front, Point{pr.Latency, pr.Objective})
			last = pr
		}
	}
	require.Positive(t, last.Points)
	seen = nil
	joint, err := Joint(context.Background(), p, budgetsOf(p), opts)
	require.NoError(t, err)
	require.Equal(t, joint.Objective, seen[len(seen)-1].Objective)
}
