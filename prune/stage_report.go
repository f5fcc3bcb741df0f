package prune

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"mdp/bench"
	"mdp/engine/graph"
	"mdp/engine/train"
	"mdp/prune/report"
)

// report gathers what the run's files say and writes the page and its first
// picture on its own, for slides and READMEs.
func (p *Pipeline) report() error {
	p.Notify(Event{Stage: StageReport, Kind: Begin})
	r, err := p.Summary()
	if err != nil {
		return err
	}
	if err := p.Log("report", r); err != nil {
		return err
	}
	if err := p.WriteJSON("report.json", r); err != nil {
		return err
	}
	if err := p.Write("report.html", func(w io.Writer) error { return report.WriteHTML(w, r) }); err != nil {
		return err
	}
	if err := p.Write("front.svg", func(w io.Writer) error { return report.FrontSVG(w, r) }); err != nil {
		return err
	}
	p.Notify(Event{Stage: StageReport, Kind: End})
	return nil
}

// Summary is the run as its files tell it.
func (p *Pipeline) Summary() (report.Run, error) {
	c := p.Config
	r := report.Run{
		Date:  time.Now().UTC().Truncate(time.Second),
		Model: c.Name(), Dataset: c.Data, Seed: c.Seed, Batch: c.LatencyBatch,
		DenseImportance: importanceUnits,
		Commands:        []string{c.Command(p.dir), "mdp report " + Quoted(p.dir) + " --json"},
	}
	if err := p.ofOneRun(); err != nil {
		return r, fmt.Errorf("report: %w", err)
	}
	for _, part := range []func(*report.Run) error{p.tellMachine, p.tellNetworks, p.tellFront, p.tellLayers, p.tellAccuracy, p.tellSteps} {
		if err := part(&r); err != nil {
			return r, fmt.Errorf("report: %w; run the steps before this one, or mdp prune for all of them", err)
		}
	}
	r.Expectations = report.Expectations(r.Networks)
	r.Notes = p.caveats()
	return r, nil
}

// caveats are what a reader must know of a run that had less than it could use.
func (p *Pipeline) caveats() []string {
	c := p.Config
	var notes []string
	switch c.importance() {
	case Magnitude:
		notes = append(notes, "Importance is from the weights' magnitude alone: |γ| of a batch norm, √(Σw²) of a filter without one.")
	case Random:
		notes = append(notes, "Importance is random.")
	}
	if c.NoTrain {
		notes = append(notes, "The networks are not fine-tuned.")
	}
	var from source
	if c.given() && c.Data != "" && p.ReadJSON("source.json", &from) == nil && !from.Input {
		notes = append(notes, "Images are normalised by the data set's own mean and deviation: it was not said what the network was trained with (--normalise).")
	}
	if c.Data == "" {
		notes = append(notes, "Accuracy is not measured: no data set was given.")
	}
	return notes
}

// ofOneRun refuses files that do not belong together.
func (p *Pipeline) ofOneRun() error {
	files := []string{"solution.json", "eval.json"}
	for _, b := range p.Config.Budgets {
		files = append(files, path.Join(b, "choice.json"), path.Join(b, "finetune.json"))
	}
	return p.fresh(files...)
}

// tellSteps lists how long each step of this configuration took.
func (p *Pipeline) tellSteps(r *report.Run) error {
	for _, s := range Stages() {
		for _, name := range slices.Sorted(maps.Keys(p.records)) {
			stage, budget, _ := strings.Cut(name, "/")
			if Stage(stage) == s && (budget == "" || slices.Contains(p.Config.Budgets, budget)) {
				r.Steps = append(r.Steps, report.StepTime{Name: name, Seconds: p.records[name].Seconds})
			}
		}
	}
	return nil
}

// tellMachine tells of the machine that measured, which need not be this one.
func (p *Pipeline) tellMachine(r *report.Run) error {
	h, _, err := bench.ReadTable(p.Path("latency.jsonl"))
	if err != nil {
		return err
	}
	r.Title = "mdp: " + p.Config.Name() + " pruned on " + h.Backend
	r.Machine = report.Machine{Device: h.Device, CPU: h.CPU, Threads: h.Threads, ISA: h.ISA, OS: h.OS, Version: h.Build, Go: h.Go}
	if h.Device != "cpu" {
		r.Machine.GPU = h.Model
	}
	return nil
}

