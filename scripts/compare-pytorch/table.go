package main

import (
	"fmt"
	"io"
	"math"

	"mdp/bench"
)

// writeTable writes what was measured in Markdown: every row beside what it must and should reach, then the
// convolutions one by one.
func writeTable(w io.Writer, r results, all []row) error {
	t := &table{w: w}
	t.printf("# The CPU backend beside PyTorch %s\n\n", r.Torch)
	t.printf("`go run ./scripts/compare-pytorch` on %s, %d cores, %s; medians of samples taken in turn, with\n", r.Machine.Model, r.Machine.Cores, r.Go)
	t.printf("intervals of 95 %% for the ratio. PyTorch is the fastest of its ways, named in the last column. Raw samples\nlie in the JSON file beside this one. GFLOP/s counts what a direct sum takes; 3×3 convolutions of stride 1\ntake a quarter of its products here, by Winograd's transforms.\n\n")
	t.printf("| | ours | PyTorch | ratio | must | aim | | PyTorch's way |\n|---|--:|--:|--:|--:|--:|---|---|\n")
	for _, row := range all {
		if res, ok := r.Rows[row.name]; ok && !row.scaling {
			t.row(row, res)
		}
	}
	t.printf("\n## From one core to all\n\nA core that waits, for work or for memory, is the rest of its time lost.\n\n")
	t.printf("| | all cores | one | speed-up | lost |\n|---|--:|--:|--:|--:|\n")
	for _, row := range all {
		if res, ok := r.Rows[row.name]; ok && row.scaling {
			t.scaling(row, res, r.Machine.Cores)
		}
	}
	for _, row := range all {
		if res, ok := r.Rows[row.name]; ok && !row.scaling && len(res.Works) > 1 {
			t.works(row, res)
		}
	}
	return t.err
}

type table struct {
	w   io.Writer
	err error
}

func (t *table) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

func (t *table) row(r row, res result) {
	ours := summarise(res.figures(r.unit, func(s sampled) []int64 { return s.Ours }))
	peers := summarise(res.figures(r.unit, func(s sampled) []int64 { return s.Peer }))
	ratio := summarise(res.ratios(r.unit))
	way := "the faster layout of each"
	if len(res.Works) == 1 {
		way = res.Works[0].Variant.String()
	}
	sign := "≥"
	if r.unit == peak {
		sign = "≤"
	}
	t.printf("| %s | %s %s | %s | **%.2f×** (%.2f–%.2f) | %s %.1f× | %.1f× | %s | %s |\n", r.title, short(ours.median), r.unit, short(peers.median),
		ratio.median, ratio.low, ratio.high, sign, r.must, r.aim, verdict(ratio.median, r.must, r.aim), way)
	if r.figure[0] > 0 {
		t.printf("| – the same, ours alone | %s %s | | | ≥ %.0f | %.0f | %s | |\n", short(ours.median), r.unit, r.figure[0], r.figure[1], verdict(ours.median, r.figure[0], r.figure[1]))
	}
}

func (t *table) scaling(r row, res result, cores int) {
	faster := summarise(res.ratios(r.unit))
	t.printf("| %s | %s %s | %s | %.2f× (%.2f–%.2f) | %.0f %% |\n", r.title,
		short(summarise(res.figures(r.unit, func(s sampled) []int64 { return s.Ours })).median), r.unit,
		short(summarise(res.figures(r.unit, func(s sampled) []int64 { return s.Peer })).median),
		faster.median, faster.low, faster.high, 100*(1-faster.median/float64(cores)))
}

func verdict(got, must, aim float64) string {
	if aim < must {
		got, must, aim = -got, -must, -aim
	}
	switch {
	case !(got >= must):
		return "missed"
	case !(got >= aim):
		return "met"
	}
	return "aim met"
}

// works lists the works of a row.
func (t *table) works(r row, res result) {
	t.printf("\n## %s\n\n| input | filter | stride | ours | PyTorch | ratio |\n|---|---|--:|--:|--:|--:|\n", r.title)
	for _, s := range res.Works {
		one, w := result{Works: []sampled{s}}, s.Work
		t.printf("| %d×%d×%d | %d, %d×%d | %d | %s | %s | %.2f× |\n", w.H, w.W, w.C, w.K, w.R, w.S, w.Stride[0],
			short(summarise(one.figures(r.unit, func(s sampled) []int64 { return s.Ours })).median),
			short(summarise(one.figures(r.unit, func(s sampled) []int64 { return s.Peer })).median),
			summarise(one.ratios(r.unit)).median)
	}
}

// figures are the geometric means over the works, one for each round.
func (r result) figures(u unit, side func(sampled) []int64) []float64 {
	return r.means(func(s sampled, i int) float64 { return u.figure(s.Work, side(s)[i]) })
}

// ratios are how much faster we are, or how much smaller, one for each round.
func (r result) ratios(u unit) []float64 {
	return r.means(func(s sampled, i int) float64 {
		ratio := float64(s.Peer[i]) / float64(s.Ours[i])
		if u == peak {
			return 1 / ratio
		}
		return ratio
	})
}

func (r result) means(of func(s sampled, i int) float64) []float64 {
	means := make([]float64, len(r.Works[0].Ours))
	for i := range means {
		for _, s := range r.Works {
			means[i] += math.Log(of(s, i)) / float64(len(r.Works))
		}
		means[i] = math.Exp(means[i])
	}
	return means
}

// figure is what a sample amounts to.
func (u unit) figure(w work, sample int64) float64 {
	switch u {
	case gflops:
		return 2 * float64(w.conv().MACs()) / float64(sample)
	case images:
		return float64(w.N) * 1e9 / float64(sample)
	case ms:
		return float64(sample) / 1e6
	}
	return float64(sample) / 1024
}

type summary struct{ median, low, high float64 }

func summarise(x []float64) summary {
	const scale = 1e6
	scaled := make([]int64, len(x))
	for i, v := range x {
		scaled[i] = int64(math.Round(v * scale))
	}
	r := bench.Summarise(scaled)
	return summary{float64(r.MedianNS) / scale, float64(r.LowNS) / scale, float64(r.HighNS) / scale}
}

// short is a figure with three digits.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
