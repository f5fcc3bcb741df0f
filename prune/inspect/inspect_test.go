package inspect

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

func describe(t *testing.T, net string) (*graph.Graph, *Network) {
	g, err := nets.Build(net, nets.Options{Input: graph.Shape{H: 64, W: 64, C: 3}})
	require.NoError(t, err)
	n, err := Describe(g)
	require.NoError(t, err)
	return g, n
}

// Every node of every network is in one row, rows read rows before them, and what
// they cost is what the network costs.
func TestDescribe(t *testing.T) {
	for _, info := range nets.List() {
		g, n := describe(t, info.Name)
		nodes, parameters, macs := map[string]bool{}, int64(0), int64(0)
		for i, r := range n.Rows {
			parameters, macs = parameters+r.Parameters, macs+r.MACs
			assert.Equal(t, r.Name, r.Nodes[0])
			for _, name := range r.Nodes {
				assert.False(t, nodes[name], name)
				nodes[name] = true
			}
			for _, from := range r.Reads {
				assert.Less(t, from, i)
			}
			last, ok := g.Index(r.Nodes[len(r.Nodes)-1])
			require.True(t, ok)
			assert.Equal(t, g.Shape(last), r.Shape)
		}
		assert.Len(t, nodes, g.Len(), info.Name)
		assert.Equal(t, g.ParamCount(), parameters, info.Name)
		assert.Equal(t, g.MACs(), macs, info.Name)
	}
}

func TestText(t *testing.T) {
	_, n := describe(t, "resnet18")
	var b bytes.Buffer
	require.NoError(t, n.WriteText(&b))
	for _, want := range []string{
		"resnet18: 64×64×3 in, 1×1×1000 out, 11.69 M parameters, 148.56 MMAC\n",
		"14 groups of channels, of which 12 can shrink and 4 of those tie several layers\n8 blocks, of which 8 can go\n",
		"\nlayer2.0.conv1         conv 3×3/2 bn relu  8×8×128   73984    4.72  4      layer2.0\n",
		"\nfc                     linear              1×1×1000  513000   0.51  13!    \n",
	} {
		assert.Contains(t, b.String(), want)
	}
	_, n = describe(t, "regnet_y_400mf")
	b.Reset()
	require.NoError(t, n.WriteText(&b))
	assert.Contains(t, b.String(), "conv 3×3/2 in 13 groups bn relu")
	_, n = describe(t, "densenet121")
	b.Reset()
	require.NoError(t, n.WriteText(&b))
	assert.Contains(t, b.String(), "concat bn relu")
}

// The drawing is XML, the same every time, and has a box for each row; edges in one
// lane do not meet.
func TestDrawing(t *testing.T) {
	for _, info := range nets.List() {
		_, n := describe(t, info.Name)
		var b, again, page bytes.Buffer
		require.NoError(t, n.WriteSVG(&b))
		require.NoError(t, n.WriteSVG(&again))
		assert.Equal(t, b.String(), again.String())
		d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, info.Name)
		}
		boxes := 0
		for _, r := range n.Rows {
			boxes += len(r.Groups)
		}
		assert.Equal(t, boxes, strings.Count(b.String(), "<title>group "))
		edges, _ := n.lanes()
		for i, e := range edges {
			for _, o := range edges[:i] {
				assert.False(t, e.lane == o.lane && e.from < o.to && o.from < e.to, "%s: %v meets %v", info.Name, e, o)
			}
		}
		require.NoError(t, n.WriteHTML(&page))
		assert.Contains(t, page.String(), "<svg")
		assert.NotContains(t, strings.Replace(page.String(), "http://www.w3.org/2000/svg", "", 1), "http", "nothing is fetched")
	}
}
