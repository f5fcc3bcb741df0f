package cuda

import "mdp/engine"

// strips is how max_pool_backward shares an image out to blocks, by rows and by channels
// that threads have side by side, and its bytes of shared memory, with two for each
// channel of a window.
type strips struct{ rows, lanes, each, bytes int }

const (
	stripBytes     = 40 << 10 // so that four blocks are on a multiprocessor
	mostStripBytes = 96 << 10 // that every GPU has for a block
)

// stripsOf is of rows and channels that the shared memory is enough for, if there are
// such.
func stripsOf(g engine.Pool, narrow bool) strips {
	s := strips{rows: 8, lanes: 32, each: 1}
	switch {
	case g.C%8 == 0 && narrow:
		s.lanes, s.each = 8, 8
	case g.C%8 == 0:
		s.lanes, s.each = 8, 4
	}
	for s.lanes > 1 && (s.lanes/2)*s.each >= g.C {
		s.lanes /= 2
	}
	room := func() int {
		windows := min(g.P, (s.rows+g.R-2)/g.Stride[0]+1)
		s.bytes = windows * g.Q * s.lanes * s.each * 2
		return s.bytes
	}
	for room() > stripBytes && s.rows > 1 {
		s.rows /= 2
	}
	for room() > stripBytes && s.lanes > 1 {
		s.lanes /= 2
	}
	return s
}

func (s strips) grid(g engine.Pool) grid {
	return grid{int32(g.N * ceilDiv(g.H, s.rows)), int32(ceilDiv(g.C, s.lanes*s.each)), 1}
}

func (s strips) fit(g engine.Pool) bool {
	return s.bytes <= mostStripBytes && ceilDiv(g.C, s.lanes*s.each) <= maxGrid && g.R*g.S < 1<<16
}

func (l *lowering) maxPoolBackward(c engine.MaxPoolBackward) {
	s := stripsOf(c.Pool, l.narrow())
	launch(l, "max_pool_backward"+l.in, s.grid(c.Pool), maxPoolBackwardParams{l.at(c.DX), l.at(c.DY), l.at(c.Y), l.at(c.X), poolOf(c.Pool),
		boolean(c.Accumulate), int32(s.rows), int32(s.lanes), int32(s.each)})
	l.launches[len(l.launches)-1].Shared = s.bytes
}
