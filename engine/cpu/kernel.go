package cpu

// An op is one call of a plan, compiled: its operands are slices of the plan's
// memory, and running it allocates nothing.
type op interface{ run(t *team) }
