package report

import (
	"fmt"
	"math"
	"time"
)

// sample is a run as the demo leaves it, with one bound missed.
func sample() Run {
	r := Run{
		Title:   "Fashion-MNIST on this CPU",
		Model:   "resnet14, width 16",
		Dataset: "Fashion-MNIST, 60,000 / 10,000 images of 28×28",
		Machine: Machine{Device: "cpu", CPU: "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", Threads: 2, ISA: "avx512",
			OS: "linux/amd64", Version: "0.1.0 (d105017)", Go: "go1.26.8"},
		Date: time.Date(2026, 11, 23, 23, 12, 0, 0, time.UTC),
		Seed: 1, Batch: 64,
		DenseImportance: 184.2,
		Networks: []Network{
			{Name: Dense, Accuracy: new(0.9132), Parameters: 174_970, MACs: 26_512_128, PredictedMS: new(9.801), MeasuredMS: new(9.844), MeasuredCIMS: new(0.031)},
		},
		Commands: []string{"make demo", "bin/mdp prune --net resnet14 --data fashion-mnist --budget 0.7x,0.5x,0.35x --seed 1 --run runs/demo"},
		Steps: []StepTime{{Name: "train", Seconds: 108.4}, {Name: "score", Seconds: 9.21}, {Name: "measure", Seconds: 41.7},
			{Name: "solve", Seconds: 0.02}, {Name: "extract", Seconds: 0.05}, {Name: "finetune", Seconds: 74.3}, {Name: "eval", Seconds: 12.8}},
		Notes: []string{"Latencies are of a batch of 64 on 2 threads, with other processes quiet."},
	}
	for i := range 60 {
		t := 0.12 + 0.88*float64(i)/59
		r.Front = append(r.Front, Point{LatencyMS: 9.801 * t, Importance: 184.2 * (1 - math.Pow(1-t, 2.2))})
	}
	type row struct {
		budget               string
		of                   float64
		masked, pruned, tune float64
		predicted, measured  float64
		parameters, macs     int64
	}
	for _, b := range []row{
		{"0.7x", 0.7, 0.8911, 0.8911, 0.9141, 6.851, 6.902, 121_034, 17_310_208},
		{"0.5x", 0.5, 0.8102, 0.8102, 0.9102, 4.893, 4.997, 71_820, 11_928_320},
		{"0.35x", 0.35, 0.5377, 0.5377, 0.8975, 3.421, 3.871, 38_644, 7_204_864},
	} {
		budgetMS := new(9.801 * b.of)
		r.Networks = append(r.Networks,
			Network{Name: Masked, Budget: b.budget, Accuracy: new(b.masked), Parameters: 174_970, MACs: 26_512_128, BudgetMS: budgetMS},
			Network{Name: Pruned, Budget: b.budget, Accuracy: new(b.pruned), Parameters: b.parameters, MACs: b.macs, PredictedMS: new(b.predicted), MeasuredMS: new(b.measured), BudgetMS: budgetMS},
			Network{Name: FineTuned, Budget: b.budget, Accuracy: new(b.tune), Parameters: b.parameters, MACs: b.macs, PredictedMS: new(b.predicted), MeasuredMS: new(b.measured), MeasuredCIMS: new(0.02), BudgetMS: budgetMS})
		importance := 184.2 * (1 - math.Pow(1-b.of, 2.2))
		r.Solutions = append(r.Solutions, Solution{Budget: b.budget, BudgetMS: *budgetMS, LatencyMS: b.predicted, Importance: importance,
			Status: "optimal", Bound: new(importance), Gap: new(0.0), Baselines: []Baseline{
				{Name: "channels only", Found: true, Fits: true, Importance: importance / 1.05, LatencyMS: b.predicted},
				{Name: "halp", Found: true, Importance: importance, LatencyMS: *budgetMS * 1.1},
				{Name: "greedy"},
			}})
	}
	r.Layers, r.Blocks = sampleWidths()
	r.Accuracy = append(r.Accuracy, sampleCurve("", 5, 0.9132))
	for _, b := range []string{"0.7x", "0.5x", "0.35x"} {
		r.Accuracy = append(r.Accuracy, sampleCurve(b, 2, *find(r.Networks, FineTuned, b).Accuracy))
	}
	r.Expectations = Expectations(r.Networks)
	return r
}

func sampleWidths() (layers []LayerWidth, blocks []BlockState) {
	layers = append(layers, LayerWidth{Name: "conv1", Dense: 16, Kept: map[string]int{"0.7x": 16, "0.5x": 16, "0.35x": 16}})
	for stage, width := range []int{16, 32, 64} {
		for block := range 2 {
			name := fmt.Sprintf("layer%d.%d", stage+1, block)
			gone := block == 1 && stage < 2
			kept := map[string]bool{"0.7x": true, "0.5x": !gone || stage == 1, "0.35x": !gone}
			blocks = append(blocks, BlockState{Name: name, Kept: kept})
			for conv := range 2 {
				l := LayerWidth{Name: fmt.Sprintf("%s.conv%d", name, conv+1), Block: name, Dense: width, Kept: map[string]int{}}
				for b, of := range map[string]float64{"0.7x": 0.75, "0.5x": 0.5, "0.35x": 0.25} {
					if kept[b] {
						l.Kept[b] = min(width, int(float64(width)*of)+8*conv)
					} else {
						l.Kept[b] = 0
					}
				}
				layers = append(layers, l)
			}
		}
	}
	return layers, blocks
}

func sampleCurve(budget string, epochs int, final float64) Curve {
	c := Curve{Name: Dense}
	if budget != "" {
		c = Curve{Name: FineTuned + " " + budget, Budget: budget}
	}
	for i := range 4 * epochs {
		t := float64(i+1) / 4
		decay := math.Exp(-2.2 * t)
		e := Epoch{Epoch: t, TrainAccuracy: new(final + 0.012 - 0.35*decay), Loss: new(0.22 + 1.4*decay)}
		if (i+1)%4 == 0 {
			e.TestAccuracy = new(final - 0.2*decay)
		}
		c.Points = append(c.Points, e)
	}
	return c
}
