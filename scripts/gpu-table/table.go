package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
)

// table writes what is in both files; theirs may be empty.
type table struct {
	io.Writer
	ours, theirs []row
}

var (
	directions  = []string{"conv_forward", "conv_backward_data", "conv_backward_filter"}
	arithmetics = []string{"bf16 in bf16", "fp16 in fp16", "bf16", "fp16", "tf32", "fp32"}
)

func (t table) line(format string, a ...any) { fmt.Fprintf(t, format+"\n", a...) }

func (t table) machine() {
	h := t.ours[0]
	t.line("%s, driver %s: %s at batch %d. Medians; a dash is what was not measured.", h.Device.Name, h.Device.Driver, h.Net, h.Batch)
	for _, r := range t.theirs {
		if r.Torch != "" {
			t.line("Beside it PyTorch %s with cuDNN %d on %s, channels_last, algorithms chosen by measurement.", r.Torch, r.CuDNN, r.Device.Name)
		}
	}
}

// network is whole steps; PyTorch's bf16 and fp16 are autocast.
func (t table) network() {
	t.line("\n| network | batch | precision | ms | images/s | PyTorch's images/s | ratio |\n|---|--:|---|--:|--:|--:|--:|")
	for _, r := range t.ours {
		if r.Network == "" {
			continue
		}
		peer := 0.
		for _, p := range t.theirs {
			if p.Network == r.Network && p.Mode == r.Mode && p.Precision == r.Precision && p.Batch == r.Batch {
				peer = p.ImagesPerSecond
			}
		}
		t.line("| %s %s | %d | %s | %s | %s | %s | %s |", r.Network, r.Mode, r.Batch, r.arithmetic(),
			number(r.MedianNS/1e6), number(r.ImagesPerSecond), number(peer), number(r.ImagesPerSecond/peer))
	}
}

// convolutions is geometric means over the dense convolutions, each shape once.
func (t table) convolutions() {
	t.line("\n| convolutions | precision | shapes | TFLOP/s | cuDNN's TFLOP/s on the same | ratio | of a matrix product's |\n|---|---|--:|--:|--:|--:|--:|")
	for _, d := range directions {
		for _, p := range arithmetics {
			var speed, peers, ratio []float64
			for _, c := range t.dense(d, p) {
				speed = append(speed, c.FLOP/c.MedianNS/1e3)
				if peer := t.peer(c.row); peer > 0 {
					peers = append(peers, c.FLOP/peer/1e3)
					ratio = append(ratio, peer/c.MedianNS)
				}
			}
			t.line("| %s | %s | %d | %s | %s | %s | %s |", d, p, len(speed), number(mean(speed)), number(mean(peers)), number(mean(ratio)), percent(mean(speed)/t.peak(p[:4])))
		}
	}
}

// ladders are the bfloat16 kernels as they came to be, of activations in float32 and in
// 16 bits.
func (t table) ladders() {
	t.ladder("bf16", "tiled", "small", "large")
	t.ladder("bf16 in bf16", "large", "warpgroup")
}

// ladder is variants, and what the sizes choose, over the shapes that all of them ran.
func (t table) ladder(arithmetic string, variants ...string) {
	t.line("\n| %s, TFLOP/s | shapes | %s | chosen |\n|---|--:%s|--:|", arithmetic, strings.Join(variants, " | "), strings.Repeat("|--:", len(variants)))
	variants = append(variants, "")
	for _, d := range directions {
		of := map[string]map[string]float64{} // by shape, by variant
		for _, v := range variants {
			for _, c := range t.variant(d, arithmetic, v) {
				if of[c.shape] == nil {
					of[c.shape] = map[string]float64{}
				}
				of[c.shape][v] = c.FLOP / c.MedianNS / 1e3
			}
		}
		speed := map[string][]float64{}
		for _, shape := range slices.Sorted(maps.Keys(of)) {
			if len(of[shape]) == len(variants) {
				for v, s := range of[shape] {
					speed[v] = append(speed[v], s)
				}
			}
		}
		line := fmt.Sprintf("| %s | %d |", d, len(speed[""]))
		for _, v := range variants {
			line += fmt.Sprintf(" %s |", number(mean(speed[v])))
		}
		t.line("%s", line)
	}
}

// dense is the convolutions of a direction in an arithmetic, by the variant that the
// backend chooses.
func (t table) dense(direction, arithmetic string) []conv {
	return t.variant(direction, arithmetic, "")
}

