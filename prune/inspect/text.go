package inspect

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"mdp/prune"
)

// WriteText writes the network as a table, a row a layer.
func (n *Network) WriteText(w io.Writer) error {
	for _, line := range n.Summary() {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "layer\tdoes\toutput\tparams\tMMAC\tgroup\tblock")
	for _, r := range n.Rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Does, r.Shape, number(r.Parameters), mega(r.MACs), n.groups(r), r.Block)
	}
	return t.Flush()
}

// Summary are lines about the whole.
func (n *Network) Summary() []string {
	shrink, tied, removable := 0, 0, 0
	for _, g := range n.Groups {
		if !g.Fixed {
			shrink++
			if coupled(g) {
				tied++
			}
		}
	}
	for _, b := range n.Blocks {
		if !b.Fixed {
			removable++
		}
	}
	return []string{
		fmt.Sprintf("%s: %v in, %v out, %s parameters, %s MMAC", n.Name, n.Input, n.Output, millions(n.Parameters), mega(n.MACs)),
		fmt.Sprintf("%d groups of channels, of which %d can shrink and %d of those tie several layers", len(n.Groups), shrink, tied),
		fmt.Sprintf("%d blocks, of which %d can go", len(n.Blocks), removable),
	}
}

// groups names a row's groups: 7 for one, 7! where all channels stay.
func (n *Network) groups(r Row) string {
	var names []string
	for _, id := range r.Groups {
		name := fmt.Sprint(id)
		if n.Groups[id].Fixed {
			name += "!"
		}
		names = append(names, name)
	}
	if len(names) > 4 {
		return fmt.Sprintf("%s+…+%s", names[0], names[len(names)-1])
	}
	return strings.Join(names, "+")
}

func number(v int64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprint(v)
}

// millions is a count in millions, or all of it where that is less than one.
func millions(v int64) string {
	if v < 1e6 {
		return fmt.Sprint(v)
	}
	return mega(v) + " M"
}

func mega(v int64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", float64(v)/1e6)
}

// members are the layers of a group that a list names.
func members(g prune.Group) []string {
	return append(append([]string{}, g.Producers...), g.Depthwise...)
}
