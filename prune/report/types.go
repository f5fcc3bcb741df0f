// Package report shows what a pruning run did: a terminal table, one
// self-contained HTML page and the same figures as JSON. It computes nothing
// but ratios of what [Run] holds.
package report

import (
	"encoding/json"
	"io"
	"time"
)

// Run is everything the report shows. A value that is not known is nil, or
// the zero of its type; a float that is not finite counts as not known.
type Run struct {
	Title           string        `json:"title"`
	Model           string        `json:"model"`
	Dataset         string        `json:"dataset"`
	Machine         Machine       `json:"machine"`
	Date            time.Time     `json:"date,omitzero"`
	Seed            uint64        `json:"seed"`
	Batch           int           `json:"batch"` // images per inference, for every latency of the run
	Networks        []Network     `json:"networks"`
	DenseImportance float64       `json:"denseImportance,omitempty"` // of the whole network: 100 % on the front's axis
	Front           []Point       `json:"front,omitempty"`
	Solutions       []Solution    `json:"solutions,omitempty"` // one per budget
	Layers          []LayerWidth  `json:"layers,omitempty"`    // in the network's order
	Blocks          []BlockState  `json:"blocks,omitempty"`    // in the network's order
	Accuracy        []Curve       `json:"accuracy,omitempty"`  // dense training, then each fine-tuning
	Expectations    []Expectation `json:"expectations,omitempty"`
	Notes           []string      `json:"notes,omitempty"`    // what a reader must know, one sentence each
	Commands        []string      `json:"commands,omitempty"` // how to reproduce the run
	Steps           []StepTime    `json:"steps,omitempty"`
}

// Machine is what the latencies were measured on and with.
type Machine struct {
	Device  string `json:"device"` // cpu, cuda
	CPU     string `json:"cpu"`    // the processor's model
	GPU     string `json:"gpu,omitempty"`
	Threads int    `json:"threads"`
	ISA     string `json:"isa"` // the instruction set of the kernels: avx512, sm_90
	OS      string `json:"os"`
	Version string `json:"version"` // of this program
	Go      string `json:"go"`
}

// The states of the network that a run goes through.
const (
	Dense     = "dense"      // trained, whole
	Masked    = "masked"     // dense with the removed channels held at zero
	Pruned    = "pruned"     // the small network, with the kept weights
	FineTuned = "fine-tuned" // the small network, trained again
)

// Network is one row of the table. Masked, Pruned and FineTuned come once per
// budget; Dense comes once and has none.
type Network struct {
	Name         string   `json:"name"`                   // Dense, Masked, Pruned or FineTuned
	Budget       string   `json:"budget"`                 // as the user wrote it: 0.5x, 3.2ms
	Accuracy     *float64 `json:"accuracy"`               // top-1 on the test set, a fraction of 1
	Parameters   int64    `json:"parameters"`             // trained numbers; 0 is not known
	MACs         int64    `json:"macs"`                   // multiply-adds for one image; 0 is not known
	PredictedMS  *float64 `json:"predictedMS"`            // end to end for one batch: table sums and the constant part
	MeasuredMS   *float64 `json:"measuredMS"`             // median, end to end for one batch
	MeasuredCIMS *float64 `json:"measuredCIMS,omitempty"` // half the 95 % confidence interval of the median
	BudgetMS     *float64 `json:"budgetMS,omitempty"`
	Speedup      *float64 `json:"speedup,omitempty"` // dense measured / measured; derived where nil
	Note         string   `json:"note,omitempty"`
}

// Point is a network on the trade-off curve: no other has at most its latency
// and more importance.
type Point struct {
	LatencyMS  float64 `json:"latencyMS"` // predicted
	Importance float64 `json:"importance"`
}

// Solution is the solver's answer to one budget.
type Solution struct {
	Budget     string   `json:"budget"`
	BudgetMS   float64  `json:"budgetMS"`
	LatencyMS  float64  `json:"latencyMS"` // predicted
	Importance float64  `json:"importance"`
	Status     string   `json:"status"`          // the solver's word: optimal, feasible, ...
	Bound      *float64 `json:"bound,omitempty"` // no solution has more importance
	Gap        *float64 `json:"gap,omitempty"`   // (bound − importance) / |importance|

	Further   []Further  `json:"further,omitempty"`   // what it takes on other devices
	Baselines []Baseline `json:"baselines,omitempty"` // what simpler methods chose at this budget
}

// Further is a device beside the run's own, with a budget that the answer keeps, too.
type Further struct {
	Name      string  `json:"name"`
	Budget    string  `json:"budget"` // as the user wrote it
	BudgetMS  float64 `json:"budgetMS"`
	LatencyMS float64 `json:"latencyMS"` // predicted
}

// Baseline is what a simpler method chose at a budget, by the same latencies.
type Baseline struct {
	Name       string  `json:"name"`
	Found      bool    `json:"found"` // it has an answer at this budget
	Fits       bool    `json:"fits"`  // the answer is within the budget, its model apart
	Importance float64 `json:"importance"`
	LatencyMS  float64 `json:"latencyMS"`
}

// LayerWidth is the output channels of a layer: in the dense network, and
// kept at each budget. None kept means that the layer went with its block.
type LayerWidth struct {
	Name  string         `json:"name"`
	Block string         `json:"block,omitempty"`
	Dense int            `json:"dense"`
	Kept  map[string]int `json:"kept"` // by budget
}

// BlockState is a removable block and whether each budget kept it.
type BlockState struct {
	Name string          `json:"name"`
	Kept map[string]bool `json:"kept"` // by budget
}

// Curve is a training: accuracy over time.
type Curve struct {
	Name   string  `json:"name"`
	Budget string  `json:"budget,omitempty"` // that the network was pruned to; empty for dense
	Points []Epoch `json:"points"`
}

// Epoch is one point of a curve. Its time counts epochs, and may be between two.
type Epoch struct {
	Epoch         float64  `json:"epoch"`
	TrainAccuracy *float64 `json:"trainAccuracy,omitempty"` // a fraction of 1
	TestAccuracy  *float64 `json:"testAccuracy,omitempty"`  // a fraction of 1
	Loss          *float64 `json:"loss,omitempty"`          // mean over the training images
}

// StepTime is a step of the pipeline and how long it took.
type StepTime struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// WriteJSON writes the run for machines, indented for people. A network's
// value that is not known is null.
func WriteJSON(w io.Writer, r Run) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(clean(r))
}