func (p *Pipeline) tellNetworks(r *report.Run) error { return p.ReadJSON("eval.json", &r.Networks) }

func (p *Pipeline) tellFront(r *report.Run) error {
	f, err := os.Open(p.Path("frontier.csv"))
	if err != nil {
		return err
	}
	defer f.Close()
	if r.Front, err = readFront(f); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	for _, b := range p.Config.Budgets {
		a, err := p.solution(b)
		if err != nil {
			return err
		}
		bound, gap := float64(a.Bound), a.Gap
		s := report.Solution{
			Budget: b, BudgetMS: ms(a.Budget), LatencyMS: ms(a.Latency), Importance: float64(a.Objective),
			Status: string(a.Status), Bound: &bound, Gap: &gap,
		}
		for _, f := range a.Further {
			s.Further = append(s.Further, report.Further{Name: f.Name, Budget: f.Asked, BudgetMS: ms(f.Budget), LatencyMS: ms(f.Latency)})
		}
		for _, b := range a.Baselines {
			s.Baselines = append(s.Baselines, report.Baseline{
				Name: b.Name, Found: b.Found, Fits: b.Fits, Importance: float64(b.Objective), LatencyMS: ms(b.Latency)})
		}
		r.Solutions = append(r.Solutions, s)
	}
	return nil
}

// readFront reads frontier.csv: a line of names, then latency and importance.
func readFront(r io.Reader) ([]report.Point, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = 2
	rows, err := c.ReadAll()
	if err == nil && len(rows) < 2 {
		err = errors.New("it has no point")
	}
	if err != nil {
		return nil, err
	}
	var front []report.Point
	for _, row := range rows[1:] {
		ns, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			return nil, err
		}
		importance, err := strconv.ParseInt(row[1], 10, 64)
		if err != nil {
			return nil, err
		}
		front = append(front, report.Point{LatencyMS: ms(ns), Importance: float64(importance)})
	}
	return front, nil
}

// tellLayers lists the kept width of every convolution at every budget.
func (p *Pipeline) tellLayers(r *report.Run) error {
	g, coupling, err := p.coupled()
	if err != nil {
		return err
	}
	for _, b := range coupling.Blocks {
		r.Blocks = append(r.Blocks, report.BlockState{Name: b.Name, Kept: map[string]bool{}})
	}
	for i := range g.Len() {
		if g.Node(i).Op != graph.OpConv2D {
			continue
		}
		l := report.LayerWidth{Name: g.Node(i).Name, Dense: g.Shape(i).C, Kept: map[string]int{}}
		if b := coupling.BlockOf(i); b >= 0 {
			l.Block = coupling.Blocks[b].Name
		}
		r.Layers = append(r.Layers, l)
	}
	for _, budget := range p.Config.Budgets {
		var choice Choice
		if err := p.ReadJSON(path.Join(budget, "choice.json"), &choice); err != nil {
			return err
		}
		if err := choice.Check(g, coupling); err != nil {
			return fmt.Errorf("%s: %w", budget, err)
		}
		small, err := p.readGraph(path.Join(budget, "graph.json"))
		if err != nil {
			return err
		}
		for i, on := range choice.BlockOn {
			r.Blocks[i].Kept[budget] = on
		}
		for _, l := range r.Layers {
			l.Kept[budget] = 0
			if i, ok := small.Index(l.Name); ok {
				l.Kept[budget] = small.Shape(i).C
			}
		}
	}
	return nil
}

func (p *Pipeline) tellAccuracy(r *report.Run) error {
	curves := []report.Curve{{Name: "dense training"}}
	for _, b := range p.Config.Budgets {
		if !p.Config.NoTrain {
			curves = append(curves, report.Curve{Name: b + " fine-tuning", Budget: b})
		}
	}
	for _, curve := range curves {
		file := "train.json"
		if curve.Budget != "" {
			file = path.Join(curve.Budget, "finetune.json")
		}
		var history []train.Epoch
		if err := p.ReadJSON(file, &history); err != nil {
			return err
		}
		for _, e := range history {
			curve.Points = append(curve.Points, report.Epoch{Epoch: float64(e.Epoch), TrainAccuracy: &e.TrainAccuracy, TestAccuracy: &e.TestAccuracy, Loss: &e.Loss})
		}
		r.Accuracy = append(r.Accuracy, curve)
	}
	return nil
}
