package engine

import "errors"

// Backend is a kind of device that can run plans: the one seam between the
// engine and what computes.
type Backend interface {
	// Name tells the device and how it computes, such as "cpu avx512, 2 threads".
	Name() string
	// Info tells what computes.
	Info() Info
	// Supports is nil, or an error wrapping ErrUnsupported that names the call.
	Supports(Call) error
	// Workspace is how many float32 of scratch memory the call wants while it runs.
	Workspace(Call) int
	// Slicer cuts the batch of inference; nil where every call had better take all of it.
	Slicer() Slicer
	// Prepare allocates the plan's memory, of which what is fixed is zero, and readies every call.
	Prepare(*Plan) (Executor, error)
}

// Info is what a backend computes with. Trainings repeat bit for bit where Device,
// ISA and Precision agree; latencies compare only where all of it does.
type Info struct {
	Device      string  `json:"device"`                 // cpu, cuda, emu
	Model       string  `json:"model"`                  // as the device calls itself
	ISA         string  `json:"isa"`                    // that the kernels are for: avx512, sm_90
	Precision   string  `json:"precision"`              // of products: fp32, tf32, bf16, fp16; sums are float32
	Storage     Storage `json:"storage,omitempty"`      // of activations and their gradients in programs compiled for it
	Atomics     bool    `json:"atomics,omitempty"`      // sums are added up as they come: trainings do not repeat
	Threads     int     `json:"threads"`                // of a processor, 0 elsewhere
	Driver      string  `json:"driver,omitempty"`       // of a GPU, and below
	MemoryBytes int64   `json:"memory_bytes,omitempty"` // all there is
	CacheBytes  int     `json:"cache_bytes,omitempty"`  // of the last level, 0 where unknown
	SMs         int     `json:"sms,omitempty"`
	ClockMHz    int     `json:"clock_mhz,omitempty"` // the most it runs at
}

// Arithmetic names what decides the bits of a result: the kernels, and how they
// multiply where that is not exact.
func (i Info) Arithmetic() string {
	name := i.ISA
	if i.Precision != "fp32" {
		name += " " + i.Precision
	}
	return name + when(i.Storage != Float32, " in "+i.Storage.String()) + when(i.Atomics, " atomics")
}

// ErrUnsupported says that a backend has no kernel for a call. Nothing falls
// back to another device silently.
var ErrUnsupported = errors.New("not supported by this backend")

// Executor is a plan on a device. It is used by one goroutine at a time.
type Executor interface {
	// Write copies src to the start of the buffer; Read copies the buffer's start to dst.
	Write(dst Buffer, src []float32) error
	Read(dst []float32, src Buffer) error
	// Run executes calls from ≤ i < to in order and returns when they are done. Where
	// slices go through them, from and to are where a stage begins or ends.
	Run(from, to int) error
	// Start is Run that may return before the calls are done. What is written next
	// comes after them; Read, Run and Time wait for them and may return their error.
	Start(from, to int) error
	// Time executes the first len(latencyNS) calls in order and stores how long each
	// one took: of a stage of slices, its share of the time that the stage took.
	Time(latencyNS []int64) error
	Close() error
}

// Plan is a program as a backend sees it: one memory of Len float32, the spans
// of it that buffers are, and the calls in order. Spans[0], None's, is empty.
// Spans start on 64-byte boundaries; buffers whose lives do not overlap may
// share memory. Of memory beyond Fixed, a call finds what another one of the same run
// wrote there; before that it is anything.
//
// With stages, a call is that of the whole batch still, and Slice is what is run of it
// at a time. Its activations are the slice's part of a span of the whole batch or, in a
// Lane, the worker's own.
type Plan struct {
	Len       int
	Fixed     int // what lies before it lives as long as the program
	Spans     []Span
	Calls     []Call
	Workspace []Buffer // one per call, None where it wants none
	Input     []Buffer // written anew before each run: a backend may make room for the next while one goes on
	Constant  []Buffer // written by Write alone, never by a call: what a backend makes of them holds until the next Write

	Batch          int     // images
	Stages         []Stage // none where every call takes the whole batch
	Lanes, LaneLen int     // beside Len, so many workers have so much memory each
}

// Words is all memory, in float32.
func (p *Plan) Words() int { return p.Len + p.Lanes*p.LaneLen }

// Span is a buffer's place in the plan's memory, in float32, and its elements.
type Span struct {
	Offset, Len int
	Storage     Storage
	Lane        bool // in each lane's memory, and of one slice
}

// Words is the span's room in float32.
func (s Span) Words() int { return s.Storage.Words(s.Len) }

// Span of buffer b.
func (p *Plan) Span(b Buffer) Span { return p.Spans[b] }
