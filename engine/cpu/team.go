package cpu

import (
	"sync"
	"sync/atomic"
	"time"
)

// A task is a set of independent pieces of work; do runs piece i on the given
// worker, 0 ≤ worker < team.workers. One worker runs one piece at a time.
type task interface{ do(worker, i int) }

// A team is a fixed set of workers that share the pieces of one task at a time.
// Worker 0 is the goroutine that calls run.
type team struct {
	workers int

	task       task
	n          int          // pieces in the task
	left       atomic.Int64 // pieces nobody has taken yet; closed ends the workers
	unfinished atomic.Int64 // pieces nobody has finished yet

	caller  sleeper
	helpers []sleeper
	ended   sync.WaitGroup
}

const closed = -1

func newTeam(workers int) *team {
	t := &team{workers: workers, caller: newSleeper(), helpers: make([]sleeper, workers-1)}
	for i := range t.helpers {
		t.helpers[i] = newSleeper()
		t.ended.Go(func() { t.help(i + 1) })
	}
	return t
}

// run calls tk.do for every piece 0 ≤ i < n, in any order and shared among the
// workers as they get free, and returns when all of them are done.
func (t *team) run(tk task, n int) {
	if t.workers == 1 || n <= 1 {
		for i := range n {
			tk.do(0, i)
		}
		return
	}
	t.task, t.n = tk, n
	t.unfinished.Store(int64(n))
	t.left.Store(int64(n))
	for i := range t.helpers[:min(n, t.workers)-1] {
		t.helpers[i].wake()
	}
	t.work(0)
	t.caller.await(&t.unfinished, true)
}

// close ends the workers' goroutines; the team is not used after it.
func (t *team) close() {
	t.left.Store(closed)
	for i := range t.helpers {
		t.helpers[i].wake()
	}
	t.ended.Wait()
}

func (t *team) help(worker int) {
	for {
		t.helpers[worker-1].await(&t.left, false)
		if t.left.Load() == closed {
			return
		}
		t.work(worker)
	}
}

// work takes pieces until none is left. Whoever takes one holds up the end of
// run until it is done, so task and n are this piece's own, even for a worker
// that comes late and takes a piece of the next task.
func (t *team) work(worker int) {
	for {
		left := t.left.Load()
		if left <= 0 {
			return
		}
		if t.left.CompareAndSwap(left, left-1) {
			t.task.do(worker, t.n-int(left))
			if t.unfinished.Add(-1) == 0 {
				t.caller.wake()
			}
		}
	}
}

// A sleeper waits for a counter: awake for a while, since the next task mostly
// follows within microseconds, then parked.
type sleeper struct {
	parked atomic.Bool
	roused chan struct{}
	_      [48]byte // a cache line each
}

const awake = 50 * time.Microsecond

func newSleeper() sleeper { return sleeper{roused: make(chan struct{}, 1)} }

// await returns when the counter is zero, or, if zero is false, when it is not.
// Whoever brings that about calls wake afterwards; a wake that comes late finds
// the next await, which therefore looks again.
func (s *sleeper) await(counter *atomic.Int64, zero bool) {
	for start := time.Now(); time.Since(start) < awake; {
		for range 100 {
			if (counter.Load() == 0) == zero {
				return
			}
		}
	}
	for {
		s.parked.Store(true)
		if (counter.Load() == 0) == zero && s.parked.CompareAndSwap(true, false) {
			return
		}
		<-s.roused
		if (counter.Load() == 0) == zero {
			return
		}
	}
}

func (s *sleeper) wake() {
	if s.parked.CompareAndSwap(true, false) {
		s.roused <- struct{}{}
	}
}
