package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// BenchmarkRows measures what is bound by memory: MB/s counts every operand
// once for each pass over it. copy is what the memory itself gives.
func BenchmarkRows(b *testing.B) {
	for _, size := range []struct{ rows, c int }{{128 * 32 * 32, 16}, {128 * 16 * 16, 32}, {128 * 8 * 8, 64}, {128 * 16 * 16, 25}, {32 * 56 * 56, 64}} {
		for _, isa := range all() {
			rows, c, backend := size.rows, size.c, backend(b, isa, 0)
			n := rows * c
			calls := []struct {
				call   engine.Call
				passes int
			}{
				{engine.BatchNormForward{Rows: rows, C: c, Y: 1, X: 2, Gamma: 6, Beta: 7, RunMean: 8, RunVar: 9, Mean: 10, InvStd: 11, Eps: 1e-5, Momentum: .1, Act: engine.ReLU}, 3},
				{engine.BatchNormInfer{Rows: rows, C: c, Y: 1, X: 2, Gamma: 6, Beta: 7, RunMean: 8, RunVar: 9, Eps: 1e-5, Act: engine.ReLU}, 2},
				{engine.BatchNormBackward{Rows: rows, C: c, DX: 3, DGamma: 12, DBeta: 13, DY: 4, Y: 1, X: 2, Gamma: 6, Beta: 7, Mean: 10, InvStd: 11, Act: engine.ReLU}, 7},
				{engine.BatchNormBackward{Rows: rows, C: c, DX: 3, DZ: 5, DGamma: 12, DBeta: 13, DY: 4, Y: 1, X: 2, Gamma: 6, Beta: 7, Mean: 10, InvStd: 11, Act: engine.ReLU}, 8},
				{engine.BiasBackward{Rows: rows, C: c, DB: 12, DY: 4}, 1},
				{engine.Add{Len: n, Y: 1, A: 2, B: 3, Act: engine.ReLU}, 3},
				{engine.ActivateBackward{Len: n, DX: 3, DY: 4, Y: 1, Act: engine.ReLU}, 3},
				{engine.SGD{Len: n, Decayed: n, P: 1, V: 2, DP: 3, Hyper: 14}, 5},
			}
			var all []engine.Call
			for _, k := range calls {
				all = append(all, k.call)
			}
			e, err := backend.Prepare(engine.Alone(backend, all...))
			require.NoError(b, err)
			x, rng := make([]float32, n), rand.New(rand.NewPCG(1, 2))
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			for i := range 5 {
				require.NoError(b, e.Write(engine.Buffer(i+1), x))
			}
			for i, k := range calls {
				b.Run(fmt.Sprintf("%v/%v", isa, k.call), func(b *testing.B) {
					b.SetBytes(int64(4 * n * k.passes))
					for b.Loop() {
						e.Run(i, i+1)
					}
				})
			}
			if isa == generic {
				ex := e.(*executor)
				c := &copying{ex.buffer(1), ex.buffer(2)}
				b.Run(fmt.Sprintf("copy/%d", n), func(b *testing.B) {
					b.SetBytes(int64(8 * n))
					for b.Loop() {
						ex.team.run(c, pieces(n))
					}
				})
			}
			require.NoError(b, e.Close())
		}
	}
}
