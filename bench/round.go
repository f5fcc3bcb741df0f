package bench

import (
	"fmt"
	"slices"

	"mdp/engine"
)

// copies of a call that take turns: about as many activations as are alive in
// a network at once, where they are small. A large one's memory is what large ones
// before it had, which lies in the caches still: their copies share theirs.
const copies = 3

// Caches says what a call finds in the device's caches.
type Caches string

// What a call finds. As in a network is what predictions are made from.
const (
	AsInNetwork Caches = ""     // what it reads was written just before, by other code
	Cold        Caches = "cold" // nothing: twice the last level was written since
	Hot         Caches = "hot"  // what it left there itself
)

// round is a plan that goes through the copies of some calls of one layer, and a
// reference, once.
type round struct {
	plan      engine.Plan
	timed     [][]int // the copies of each call among its calls
	reference int     // likewise
	probe     int     // the Spin that tells the clock, where the rule watches it
	calls     int     // of a round; those behind fill its memory once
	grown     map[engine.Buffer]bool
	storage   engine.Storage // of activations
	by        engine.Slicer
	images    int // that the next calls take at a time, of plan.Batch

	endWords int // of an input that are written each time, in float32: the caches have as much of where they come from
}

func (s *stand) round(calls []engine.Call, reference engine.Call) (*round, error) {
	r := &round{plan: engine.Plan{Spans: make([]engine.Span, 1), Batch: s.batch}, grown: map[engine.Buffer]bool{}, storage: s.backend.Info().Storage, images: s.batch}
	build := map[Caches]func([]engine.Call, engine.Call) error{AsInNetwork: r.asInNetwork(s.backend.Slicer(), s.cache(), s.rule.Together > 1), Cold: r.cold(2 * s.cache() / 4), Hot: r.hot}[s.rule.Caches]
	if err := build(calls, reference); err != nil {
		return nil, err
	}
	r.reference, r.images = len(r.plan.Calls)-1, s.batch
	if s.rule.MinClock > 0 {
		r.probe = r.add(engine.Spin{Cycles: probeCycles})
	}
	r.calls = len(r.plan.Calls)

	for _, d := range r.plan.Calls {
		if conv, ok := d.(engine.ConvForward); ok && s.backend.Info().Device == "cpu" {
			r.plan.Constant = append(r.plan.Constant, conv.W)
		}
	}
	r.grow(len(s.noise))
	return r, r.workspace(s.backend)
}

// workspace gives all calls one scratch memory, and those of slices one in each lane.
func (r *round) workspace(b engine.Backend) error {
	scratch := map[bool]int{} // whether in a lane
	for i, c := range r.plan.Calls {
		if err := b.Supports(c); err != nil {
			return err
		}
		n, lane := r.plan.Scratch(b, i)
		scratch[lane] = max(scratch[lane], n)
	}
	workspace := map[bool]engine.Buffer{}
	for lane, n := range scratch {
		if n > 0 {
			workspace[lane] = r.place(engine.Span{Len: n, Lane: lane})
		}
	}
	for i := range r.plan.Calls {
		_, lane := r.plan.Scratch(b, i)
		r.plan.Workspace = append(r.plan.Workspace, workspace[lane])
	}
	return nil
}

// cache is how many bytes must be touched for the device to have forgotten.
func (s *stand) cache() int {
	const unknown = 32 << 20
	if n := s.backend.Info().CacheBytes; n > 0 {
		return n
	}
	return unknown
}

