package cpu

import (
	"fmt"
	"math/rand"
	"testing"

	"mdp/engine"
)

// resNet50 is the distinct convolutions of ResNet-50 at 224×224.
func resNet50(batch int) []engine.Conv {
	shapes := []engine.Conv{geometry(batch, 224, 224, 3, 64, 7, 7, same(2), same(3), same(1), 1)}
	in, size := 64, 56
	for stage, mid := range []int{64, 128, 256, 512} {
		out, stride := 4*mid, 1
		if stage > 0 {
			stride = 2
		}
		small := size / stride
		shapes = append(shapes,
			geometry(batch, size, size, in, mid, 1, 1, same(1), same(0), same(1), 1),
			geometry(batch, size, size, mid, mid, 3, 3, same(stride), same(1), same(1), 1),
			geometry(batch, small, small, mid, out, 1, 1, same(1), same(0), same(1), 1),
			geometry(batch, small, small, out, mid, 1, 1, same(1), same(0), same(1), 1))
		if stage > 0 {
			shapes = append(shapes,
				geometry(batch, size, size, in, out, 1, 1, same(stride), same(0), same(1), 1),
				geometry(batch, small, small, mid, mid, 3, 3, same(1), same(1), same(1), 1))
		}
		in, size = out, small
	}
	return shapes
}

// resNet20 is the distinct convolutions of the CIFAR ResNets.
func resNet20(batch int) []engine.Conv {
	return []engine.Conv{
		geometry(batch, 32, 32, 3, 16, 3, 3, same(1), same(1), same(1), 1),
		geometry(batch, 32, 32, 16, 16, 3, 3, same(1), same(1), same(1), 1),
		geometry(batch, 32, 32, 16, 32, 3, 3, same(2), same(1), same(1), 1),
		geometry(batch, 32, 32, 16, 32, 1, 1, same(2), same(0), same(1), 1),
		geometry(batch, 16, 16, 32, 32, 3, 3, same(1), same(1), same(1), 1),
		geometry(batch, 16, 16, 32, 64, 3, 3, same(2), same(1), same(1), 1),
		geometry(batch, 16, 16, 32, 64, 1, 1, same(2), same(0), same(1), 1),
		geometry(batch, 8, 8, 64, 64, 3, 3, same(1), same(1), same(1), 1),
	}
}

// mobileNet is the distinct depthwise convolutions of MobileNet-V2 at 224×224.
func mobileNet(batch int) []engine.Conv {
	var shapes []engine.Conv
	for _, l := range []struct{ size, channels, stride int }{
		{112, 32, 1}, {112, 96, 2}, {56, 144, 1}, {56, 144, 2}, {28, 192, 1},
		{28, 192, 2}, {14, 384, 1}, {14, 576, 1}, {14, 576, 2}, {7, 960, 1},
	} {
		shapes = append(shapes, geometry(batch, l.size, l.size, l.channels, l.channels, 3, 3, same(l.stride), same(1), same(1), l.channels))
	}
	return shapes
}

func BenchmarkConv(b *testing.B) {
	sets := []isa{detect()}
	if half := available(BF16); len(half) > 1 {
		sets = append(sets, half[1])
	}
	for _, net := range []struct {
		name   string
		shapes []engine.Conv
	}{{"resnet50", resNet50(8)}, {"resnet20", resNet20(64)}, {"mobilenet", mobileNet(32)}} {
		for _, c := range net.shapes {
			for _, threads := range []int{1, 2} {
				for _, isa := range sets {
					benchmarkConv(b, net.name, isa, c, threads)
				}
			}
		}
	}
}

func benchmarkConv(b *testing.B, net string, isa isa, c engine.Conv, threads int) {
	if isa.precision() == BF16 {
		if c.Depthwise() {
			return // they stay as they are
		}
		net += "-bf16"
	}
	team := newTeam(threads)
	defer team.close()
	x, y, w := noise(c.N*c.H*c.W*c.C), noise(c.N*c.P*c.Q*c.K), noise(c.K*c.R*c.S*c.C/c.Groups)
	ws := func(call engine.Call) []float32 { return aligned(convWorkspace(isa, call, threads)) }
	fwd, bwd, fil := engine.ConvForward{Conv: c}, engine.ConvBackwardData{Conv: c}, engine.ConvBackwardFilter{Conv: c}
	for _, dir := range []struct {
		name string
		op   op
	}{
		{"forward", newConvForward(isa, fwd, y, x, w, nil, nil, ws(fwd), threads, true)},
		{"data", newConvBackwardData(isa, bwd, x, y, w, ws(bwd), threads)},
		{"filter", newConvBackwardFilter(isa, fil, nil, w, y, x, ws(fil), threads)},
	} {
		b.Run(fmt.Sprintf("%s/%s/%v/%d", net, dir.name, c, threads), func(b *testing.B) {
			for b.Loop() {
				dir.op.run(team)
			}
			b.ReportMetric(2*float64(c.MACs())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

// BenchmarkPeak is what a tile reaches that stays in the first-level cache: what
// BenchmarkConv can hope for, from one thread.
func BenchmarkPeak(b *testing.B) {
	const k = 64
	for _, isa := range all() {
		kernels := convKernelsOf(isa)
		for v := 1; v <= maxVectors; v++ {
			rows, cols := kernels.rows[v], v*kernels.lanes
			t := &tile{
				a: noise(rows * (k + 16)), b: noise(k * cols), c: aligned(rows * cols), rows: rows, cols: cols, step: rows,
				lda: k + 16, ldc: cols, seg: k, segs: 1, lo: negInf, hi: posInf,
			}
			b.Run(fmt.Sprintf("%v/%dx%d", isa, rows, cols), func(b *testing.B) {
				for b.Loop() {
					for range 100 {
						kernels.gemm[v](t)
					}
				}
				products := float64(rows * cols * k)
				if kernels.pairs != nil {
					products *= 2
				}
				b.ReportMetric(2*100*products*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

func noise(n int) []float32 {
	x := aligned(n)
	rng := rand.New(rand.NewSource(1))
	for i := range x {
		x[i] = rng.Float32() - 0.5
	}
	return x
}
