package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"mdp/bench"
)

// result is a row as it was measured.
type result struct {
	At     time.Time `json:"at"`
	Others float64   `json:"others"` // share of the processor that other processes took meanwhile
	Works  []sampled `json:"works"`
}

// sampled are the samples of one work, each the ns of one run, or the KiB of one process.
type sampled struct {
	Work    work             `json:"work"`
	Variant variant          `json:"variant"` // PyTorch's fastest, or smallest
	Tried   map[string]int64 `json:"tried"`   // all of them
	Ours    []int64          `json:"ours"`
	Peer    []int64          `json:"peer"`
	others  float64
}

const (
	sampleNS = 80e6                  // a sample takes about so long, or one run
	pause    = 30 * time.Millisecond // threads of the side that just ran spin for a while before they sleep
	tries    = 3                     // samples of a variant that is tried
	steps    = 3                     // before a peak is read
)

func (r row) measure(o options) (result, error) {
	res := result{At: time.Now().UTC().Truncate(time.Second)}
	if r.unit == peak {
		s, err := r.measurePeak(o)
		res.Works = []sampled{s}
		return res, err
	}
	if r.scaling {
		return r.measureScaling(o)
	}
	p, err := startPeer(o.python, r.works[0].Threads, keepMemory)
	if err != nil {
		return res, err
	}
	for _, w := range r.works {
		s, err := measure(o, p, w)
		if err != nil {
			p.close()
			return res, fmt.Errorf("%s %v: %w", w.Direction, w.conv(), err)
		}
		res.Works = append(res.Works, s)
		res.Others += s.others / float64(len(r.works))
	}
	return res, p.close()
}

// measure tries PyTorch's variants, then takes samples of both sides in turn.
func measure(o options, p *peer, w work) (sampled, error) {
	s := sampled{Work: w, Tried: map[string]int64{}}
	prepared, peerTimes, fastest := variant{}, 0, int64(math.MaxInt64)
	for _, v := range variants(w) {
		if err := p.prepare(w, v); err != nil {
			return s, err
		}
		prepared = v
		times, err := calibrate(p.sample)
		if err != nil {
			return s, err
		}
		var ns []int64
		for range tries {
			total, err := p.sample(times)
			if err != nil {
				return s, err
			}
			ns = append(ns, total/int64(times))
		}
		median := bench.Summarise(ns).MedianNS
		s.Tried[v.String()] = median
		if median < fastest {
			s.Variant, peerTimes, fastest = v, times, median
		}
	}
	if w.Net != "" {
		fmt.Fprintf(os.Stderr, "  PyTorch: %v\n", s.Tried)
	}
	if o.try {
		return s, nil
	}
	if prepared != s.Variant {
		if err := p.prepare(w, s.Variant); err != nil {
			return s, err
		}
	}
	own, err := prepare(w)
	if err != nil {
		return s, err
	}
	defer own.close()
	times, err := calibrate(own.sample)
	if err != nil {
		return s, err
	}
	taken := share{processes: []int{os.Getpid(), p.cmd.Process.Pid}}
	if s.Ours, s.Peer, err = taken.inTurn(o.rounds, own.sample, times, p.sample, peerTimes); err != nil {
		return s, err
	}
	s.others = taken.others / taken.all
	return s, nil
}

// inTurn takes samples of two sides, as many of each, in ns of one run.
func (s *share) inTurn(rounds int, a func(int) (int64, error), timesA int, b func(int) (int64, error), timesB int) (nsA, nsB []int64, err error) {
	for range rounds {
		one, err := s.meanwhile(a, timesA)
		if err != nil {
			return nil, nil, err
		}
		other, err := s.meanwhile(b, timesB)
		if err != nil {
			return nil, nil, err
		}
		nsA, nsB = append(nsA, one/int64(timesA)), append(nsB, other/int64(timesB))
	}
	return nsA, nsB, nil
}

// measureScaling compares all threads with one; the other side is ours, too.
func (r row) measureScaling(o options) (result, error) {
	res := result{At: time.Now().UTC().Truncate(time.Second)}
	taken := share{processes: []int{os.Getpid()}}
	for _, w := range r.works {
		single := w
		single.Threads = 1
		all, err := prepare(w)
		if err != nil {
			return res, err
		}
		one, err := prepare(single)
		if err != nil {
			return res, err
		}
		times, err := calibrate(one.sample)
		if err != nil {
			return res, err
		}
		s := sampled{Work: w}
		if s.Ours, s.Peer, err = taken.inTurn(o.rounds, all.sample, times, one.sample, times); err != nil {
			return res, err
		}
		if err := errors.Join(all.close(), one.close()); err != nil {
			return res, err
		}
		res.Works = append(res.Works, s)
	}
	return res, nil // others are not counted: one thread leaves them the other cores
}

// calibrate is how many runs make a sample. It runs once to warm up.
func calibrate(sample func(int) (int64, error)) (int, error) {
	if _, err := sample(1); err != nil {
		return 0, err
	}
	ns, err := sample(1)
	return max(1, int(sampleNS/max(ns, 1))), err
}

// measurePeak takes each sample from a process of its own.
func (r row) measurePeak(o options) (sampled, error) {
	w := r.works[0]
	s := sampled{Work: w, Tried: map[string]int64{}}
	of := func(v variant) (int64, error) {
		p, err := startPeer(o.python, w.Threads, nil)
		if err != nil {
			return 0, err
		}
		defer p.close()
		if err := p.prepare(w, v); err != nil {
			return 0, err
		}
		if _, err := p.sample(steps); err != nil {
			return 0, err
		}
		return p.peakKiB()
	}
	smallest := int64(math.MaxInt64)
	for _, v := range variants(w) {
		kiB, err := of(v)
		if err != nil {
			return s, err
		}
		s.Tried[v.String()] = kiB
		if kiB < smallest {
			s.Variant, smallest = v, kiB
		}
	}
	fmt.Fprintf(os.Stderr, "  PyTorch: %v\n", s.Tried)
	if o.try {
		return s, nil
	}
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	for range min(o.rounds, 3) {
		cmd := exec.Command(self, "-peak", r.name)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return s, err
		}
		ours, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		if err != nil {
			return s, err
		}
		theirs, err := of(s.Variant)
		if err != nil {
			return s, err
		}
		s.Ours, s.Peer = append(s.Ours, ours), append(s.Peer, theirs)
	}
	return s, nil
}
