package engine

import "fmt"

// Spin does nothing for so many cycles of the clock that computes: what instruments
// read that clock from, and are tested with.
//
//	for i < Cycles: one cycle
type Spin struct{ Cycles int64 }

// Operands are none.
func (c Spin) Operands() []Operand { return nil }

func (c Spin) String() string { return fmt.Sprintf("spin/%d", c.Cycles) }
