package engine

import "errors"

// DryRun is a backend that computes nothing: for the calls of a program that is
// not to run, however large.
type DryRun struct{}

// Name is dry run.
func (DryRun) Name() string { return "dry run" }

// Info is empty.
func (DryRun) Info() Info { return Info{} }

// Supports every call.
func (DryRun) Supports(Call) error { return nil }

// Workspace is none.
func (DryRun) Workspace(Call) int { return 0 }

// Slicer is none.
func (DryRun) Slicer() Slicer { return nil }

// Prepare allocates nothing. Whatever the executor is asked for is an error.
func (DryRun) Prepare(*Plan) (Executor, error) { return idle{}, nil }

type idle struct{}

var errDryRun = errors.New("engine: a DryRun computes nothing")

func (idle) Write(Buffer, []float32) error { return errDryRun }
func (idle) Read([]float32, Buffer) error  { return errDryRun }
func (idle) Run(int, int) error            { return errDryRun }
func (idle) Start(int, int) error          { return errDryRun }
func (idle) Time([]int64) error            { return errDryRun }
func (idle) Close() error                  { return nil }
