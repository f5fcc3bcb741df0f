package data

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
)

const (
	prefetch  = 2 // batches made ahead of the one asked for
	chunkSize = 4 // images a worker takes at once
)

// Options say which batches a Loader makes.
type Options struct {
	Batch   int     // images in a batch
	Train   bool    // shuffle each epoch anew and drop its last partial batch; else keep the set's order and every image
	Steps   []Step  // applied to each image in turn
	Recipe  *Recipe // in place of Steps: the images stay bytes, and NextBytes tells how they are to be moved
	Seed    uint64  // of the order and of the steps' draws
	Workers int     // goroutines; 0: one per CPU

	StartEpoch, StartBatch int // begin as if this many epochs, and then batches, had been taken
}

// Loader makes batches ahead of their use. An image's draws follow from (seed, epoch, index) alone, so the batches are the
// same bit for bit for any number of workers, and for a loader started in the middle. Nothing is allocated per batch
// but what decoding a file needs. It holds two batches in memory.
type Loader struct {
	set     *Set
	o       Options
	h, w    int // of the images after the steps
	batches int // in an epoch

	mu         sync.Mutex
	room       sync.Cond // workers wait here for a slot
	ready      sync.Cond // Next waits here for its batch
	slots      [prefetch]slot
	head       int  // batch that Next hands out next; batches are numbered through all epochs
	tail       int  // batch that workers take images of
	taken      int  // images of the tail batch that are taken
	epochEnded bool // Next owes io.EOF
	closed     bool
	order      []int32 // indices of the images in the order of orderEpoch
	orderEpoch int
	shuffler   rng

	workers sync.WaitGroup
}

// slot holds batch number b where b mod prefetch is the slot's place.
type slot struct {
	batch  int // the batch it holds
	n      int // images in it
	left   int // images still to be made
	images []float32
	pixels []uint8   // with a Recipe, in place of images
	moves  []float32 // likewise
	labels []int32
	err    error // of the first image that failed
	errAt  int   // its place in the batch
}

// NewLoader starts a loader; Close it. The error says which option or step does not fit the set.
func NewLoader(set *Set, o Options) (*Loader, error) {
	if o.Batch <= 0 || o.Workers < 0 || o.StartEpoch < 0 || o.StartBatch < 0 {
		return nil, fmt.Errorf("%s: loader: batch %d must be positive; workers %d, start epoch %d and start batch %d not negative",
			set.Name, o.Batch, o.Workers, o.StartEpoch, o.StartBatch)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	l := &Loader{set: set, o: o, batches: set.Len() / o.Batch, orderEpoch: -1, shuffler: newRNG()}
	l.room.L, l.ready.L = &l.mu, &l.mu
	if !o.Train {
		l.batches = (set.Len() + o.Batch - 1) / o.Batch
	}
	if l.batches == 0 {
		return nil, fmt.Errorf("%s: its %d images do not fill a batch of %d", set.Name, set.Len(), o.Batch)
	}
	if o.StartBatch > l.batches {
		return nil, fmt.Errorf("%s: loader cannot start at batch %d of an epoch of %d", set.Name, o.StartBatch, l.batches)
	}
	probe := Image{H: set.H, W: set.W, C: set.C, Pix: make([]float32, set.H*set.W*set.C)}
	if err := augment(&probe, o.Steps, l.shuffler.Rand); err != nil {
		return nil, fmt.Errorf("%s: %w", set.Name, err)
	}
	l.h, l.w = probe.H, probe.W

	l.head = o.StartEpoch*l.batches + o.StartBatch
	l.tail = l.head
	l.epochEnded = o.StartBatch == l.batches
	l.order = make([]int32, set.Len())
	for i := range l.slots {
		s, n := &l.slots[i], o.Batch*l.h*l.w*set.C
		*s = slot{batch: -1, labels: make([]int32, o.Batch)}
		if o.Recipe == nil {
			s.images = make([]float32, n)
		} else {
			s.pixels, s.moves = make([]uint8, n), make([]float32, 3*o.Batch)
		}
	}
	for range o.Workers {
		l.workers.Add(1)
		go l.work()
	}
	return l, nil
}

// Next fills images (batch×H×W×C) and labels (batch) with the next batch and returns its number of images, smaller than
// the batch only at the end of an epoch that keeps all. After an epoch's last batch it returns io.EOF once, and the call after that
// begins the next epoch. An image that cannot be read makes its whole batch an error, which names the file.
// Next is for one goroutine at a time.
func (l *Loader) Next(images []float32, labels []int32) (n int, err error) {
	if l.o.Recipe != nil || len(images) < len(l.slots[0].images) || len(labels) < l.o.Batch {
		panic("data: Next: images or labels shorter than a batch, or a loader of bytes")
	}
	return l.next(func(s *slot) {
		copy(images, s.images[:s.n*l.h*l.w*l.set.C])
		copy(labels, s.labels[:s.n])
	})
}

// NextBytes is Next of a loader with a Recipe: pixels (batch×H×W×C) as they are in the
// set, and for each image the moves (batch×3) of the recipe, drawn as its steps would
// draw: rows down, columns right, 1 for a flip.
func (l *Loader) NextBytes(pixels []uint8, moves []float32, labels []int32) (n int, err error) {
	if l.o.Recipe == nil || len(pixels) < len(l.slots[0].pixels) || len(moves) < 3*l.o.Batch || len(labels) < l.o.Batch {
		panic("data: NextBytes: pixels, moves or labels shorter than a batch, or a loader without a recipe")
	}
	return l.next(func(s *slot) {
		copy(pixels, s.pixels[:s.n*l.h*l.w*l.set.C])
		copy(moves, s.moves[:3*s.n])
		copy(labels, s.labels[:s.n])
	})
}

// next waits for the next batch and lets take copy it.
func (l *Loader) next(take func(*slot)) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epochEnded {
		l.epochEnded = false
		return 0, io.EOF
	}
	s := &l.slots[l.head%prefetch]
	for !l.closed && (s.batch != l.head || s.left > 0) {
		l.ready.Wait()
	}
	if l.closed {
		return 0, errors.New("data: the loader is closed")
	}
	if err = s.err; err == nil {
		n = s.n
		l.mu.Unlock() // no worker touches the slot before head moves on
		take(s)
		l.mu.Lock()
	}
	l.head++
	l.epochEnded = l.head%l.batches == 0
	l.room.Broadcast()
	return n, err
}

