package cpu

import "time"

// A stage is calls first ≤ i < end, through which the batch goes as a whole, call by
// call, or in slices.
type stage struct {
	*executor
	first, end int
	slices     int

	from, to int // of this run
	timed    bool
}

// extend adds call i, which takes the batch in so many slices, to the stages.
func (e *executor) extend(slices, i int) {
	if n := len(e.stages); n == 0 || e.stages[n-1].slices != slices {
		e.stages = append(e.stages, stage{executor: e, first: i, slices: slices})
	}
	e.stages[len(e.stages)-1].end = i + 1
}

// run executes the stage's calls among from ≤ i < to, and stores how long each took
// where that is asked for.
func (s *stage) run(from, to int, latencyNS []int64) {
	s.from, s.to, s.timed = max(from, s.first), min(to, s.end), latencyNS != nil
	switch {
	case s.from >= s.to:
	case s.slices > 1:
		s.sliced(latencyNS)
	default:
		for i := s.from; i < s.to; i++ {
			start := time.Now()
			s.ops[i].run(s.team)
			if s.timed {
				latencyNS[i] = time.Since(start).Nanoseconds()
			}
		}
	}
}

// sliced runs the slices and shares out how long they took among the calls, as the
// lanes' times for them are.
func (s *stage) sliced(latencyNS []int64) {
	if !s.packed {
		s.team.run((*packingLanes)(s.executor), len(s.ops))
		s.packed = true
	}
	for _, l := range s.lanes {
		clear(l.latencyNS)
	}
	start := time.Now()
	s.team.run(s, s.slices)
	if !s.timed {
		return
	}
	took, sum := float64(time.Since(start).Nanoseconds()), 0.0
	for i := s.from; i < s.to; i++ {
		latencyNS[i] = 0
		for _, l := range s.lanes {
			latencyNS[i] += l.latencyNS[i]
		}
		sum += float64(latencyNS[i])
	}
	for i := s.from; i < s.to; i++ {
		latencyNS[i] = int64(float64(latencyNS[i]) / max(sum, 1) * took)
	}
}

func (s *stage) do(worker, slice int) {
	l := s.lanes[worker]
	for i := s.from; i < s.to; i++ {
		start := time.Now()
		l.run(i, slice)
		if s.timed {
			l.latencyNS[i] += time.Since(start).Nanoseconds()
		}
	}
}

// packingLanes is the task that packs what the lanes' ops keep, each by one of them.
type packingLanes executor

func (e *packingLanes) do(worker, i int) {
	by := e.lanes[worker]
	k, ok := by.ops[i].(keeper)
	if !ok {
		return
	}
	k.pack(by.team)
	for w, l := range e.lanes {
		if w != worker {
			l.ops[i].(keeper).share(k)
		}
	}
}
