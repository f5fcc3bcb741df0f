package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	torch  = "2.15.0"
	vision = "0.29.2"
)

//go:embed peer.py
var source string

// environment is the Python of a virtual environment with torch in the user's cache, made once. PyPI's torch
// does not load without NVIDIA's libraries, so they come along.
func environment() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "mdp", "torch", torch)
	python := filepath.Join(dir, "bin", "python")
	made := filepath.Join(dir, "made")
	if _, err := os.Stat(made); err == nil {
		return python, nil
	}
	fmt.Fprintf(os.Stderr, "installing torch %s into %s (5 GB)\n", torch, dir)
	for _, args := range [][]string{
		{"python3", "-m", "venv", "--clear", dir},
		{python, "-m", "pip", "install", "--quiet", "torch==" + torch, "torchvision==" + vision, "setuptools"},
		{python, "-c", "import torch, torchvision"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s (a Python that has torch can be named with -python)", strings.Join(args, " "), err, out)
		}
	}
	return python, os.WriteFile(made, nil, 0o644)
}

// A variant is a way to run PyTorch.
type variant struct {
	Compile      bool `json:"compile"`
	Freeze       bool `json:"freeze"`
	ChannelsLast bool `json:"channelsLast"`
}

func (v variant) String() string {
	name := "eager"
	switch {
	case v.Freeze:
		name = "frozen"
	case v.Compile:
		name = "compiled"
	}
	if v.ChannelsLast {
		return name + ", channels last"
	}
	return name
}

// variants are those that a work has.
func variants(w work) []variant {
	all := []variant{{}, {ChannelsLast: true}}
	if w.Net != "" {
		all = append(all, variant{Compile: true}, variant{Compile: true, ChannelsLast: true})
		if !w.Training {
			all = append(all, variant{Compile: true, Freeze: true}, variant{Compile: true, Freeze: true, ChannelsLast: true})
		}
	}
	return all
}

// peer is a process that runs PyTorch.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// keepMemory makes the C library keep what PyTorch frees, on huge pages: asking the system anew for every
// activation costs it up to half of its speed.
var keepMemory = []string{"MALLOC_MMAP_THRESHOLD_=8589934592", "MALLOC_TRIM_THRESHOLD_=17179869184", "MALLOC_TOP_PAD_=268435456",
	"GLIBC_TUNABLES=glibc.malloc.hugetlb=1"}

func startPeer(python string, threads int, settings []string) (*peer, error) {
	cmd := exec.Command(python, "-c", source, fmt.Sprint(threads))
	cmd.Stderr = os.Stderr
	cmd.Env = append(append(os.Environ(), fmt.Sprintf("OMP_NUM_THREADS=%d", threads)), settings...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &peer{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

func (p *peer) close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

type answer struct{ NS, KiB int64 }

func (p *peer) ask(request any) (answer, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		return answer{}, err
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return answer{}, fmt.Errorf("PyTorch's process ended, see above: %w", err)
	}
	var a answer
	return a, json.Unmarshal(line, &a)
}

func (p *peer) prepare(w work, v variant) error {
	_, err := p.ask(struct {
		Prepare work `json:"prepare"`
		variant
	}{w, v})
	return err
}

func (p *peer) sample(times int) (int64, error) {
	a, err := p.ask(map[string]int{"sample": times})
	return a.NS, err
}

func (p *peer) peakKiB() (int64, error) {
	a, err := p.ask(map[string]bool{"peak": true})
	return a.KiB, err
}
