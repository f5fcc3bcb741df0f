//go:build cuda

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
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
the training step by itself: convolutions in every precision and in every variant
of the bfloat16 kernels, and masked to half of their input and half of their
output channels in chunks of 32; the rest in float32. Prints JSON, a line each:
first the machine, then the network, then the calls, the costliest first, until
all are timed or the time is over.`,
		Example: `  mdp kernels --device cuda:0 > kernels.jsonl
  mdp kernels --net mobilenet_v1 --batch 64 --time 1m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runKernels(cmd.Context(), a.stdout, o) },
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
	Call      string         `json:"call"`
	Precision cuda.Precision `json:"precision"`
	Variant   cuda.Variant   `json:"variant,omitempty"` // that was forced
	FLOP      int64          `json:"flop,omitempty"`
	Bytes     int64          `json:"bytes,omitempty"` // once over each operand
	TFLOPS    float64        `json:"tflops,omitempty"`
	GBPS      float64        `json:"gb_per_s,omitempty"`
	Error     string         `json:"error,omitempty"` // the call could not be timed
	bench.Result
}

func runKernels(ctx context.Context, w io.Writer, o kernelsOptions) error {
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
	lines := json.NewEncoder(w)
	header := kernelsHeader{time.Now().UTC().Truncate(time.Second), gpu.Info(), o.net, o.batch, kernelRule()}
	if err := lines.Encode(header); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.time)
	defer cancel()
	steps, err := timeSteps(ctx, lines, gpu, o)
	if err != nil {
		return err
	}
	failed, err := timeCalls(ctx, lines, gpu, calls)
	if err != nil {
		return err
	}
	if failed += steps; failed > 0 {
		return fmt.Errorf("%d could not be timed; their lines say why", failed)
	}
	return nil
}

// timeSteps writes a line for each row of stepRows and counts those that failed.
func timeSteps(ctx context.Context, lines *json.Encoder, gpu driver.Device, o kernelsOptions) (failed int, err error) {
	rows := stepRows(o.net, o.batch)
	for i, row := range rows {
		b, err := cuda.New(gpu, cuda.Options{Precision: row.Precision})
		if err != nil {
			return failed, err
		}
		err = row.measure(ctx, b)
		if ctx.Err() != nil {
			fmt.Fprintf(os.Stderr, "mdp: the time was over after %d of %d steps of the network\n", i, len(rows))
			return failed, nil
		}
		if err != nil {
			row.Error = oneLine(err)
			failed++
		}
		if err := lines.Encode(row); err != nil {
			return failed, err
		}
	}
	return failed, nil
}

// timeCalls writes a line for each kernel of each call and counts those that failed.
func timeCalls(ctx context.Context, lines *json.Encoder, gpu driver.Device, calls []engine.Call) (failed int, err error) {
	for i, c := range calls {
		for _, o := range kernelsOf(c) {
			b, err := cuda.New(gpu, o)
			if err != nil {
				return failed, err
			}
			row, err := timeCall(ctx, b, c, o, gpu.Info().L2Bytes)
			if ctx.Err() != nil {
				fmt.Fprintf(os.Stderr, "mdp: the time was over after %d of %d calls\n", i, len(calls))
				return failed, nil
			}
			if err != nil {
				row.Error = oneLine(err)
				failed++
			}
			if err := lines.Encode(row); err != nil {
				return failed, err
			}
		}
	}
	return failed, nil
}

// kernelsOf are the kernels that a call has: of a convolution one in each precision,
// and in bfloat16 every variant.
func kernelsOf(c engine.Call) []cuda.Options {
	if conv, ok := geometry(c); ok && !conv.Depthwise() {
		return []cuda.Options{{Precision: cuda.Float32}, {Precision: cuda.TF32}, {Precision: cuda.BFloat16},
			{Precision: cuda.BFloat16, Variant: cuda.Tiled}, {Precision: cuda.BFloat16, Variant: cuda.Small}, {Precision: cuda.BFloat16, Variant: cuda.Large},
			{Precision: cuda.BFloat16, Variant: cuda.SmallGeneral}, {Precision: cuda.BFloat16, Variant: cuda.LargeGeneral}}
	}
	return []cuda.Options{{Precision: cuda.Float32}}
}

// geometry of a convolution in any direction.
func geometry(c engine.Call) (engine.Conv, bool) {
	switch c := c.(type) {
	case engine.ConvForward:
		return c.Conv, true
	case engine.ConvBatchNorm:
		return c.Conv, true
	case engine.ConvBackwardData:
		return c.Conv, true
	case engine.ConvBackwardFilter:
		return c.Conv, true
	case engine.MaskedConvForward:
		return c.Conv, true
	case engine.MaskedConvBackwardData:
		return c.Conv, true
	case engine.MaskedConvBackwardFilter:
		return c.Conv, true
	}
	return engine.Conv{}, false
}

// timeCall samples one call.
func timeCall(ctx context.Context, b *cuda.Backend, c engine.Call, o cuda.Options, cacheBytes int) (row kernelRow, err error) {
	row = kernelRow{Call: c.String(), Precision: o.Precision, Variant: o.Variant}
	if conv, ok := geometry(c); ok {
		row.FLOP = 2 * conv.MACs()
	}
	if isMasked(c) {
		row.FLOP /= 4
	} else {
		row.Bytes = bytesMoved(c)
	}
	s, err := newKernelStand(b, c, cacheBytes)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, s.exec.Close()) }()
	if row.Result, err = bench.Measure(ctx, kernelRule(), s.sample); err != nil {
		return row, err
	}
	row.TFLOPS = float64(row.FLOP) / float64(row.MedianNS) / 1e3
	row.GBPS = float64(row.Bytes) / float64(row.MedianNS)
	return row, nil
}

// bytesMoved by a call when each operand is read or written once.
func bytesMoved(c engine.Call) int64 {
	n := 0
	for _, o := range c.Operands() {
		if o.Read {
			n += o.Len
		}
		if o.Write {
			n += o.Len
		}
	}
	return 4 * int64(n)
}
