package device

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpen(t *testing.T) {
	d, err := Open(Options{Name: "cpu", Precision: FP32, Threads: 1, ISA: "generic"})
	require.NoError(t, err)
	require.Equal(t, "cpu generic, 1 thread", d.Name())
	require.Equal(t, "generic", d.Info().Arithmetic())
	require.NoError(t, d.Close())

	d, err = Open(Options{Name: "cpu", Precision: BF16, Threads: 2, ISA: "generic"})
	require.NoError(t, err)
	require.Equal(t, "cpu generic bf16, 2 threads", d.Name())
	require.Equal(t, "generic bf16", d.Info().Arithmetic())
	require.NoError(t, d.Close())

	_, err = Open(Options{Name: "cpu", Precision: FP32, ISA: "avx1024"})
	require.ErrorContains(t, err, `this machine has no "avx1024" kernels`)
}

func TestNamesThatNoMachineHas(t *testing.T) {
	for _, name := range []string{"", "7", "cuda", "cuda:", "cuda:-1", "cuda:x", "gpu", "CPU"} {
		_, err := Open(Options{Name: name, Precision: FP32})
		require.EqualError(t, err, `device "`+name+`" is neither cpu nor a GPU such as cuda:0; mdp doctor lists them`)
	}
	_, err := Open(Options{Name: "cpu", Precision: "fp8"})
	require.EqualError(t, err, `precision "fp8" is none of fp32, tf32, bf16, fp16`)
	_, err = Open(Options{Name: "cpu", Precision: TF32})
	require.EqualError(t, err, "precision tf32 needs a GPU: the processor multiplies in fp32 or bf16")
	_, err = Open(Options{Name: "cpu", Precision: FP16})
	require.EqualError(t, err, "precision fp16 needs a GPU: the processor multiplies in fp32 or bf16")
	_, err = Open(Options{Name: "cpu", Precision: BF16, Storage: BF16})
	require.EqualError(t, err, "storage bf16 needs a GPU: activations of the processor are fp32")
	_, err = Open(Options{Name: "cuda:0", Precision: TF32, Storage: BF16})
	require.EqualError(t, err, "storage bf16 goes with precision bf16, not with tf32")
	_, err = Open(Options{Name: "cpu", Precision: FP32, Storage: "fp8"})
	require.EqualError(t, err, `storage "fp8" is none of fp32, bf16, fp16`)
	_, err = Open(Options{Name: "cpu", Precision: FP32, Atomics: true})
	require.EqualError(t, err, "atomics need a GPU: the processor adds up in order")
}
