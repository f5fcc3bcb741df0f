package engine

// Alone is a plan of calls by themselves, to test or to time them. What they name lies one
// after the other in memory, as long as the most that any of them reads or writes of it;
// each has a workspace of its own.
func Alone(b Backend, calls ...Call) *Plan {
	p := &Plan{Spans: make([]Span, 1), Calls: calls}
	for _, c := range calls {
		for _, o := range c.Operands() {
			p.Spans = append(p.Spans, make([]Span, max(0, int(o.Buffer)+1-len(p.Spans)))...)
			s := &p.Spans[o.Buffer]
			s.Len = max(s.Len, o.Len)
			if o.Activation {
				s.Storage = b.Info().Storage
			}
		}
	}
	for _, c := range calls {
		p.Workspace = append(p.Workspace, Buffer(len(p.Spans)))
		p.Spans = append(p.Spans, Span{Len: b.Workspace(c)})
	}
	for i := range p.Spans {
		p.Spans[i].Offset = p.Len
		p.Len += roundUp(p.Spans[i].Words())
	}
	return p
}