// Close stops the workers and waits for them. It may be called twice.
func (l *Loader) Close() {
	l.mu.Lock()
	l.closed = true
	l.room.Broadcast()
	l.ready.Broadcast()
	l.mu.Unlock()
	l.workers.Wait()
}

// chunk is a few neighbouring images of a batch that one worker makes.
type chunk struct {
	slot  *slot
	epoch int
	at    int // place of the first in the batch
	n     int
	index [chunkSize]int32 // in the set
}

// work makes images until the loader is closed.
func (l *Loader) work() {
	defer l.workers.Done()
	var (
		c     chunk
		m     = Image{C: l.set.C}
		pix   = make([]uint8, l.set.H*l.set.W*l.set.C)
		draws = newRNG()
		size  = l.h * l.w * l.set.C
	)
	for l.take(&c) {
		var err error
		errAt := c.at
		for i, index := range c.index[:c.n] {
			errAt = c.at + i
			draws.seed(l.o.Seed, c.epoch, uint32(index))
			c.slot.labels[errAt] = l.set.Labels[index]
			if r := l.o.Recipe; r != nil {
				if err = l.set.Read(c.slot.pixels[errAt*size:][:size], int(index)); err != nil {
					break
				}
				r.moves(c.slot.moves[3*errAt:], draws.Rand)
				continue
			}
			if err = l.set.Read(pix, int(index)); err != nil {
				break
			}
			m.set(l.set.H, l.set.W, pix)
			if err = augment(&m, l.o.Steps, draws.Rand); err != nil {
				break
			}
			if m.H != l.h || m.W != l.w {
				err = fmt.Errorf("%s: a step left an image of %d×%d after one of %d×%d", l.set.Name, m.H, m.W, l.h, l.w)
				break
			}
			copy(c.slot.images[errAt*size:], m.Pix)
		}
		l.done(&c, err, errAt)
	}
}

// take gives a worker the next images to make, or reports that the loader is closed.
func (l *Loader) take(c *chunk) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && l.tail >= l.head+prefetch {
		l.room.Wait()
	}
	if l.closed {
		return false
	}
	epoch, batch := l.tail/l.batches, l.tail%l.batches
	s := &l.slots[l.tail%prefetch]
	if l.taken == 0 {
		n := min(l.o.Batch, l.set.Len()-batch*l.o.Batch)
		s.batch, s.n, s.left, s.err = l.tail, n, n, nil
		l.arrange(epoch)
	}
	c.slot, c.epoch, c.at, c.n = s, epoch, l.taken, min(chunkSize, s.n-l.taken)
	copy(c.index[:c.n], l.order[batch*l.o.Batch+l.taken:])
	if l.taken += c.n; l.taken == s.n {
		l.tail, l.taken = l.tail+1, 0
	}
	return true
}

// done enters a worker's images into their slot. Of several errors the first image's counts, whoever came first.
func (l *Loader) done(c *chunk, err error, errAt int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := c.slot
	if err != nil && (s.err == nil || errAt < s.errAt) {
		s.err, s.errAt = err, errAt
	}
	if s.left -= c.n; s.left == 0 {
		l.ready.Signal()
	}
}

// arrange puts the images in the order of an epoch, which does not depend on the epochs before.
func (l *Loader) arrange(epoch int) {
	if epoch == l.orderEpoch {
		return
	}
	l.orderEpoch = epoch
	for i := range l.order {
		l.order[i] = int32(i)
	}
	if l.o.Train {
		l.shuffler.seed(l.o.Seed, epoch, math.MaxUint32) // no image has this index
		l.shuffler.Shuffle(len(l.order), func(i, j int) { l.order[i], l.order[j] = l.order[j], l.order[i] })
	}
}

// set makes the image the given bytes, 255 becoming 1.
func (m *Image) set(h, w int, pix []uint8) {
	m.remake(h, w)
	for i, p := range pix {
		m.Pix[i] = float32(p) / 255
	}
}

func augment(m *Image, steps []Step, draws *rand.Rand) error {
	for _, step := range steps {
		if err := step(m, draws); err != nil {
			return err
		}
	}
	return nil
}

// rng is a random source that can be set to any of many independent streams without allocating.
type rng struct {
	*rand.Rand
	pcg *rand.PCG
}

func newRNG() rng {
	pcg := rand.NewPCG(0, 0)
	return rng{rand.New(pcg), pcg}
}

// seed sets the stream of one image in one epoch.
func (r rng) seed(seed uint64, epoch int, index uint32) {
	r.pcg.Seed(seed, splitmix(uint64(epoch)<<32|uint64(index)))
}

// splitmix spreads neighbouring numbers over all 64 bits (Steele, Lea, Flood, OOPSLA 2014).
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
