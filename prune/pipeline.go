package prune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"mdp/engine"
	"mdp/engine/data"
	"mdp/engine/device"
	"mdp/engine/graph"
	"mdp/engine/safetensors"
)

// Stage is a step of the flow, and the name of the command that runs it alone.
type Stage string

// The stages in order. Each reads the files of those before it.
const (
	StageTrain    Stage = "train"
	StageScore    Stage = "score"
	StageBench    Stage = "bench"
	StageSolve    Stage = "solve"
	StageExtract  Stage = "extract"
	StageFineTune Stage = "finetune"
	StageEval     Stage = "eval"
	StageReport   Stage = "report"
)

// Stages lists all of them.
func Stages() []Stage {
	return []Stage{StageTrain, StageScore, StageBench, StageSolve, StageExtract, StageFineTune, StageEval, StageReport}
}

// Event tells how a run goes on.
type Event struct {
	Stage Stage
	Kind  EventKind
	Done  int    // of a Progress
	Total int    // of a Progress
	Unit  string // of a Progress: steps, configurations, networks
	Text  string // a network's budget, a figure, a remark
}

// EventKind is what an Event says.
type EventKind string

// The kinds. Every stage begins and ends, or is skipped, once for each network it is about.
const (
	Begin    EventKind = "begin"
	Progress EventKind = "progress"
	End      EventKind = "end"
	Skip     EventKind = "skip" // nothing it depends on has changed
	Remark   EventKind = "remark"
)

// Pipeline is the flow of a run in its folder:
//
//	train   → graph.json, weights.safetensors, train.json, source.json of what was given
//	score   → scores.json
//	bench   → latency.jsonl, dense.json
//	solve   → problem.json, solution.json, frontier.csv
//	extract → BUDGET/graph.json, BUDGET/pruned.safetensors, BUDGET/choice.json
//	finetune→ BUDGET/finetuned.safetensors, BUDGET/finetune.json
//	eval    → eval.json
//	report  → report.json, report.html, front.svg
type Pipeline struct {
	*Folder
	Config  Config
	Backend engine.Backend // once a stage needs it
	Notify  func(Event)

	device      *device.Device
	train, test *data.Set
	images      string         // fingerprint of both
	input       *Normalisation // that the network came with, or once an image is needed
	normalise   data.Step      // by input
}

// NewPipeline opens the run folder. The device and the data set are opened when
// a step needs them, so that what a GPU measured can be reported where there is none.
func NewPipeline(dir string, c Config, notify func(Event)) (*Pipeline, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	f, err := OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	return &Pipeline{Folder: f, Config: c, Notify: notify}, nil
}

// Close gives the device and the folder back.
func (p *Pipeline) Close() error {
	err := p.Folder.Close()
	if p.device != nil {
		err = errors.Join(p.device.Close(), err)
		p.device, p.Backend = nil, nil
	}
	return err
}

// openDevice opens the device once.
func (p *Pipeline) openDevice() (err error) {
	if p.device != nil {
		return nil
	}
	if p.device, err = device.Open(p.Config.device()); err != nil {
		return err
	}
	p.Backend = p.device
	return nil
}

// computes says that a stage needs the device.
func (s Stage) computes() bool { return s != StageExtract && s != StageReport }

// Run runs the given stages in order, or all of them when none is given. The
// folder keeps the configuration, so that a run that was stopped goes on without
// being told again; one that fails leaves the configuration of the run before, and
// where it comes to nothing in a new folder, none.
func (p *Pipeline) Run(ctx context.Context, stages ...Stage) error {
	if len(stages) == 0 {
		stages = p.Config.stages()
	}
	if slices.Contains(stages, StageSolve) { // hours of training may come before it
		if err := p.Config.readFurther(); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(stages, Stage.computes) {
		if err := p.openDevice(); err != nil {
			return err
		}
	}
	if err := p.Lock(); err != nil {
		return err
	}
	const name = "config.json"
	before, err := os.ReadFile(p.Path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.WriteJSON(name, p.Config); err != nil {
		return err
	}
	err = p.run(ctx, stages)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case before != nil:
		return errors.Join(err, p.Write(name, func(w io.Writer) error { _, err := w.Write(before); return err }))
	case p.hasOnly(name, logFile):
		return errors.Join(err, os.Remove(p.Path(name)))
	}
	return err
}

func (p *Pipeline) run(ctx context.Context, stages []Stage) error {
	for _, s := range stages {
		var err error
		switch s {
		case StageTrain:
			err = p.trainDense(ctx)
		case StageScore:
			err = p.score(ctx)
		case StageBench:
			err = p.bench(ctx)
		case StageSolve:
			err = p.solve(ctx)
		case StageExtract:
			err = p.each(func(b string) error { return p.extract(b) })
		case StageFineTune:
			err = p.each(func(b string) error { return p.fineTune(ctx, b) })
		case StageEval:
			err = p.eval(ctx)
		case StageReport:
			err = p.report()
		default:
			err = fmt.Errorf("unknown stage %q", s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Pipeline) each(do func(budget string) error) error {
	for _, b := range p.Config.Budgets {
		if err := do(b); err != nil {
			return err
		}
	}
	return nil
}

// stage runs one step of the folder and tells about it. label distinguishes the
// networks of one stage.
func (p *Pipeline) stage(s Stage, label string, config any, in, out []string, do func() error) error {
	skipped, err := p.Step(path.Join(string(s), label), config, in, out, func() error {
		p.Notify(Event{Stage: s, Kind: Begin, Text: label})
		return do()
	})
	switch {
	case err != nil:
		return err
	case skipped:
		p.Notify(Event{Stage: s, Kind: Skip, Text: label})
	default:
		p.Notify(Event{Stage: s, Kind: End, Text: label})
	}
	return nil
}

func (p *Pipeline) progress(s Stage, unit string) func(done, total int, text string) {
	return func(done, total int, text string) {
		p.Notify(Event{Stage: s, Kind: Progress, Done: done, Total: total, Unit: unit, Text: text})
	}
}

func (p *Pipeline) remark(s Stage, format string, args ...any) {
	p.Notify(Event{Stage: s, Kind: Remark, Text: fmt.Sprintf(format, args...)})
}

func (p *Pipeline) readGraph(name string) (*graph.Graph, error) { return readGraph(p.Path(name)) }

func (p *Pipeline) readWeights(name string, g *graph.Graph) (graph.Weights, error) {
	return readWeights(p.Path(name), g)
}

func (p *Pipeline) writeWeights(name string, w graph.Weights) error {
	return safetensors.Write(p.Path(name), w, layout)
}

// network reads a graph, its weights and its coupling.
func (p *Pipeline) network() (*graph.Graph, graph.Weights, *Coupling, error) {
	g, c, err := p.coupled()
	if err != nil {
		return nil, nil, nil, err
	}
	w, err := p.readWeights("weights.safetensors", g)
	return g, w, c, err
}

func (p *Pipeline) coupled() (*graph.Graph, *Coupling, error) {
	g, err := p.readGraph("graph.json")
	if err != nil {
		return nil, nil, err
	}
	c, err := p.couple(g)
	return g, c, err
}

func (p *Pipeline) couple(g *graph.Graph) (*Coupling, error) {
	c, err := Couple(g)
	if err != nil {
		return nil, err
	}
	for _, pattern := range p.Config.Fix {
		if err := c.fix(g, pattern); err != nil {
			return nil, err
		}
	}
	return c, nil
}
