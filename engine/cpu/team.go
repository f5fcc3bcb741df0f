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
	shares     []share      // of the task's pieces, by worker
	left       atomic.Int64 // pieces nobody has taken yet, of all shares; closed ends the workers
	unfinished atomic.Int64 // pieces nobody has finished yet

	caller  sleeper
	helpers []sleeper
	ended   sync.WaitGroup
}

const closed = -1

// A share is the pieces that a worker takes first, before it helps with others'.
// Tasks number their pieces from the first image to the last, so it mostly reads
// what it wrote itself, which lies in its core's own cache: what another core
// wrote comes from the cache between them, or, if they have none in common, takes
// three times as long.
type share struct {
	left atomic.Int64 // pieces nobody has taken yet
	to   int          // pieces up to here
	_    [48]byte     // a cache line each
}

func newTeam(workers int) *team {
	t := &team{workers: workers, shares: make([]share, workers), caller: newSleeper(), helpers: make([]sleeper, workers-1)}
	for i := range t.helpers {
		t.helpers[i] = newSleeper()
		t.ended.Go(func() { t.help(i + 1) })
	}
	return t
}

// run calls tk.do for every piece 0 ≤ i < n, in any order, and returns when all of
// them are done. Every worker has its share of them and, when it is through with
// it, helps with others'.
func (t *team) run(tk task, n int) {
	if t.workers == 1 || n <= 1 {
		for i := range n {
			tk.do(0, i)
		}
		return
	}
	t.task = tk
	t.unfinished.Store(int64(n))
	t.left.Store(int64(n))
	for i := range t.shares {
		from, to := i*n/t.workers, (i+1)*n/t.workers
		t.shares[i].to = to
		t.shares[i].left.Store(int64(to - from))
	}
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
// run until it is done, so the task and the share are this piece's own, even for a
// worker that comes late and takes a piece of the next task.
func (t *team) work(worker int) {
	for i := range t.shares {
		s := &t.shares[(worker+i)%t.workers]
		for left := s.left.Load(); left > 0; left = s.left.Load() {
			if !s.left.CompareAndSwap(left, left-1) {
				continue
			}
			t.left.Add(-1)
			t.task.do(worker, s.to-int(left))
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
