package cuda

import (
	"errors"
	"fmt"

	"mdp/engine"
	"mdp/engine/cuda/driver"
)

// memoryError adds to a failed allocation of the plan's memory how large a batch
// would fit: what does not belong to weights grows with the batch.
func memoryError(p *engine.Plan, err error) error {
	var oom *driver.OutOfMemory
	batch, fixed := batchOf(p)
	if !errors.As(err, &oom) || batch == 0 {
		return fmt.Errorf("cuda: the plan's memory: %w", err)
	}
	fits := float64(batch) * float64(oom.Free-fixed) / float64(oom.Need-fixed)
	advice := fmt.Sprintf("a batch of %d fits", int(fits))
	if fits < 1 {
		advice = "no batch fits"
	}
	return fmt.Errorf("cuda: the plan's memory for a batch of %d: %w; %s", batch, err, advice)
}

// batchOf is a plan's batch, 0 where it has no convolution, and the bytes of what
// does not grow with it: filters and, in training, their gradients and momenta.
func batchOf(p *engine.Plan) (batch int, fixedBytes int64) {
	filters := map[engine.Buffer]int{}
	copies := int64(1)
	for _, c := range p.Calls {
		switch c := c.(type) {
		case engine.ConvForward:
			batch, filters[c.W] = c.N, p.Span(c.W).Len
		case engine.ConvBatchNorm:
			batch, filters[c.W] = c.N, p.Span(c.W).Len
		case engine.SGD:
			copies = 3
		}
	}
	for _, n := range filters {
		fixedBytes += 4 * copies * int64(n)
	}
	return batch, fixedBytes
}
