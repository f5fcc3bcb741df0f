//go:build cuda

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/cuda"
	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/cu"
	"mdp/engine/device"
)

// kernelsOptions say what is timed, where, and for how long.
type kernelsOptions struct {
	device, net string
	batch       int
	time        time.Duration
}

func newKernelsCmd(a *app) *cobra.Command {
	o := kernelsOptions{device: "cuda:0", net: "resnet50", batch: 256, time: 4 * time.Minute}
	cmd := &cobra.Command{
		Use:   "kernels",
		Short: "Time a network's training step and every kernel of it on a GPU",
		Long: `Times a network's training step and its inference, then each distinct call of
the training step by itself: convolutions in every precision, with activations
in 16 bits, too, in every variant of the bfloat16 kernels, and masked to half of
their input and half of their output channels in chunks of 32; the rest in each
storage. Prints JSON, a line each: first the machine, then the network, then the
calls: what is nearest to how one would train before what it is compared with,
and of either the costliest first, until all are timed or the time is over.`,
		Example: `  mdp kernels --device cuda:0 > kernels.jsonl
  mdp kernels --net mobilenet_v1 --batch 64 --time 1m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runKernels(cmd.Context(), a, o) },
	}
	cmd.Flags().StringVar(&o.device, "device", o.device, "GPU to use; mdp doctor lists them")
	cmd.Flags().StringVar(&o.net, "net", o.net, "network; mdp nets lists them")
	cmd.Flags().IntVar(&o.batch, "batch", o.batch, "images a step")
	cmd.Flags().DurationVar(&o.time, "time", o.time, "time after which nothing new is begun")
	return cmd
}

// kernelsHeader is the first line: what the times are of.
type kernelsHeader struct {
	StartedAt time.Time   `json:"started_at"`
	Device    driver.Info `json:"device"`
	Net       string      `json:"net"`
	Batch     int         `json:"batch"`
	Rule      bench.Rule  `json:"rule"`
}

// kernelRow is one call's line.
type kernelRow struct {
	call       engine.Call
	cacheBytes int // that it must not find its operands in

	Call      string         `json:"call"`
	Precision cuda.Precision `json:"precision"`
	Storage   engine.Storage `json:"storage,omitempty"` // of activations
	Variant   cuda.Variant   `json:"variant,omitempty"` // that was forced
	FLOP      int64          `json:"flop,omitempty"`
	Bytes     int64          `json:"bytes,omitempty"` // once over each operand, as it lies in memory
	TFLOPS    float64        `json:"tflops,omitempty"`
	GBPS      float64        `json:"gb_per_s,omitempty"`
	Error     string         `json:"error,omitempty"` // the call could not be timed
	bench.Result
}

func runKernels(ctx context.Context, a *app, o kernelsOptions) error {
	n, err := device.Ordinal(o.device)
	if err != nil {
		return usageError{err}
	}
	calls, err := trainingCalls(o.net, o.batch)
	if err != nil {
		return usageError{err}
	}
	gpu, err := cu.Open(n)
	if err != nil {
		return err
	}
	defer gpu.Close()
	lines := json.NewEncoder(a.stdout)
	header := kernelsHeader{time.Now().UTC().Truncate(time.Second), gpu.Info(), o.net, o.batch, kernelRule()}
	if err := lines.Encode(header); err != nil {
		return err
	}
	timed, cancel := context.WithTimeout(ctx, o.time)
	defer cancel()
	rows := append(stepRows(o.net, o.batch), kernelRows(calls, gpu.Info().L2Bytes)...)
	failed := 0
	for i, row := range rows {
		b, err := cuda.New(gpu, row.options())
		if err != nil {
			return err
		}
		err = row.measure(timed, b)
		if ctx.Err() != nil {
			return fmt.Errorf("stopped after %d of %d lines", i, len(rows))
		}
		if timed.Err() != nil {
			fmt.Fprintf(a.stderr, "mdp: the time was over after %d of %d lines\n", i, len(rows))
			break
		}
		if err != nil {
			row.fail(oneLine(err))
			failed++
		}
		if err := lines.Encode(row); err != nil {
			return err
		}
		if gpu.Lost() {
			return fmt.Errorf("the GPU is lost at line %d of %d, which says why: start again for the others", i+1, len(rows))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d could not be timed; their lines say why", failed)
	}
	return nil
}

// timedRow is a line that says what it is of, and then how long that took.
type timedRow interface {
	options() cuda.Options
	measure(context.Context, *cuda.Backend) error
	fail(why string)
}

// kernelRows are a line for each kernel of each call, on a GPU with a cache of so
// many bytes.
func kernelRows(calls []engine.Call, cacheBytes int) []timedRow {
	var rows []*kernelRow
	for _, c := range calls {
		for _, o := range kernelsOf(c) {
			work := bench.WorkOf(c, o.Storage)
			if isMasked(c) { // on both sides
				work = bench.Work{FLOP: work.FLOP / 4}
			}
			rows = append(rows, &kernelRow{call: c, cacheBytes: cacheBytes, Call: c.String(), FLOP: work.FLOP, Bytes: work.Bytes,
				Precision: o.Precision, Storage: o.Storage, Variant: o.Variant})
		}
	}
	slices.SortStableFunc(rows, func(a, b *kernelRow) int { return cmp.Compare(a.rank(), b.rank()) })
	timed := make([]timedRow, len(rows))
	for i, r := range rows {
		timed[i] = r
	}
	return timed
}

// rank is small for what must be known when the time is over: what multiplies in
// bfloat16 and what moves memory, then the other precisions, then masks, then the
// variants that were not chosen. Half precision is as fast as bfloat16, and last.
func (r *kernelRow) rank() int {
	_, multiplies := engine.ConvOf(r.call)
	switch {
	case r.Precision == cuda.Float16:
		return 4
	case r.Variant != cuda.Chosen:
		return 3
	case isMasked(r.call):
		return 2
	case multiplies && r.Precision != cuda.BFloat16:
		return 1
	}
	return 0
}

func (r *kernelRow) options() cuda.Options {
	return cuda.Options{Precision: r.Precision, Storage: r.Storage, Variant: r.Variant}
}

func (r *kernelRow) fail(why string) { r.Error = why }

// measure samples the call.
func (r *kernelRow) measure(ctx context.Context, b *cuda.Backend) error {
	s, err := newKernelStand(b, r.call, r.cacheBytes)
	if err != nil {
		return err
	}
	r.Result, err = bench.Measure(ctx, kernelRule(), s.sample)
	if err := errors.Join(err, s.exec.Close()); err != nil {
		return err
	}
	r.TFLOPS = float64(r.FLOP) / float64(r.MedianNS) / 1e3
	r.GBPS = float64(r.Bytes) / float64(r.MedianNS)
	return nil
}

// narrow is 16 bits throughout, float32 none.
var (
	exact  = cuda.Options{Precision: cuda.Float32}
	narrow = []cuda.Options{{Precision: cuda.BFloat16, Storage: engine.BFloat16}, {Precision: cuda.Float16, Storage: engine.Float16}}
)

// kernelsOf are the kernels that a call has: of a convolution one in each precision,
// and in bfloat16 every variant, those above the large one in 16 bits; of what multiplies nothing one in each storage, of
// which the two of 16 bits move as much, and of what has no activations one.
func kernelsOf(c engine.Call) []cuda.Options {
	conv, ok := engine.ConvOf(c)
	switch {
	case !ok && bench.WorkOf(c, engine.BFloat16) == bench.WorkOf(c, engine.Float32):
		return []cuda.Options{exact}
	case !ok || conv.Depthwise():
		return []cuda.Options{exact, narrow[0]}
	}
	all := append([]cuda.Options{exact, {Precision: cuda.TF32}, {Precision: cuda.BFloat16}, {Precision: cuda.Float16}}, narrow...)
	variants := []cuda.Variant{cuda.Tiled, cuda.Small, cuda.Large}
	if conv.R*conv.S == 1 && !isMasked(c) {
		variants = append(variants, cuda.SmallGeneral, cuda.LargeGeneral)
	}
	for _, v := range variants {
		all = append(all, cuda.Options{Precision: cuda.BFloat16, Variant: v})
	}
	for _, v := range []cuda.Variant{cuda.Large, cuda.Warpgroup, cuda.WarpgroupHalf, cuda.WarpgroupNarrow} {
		all = append(all, cuda.Options{Precision: cuda.BFloat16, Storage: engine.BFloat16, Variant: v})
	}
	return all
}
