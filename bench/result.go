package bench

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Result is what a run of samples says about a latency.
type Result struct {
	MedianNS  int64   `json:"medianNS"`
	LowNS     int64   `json:"lowNS"`  // LowNS to HighNS covers what the true median is with
	HighNS    int64   `json:"highNS"` // 95 % confidence, less below six samples
	RSD       float64 `json:"rsd"`    // standard deviation ÷ mean
	Stop      Stop    `json:"stop"`
	TickNS    int64   `json:"tickNS,omitempty"` // of a coarse timer, where it is known
	SamplesNS []int64 `json:"samplesNS"`        // raw, in the order they were taken
}

// Summarise computes the statistics of one or more samples; Stop stays empty. Of
// samples that are a coarse timer's ticks, it is the mean of those about the median.
func Summarise(samplesNS []int64) Result { return summarise(samplesNS, 0) }

// summarise is of samples of a timer whose tick is known, or 0.
func summarise(samplesNS []int64, tickNS int64) Result {
	n := len(samplesNS)
	x := slices.Sorted(slices.Values(samplesNS))
	k := medianRank(n)
	r := Result{MedianNS: x[(n-1)/2] + (x[n/2]-x[(n-1)/2])/2, LowNS: x[k-1], HighNS: x[n-k], TickNS: tickNS, SamplesNS: samplesNS}
	if !onTicks(x, tickNS) {
		tickNS = tick(x)
	}
	if mean, half, ok := betweenTicks(x, r.MedianNS, tickNS); ok {
		r.MedianNS, r.LowNS, r.HighNS = int64(math.Round(mean)), max(0, int64(math.Floor(mean-half))), int64(math.Ceil(mean+half))
	}
	f := make([]float64, n)
	for i, v := range samplesNS {
		f[i] = float64(v)
	}
	if mean, deviation := stat.MeanStdDev(f, nil); n > 1 && mean > 0 {
		r.RSD = deviation / mean
	}
	return r
}

// Ticks of a timer that are worth looking between, and those that no GPU's has: what
// differs by more was interrupted.
const (
	coarse  = 16
	coarser = 1100
)

// betweenTicks looks between the ticks of a coarse timer: whatever lies between two of
// them, the median is one of the two, but how often it is either tells where. A call
// that begins at no particular moment of a tick is as long as its samples' mean. So
// where all sorted samples lie on ticks, and most of them within two of the median,
// as of a quiet device they do, it is the mean of those, and half its 95 % interval:
// Student's, and as much beside as three ticks of which none was seen may hide.
func betweenTicks(x []int64, median, tickNS int64) (mean, half float64, ok bool) {
	if !onTicks(x, tickNS) {
		return 0, 0, false
	}
	var near []float64
	for _, v := range x {
		if v >= median-2*tickNS && v <= median+2*tickNS {
			near = append(near, float64(v))
		}
	}
	n := float64(len(near))
	if len(near) < 6 || 2*len(near) < len(x) {
		return 0, 0, false
	}
	mean, deviation := stat.MeanStdDev(near, nil)
	student := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.975)
	return mean, student * math.Sqrt(deviation*deviation/n+2.4*float64(tickNS*tickNS)/(n*n)), true
}

// onTicks says that samples lie on ticks as coarse as to be looked between.
func onTicks(x []int64, tickNS int64) bool {
	return tickNS >= coarse && tickNS <= coarser && !slices.ContainsFunc(x, func(v int64) bool {
		off := (v - x[0]) % tickNS
		return off > 1 && off < tickNS-1 // rounded to ns
	})
}

// tick is the least by which two of sorted samples differ, 0 if none do: of a call so
// short that it takes a few ticks of the timer, no single sample tells anything finer.
// A timer of 10 ns gives 330 and 331, which are rounded and no difference.
func tick(sorted []int64) int64 {
	least := int64(0)
	for i := 1; i < len(sorted); i++ {
		if d := sorted[i] - sorted[i-1]; d > 1 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// medianRank is the k for which the k-th smallest and the k-th largest of n
// samples enclose the median of any continuous distribution with 95 %
// confidence, and as tightly as can be. How many samples fall below the median
// is binomial, so they miss it with probability 2·P(Bin(n, ½) < k).
func medianRank(n int) int {
	misses := func(k int) float64 { return 2 * distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(k-1)) }
	return max(1, sort.Search((n+1)/2, func(k int) bool { return misses(k+1) > 0.05 }))
}
