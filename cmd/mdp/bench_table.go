package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/atomicfile"
	"mdp/engine/device"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/sensor"
	"mdp/prune"
)

// tableOptions are those of a table without a run.
type tableOptions struct {
	*runOptions
	models []string
	out    string // "" is tables/<models>
	caches string

	impl      string
	lacks     string // why there is no cuDNN, where both were asked for
	exclusive bool
}

var caches = []string{string(bench.AsInNetwork), string(bench.Cold), string(bench.Hot)}

var impls = []string{"mdp", "cudnn", "cudnn-nchw", "both"}

func newTableOptions(o *runOptions, cmd *cobra.Command) *tableOptions {
	t := &tableOptions{runOptions: o}
	flags := cmd.Flags()
	flags.StringSliceVar(&t.models, "model", nil, "measure these networks without a run; mdp nets lists them")
	flags.StringVar(&t.out, "out", "", "with --model: folder of the table (default tables/<models>)")
	flags.StringVar(&t.caches, "caches", "", "with --model: cold or hot, what a call finds in the caches; otherwise what it finds in a network")
	flags.StringVar(&t.impl, "impl", "mdp", "with --model, on a GPU: whose convolutions, mdp, cudnn, cudnn-nchw or both, which is a table of each")
	must(cmd.RegisterFlagCompletionFunc("impl", cobra.FixedCompletions(impls, cobra.ShellCompDirectiveNoFileComp)))
	flags.BoolVar(&t.exclusive, "exclusive", false, "with --model: refuse a device that something else runs on")
	must(cmd.RegisterFlagCompletionFunc("caches", cobra.FixedCompletions(caches[1:], cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("model", cobra.FixedCompletions(choices("net"), cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.MarkFlagDirname("out"))
	return t
}

// runBenchTable measures networks' configurations without a run.
func runBenchTable(ctx context.Context, o *tableOptions) error {
	c, err := o.over(o.app.defaults())
	if err != nil {
		return usageError{err}
	}
	if !o.flags.Changed("batch") {
		c.Batch = c.LatencyBatch
	}
	if o.out == "" {
		o.out = filepath.Join("tables", strings.Join(o.models, "+"))
	}
	if !slices.Contains(impls, o.impl) {
		return usageError{fmt.Errorf("--impl %q is none of %s", o.impl, strings.Join(impls, ", "))}
	}
	on := device.Options{Name: c.Device, Precision: c.Precision, Keep: true, Threads: c.Threads, ISA: c.ISA}
	asked := on
	if o.impl != "mdp" {
		asked.CuDNN = device.NHWC
	}
	if err := cmp.Or(asked.Check(), c.Check()); err != nil { // of what both refuse, once
		return usageError{err}
	}
	if !slices.Contains(caches, o.caches) {
		return usageError{fmt.Errorf("--caches %q is neither cold nor hot", o.caches)}
	}
	calls, err := modelCalls(o.models, c)
	if err != nil {
		return usageError{err}
	}
	tables := o.tables()
	if o.impl == "both" {
		d, err := device.Open(asked)
		if errors.Is(err, device.ErrNoCuDNN) {
			o.lacks, tables = oneLine(err), tables[:1]
		} else if err == nil {
			err = d.Close()
		}
		if err != nil && o.lacks == "" {
			return err
		}
	}
	for _, table := range tables {
		on.CuDNN = table.cuDNN
		if err := o.runTable(ctx, table.folder, on, calls, c.Batch); err != nil {
			return err
		}
	}
	return nil
}

// tables are what --impl asks for: one in the folder, or one of each kind below it.
func (o *tableOptions) tables() []implTable {
	switch o.impl {
	case "cudnn":
		return []implTable{{o.out, device.NHWC}}
	case "cudnn-nchw":
		return []implTable{{o.out, device.NCHW}}
	case "both":
		return []implTable{{filepath.Join(o.out, "mdp"), ""}, {filepath.Join(o.out, "cudnn"), device.NHWC}, {filepath.Join(o.out, "cudnn-nchw"), device.NCHW}}
	}
	return []implTable{{o.out, ""}}
}

type implTable struct {
	folder string
	cuDNN  string // the layout, "" for our own kernels
}

// runTable opens a device and measures one table on it.
func (o *tableOptions) runTable(ctx context.Context, folder string, on device.Options, calls []engine.Call, batch int) error {
	d, err := device.Open(on)
	if err != nil {
		return err
	}
	err = o.measure(ctx, folder, d, calls, batch)
	if errors.Is(err, context.Canceled) {
		err = stoppedError{"mdp bench" + given(o.flags)}
	}
	return errors.Join(goesOn(err), d.Close())
}

// given are the flags as a shell takes them again.
func given(flags *pflag.FlagSet) string {
	s := ""
	flags.Visit(func(f *pflag.Flag) {
		value := f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value = strings.Join(list.GetSlice(), ",")
		}
		s += " --" + f.Name + "=" + prune.Quoted(value)
	})
	return s
}

// modelCalls is every configuration that the models can reach.
func modelCalls(models []string, c prune.Config) ([]engine.Call, error) {
	var graphs []*graph.Graph
	for _, name := range models {
		g, err := nets.Build(name, nets.Options{Width: c.Width})
		if err != nil {
			return nil, err
		}
		graphs = append(graphs, g)
	}
	return prune.Configurations(graphs, c.Batch, c.Step)
}

// measure fills the table in the folder and writes its medians, whether or not
// it gets done.
func (o *tableOptions) measure(ctx context.Context, folder string, d *device.Device, calls []engine.Call, batch int) error {
	header, err := bench.NewHeader(d, batch, bench.TableRule(d.Info(), bench.Caches(o.caches)))
	if err != nil {
		return err
	}
	release, err := bench.Exclude(d.Place)
	if err != nil {
		return err
	}
	defer release()
	sensor := d.Sensor()
	defer sensor.Close()
	header.Settings, header.Without = sensor.Settings(), o.lacks
	busy := bench.Idle(ctx, sensor)
	if as := new(bench.BusyError); busy != nil && !errors.As(busy, &as) {
		return busy
	}
	if busy != nil && o.exclusive {
		return fmt.Errorf("%w; end that, or leave --exclusive out and measure noise", busy)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	path := filepath.Join(folder, "latency.jsonl")
	table, err := bench.OpenTable(path, header)
	if err != nil {
		return err
	}
	defer table.Close()
	table.Sensor = sensor
	var remarks []string
	if s := header.Settings.Source; d.Place != "" {
		remarks = append(remarks, "settings as told by "+s)
	}
	if o.lacks != "" {
		remarks = append(remarks, o.lacks)
	}
	if busy != nil {
		remarks = append(remarks, busy.Error()+"; latencies will be noisy")
	}
	tell, done := narrate(o.stderr, o.quiet, batch)
	err = fill(ctx, table, d, calls, remarks, tell)
	done()
	if err := cmp.Or(err, export(folder, calls)); err != nil { // a full disk is told of once
		return err
	}
	r := tabled{Machine: header.Model, Backend: header.Backend, Settings: header.Settings, Without: header.Without, Batch: batch, Models: o.models,
		Configurations: len(calls), Rows: table.Len(), Folder: folder, rule: header.Rule}
	for _, row := range table.Rows() {
		r.Discarded += row.Discarded
		if r.ClockMHz[0] == 0 || row.ClockMHz < r.ClockMHz[0] {
			r.ClockMHz[0] = row.ClockMHz
		}
		r.ClockMHz[1] = max(r.ClockMHz[1], row.ClockMHz)
		if row.Stop == bench.Quiet {
			r.Quiet++
		}
	}
	return o.print(r, o.json)
}

// fill measures what the table lacks, and says before how long that will take.
func fill(ctx context.Context, table *bench.Table, b engine.Backend, calls []engine.Call, remarks []string, tell func(prune.Event)) error {
	say := func(kind prune.EventKind, text string) {
		tell(prune.Event{Stage: prune.StageBench, Kind: kind, Text: text})
	}
	say(prune.Begin, "")
	if n := table.Notice(); n != "" {
		remarks = append(remarks, n)
	}
	for _, r := range remarks {
		say(prune.Remark, r)
	}
	left, err := table.Estimate(ctx, b, calls)
	if err != nil {
		return err
	}
	if left > 0 {
		say(prune.Remark, fmt.Sprintf("%d configurations, %d of them measured; the rest takes about %s", len(calls), table.Len(), clock(left)))
	}
	err = table.Measure(ctx, b, calls, func(done, total int, _ time.Duration) {
		tell(prune.Event{Stage: prune.StageBench, Kind: prune.Progress, Done: done, Total: total, Unit: "configurations"})
	})
	if err == nil {
		say(prune.End, "")
	}
	return err
}

// export writes the table's medians beside it.
func export(folder string, calls []engine.Call) error {
	header, rows, err := bench.ReadTable(filepath.Join(folder, "latency.jsonl"))
	if err != nil {
		return err
	}
	return errors.Join(
		atomicfile.Write(filepath.Join(folder, "table.json"), func(w io.Writer) error { return bench.WriteMedians(w, header, rows) }),
		atomicfile.Write(filepath.Join(folder, "table.csv"), func(w io.Writer) error { return bench.WriteCSV(w, rows, calls) }))
}

// tabled is what a table is of.
type tabled struct {
	Machine        string          `json:"machine"`
	Backend        string          `json:"backend"`
	Settings       sensor.Settings `json:"settings"`
	Without        string          `json:"without,omitempty"` // what was asked for as well and is not there
	Batch          int             `json:"batch"`
	Models         []string        `json:"models"`
	Configurations int             `json:"configurations"` // of the models
	Rows           int             `json:"rows"`           // of the table, which may have those of other models
	Quiet          int             `json:"quiet"`          // rows that are as certain as the rule asks for
	Discarded      int             `json:"discarded"`      // samples that were taken while the clock was low
	ClockMHz       [2]int          `json:"clock_mhz"`      // of the slowest row and of the fastest
	Folder         string          `json:"folder"`
	rule           bench.Rule
}

func (t tabled) writeText(w io.Writer) error {
	certain := fmt.Sprintf("samples of %d rows deviate by at most %.0f %%", t.Quiet, 100*t.rule.MaxRSD)
	if t.rule.MaxHalf > 0 {
		certain = fmt.Sprintf("%d rows are certain to ±%.2g %%", t.Quiet, 100*t.rule.MaxHalf)
	}
	return table(w, [][]string{
		{"machine", t.Machine},
		{"backend", t.Backend},
		{"models", fmt.Sprintf("%s at batch %d", strings.Join(t.Models, ", "), t.Batch)},
		{"configurations", fmt.Sprint(t.Configurations)},
		{"table", fmt.Sprintf("%s, %d rows", filepath.Join(t.Folder, "table.csv"), t.Rows)},
		{"noise", certain},
		{"clock", fmt.Sprintf("rows at %d to %d MHz, %d samples below that thrown away", t.ClockMHz[0], t.ClockMHz[1], t.Discarded)},
	})
}
