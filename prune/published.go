package prune

import (
	"fmt"

	"mdp/bench"
	"mdp/engine"
	"mdp/prune/solve"
)

// PublishedProblem poses the run's problem with the latencies of a published
// table in place of measured ones, at one of the table's batches. As there, a
// latency is the sum of the convolutions': the linear layer, pools and what else
// the table lacks count nothing. The capacity is the first of the run's budgets.
func (p *Pipeline) PublishedProblem(t *bench.Published, batch int) (*solve.Problem, error) {
	g, coupling, err := p.coupled()
	if err != nil {
		return nil, err
	}
	scores, err := p.scores()
	if err != nil {
		return nil, err
	}
	program, err := engine.Compile(g, engine.DryRun{}, engine.Options{Mode: engine.Infer, Batch: 1})
	if err != nil {
		return nil, err
	}
	space := NewSpace(program, coupling, p.Config.Step)
	lookup := publishedLookup{table: t, batch: batch}
	problem, err := space.Problem(scores, lookup.latency)
	if err != nil {
		return nil, err
	}
	if lookup.lacks > 0 {
		return nil, fmt.Errorf("the published table lacks %d of the %d convolutions that the network's options reach, such as %s: give a --step that its channels are multiples of, or its --latency-batch",
			lookup.lacks, lookup.asked, lookup.such)
	}
	var denseNS int64
	for _, call := range program.Plan().Calls {
		ns, _ := lookup.latency(call)
		denseNS += ns
	}
	problem.Capacity, err = BudgetNS(p.Config.Budgets[0], denseNS)
	return problem, err
}

// publishedLookup answers for calls of one image with rows of a batch.
type publishedLookup struct {
	table        *bench.Published
	batch        int
	asked, lacks int
	such         string // one that is lacking
}

func (l *publishedLookup) latency(c engine.Call) (ns int64, ok bool) {
	call, ok := c.(engine.ConvForward)
	g := call.Conv
	if !ok || g.H == 1 && g.W == 1 && g.R == 1 && g.S == 1 { // which is a linear layer
		return 0, true
	}
	g.N = l.batch
	l.asked++
	if ns, ok = l.table.LatencyNS(g); !ok {
		l.lacks++
		l.such = g.String()
	}
	return ns, true
}
