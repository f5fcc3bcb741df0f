package bench

import (
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Result is what a run of samples says about a latency.
type Result struct {
	MedianNS  int64   `json:"medianNS"`
	LowNS     int64   `json:"lowNS"`  // LowNS to HighNS covers the true median with
	HighNS    int64   `json:"highNS"` // 95 % confidence, less below six samples
	RSD       float64 `json:"rsd"`    // standard deviation ÷ mean
	Stop      Stop    `json:"stop"`
	SamplesNS []int64 `json:"samplesNS"` // raw, in the order they were taken
}

// Summarise computes the statistics of one or more samples; Stop stays empty.
func Summarise(samplesNS []int64) Result {
	n := len(samplesNS)
	x := slices.Sorted(slices.Values(samplesNS))
	k := medianRank(n)
	r := Result{MedianNS: x[(n-1)/2] + (x[n/2]-x[(n-1)/2])/2, LowNS: x[k-1], HighNS: x[n-k], SamplesNS: samplesNS}
	f := make([]float64, n)
	for i, v := range samplesNS {
		f[i] = float64(v)
	}
	if mean, deviation := stat.MeanStdDev(f, nil); n > 1 && mean > 0 {
		r.RSD = deviation / mean
	}
	return r
}

// medianRank is the k for which the k-th smallest and the k-th largest of n
// samples enclose the median of any continuous distribution with 95 %
// confidence, and as tightly as can be. How many samples fall below the median
// is binomial, so they miss it with probability 2·P(Bin(n, ½) < k).
func medianRank(n int) int {
	misses := func(k int) float64 { return 2 * distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(k-1)) }
	return max(1, sort.Search((n+1)/2, func(k int) bool { return misses(k+1) > 0.05 }))
}
