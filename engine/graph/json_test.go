package graph

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJSONRoundTrip(t *testing.T) {
	g := everyOp(t)
	l, err := g.WithLoss(0.1)
	require.NoError(t, err)
	for _, want := range []*Graph{g, l} {
		var b bytes.Buffer
		require.NoError(t, want.Write(&b))
		have, err := Read(&b)
		require.NoError(t, err)
		assert.Equal(t, want, have)
	}
}

func TestJSONMistakes(t *testing.T) {
	const input = `{"name":"in","op":"input","input":{"h":1,"w":1,"c":1}}`
	for text, want := range map[string]string{
		``:     "unexpected end",
		`null`: "version 0",
		`[]`:   "cannot unmarshal",
		`{"version":1,"name":"x","nodes":[` + input + `]} {}`:                                                "invalid character",
		`{"version":2,"name":"x","nodes":[` + input + `]}`:                                                   "version 2, this program reads 1",
		`{"version":1,"name":"x","nodes":[]}`:                                                                "no nodes",
		`{"version":1,"name":"x","nodes":[` + input + `],"extra":1}`:                                         `"extra"`,
		`{"version":1,"name":"x","nodes":[{"name":"in","op":"input","input":{"h":1,"w":1,"c":1,"d":1}}]}`:    `"d"`,
		`{"version":1,"name":"x","nodes":[` + input + `,{"name":"r","op":"relu","inputs":["out"]}]}`:         `"out" is not an earlier node`,
		`{"version":1,"name":"x","nodes":[{"name":"in","op":"input","input":{"h":1e9,"w":1,"c":1}}]}`:        "cannot unmarshal",
		`{"version":1,"name":"x","nodes":[{"name":"in","op":"input","input":{"h":1000000,"w":1,"c":1}}]}`:    "1000000×1×1",
		`{"version":1,"name":"x","nodes":[` + input + `,{"name":"c","op":"conv2d","inputs":["in"]}]}`:        `"conv2d" is missing`,
		`{"version":1,"name":"x","nodes":[` + input + `,{"name":"a","op":"add","inputs":["in","in","in"]}]}`: "has 3 inputs",
	} {
		_, err := Read(strings.NewReader(text))
		assert.ErrorContains(t, err, want, text)
	}
}

// A file that does not parse leaves the graph as it was.
func TestUnmarshalKeepsOld(t *testing.T) {
	g, want := everyOp(t), everyOp(t)
	require.Error(t, json.Unmarshal([]byte(`{"version":1,"name":"x","nodes":[]}`), g))
	assert.Equal(t, want, g)
}

// Whatever is read is a graph or an error; a graph survives being written, and
// its sizes do not overflow.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	require.NoError(f, everyOp(f).Write(&b))
	f.Add(b.Bytes())
	f.Add([]byte(`{"version":1,"name":"x","nodes":[{"name":"in","op":"input","input":{"h":32768,"w":32768,"c":32768}},` +
		`{"name":"c","op":"conv2d","inputs":["in"],"conv2d":{"out":32768,"kernel":[1,1],"stride":[1,1],"pad":[0,0,0,0],"dilation":[1,1],"groups":32768}}]}`))
	f.Add([]byte(`{"version":1,"nodes":[{"name":"in","op":"input","input":{"h":1,"w":1,"c":2}},{"name":"f","op":"flatten","inputs":["in"]},` +
		`{"name":"l","op":"linear","inputs":["f"],"linear":{"out":3}},{"name":"x","op":"softmax_loss","inputs":["l"],"softmax_loss":{"label_smoothing":0.1}}]}`))
	f.Add([]byte(`{"version":1,"nodes":[{"name":"in","op":"input","input":{"h":1,"w":1,"c":32768}},{"name":"a","op":"concat","inputs":["in","in","in"]},` +
		`{"name":"b","op":"hard_sigmoid","inputs":["a"],"hard_sigmoid":{"alpha":0.2,"beta":0.5}},{"name":"c","op":"mul","inputs":["a","b"]}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		for i := range g.Len() {
			s := g.Shape(i)
			assert.True(t, s.H > 0 && s.W > 0 && s.C > 0 && s.Size() > 0, "%v", s)
		}
		for _, p := range g.Params() {
			assert.Positive(t, p.Size(), p.Name)
		}
		if g.Len() < 4 {
			assert.GreaterOrEqual(t, g.MACs(), int64(0))
		}
		var out bytes.Buffer
		require.NoError(t, g.Write(&out))
		again, err := Read(&out)
		require.NoError(t, err)
		assert.Equal(t, g, again)
	})
}
