package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mdp/bench"
	"mdp/engine/device"
	"mdp/prune"
)

func newBenchCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what every choice of channels costs on this machine",
		Long: `Measures every configuration that a choice of channels can reach, and the dense
network end to end. Leaves latency.jsonl, a row a line, and dense.json. A table
that was interrupted goes on with the rows it lacks.

With --model it needs no run: it measures the configurations of one network or
several, those they share once, into the folder --out. There latency.jsonl has
every sample, table.json and table.csv the medians. The corners of each layer's
grid of channels come first, then what lies between, so that a table cut short
is coarse, not useless; the same command goes on. Rows of another device,
driver, build, precision, batch or rule are refused. --device, --precision,
--threads, --isa, --width and --step count as they do for a run; --batch is the
images of an inference. --impl cudnn, or cudnn-nchw for that layout, times
NVIDIA's convolutions in the place of ours, found when the program runs, the
best algorithm of each; both leaves a table of each of the three below --out.

With --roofline it needs no run: it times every call of --net in its published
form, for --batch images, beside what this machine can compute and move at most,
measured in the same minute, so that one sees which layers are far from it.

With --selftest it measures calls of known cost, which tells what the other
figures are worth: an empty call, loops of known cycles, copies of known size.`,
		Example: `  mdp bench --run runs/demo
  mdp bench --run runs/demo --json
  mdp bench --model resnet8-cifar,resnet14-cifar --step 32 --out tables/cifar
  mdp bench --roofline --net resnet8-cifar --batch 4 --sort lost
  mdp bench --selftest`,
		Args: cobra.NoArgs,
	}
	o := newRunOptions(a, cmd)
	table := newTableOptions(o, cmd)
	roofline := newRooflineOptions(o, cmd)
	selfTest := cmd.Flags().Bool("selftest", false, "measure calls of known cost: the instrument's bias and repeatability")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		what := slices.DeleteFunc([]string{"run", "model", "roofline", "selftest"}, func(name string) bool { return !cmd.Flags().Changed(name) })
		switch {
		case len(what) > 1:
			return usageError{fmt.Errorf("--%s measure different things: say one of them", strings.Join(what, " and --"))}
		case len(table.models) > 0:
			return runBenchTable(cmd.Context(), table)
		case roofline.on:
			return runRoofline(cmd.Context(), roofline)
		case *selfTest:
			return runSelfTest(cmd.Context(), o)
		}
		return runBench(cmd.Context(), o)
	}
	cmd.AddCommand(newBenchVerifyCmd(a), newBenchRefineCmd(a), newBenchCompareCmd(a))
	return cmd
}

func runBench(ctx context.Context, o *runOptions) error {
	if folder, _, err := o.resolve(); err == nil && !o.flags.Changed("run") && !isRun(folder) {
		return usageError{errors.New("say what to measure: --run DIR for a run's table, --model NAME for a network's without a run, --roofline or --selftest")}
	}
	return o.stage(ctx, prune.StageBench, func(p *prune.Pipeline) (result, error) {
		h, rows, err := bench.ReadTable(p.Path("latency.jsonl"))
		if err != nil {
			return nil, err
		}
		r := measured{Machine: h.Model, Backend: h.Backend, Batch: h.Batch, Configurations: len(rows)}
		return r, p.ReadJSON("dense.json", &r)
	})
}

// alone opens the device that c names and prints what measure makes of it while nobody
// else measures there; nothing of it is kept.
func (o *runOptions) alone(c prune.Config, measure func(*device.Device) (result, error)) error {
	on := device.Options{Name: c.Device, Precision: c.Precision, Threads: c.Threads, ISA: c.ISA}
	if err := cmp.Or(on.Check(), c.Check()); err != nil {
		return usageError{err}
	}
	d, err := device.Open(on)
	if err != nil {
		return err
	}
	release, err := bench.Exclude(d.Place)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	defer release()
	r, err := measure(d)
	if errors.Is(err, context.Canceled) {
		err = errors.New("stopped; nothing of it is kept")
	}
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	return o.print(r, o.json)
}

// measured is what a latency table is of, and the dense network in it.
type measured struct {
	Machine        string `json:"machine"`
	Backend        string `json:"backend"`
	Batch          int    `json:"batch"`
	Configurations int    `json:"configurations"`
	DenseNS        int64  `json:"measured_ns"` // end to end
	SumNS          int64  `json:"sum_ns"`      // of the dense network's rows
}

func (m measured) writeText(w io.Writer) error {
	return table(w, [][]string{
		{"machine", m.Machine},
		{"backend", m.Backend},
		{"configurations", fmt.Sprint(m.Configurations)},
		{"dense network", fmt.Sprintf("%.3f ms end to end at batch %d, %.3f ms as the sum of its rows", float64(m.DenseNS)/1e6, m.Batch, float64(m.SumNS)/1e6)},
	})
}
