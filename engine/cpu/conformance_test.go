package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/enginetest"
)

func TestConformance(t *testing.T) {
	for _, isa := range all() {
		if isa == genericBF16 && len(available(BF16)) > 1 {
			continue // TestBF16IsEmulatedExactly holds it to the kernels that run here
		}
		one, three := backend(t, isa, 1), backend(t, isa, 3)
		t.Run(one.Name(), func(t *testing.T) { enginetest.Run(t, one) })
		t.Run(three.Name(), func(t *testing.T) { enginetest.Run(t, three) })
		t.Run(isa.String()+" programs", func(t *testing.T) { enginetest.RunPrograms(t, three) })
		t.Run(isa.String()+" for any threads", func(t *testing.T) { enginetest.RunIdentical(t, one, three) })
	}
}

func backend(t testing.TB, isa isa, threads int) *Backend {
	b, err := New(Options{Threads: threads, ISA: isa.set(), Precision: isa.precision()})
	require.NoError(t, err)
	return b
}
