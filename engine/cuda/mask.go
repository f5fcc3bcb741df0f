package cuda

import (
	"fmt"

	"mdp/engine"
)

// maxChunks is max_chunks of kernels/conv.cuh.
const maxChunks = 1024

func supportsMask(c engine.Call, m engine.Mask, g engine.Conv) error {
	switch {
	case m.Chunk != 8 && m.Chunk != 16 && m.Chunk != 32:
		return fmt.Errorf("cuda: %v: chunks of %d channels; there are 8, 16 and 32: %w", c, m.Chunk, engine.ErrUnsupported)
	case g.Groups != 1:
		return fmt.Errorf("cuda: %v: a masked convolution has one group: %w", c, engine.ErrUnsupported)
	case ceilDiv(max(g.C, g.K), m.Chunk) > maxChunks:
		return fmt.Errorf("cuda: %v: more than %d chunks: %w", c, maxChunks, engine.ErrUnsupported)
	}
	return nil
}
