package engine

// Slicer is of a backend with several workers, each of which had better take images of
// a batch through many calls by itself, in memory of its own: what passes from call to
// call stays in its cache, and no worker waits for another after every call.
type Slicer interface {
	// Slice is how many images of a batch a call that reads so many pixels of each should
	// take at a time. It divides the batch; the batch itself is all workers at once.
	Slice(batch, pixels int) int
	// Lanes is how many slices are worked on at a time.
	Lanes() int
	// Lane is what works on one, for calls that are one of so many slices.
	Lane(slices int) Backend
}

// Stage is a run of calls, up to the one before To, that slices of so many images go
// through one by one; the next stage begins when all of them have.
type Stage struct{ To, Images int }

// Stage that call i is in; of a plan without stages, all of it.
func (p *Plan) Stage(i int) Stage {
	for _, s := range p.Stages {
		if i < s.To {
			return s
		}
	}
	return Stage{len(p.Calls), p.Batch}
}

// begins is the first call of the stage that call i is in.
func (p *Plan) begins(i int) int {
	first := 0
	for _, s := range p.Stages {
		if i < s.To {
			break
		}
		first = s.To
	}
	return first
}

// Slice is call i for one slice of its stage.
func (p *Plan) Slice(i int) Call {
	if s := p.Stage(i); s.Images < p.Batch {
		c, _ := slice(p.Calls[i], s.Images, p.Batch)
		return c
	}
	return p.Calls[i]
}

// Scratch is how much memory call i wants while it runs, and whether in each lane.
func (p *Plan) Scratch(b Backend, i int) (n int, lane bool) {
	if s := p.Stage(i); s.Images < p.Batch {
		return b.Slicer().Lane(p.Batch / s.Images).Workspace(p.Slice(i)), true
	}
	return b.Workspace(p.Calls[i]), false
}

// slice is an inference call of a batch for some of its images; false says that it
// cannot be cut.
func slice(c Call, images, batch int) (Call, bool) {
	part := func(n int) int { return n / batch * images }
	switch d := c.(type) {
	case ConvForward:
		d.N = images
		return d, true
	case MaxPoolForward:
		d.N = images
		return d, true
	case AvgPoolForward:
		d.N = images
		return d, true
	case Mul:
		d.N = part(d.N)
		return d, true
	case BatchNormInfer:
		d.Rows = part(d.Rows)
		return d, true
	case Scale:
		d.Rows = part(d.Rows)
		return d, true
	case Softmax:
		d.Rows = part(d.Rows)
		return d, true
	case CopyChannels:
		d.Rows = part(d.Rows)
		return d, true
	case Add:
		d.Len = part(d.Len)
		return d, true
	case Activate:
		d.Len = part(d.Len)
		return d, true
	case Clamp:
		d.Len = part(d.Len)
		return d, true
	}
	return c, false
}

// Sliceable says that a call of a batch can be cut into calls of some of its images.
func Sliceable(c Call) bool {
	_, can := slice(c, 1, 1)
	return can
}

// Pixels of each image that an inference call reads; 0 where the call does not tell.
func Pixels(c Call, batch int) int {
	switch d := c.(type) {
	case ConvForward:
		return d.H * d.Conv.W
	case MaxPoolForward:
		return d.H * d.W
	case AvgPoolForward:
		return d.H * d.W
	case Mul:
		return d.N / batch * d.Pixels
	case BatchNormInfer:
		return d.Rows / batch
	case Scale:
		return d.Rows / batch
	case Softmax:
		return d.Rows / batch
	case CopyChannels:
		return d.Rows / batch
	}
	return 0
}

// slice cuts the calls into stages where the backend is better off so. A call that
// does not tell its pixels goes with the one before it.
func (l *lowering) slice(b Backend) []Stage {
	s := b.Slicer()
	if s == nil || l.o.Mode != Infer {
		return nil
	}
	p := Plan{Batch: l.o.Batch}
	images := p.Batch
	for i, c := range l.calls {
		if !Sliceable(c) {
			images = p.Batch
		} else if n := Pixels(c, p.Batch); n > 0 {
			images = s.Slice(p.Batch, n)
		}
		p.Calls = l.calls[:i+1]
		p.Extend(images)
	}
	return p.Stages
}

// Extend tells how many images the last of the calls takes at a time.
func (p *Plan) Extend(images int) {
	n := len(p.Stages)
	switch {
	case n > 0 && p.Stages[n-1].Images == images:
		p.Stages[n-1].To++
	case n > 0:
		p.Stages = append(p.Stages, Stage{len(p.Calls), images})
	case images < p.Batch:
		if before := len(p.Calls) - 1; before > 0 {
			p.Stages = append(p.Stages, Stage{before, p.Batch})
		}
		p.Stages = append(p.Stages, Stage{len(p.Calls), images})
	}
}
