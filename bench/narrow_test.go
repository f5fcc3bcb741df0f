package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// simulated is a row of a call that truly takes so long: of a GPU's noise, now and then
// interrupted, by a timer of so coarse ticks, under the rule of tables.
func simulated(r *rand.Rand, key string, trueNS, noise, tickNS float64) Row {
	rule := TableRule(engine.Info{Device: "cuda"}, AsInNetwork)
	run := run{tickNS: int64(tickNS)}
	for !run.content(rule) {
		run.add(ticked(r, trueNS, noise, tickNS))
	}
	row := Row{Key: key, Reference: key, ReferenceNS: 1, Result: summarise(run.samplesNS, run.tickNS)}
	row.Stop = run.stop
	return row
}

// ticked is one sample of it.
func ticked(r *rand.Rand, trueNS, noise, tickNS float64) int64 {
	begun := 1e9 + 1e6*r.Float64()
	ended := begun + trueNS*(1+noise*r.NormFloat64())
	if r.IntN(3000) == 0 {
		ended += 5e3 + 55e3*r.Float64()
	}
	return int64(math.Floor(ended/tickNS)*tickNS) - int64(math.Floor(begun/tickNS)*tickNS)
}

// Rows are sampled until they are certain, and no longer; then their intervals cover what
// is true about as often as they say, whatever the timer's ticks. (Looking again and
// again costs some of it.)
func TestRowsAreCertain(t *testing.T) {
	r := seeded(t)
	const trials = 1500
	for _, c := range []struct{ us, noise, tickNS, samples float64 }{
		{100, 0.003, 32, 13}, {100, 0.003, 500, 15}, {20, 0.003, 500, 60}, {5, 0.003, 500, 250}, {5, 0.003, 32, 20}, {5.25, 0.001, 500, 250}, {300, 0.01, 32, 100},
	} {
		name := fmt.Sprintf("%g µs ± %g, ticks of %g ns", c.us, c.noise, c.tickNS)
		covered, samples := 0, 0
		for range trials {
			trueNS := c.us * 1e3 * (1 + 0.1*r.Float64())
			s := simulated(r, "k", trueNS, c.noise, c.tickNS)
			require.Equal(t, Quiet, s.Stop, name)
			samples += len(s.SamplesNS)
			if float64(s.LowNS) <= trueNS && trueNS <= float64(s.HighNS) {
				covered++
			}
		}
		t.Logf("%s: covered %.3f, samples %.1f", name, float64(covered)/trials, float64(samples)/trials)
		require.Greater(t, float64(covered)/trials, 0.91, name)
		require.Less(t, float64(samples)/trials, c.samples, name)
	}
}

// A row of few ticks is to its reference as their true latencies are: the ratio of two
// samples is off by as much as half a tick.
func TestReferenceBesideShortRows(t *testing.T) {
	r := seeded(t)
	const tickNS, trials = 500, 300
	for _, us := range []float64{3, 10, 30, 100, 300} {
		for _, reference := range []float64{30, 110, 1000} {
			var off []float64
			for range trials {
				trueNS, referenceNS := us*1e3*(1+0.1*r.Float64()), reference*1e3*(1+0.1*r.Float64())
				row := simulated(r, "k", trueNS, 0.003, tickNS).Result
				var beside []int64
				for len(beside) < len(row.SamplesNS) { // one for three copies
					ns := ticked(r, referenceNS, 0.003, tickNS)
					beside = append(beside, ns, ns, ns)
				}
				ratio := float64(paired(row, beside[:len(row.SamplesNS)])) / float64(row.MedianNS)
				off = append(off, math.Abs(ratio/(referenceNS/trueNS)-1))
			}
			slices.Sort(off)
			t.Logf("%3g µs beside %4g: median %.2f %%, 99 of 100 within %.2f %%", us, reference, 100*off[trials/2], 100*off[trials*99/100])
			require.Less(t, off[trials/2], 0.0035)
			require.Less(t, off[trials*99/100], 0.02)
		}
	}
}

// Tables of thousands of rows: those of one device are the same, hardly a row is said to
// be faster or slower, and what truly is by two percent is found, be it all or a tenth.
func TestTablesOfOneDevice(t *testing.T) {
	r := seeded(t)
	const rows = 2000
	for _, tickNS := range []float64{1, 32, 500} {
		table := func(slower func(i int) bool) (all []Row) {
			at := rand.New(rand.NewPCG(1, 2)) // each time the same
			for i := range rows {
				trueNS := 3e3 * math.Pow(150, math.Sqrt(at.Float64())) // 3 to 450 µs, as ResNet-50's
				if slower(i) {
					trueNS *= 1.02
				}
				all = append(all, simulated(r, fmt.Sprintf("%04d", i), trueNS, 0.003, tickNS))
			}
			return all
		}
		never := func(int) bool { return false }
		a := table(never)
		same := Compare(a, table(never), 0.01).Counts
		t.Logf("ticks of %g ns: %v", tickNS, same)
		require.Greater(t, same[Same], rows*95/100)
		require.Less(t, same[Faster]+same[Slower], 3)
		for _, back := range []bool{false, true} {
			b, want := table(func(int) bool { return true }), Slower
			compared := Compare(a, b, 0.01)
			if back {
				want, compared = Faster, Compare(b, a, 0.01)
			}
			t.Logf("all %s: %v", want, compared.Counts)
			require.Greater(t, compared.Counts[want], rows*95/100)
		}
		tenth := Compare(a, table(func(i int) bool { return i%10 == 0 }), 0.01)
		found, wrong := 0, 0
		for i, row := range tenth.Rows {
			switch {
			case i%10 == 0 && row.Verdict == Slower:
				found++
			case row.Verdict == Faster, row.Verdict == Slower:
				wrong++
			}
		}
		t.Logf("a tenth: %d found, %d wrong", found, wrong)
		require.Greater(t, found, rows/10*3/4)
		require.Less(t, wrong, 1+found/20)
	}
}
