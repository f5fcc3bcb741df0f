// Package train fits a network's weights to a data set: SGD with momentum, a
// learning-rate schedule, label smoothing, evaluation after each epoch, and
// checkpoints from which a killed run goes on bit for bit.
package train

import (
	"fmt"
	"math"
)

// Schedule says how the learning rate moves after the warm-up.
type Schedule string

// The schedules. All of them start at the peak rate when the warm-up ends.
const (
	Cosine Schedule = "cosine" // ½·(1+cos πt), to zero at the end
	Linear Schedule = "linear" // 1−t, to zero at the end
	Steps  Schedule = "step"   // ×0.1 at 1/3, at 2/3 and at 8/9 of the way
)

// Config says how to train. Rates are per step, batches are what the program
// was compiled for.
type Config struct {
	Epochs         int      `json:"epochs"`
	Batch          int      `json:"batch"`
	LearningRate   float64  `json:"learning_rate"` // the peak
	Schedule       Schedule `json:"schedule"`
	WarmupEpochs   float64  `json:"warmup_epochs"` // linear from zero
	Momentum       float64  `json:"momentum"`
	Nesterov       bool     `json:"nesterov"`
	WeightDecay    float64  `json:"weight_decay"` // of filters; none on batch norm and bias
	LabelSmoothing float64  `json:"label_smoothing"`
	Seed           uint64   `json:"seed"`
}

// Check reports the first value that makes no sense.
func (c Config) Check() error {
	switch {
	case c.Epochs < 1:
		return fmt.Errorf("epochs %d must be at least 1", c.Epochs)
	case c.Batch < 1:
		return fmt.Errorf("batch %d must be at least 1", c.Batch)
	case !(c.LearningRate > 0 && c.LearningRate <= math.MaxFloat64):
		return fmt.Errorf("learning rate %g must be above 0 and finite", c.LearningRate)
	case !(c.WarmupEpochs >= 0 && c.WarmupEpochs <= float64(c.Epochs)):
		return fmt.Errorf("warm-up of %g epochs must be within the %d epochs", c.WarmupEpochs, c.Epochs)
	case !(c.Momentum >= 0 && c.Momentum < 1):
		return fmt.Errorf("momentum %g must be in [0, 1)", c.Momentum)
	case !(c.WeightDecay >= 0 && c.WeightDecay <= math.MaxFloat64):
		return fmt.Errorf("weight decay %g must be finite and not negative", c.WeightDecay)
	case !(c.LabelSmoothing >= 0 && c.LabelSmoothing < 1):
		return fmt.Errorf("label smoothing %g must be in [0, 1)", c.LabelSmoothing)
	}
	switch c.Schedule {
	case Cosine, Linear, Steps:
		return nil
	}
	return fmt.Errorf("schedule %q is none of %s, %s, %s", c.Schedule, Cosine, Linear, Steps)
}

// rate is the learning rate of a step, counted from 0, with the given number of steps an epoch.
func (c Config) rate(step, perEpoch int) float64 {
	warm := c.WarmupEpochs * float64(perEpoch)
	if s := float64(step) + 1; s < warm {
		return c.LearningRate * s / warm
	}
	total := float64(c.Epochs * perEpoch)
	t := (float64(step) - warm) / max(total-warm, 1)
	t = min(max(t, 0), 1)
	switch c.Schedule {
	case Cosine:
		return c.LearningRate * (1 + math.Cos(math.Pi*t)) / 2
	case Linear:
		return c.LearningRate * (1 - t)
	}
	rate := c.LearningRate
	for _, at := range []float64{1.0 / 3, 2.0 / 3, 8.0 / 9} {
		if t >= at {
			rate *= 0.1
		}
	}
	return rate
}
