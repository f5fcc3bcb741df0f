package cpu

func rowsFor(isa isa) *rows { return &goRows }
