package inspect

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

//go:embed page.tmpl
var pageText string

// WriteHTML writes the network as one page that asks for nothing else: the
// drawing, the groups in its colours, and the table.
func (n *Network) WriteHTML(w io.Writer) error {
	var svg, page bytes.Buffer
	if err := n.WriteSVG(&svg); err != nil {
		return err
	}
	type groupRow struct {
		ID, Channels, Unit int
		Colour             string
		Members            string
		Why                string
	}
	var groups []groupRow
	for i, c := range n.colours() {
		if g := n.Groups[i]; coupled(g) {
			groups = append(groups, groupRow{g.ID, g.Channels, max(1, g.Unit), c, strings.Join(members(g), ", "), g.FixedWhy})
		}
	}
	t, err := template.New("page").Funcs(template.FuncMap{"number": number, "mega": mega, "groups": n.groups}).Parse(pageText)
	if err != nil {
		return err
	}
	err = t.Execute(&page, map[string]any{
		"Network": n, "Why": slices.ContainsFunc(groups, func(g groupRow) bool { return g.Why != "" }), "Summary": strings.Join(n.Summary(), "; "), "Drawing": template.HTML(svg.String()), "Groups": groups,
	})
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	_, err = w.Write(page.Bytes())
	return err
}