// variant is the convolutions by one variant, each shape once: its fastest call, for
// one may add or activate.
func (t table) variant(direction, arithmetic, variant string) []conv {
	of := map[string]conv{}
	for _, r := range t.ours {
		c, ok := asConv(r)
		if !ok || c.masked || c.direction != direction || c.arithmetic() != arithmetic || c.Variant != variant || c.MedianNS == 0 {
			continue
		}
		if other, ok := of[c.shape]; !ok || c.MedianNS < other.MedianNS {
			of[c.shape] = c
		}
	}
	return slices.SortedFunc(maps.Values(of), func(a, b conv) int { return cmp.Or(cmp.Compare(b.FLOP, a.FLOP), cmp.Compare(a.shape, b.shape)) })
}

// peer is what cuDNN takes for the call, or 0.
func (t table) peer(r row) float64 {
	for _, p := range t.theirs {
		if p.Call == r.Call && p.Precision == r.Precision {
			return p.MedianNS
		}
	}
	return 0
}

// peak is the speed of a large matrix product, in TFLOP/s, or 0.
func (t table) peak(precision string) float64 {
	for _, p := range t.theirs {
		if p.Call == "matmul" && p.Precision == precision {
			return p.FLOP / p.MedianNS / 1e3
		}
	}
	return 0
}

// masks is the time at half the input and half the output chunks over the dense time.
func (t table) masks() {
	t.line("\n| a quarter kept, ≥ 256 channels | precision | shapes | median of the dense time | worst |\n|---|---|--:|--:|--:|")
	for _, d := range directions {
		for _, p := range arithmetics {
			var share []float64
			for _, r := range t.ours {
				m, ok := asConv(r)
				if !ok || !m.masked || m.direction != d || m.arithmetic() != p || m.Variant != "" || m.MedianNS == 0 || min(m.c, m.k) < 256 {
					continue
				}
				for _, c := range t.dense(d, p) {
					if c.shape == m.shape {
						share = append(share, m.MedianNS/c.MedianNS)
					}
				}
			}
			if len(share) > 0 {
				slices.Sort(share)
				t.line("| %s | %s | %d | %s | %s |", d, p, len(share), percent(stat.Quantile(0.5, stat.Empirical, share, nil)), percent(share[len(share)-1]))
			}
		}
	}
}

// memoryBound is bandwidths: of each kind of call in each storage, the one that moves the most.
func (t table) memoryBound() {
	copied := 0.
	for _, p := range t.theirs {
		if p.Call == "copy" {
			copied = p.Bytes / p.MedianNS
		}
	}
	t.line("\n| memory-bound, the largest of its kind | GB/s | of a copy's %s |\n|---|--:|--:|", number(copied))
	largest := map[string]row{}
	for _, r := range t.ours {
		if r.Call == "" || r.FLOP > 0 || r.Bytes == 0 || r.MedianNS == 0 {
			continue
		}
		if k := kind(r.Call) + " " + r.Storage; r.Bytes > largest[k].Bytes {
			largest[k] = r
		}
	}
	for _, k := range slices.Sorted(maps.Keys(largest)) {
		r := largest[k]
		name := r.Call
		if r.Storage != "" {
			name += " in " + r.Storage
		}
		t.line("| %s | %s | %s |", name, number(r.Bytes/r.MedianNS), percent(r.Bytes/r.MedianNS/copied))
	}
}

// layers is every convolution in bfloat16, and the fastest of the variants that were
// forced, where it is not the chosen one.
func (t table) layers() {
	t.line("\n| bf16 convolution | ms | TFLOP/s | cuDNN's ms | ratio | faster variant |\n|---|--:|--:|--:|--:|---|")
	for _, d := range directions {
		for _, c := range t.dense(d, "bf16") {
			best := c.row
			for _, r := range t.ours {
				if r.Call == c.Call && r.arithmetic() == "bf16" && r.MedianNS > 0 && r.MedianNS < 0.98*best.MedianNS {
					best = r
				}
			}
			faster := ""
			if best.Variant != "" {
				faster = fmt.Sprintf("%s: %s ms", best.Variant, number(best.MedianNS/1e6))
			}
			peer := t.peer(c.row)
			t.line("| %s | %s | %s | %s | %s | %s |", c.Call, number(c.MedianNS/1e6), number(c.FLOP/c.MedianNS/1e3), number(peer/1e6), number(peer/c.MedianNS), faster)
		}
	}
}

// mean is the geometric mean, 0 of nothing.
func mean(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	return stat.GeometricMean(x, nil)
}

// number has three digits that count, and a dash for what was not measured.
func number(x float64) string {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return fmt.Sprintf("%.*f", max(0, 2-int(math.Floor(math.Log10(x)))), x)
}

func percent(x float64) string {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*x)
}
