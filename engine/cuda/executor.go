package cuda

import (
	"errors"
	"fmt"
	"slices"

	"mdp/engine"
	"mdp/engine/cuda/driver"
)

// Prepare allocates the plan's memory in one piece and lowers its calls.
func (b *Backend) Prepare(p *engine.Plan) (engine.Executor, error) {
	e := &executor{device: b.device, plan: p, launches: make([][]driver.Launch, len(p.Calls)), recorded: map[[2]int]driver.Sequence{}, lent: map[int]LibraryConv{}}
	bytes := 4 * int64(p.Len)
	var err error
	if e.memory, err = b.device.Alloc(bytes); err != nil {
		return nil, memoryError(p, err)
	}
	if p.Fixed > 0 {
		err = b.device.Zero(e.memory, 4*int64(p.Fixed))
	}
	if err = errors.Join(err, e.lower(b)); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

type executor struct {
	device   driver.Device
	plan     *engine.Plan
	memory   driver.Pointer
	launches [][]driver.Launch          // of each call
	recorded map[[2]int]driver.Sequence // of each range of calls that was run
	begun    [2]int                     // the range that was begun last

	narrow    []float32
	uploaders map[engine.Buffer]driver.Uploader // of the plan's inputs, once runs are started
	hold      hold
	timer     driver.Timer        // nil before the first time
	marks     int                 // that it has
	lent      map[int]LibraryConv // calls that a library computes
	packs     engine.Storage      // what is written is in, for them
}

func (e *executor) lower(b *Backend) error {
	for i, c := range e.plan.Calls {
		if err := b.Supports(c); err != nil {
			return err
		}
		for _, o := range c.Operands() {
			if n := e.plan.Span(o.Buffer).Len; n < o.Len {
				return fmt.Errorf("cuda: %v: %s has %d elements, its buffer holds %d", c, o.Name, o.Len, n)
			}
		}
		if taken, err := e.lend(i, b); err != nil {
			return err
		} else if taken {
			continue
		}
		l := lowering{device: e.device, gemm: suffix[b.precision], variant: b.variant, warpgroups: b.warpgroups(), atomics: b.atomics, at: e.at}
		storage, err := e.storage(c)
		if err == nil && storage != engine.Float32 {
			err = l.store(b.precision, storage)
		}
		if err != nil {
			return fmt.Errorf("cuda: %v: %w", c, err)
		}
		if want := b.Workspace(c); want > 0 {
			if i >= len(e.plan.Workspace) || e.plan.Span(e.plan.Workspace[i]).Len < want {
				return fmt.Errorf("cuda: %v: the plan has no workspace of %d elements", c, want)
			}
			l.scratch = e.at(e.plan.Workspace[i])
		}
		l.lower(c)
		if l.err != nil {
			return fmt.Errorf("cuda: %v: %w", c, l.err)
		}
		e.launches[i] = l.launches
	}
	return nil
}

// storage is what the call's activations lie in memory as.
func (e *executor) storage(c engine.Call) (engine.Storage, error) {
	all, known := engine.Float32, false
	for _, o := range c.Operands() {
		s := e.plan.Span(o.Buffer).Storage
		switch {
		case o.Activation && !known:
			all, known = s, true
		case o.Activation && s != all:
			return 0, fmt.Errorf("%s lies in memory as %v, another operand as %v", o.Name, s, all)
		case !o.Activation && s != engine.Float32:
			return 0, fmt.Errorf("%s lies in memory as %v, which only activations may", o.Name, s)
		}
	}
	return all, nil
}

// at is where a buffer lies, 0 for None.
func (e *executor) at(b engine.Buffer) driver.Pointer {
	if b == engine.None {
		return 0
	}
	return e.memory.Offset(e.plan.Span(b).Offset)
}

func (e *executor) Write(dst engine.Buffer, src []float32) error {
	if n := e.plan.Span(dst).Len; len(src) > n {
		return fmt.Errorf("cuda: write of %d elements to buffer %d, which holds %d", len(src), dst, n)
	}
	if s := e.plan.Span(dst).Storage; s != engine.Float32 {
		words := e.words(s.Words(len(src)))
		s.Encode(words, src)
		src = words
	}
	if e.packs != engine.Float32 {
		src = packed(e.packs, src)
	}
	if u, ok := e.uploaders[dst]; ok {
		return e.explain(u.Upload(e.at(dst), src))
	}
	return e.explain(e.device.Upload(e.at(dst), src))
}

func (e *executor) Read(dst []float32, src engine.Buffer) error {
	if n := e.plan.Span(src).Len; len(dst) > n {
		return fmt.Errorf("cuda: read of %d elements from buffer %d, which holds %d", len(dst), src, n)
	}
	s := e.plan.Span(src).Storage
	if s == engine.Float32 {
		return e.explain(e.device.Download(dst, e.at(src)))
	}
	words := e.words(s.Words(len(dst)))
	err := e.device.Download(words, e.at(src))
	s.Decode(dst, words)
	return e.explain(err)
}

// words is room on the host for what is narrowed or widened.
func (e *executor) words(n int) []float32 {
	e.narrow = slices.Grow(e.narrow[:0], n)[:n]
	return e.narrow
}

func (e *executor) Run(from, to int) error {
	if err := e.begin(from, to); err != nil {
		return err
	}
	return e.explain(e.device.Synchronize())
}

// Start makes room for the inputs of the next run, so that they need not wait for
// the end of this one.
func (e *executor) Start(from, to int) error {
	if e.uploaders == nil {
		e.uploaders = map[engine.Buffer]driver.Uploader{}
		for _, b := range e.plan.Input {
			u, err := e.device.NewUploader(4 * int64(e.plan.Span(b).Words()))
			if err != nil {
				return fmt.Errorf("cuda: room for the next batch beside the one that is computed: %w", err)
			}
			e.uploaders[b] = u
		}
	}
	return e.begin(from, to)
}

// begin launches a range of calls.
func (e *executor) begin(from, to int) error {
	if from < 0 || from > to || to > len(e.launches) {
		return fmt.Errorf("cuda: run of calls %d to %d of a plan of %d", from, to, len(e.launches))
	}
	if from == to {
		return nil
	}
	e.begun = [2]int{from, to}
	if e.anyLent(from, to) {
		for i := from; i < to; i++ {
			if err := e.call(i); err != nil {
				return err
			}
		}
		return nil
	}
	s, err := e.record(from, to)
	if err == nil {
		err = s.Run()
	}
	return e.explain(err)
}

// record makes one sequence of a range of calls when it is first run.
func (e *executor) record(from, to int) (driver.Sequence, error) {
	if s, ok := e.recorded[[2]int{from, to}]; ok {
		return s, nil
	}
	s, err := e.device.Record(slices.Concat(e.launches[from:to]...))
	if err == nil {
		e.recorded[[2]int{from, to}] = s
	}
	return s, err
}

// explain adds to a failure, which may be that of an earlier launch, what was begun last.
func (e *executor) explain(err error) error {
	switch from, to := e.begun[0], e.begun[1]; {
	case err == nil:
		return nil
	case from == to:
		return fmt.Errorf("cuda: %w", err)
	default:
		return fmt.Errorf("cuda: %s: %w", e.suspects(from, to, err), err)
	}
}

// suspects names the call whose launch failed or, where the device only tells
// that something did, those it is among.
func (e *executor) suspects(from, to int, err error) string {
	var launch *driver.LaunchError
	if errors.As(err, &launch) {
		for n := launch.Index; n >= len(e.launches[from]); from++ {
			n -= len(e.launches[from])
		}
		to = from + 1
	}
	if to == from+1 {
		return e.plan.Calls[from].String()
	}
	return fmt.Sprintf("one of %d calls, %v to %v", to-from, e.plan.Calls[from], e.plan.Calls[to-1])
}

func (e *executor) call(i int) error {
	if c, ok := e.lent[i]; ok {
		return c.Run()
	}
	for _, l := range e.launches[i] {
		if err := e.device.Launch(l); err != nil {
			return fmt.Errorf("cuda: %v: %w", e.plan.Calls[i], err)
		}
	}
	return nil
}

// Close frees the memory and what was recorded.
func (e *executor) Close() error {
	if e.memory == 0 {
		return nil
	}
	var errs []error
	for _, s := range e.recorded {
		errs = append(errs, s.Close())
	}
	for _, c := range e.lent {
		errs = append(errs, c.Close())
	}
	for _, u := range e.uploaders {
		errs = append(errs, u.Close())
	}
	if e.timer != nil {
		errs = append(errs, e.timer.Close())
	}
	errs = append(errs, e.device.Free(e.memory))
	*e = executor{}
	return errors.Join(errs...)
}
