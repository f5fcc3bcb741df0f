package main

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"mdp/bench"
	"mdp/prune/report"
)

const within = 0.01 // two medians that agree

// selfTest is the instrument at calls of known cost.
func (b *benched) selfTest() error {
	b.line("\n## The instrument's self-test")
	var t bench.SelfTest
	if ok, err := b.object("selftest.json", &t); !ok || err != nil {
		b.lacks("selftest")
		return err
	}
	bias, spread := t.Bias()
	b.line("\nAn empty call takes %s µs, %s to %s. The clock is %.0f MHz by spins, at most %s by the driver. Bias at most %.2f %%, repeats within ±%.2f %%.",
		number(us(t.EmptyNS.MedianNS)), number(us(t.EmptyNS.LowNS)), number(us(t.EmptyNS.HighNS)), t.ClockMHz, whole(t.StatedMHz), 100*bias, 100*spread)
	b.line("\n| call | µs | bias | repeats within | GB/s |\n|---|--:|--:|--:|--:|")
	for _, p := range t.Probes {
		bias := "–"
		if p.Cycles > 0 {
			bias = signed(p.Bias)
		}
		b.line("| %s | %s | %s | ±%.2f %% | %s |", p.Call, number(us(p.MedianNS)), bias, 100*p.Spread, number(p.GBPS))
	}
	return nil
}

var (
	precisions = []string{"bf16", "tf32", "fp32"}
	layouts    = []string{"cudnn", "cudnn-nchw"} // of cuDNN
)