// asInNetwork cuts the batch as a program does. Where several share a round, the copies
// of the first run once before they count: the reference has left others in the caches
// than what the copies before leave to the next.
func (r *round) asInNetwork(by engine.Slicer, cacheBytes int, several bool) func([]engine.Call, engine.Call) error {
	return func(calls []engine.Call, reference engine.Call) error {
		if r.by = by; by != nil {
			r.plan.Lanes = by.Lanes()
		}
		r.endWords = cacheBytes / 2 / 4
		rooms := make([]rooms, copies+1)
		if all := slices.Concat(calls, []engine.Call{reference}); r.crowded(calls[0], cacheBytes) {
			shared := r.rooms(all)
			for i := range rooms {
				rooms[i] = shared
			}
		} else {
			for i := range copies {
				rooms[i] = r.rooms(calls)
			}
			rooms[copies] = r.rooms([]engine.Call{reference})
		}
		source := r.sources(slices.Concat(calls, []engine.Call{reference}))
		if several {
			for i := range copies {
				if _, err := r.written(calls[0], rooms[i], source); err != nil {
					return err
				}
			}
		}
		for _, c := range calls {
			var at []int
			for i := range copies {
				n, err := r.written(c, rooms[i], source)
				if err != nil {
					return err
				}
				at = append(at, n)
			}
			r.timed = append(r.timed, at)
		}
		_, err := r.written(reference, rooms[copies], source)
		return err
	}
}

// written adds a call behind what writes its input, as much of it as the caches may
// still have; it says which the call is.
func (r *round) written(c engine.Call, rooms, source rooms) (int, error) {
	d, err := r.own(c, rooms)
	if err != nil {
		return 0, err
	}
	for _, o := range d.Operands() {
		if input(o) {
			y, n := r.end(o.Buffer)
			r.add(engine.Activate{Len: n, Y: y, X: r.in(source, "source", o.Len)})
		}
	}
	return r.add(d), nil
}

// end is as much of a buffer's end as the caches still hold once it is copied there, and
// its length.
func (r *round) end(b engine.Buffer) (engine.Buffer, int) {
	const line = 32 // elements of 16 bits
	s := r.plan.Span(b)
	skip := (s.Len - s.Len*r.endWords/s.Words()) / line * line
	if s.Lane || skip <= 0 {
		return b, s.Len
	}
	s.Offset, s.Len = s.Offset+s.Storage.Words(skip), s.Len-skip
	return r.span(s), s.Len
}

// input says that in a network the call before writes the operand.
func input(o engine.Operand) bool { return o.Name == "x" || o.Name == "a" }

// rooms is where activations lie, by what they are to their call and whether in a lane:
// calls that take turns lie in the same places, each as far as it goes.
type rooms map[role]engine.Span

type role struct {
	name string
	lane bool
}

// rooms for the activations of any of the calls.
func (r *round) rooms(calls []engine.Call) rooms {
	return r.largest(calls, func(o engine.Operand) (string, bool) { return o.Name, o.Activation })
}

// sources are for what is written to their inputs.
func (r *round) sources(calls []engine.Call) rooms {
	return r.largest(calls, func(o engine.Operand) (string, bool) { return "source", input(o) })
}

func (r *round) largest(calls []engine.Call, which func(engine.Operand) (string, bool)) rooms {
	all, order := rooms{}, []role(nil)
	for _, c := range calls {
		r.images = images(r.by, c, r.plan.Batch)
		for _, o := range c.Operands() {
			name, ok := which(o)
			if !ok {
				continue
			}
			s := r.activation(o.Len)
			at := role{name, s.Lane}
			if _, ok := all[at]; !ok {
				order = append(order, at)
			}
			if s.Len > all[at].Len {
				all[at] = s
			}
		}
	}
	for _, at := range order {
		all[at] = r.plan.Span(r.place(all[at]))
	}
	return all
}

// in is a buffer of n elements in one of the rooms.
func (r *round) in(rooms rooms, name string, n int) engine.Buffer {
	s := r.activation(n)
	s.Offset = rooms[role{name, s.Lane}].Offset
	return r.span(s)
}

// crowded says that half the cache does not hold the copies' activations, each on
// memory of its own.
func (r *round) crowded(c engine.Call, cacheBytes int) bool {
	r.images = images(r.by, c, r.plan.Batch)
	bytes := 0
	for _, o := range c.Operands() {
		if !o.Activation {
			continue
		}
		s := r.activation(o.Len)
		if n := 4 * s.Words(); s.Lane {
			bytes += n * r.plan.Lanes
		} else {
			bytes += n
		}
	}
	return copies*bytes > cacheBytes/2
}

