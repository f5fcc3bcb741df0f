package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Sweep is a plan and where it is worked off.
type Sweep struct {
	Plan
	Dir     string // the folder of the runs and of the summary
	Program string // mdp
	Title   string

	// Final tells of an exit code of the program that it would come again.
	Final func(exitCode int) bool
}

func (s *Sweep) folder() folder { return folder(s.Dir) }

// attempts is how often a job that fails is tried.
const attempts = 2

// Event tells how a sweep goes on.
type Event struct {
	Kind   EventKind
	Job    Job
	Device string
	Text   string // a line of the job's process, or why it failed
	Tally  Tally
}

// EventKind is what an Event tells of.
type EventKind int

// The kinds of events.
const (
	Skip    EventKind = iota // the job was done before
	Begin                    // an attempt
	Say                      // a line of the job's process
	Finish                   // the job is done
	Retry                    // it failed and waits for its next attempt
	GiveUp                   // it failed for good
	Stopped                  // it was asked to stop, and waits for the next sweep
)

// Tally is how far the whole is.
type Tally struct {
	Total, Done, Failed, Running int

	// Left estimates the time to the end, from the jobs done so far; 0 is unknown.
	Left time.Duration
}

// queue is a sweep being worked off.
type queue struct {
	*Sweep
	states  []State
	waiting []int // jobs, in the order in which they are tried
	took    []time.Duration
	free    []string // devices
	running int
	notify  func(Event)
}

// ended is what became of an attempt.
type ended struct {
	job    int
	device string
	took   time.Duration
	err    error
}

// Run works off the jobs that are not done, one at a time on each device. A job
// that fails is tried once more after the others, and keeps none of them from
// running. What has failed before is tried again. notify is called by one
// goroutine at a time.
func (s *Sweep) Run(ctx context.Context, notify func(Event)) error {
	unlock, err := s.folder().lock(lockFile, alone)
	if err != nil {
		return err
	}
	defer unlock()
	return s.run(ctx, notify)
}

// RunJob works off one job on a device, whatever the plan says of devices, while
// other processes may work off others: what a Slurm task does.
func (s *Sweep) RunJob(ctx context.Context, job int, device string, notify func(Event)) error {
	j := s.Jobs[job]
	j.Devices = []string{device}
	unlock, err := s.folder().lock(lockFile, together)
	if err != nil {
		return err
	}
	defer unlock()
	unlockJob, err := s.folder().lock("."+j.Name+".lock", alone)
	if err != nil {
		return err
	}
	defer unlockJob()
	one := *s
	one.Jobs = []Job{j}
	return one.run(ctx, notify)
}

func (s *Sweep) run(ctx context.Context, notify func(Event)) error {
	q := &queue{Sweep: s, notify: notify}
	if err := q.fill(); err != nil {
		return err
	}
	return q.work(ctx)
}

// fill reads what was done before and queues the rest.
func (q *queue) fill() (err error) {
	if q.states, err = q.folder().states(q.Jobs); err != nil {
		return err
	}
	for i, j := range q.Jobs {
		state := &q.states[i]
		if state.Phase == Done {
			q.tell(Skip, i, state.Device, "")
			continue
		}
		if state.Phase == Failed {
			*state = State{}
		}
		state.Phase = Waiting // not running: whoever ran it is gone
		q.waiting = append(q.waiting, i)
		for _, d := range j.Devices {
			if !slices.Contains(q.free, d) {
				q.free = append(q.free, d)
			}
		}
	}
	return nil
}

func (q *queue) work(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ends, lines := make(chan ended), make(chan Event)
	for {
		for _, device := range slices.Clone(q.free) {
			if i, ok := q.next(device); ok && ctx.Err() == nil {
				if err := q.begin(ctx, i, device, ends, lines); err != nil {
					stop(err)
				}
			}
		}
		if q.running == 0 {
			return context.Cause(ctx)
		}
		select {
		case e := <-lines:
			q.notify(e)
		case e := <-ends:
			if err := q.end(ctx, e); err != nil {
				stop(err) // the others save what they have
			}
		}
	}
}

// next is the first waiting job that the device may run. One that was begun on
// another device goes on there, where its latencies come from. One that failed goes
// to another if it may: what is broken may be the device, which would fail them all.
func (q *queue) next(device string) (job int, ok bool) {
	for _, i := range q.waiting {
		devices, before := q.Jobs[i].Devices, q.states[i]
		elsewhere := before.Device != device && slices.Contains(devices, before.Device)
		if before.Failures > 0 {
			elsewhere = before.Device == device && slices.ContainsFunc(devices, func(d string) bool { return d != device })
		}
		if slices.Contains(devices, device) && !elsewhere {
			return i, true
		}
	}
	return 0, false
}

func (q *queue) begin(ctx context.Context, i int, device string, ends chan<- ended, lines chan<- Event) error {
	job := q.Jobs[i]
	if err := q.folder().prepare(job); err != nil {
		return err
	}
	state := &q.states[i]
	state.Phase, state.Device, state.Started = Running, device, time.Now().UTC().Truncate(time.Second)
	if err := q.folder().setState(job, *state); err != nil {
		return err
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(w int) bool { return w == i })
	q.free = slices.DeleteFunc(q.free, func(d string) bool { return d == device })
	q.running++
	q.tell(Begin, i, device, "")
	go func() {
		start := time.Now()
		err := q.process(ctx, job, device, func(line string) { lines <- Event{Kind: Say, Job: job, Device: device, Text: line} })
		ends <- ended{i, device, time.Since(start), err}
	}()
	return nil
}

// end settles what an attempt came to.
func (q *queue) end(ctx context.Context, e ended) error {
	q.running--
	q.free = append(q.free, e.device)
	slices.Sort(q.free)
	state := &q.states[e.job]
	state.Seconds = e.took.Seconds()
	var failed *failure
	kind := Finish
	switch {
	case e.err == nil:
		state.Phase, state.Error = Done, ""
		q.took = append(q.took, e.took)
	case ctx.Err() != nil:
		state.Phase, kind = Waiting, Stopped
	case !errors.As(e.err, &failed):
		return fmt.Errorf("%s: %w", q.Jobs[e.job].Name, e.err)
	default:
		state.Failures++
		state.Phase, state.Error, kind = Waiting, failed.says, Retry
		if failed.final || state.Failures >= attempts {
			state.Phase, kind = Failed, GiveUp
		}
	}
	if err := q.folder().setState(q.Jobs[e.job], *state); err != nil {
		return err
	}
	if kind == Retry {
		q.waiting = append(q.waiting, e.job)
	}
	q.tell(kind, e.job, e.device, state.Error)
	return nil
}

func (q *queue) tell(kind EventKind, i int, device, text string) {
	q.notify(Event{kind, q.Jobs[i], device, text, q.tally()})
}

func (q *queue) tally() Tally {
	t := Tally{Total: len(q.Jobs), Running: q.running}
	for _, s := range q.states {
		switch s.Phase {
		case Done:
			t.Done++
		case Failed:
			t.Failed++
		}
	}
	if len(q.took) > 0 {
		var sum time.Duration
		for _, d := range q.took {
			sum += d
		}
		devices := len(q.free) + q.running
		t.Left = sum / time.Duration(len(q.took)) * time.Duration(t.Total-t.Done-t.Failed) / time.Duration(max(1, devices))
	}
	return t
}