// beside is the dense network's layers by our kernels and by cuDNN's.
func (b *benched) beside() {
	b.line("\n## The dense network's layers beside cuDNN's")
	b.line("\nEach of its configurations once; ratios are cuDNN's time to ours, geometric means.\n")
	b.line("| precision | configurations | ours, ms | cuDNN NHWC, ms | ratio | ours is faster | cuDNN NCHW, ms | ratio | ours is faster |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	without := ""
	for _, p := range precisions {
		ours := b.table("dense-" + p + "/mdp")
		if len(ours.rows) == 0 {
			continue
		}
		without = cmp.Or(without, ours.Without)
		line := fmt.Sprintf("| %s | %d | %s |", p, len(ours.rows), number(sum(ours.rows)))
		for _, library := range layouts {
			other := b.table("dense-" + p + "/" + library)
			c := bench.Compare(ours.rows, other.rows, within)
			if len(c.Rows) == 0 {
				line += " – | – | – |"
				continue
			}
			line += fmt.Sprintf(" %s | %s | %d of %d |", number(sum(other.rows)), number(c.Ratio), c.Counts[bench.Slower], len(c.Rows))
		}
		b.line("%s", line)
	}
	if without != "" {
		b.line("\n*%s.*", short(without))
	}
	for _, p := range precisions {
		b.lacks("dense-" + p)
	}
}

// short is why there is no library, without where it was looked for.
func short(why string) string {
	why, _, _ = strings.Cut(why, " (")
	return why
}

// layersBeside is each layer in a precision, the one that takes longest first.
func (b *benched) layersBeside(precision string) {
	ours := b.table("dense-" + precision + "/mdp")
	if len(ours.rows) == 0 {
		return
	}
	slices.SortStableFunc(ours.rows, func(x, y bench.Row) int { return cmp.Compare(y.MedianNS, x.MedianNS) })
	var of [2]map[string]bench.Comparison
	for i, library := range layouts {
		of[i] = map[string]bench.Comparison{}
		for _, c := range bench.Compare(ours.rows, b.table("dense-"+precision+"/"+library).rows, within).Rows {
			of[i][c.Key] = c
		}
	}
	b.line("\n| configuration, %s | µs | TFLOP/s | cuDNN NHWC, µs | ratio | cuDNN NCHW, µs | ratio |\n|---|--:|--:|--:|--:|--:|--:|", precision)
	for _, r := range ours.rows {
		line := fmt.Sprintf("| %s | %s | %s |", r.Key, number(us(r.MedianNS)), number(flop(r.Key)/float64(max(1, r.MedianNS))/1e3))
		for i := range layouts {
			c, ok := of[i][r.Key]
			if !ok {
				line += " – | – |"
				continue
			}
			line += fmt.Sprintf(" %s | %s |", number(us(c.BNS)), number(c.Ratio))
		}
		b.line("%s", line)
	}
}

var convolved = regexp.MustCompile(`^conv_forward\S*/n(\d+)_\d+x\d+x(\d+)_k(\d+)x(\d+)x(\d+)_\S*_g(\d+)_o(\d+)x(\d+)$`)

// flop is a convolution's operations, 0 of another call.
func flop(key string) float64 {
	m := convolved.FindStringSubmatch(key)
	if m == nil {
		return 0
	}
	var n, c, k, r, s, g, oh, ow float64
	for i, v := range []*float64{&n, &c, &k, &r, &s, &g, &oh, &ow} {
		fmt.Sscan(m[i+1], v)
	}
	return 2 * n * oh * ow * k * c / g * r * s
}

// repeatability is two tables of the same configurations.
func (b *benched) repeatability() {
	b.line("\n## Repeatability")
	once, twice := b.table("once"), b.table("twice")
	c := bench.Compare(once.rows, twice.rows, within)
	if n := len(c.Rows); n > 0 {
		b.line("\nTwo tables of %d configurations, one after the other: the medians of %.1f %% agree within 1 %%; the second takes %.4f of the first's time in geometric mean. %d are the same for certain, %d faster, %d slower, %d unclear. The farthest:",
			n, 100*c.Agree, c.Ratio, c.Counts[bench.Same], c.Counts[bench.Faster], c.Counts[bench.Slower], c.Counts[bench.Unclear])
		b.line("\n| configuration | µs | second ÷ first | 95 %% | |\n|---|--:|--:|--:|---|")
		for _, r := range c.Farthest()[:min(n, 8)] {
			b.line("| %s | %s | %.4f | %.4f–%.4f | %s |", r.Key, number(us(r.ANS)), r.Ratio, r.Low, r.High, r.Verdict)
		}
	}
	b.lacks("once", "twice")
}

// cold is what it costs to find nothing in the caches.
func (b *benched) cold() {
	if c := bench.Compare(b.table("dense-bf16/mdp").rows, b.table("cold-bf16").rows, within); len(c.Rows) > 0 {
		far := c.Farthest()[0]
		b.line("\nWith cold caches %d configurations of the dense network take %.3f of the time in geometric mean, at the most %.3f: %s.", len(c.Rows), c.Ratio, far.Ratio, far.Key)
	}
	b.lacks("cold-bf16")
}

// costs is what the rows of each table took.
func (b *benched) costs() {
	b.line("\n## What a row costs")
	b.line("\nWall time, with set-up and warm-up.\n")
	b.line("| table | backend | batch | rows | ms a row | nine of ten within | the longest | all, s | as certain as asked for | samples thrown away |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, t := range b.tables {
		if len(t.rows) == 0 {
			continue
		}
		var ms []float64
		quiet, discarded, all := 0, 0, 0.
		for _, r := range t.rows {
			ms = append(ms, float64(r.CostNS)/1e6)
			all += float64(r.CostNS) / 1e9
			discarded += r.Discarded
			if r.Stop == bench.Quiet {
				quiet++
			}
		}
		slices.Sort(ms)
		at := func(p float64) string { return number(stat.Quantile(p, stat.Empirical, ms, nil)) }
		b.line("| %s | %s | %d | %d | %s | %s | %s | %s | %.1f %% | %d |", t.name, t.Backend, t.Batch, len(ms), at(0.5), at(0.9), at(1), number(all), 100*float64(quiet)/float64(len(ms)), discarded)
	}
}

// predictions is a run's sub-networks, measured beside what its table says of them.
func (b *benched) predictions(run string) error {
	var v report.Verification
	ok, err := b.object(path.Join(run, "verify.json"), &v)
	if err != nil {
		return err
	}
	b.line("\n## Sub-networks beside their predictions: %s", run)
	b.lacks("table-"+run, "verify-"+run)
	if !ok {
		return nil
	}
	if t := b.table(run); len(t.rows) > 0 {
		b.line("\nFrom %d rows at batch %d, %s.", len(t.rows), t.Batch, t.Backend)
	}
	head, rule := "| network | ms | of dense | its samples' spread |", "|---|--:|--:|--:|"
	for _, m := range v.Models {
		head, rule = head+" "+m.Model+" |", rule+"--:|"
	}
	b.line("\n%s\n%s", head, rule)
	row := func(start string, cell func(m int) string) {
		for m := range v.Models {
			start += " " + cell(m) + " |"
		}
		b.line("%s", start)
	}
	for _, n := range v.Networks {
		row(fmt.Sprintf("| %s | %s | %.3f | %.1f %% |", n.Name, number(n.MeasuredMS), n.MeasuredMS/n.DenseMS, n.SpreadPct),
			func(m int) string { return signed(n.PredictedMS[m]/n.MeasuredMS - 1) })
	}
	row("| **median** | | | |", func(m int) string { return fmt.Sprintf("**%.2f %%**", v.Models[m].MedianPct) })
	row("| **worst** | | | |", func(m int) string { return "**" + signed(v.Models[m].WorstPct/100) + "**" })
	b.uses(path.Join(run, "verify.jsonl"))
	return nil
}

func us(ns int64) float64 { return float64(ns) / 1e3 }

// sum is rows' medians in ms.
func sum(rows []bench.Row) float64 {
	ms := 0.
	for _, r := range rows {
		ms += float64(r.MedianNS) / 1e6
	}
	return ms
}

// signed is a share in percent.
func signed(share float64) string {
	return strings.Replace(fmt.Sprintf("%+.2f %%", 100*share), "-", "−", 1)
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