// images of a batch that a program takes through the call at a time.
func images(by engine.Slicer, c engine.Call, batch int) int {
	if by == nil || !engine.Sliceable(c) {
		return batch
	}
	pixels := engine.Pixels(c, batch)
	if pixels == 0 { // in a network it goes with the call before it
		const someChannels = 64
		pixels = max(1, c.Operands()[0].Len/batch/someChannels)
	}
	return by.Slice(batch, pixels)
}

// activation is the span of n elements of all images, or of a slice's in its lane.
func (r *round) activation(n int) engine.Span {
	if r.images < r.plan.Batch {
		return engine.Span{Len: n / r.plan.Batch * r.images, Storage: r.storage, Lane: true}
	}
	return engine.Span{Len: n, Storage: r.storage}
}

// cold writes so many elements before each call.
func (r *round) cold(elements int) func([]engine.Call, engine.Call) error {
	return func(calls []engine.Call, reference engine.Call) error {
		flush := r.take(elements)
		forget := engine.Activate{Len: elements, Y: flush, X: flush, Act: engine.ReLU} // a copy in place may be none
		return r.again(calls, reference, func(c engine.Call, n int) (at []int) {
			for range n {
				r.add(forget)
				at = append(at, r.add(c))
			}
			return at
		})
	}
}

func (r *round) hot(calls []engine.Call, reference engine.Call) error {
	return r.again(calls, reference, func(c engine.Call, n int) (at []int) {
		r.add(c)
		for range n {
			at = append(at, r.add(c))
		}
		return at
	})
}

// again adds each call so many times on the same memory, the reference once.
func (r *round) again(calls []engine.Call, reference engine.Call, times func(c engine.Call, n int) []int) error {
	rooms := r.rooms(slices.Concat(calls, []engine.Call{reference}))
	for _, c := range calls {
		d, err := r.own(c, rooms)
		if err != nil {
			return err
		}
		r.timed = append(r.timed, times(d, copies))
	}
	d, err := r.own(reference, rooms)
	if err == nil {
		times(d, 1)
	}
	return err
}

// add a call; it says which it is.
func (r *round) add(c engine.Call) int {
	r.plan.Calls = append(r.plan.Calls, c)
	r.plan.Extend(r.images)
	return len(r.plan.Calls) - 1
}

// own is the call with its activations in the rooms, and the rest in memory of its own.
func (r *round) own(c engine.Call, rooms rooms) (engine.Call, error) {
	r.images = images(r.by, c, r.plan.Batch)
	operands := c.Operands()
	d, ok := rebind(c, func(engine.Buffer) engine.Buffer {
		o := operands[0]
		operands = operands[1:]
		if !o.Activation {
			return r.take(o.Len)
		}
		return r.in(rooms, o.Name, o.Len)
	})
	if !ok {
		return nil, fmt.Errorf("no call of an inference program")
	}
	return d, nil
}

// take is a buffer of n float32.
func (r *round) take(n int) engine.Buffer { return r.place(engine.Span{Len: n}) }

// place makes a buffer, on a cache line as the engine's are.
func (r *round) place(s engine.Span) engine.Buffer {
	end := &r.plan.Len
	if s.Lane {
		end = &r.plan.LaneLen
	}
	s.Offset = *end
	*end += (s.Words() + 15) / 16 * 16
	return r.span(s)
}

func (r *round) span(s engine.Span) engine.Buffer {
	r.plan.Spans = append(r.plan.Spans, s)
	return engine.Buffer(len(r.plan.Spans) - 1)
}

// grow adds calls that fill large operands from their first n elements, by copying
// what is there behind itself: the host need not send it all. Constant filters are left
// to the host, which alone may write them, and lanes as well, where a slice is small.
func (r *round) grow(n int) {
	for _, o := range found(&r.plan, r.calls) {
		from := r.plan.Span(o.Buffer)
		if o.Len <= n || from.Lane || slices.Contains(r.plan.Constant, o.Buffer) {
			continue
		}
		r.grown[o.Buffer] = true
		for have := n; have < o.Len; have *= 2 {
			from.Len = min(have, o.Len-have)
			to := from
			to.Offset += from.Storage.Words(have)
			r.add(engine.Activate{Len: from.Len, X: r.span(from), Y: r.span(to)})
		}
	}
}
