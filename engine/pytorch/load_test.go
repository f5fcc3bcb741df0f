package pytorch

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"mdp/engine/dtype"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/safetensors"
)

// published are the state dicts of torchvision's and timm's models, without numbers.
func published(t *testing.T) map[string]*Checkpoint {
	f, err := os.Open("testdata/names.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var models map[string][][2]any
	require.NoError(t, json.NewDecoder(z).Decode(&models))
	all := map[string]*Checkpoint{}
	for name, tensors := range models {
		c := &Checkpoint{}
		for _, x := range tensors {
			shape := []int{}
			for _, d := range x[1].([]any) {
				shape = append(shape, int(d.(float64)))
			}
			kind := dtype.F32
			if strings.HasSuffix(x[0].(string), "num_batches_tracked") {
				kind = dtype.I64
			}
			c.Tensors = append(c.Tensors, Tensor{Name: x[0].(string), Shape: shape, Type: kind})
		}
		all[name] = c
	}
	return all
}

// Every published model is found by its tensors, whatever its library calls them.
func TestFind(t *testing.T) {
	all := published(t)
	for model, want := range map[string]string{
		"torchvision vgg11_bn": "vgg11_bn", "timm vgg11_bn": "vgg11_bn",
		"torchvision resnet18": "resnet18", "timm resnet18": "resnet18", "torchvision resnet50": "resnet50", "timm resnet50": "resnet50",
		"torchvision mobilenet_v2": "mobilenet_v2", "timm mobilenetv2_100": "mobilenet_v2",
		"torchvision mobilenet_v3_small": "mobilenet_v3_small", "timm mobilenetv3_small_100": "mobilenet_v3_small",
		"torchvision mobilenet_v3_large": "mobilenet_v3_large", "timm mobilenetv3_large_100": "mobilenet_v3_large",
		"torchvision efficientnet_b0": "efficientnet_b0", "timm efficientnet_b0": "efficientnet_b0",
		"torchvision densenet121": "densenet121", "timm densenet121": "densenet121",
		"torchvision regnet_y_400mf": "regnet_y_400mf", "timm regnety_004": "regnet_y_400mf",
		"timm mobilenetv1_100": "", // ReLU6 where ours has ReLU
		"timm resnet50d":       "",
	} {
		require.Contains(t, all, model)
		g, err := all[model].Find(0, 0, 1)
		delete(all, model)
		if want == "" {
			assert.ErrorContains(t, err, "fit none", model)
			continue
		}
		if assert.NoError(t, err, model) {
			assert.Equal(t, want, g.Name())
		}
	}
	assert.Empty(t, all)
}

// timm's names, block by block, where a mistake would go unseen by shapes alone.
func TestDialects(t *testing.T) {
	for net, names := range map[string]map[string]string{
		"mobilenet_v2":       {"features.1.conv.0.0": "blocks.0.0.conv_dw", "features.1.conv.2": "blocks.0.0.bn2", "features.6.conv.2": "blocks.2.2.conv_pwl", "features.17.conv.3": "blocks.6.0.bn3", "features.18.0": "conv_head"},
		"mobilenet_v3_large": {"features.15.block.2.fc1": "blocks.5.2.se.conv_reduce", "features.16.1": "blocks.6.0.bn1", "classifier.0": "conv_head", "classifier.3": "classifier"},
		"efficientnet_b0":    {"features.3.1.block.3.1": "blocks.2.1.bn3", "features.1.0.block.2.0": "blocks.0.0.conv_pw"},
		"regnet_y_400mf":     {"trunk_output.block3.block3-5.f.se.fc2": "s3.b6.se.fc2"},
	} {
		g, err := nets.Build(net, nets.Options{})
		require.NoError(t, err)
		d := dialects(g)
		for ours, theirs := range names {
			assert.Equal(t, theirs, d[len(d)-1].name(ours), net)
		}
	}
	g, err := nets.Build("mobilenet_v3_small", nets.Options{})
	require.NoError(t, err)
	g, err = dialects(g)[1].apply(g)
	require.NoError(t, err)
	assert.Equal(t, 1e-5, g.Node(2).BatchNorm.Eps)
	g, err = nets.Build("densenet121", nets.Options{})
	require.NoError(t, err)
	assert.Equal(t, "features.denseblock1.denselayer2.norm.1", dialects(g)[1].name("features.denseblock1.denselayer2.norm1"))
	assert.Equal(t, "features.norm5", dialects(g)[1].name("features.norm5"))
}

// A file in PyTorch's order and one in ours give the same weights; classes and
// channels come from the file.
func TestLoad(t *testing.T) {
	g, err := nets.Build("vgg11_bn", nets.Options{Input: graph.Shape{H: 64, W: 64, C: 1}, Classes: 5, Width: 0.0625})
	require.NoError(t, err)
	want := graph.InitWeights(g, 3)
	theirs := map[string]*tensor.Dense{"features.1.num_batches_tracked": tensor.New(tensor.FromScalar(int64(9)))}
	for _, p := range g.Params() {
		x := graph.NewTensor(g.ChannelsFirstShape(p)...)
		g.ToChannelsFirst(x.Data().([]float32), want.Data(p.Name), p)
		theirs["module."+p.Name] = x
	}
	theirs["module.features.1.num_batches_tracked"] = theirs["features.1.num_batches_tracked"]
	delete(theirs, "features.1.num_batches_tracked")
	dir := t.TempDir()
	for name, metadata := range map[string]map[string]string{"theirs": {"format": "pt"}, "ours": {"layout": "KRSC"}} {
		tensors := theirs
		if name == "ours" {
			tensors = want
		}
		path := filepath.Join(dir, name)
		require.NoError(t, safetensors.Write(path, tensors, metadata))
		c := open(t, path)
		built, err := c.Build("vgg11_bn", 0, 64, 0.0625)
		require.NoError(t, err)
		assert.Equal(t, g, built)
		_, got, err := c.Load(built)
		require.NoError(t, err)
		require.NoError(t, got.Check(g))
		for p := range want {
			assert.Equal(t, want.Data(p), got.Data(p), p)
		}
	}
}

// All that does not fit is listed.
func TestMismatch(t *testing.T) {
	c := published(t)["torchvision resnet18"]
	at := func(name string) int {
		return slices.IndexFunc(c.Tensors, func(x Tensor) bool { return x.Name == name })
	}
	c.Tensors[at("bn1.bias")].Shape = []int{63}
	c.Tensors[at("layer1.0.bn1.weight")].Type = dtype.I64
	c.Tensors[at("layer4.0.downsample.0.weight")].Name = "layer4.0.shortcut.weight"
	c.Tensors = append(c.Tensors, Tensor{Name: "\x1b[2J"})
	g, err := c.Build("resnet18", 0, 0, 1)
	require.NoError(t, err)
	_, _, err = c.Load(g)
	var m *MismatchError
	require.True(t, errors.As(err, &m), err)
	assert.Equal(t, []string{
		"missing in the file: layer4.0.downsample.0.weight [512 256 1 1]",
		"not in the network: layer4.0.shortcut.weight [512 256 1 1]",
		`not in the network: "\x1b[2J" []`,
		"differs: bn1.bias is [63], the network's is [64]",
		"differs: layer1.0.bn1.weight is I64, no tensor of floating point",
	}, m.Lines())
	assert.Equal(t, 99, m.Fit)
	assert.ErrorContains(t, err, "1 are missing, 2 have no place, 2 differ")

	g, err = c.Build("resnet34", 0, 0, 1)
	require.NoError(t, err)
	_, _, err = c.Load(g)
	assert.ErrorContains(t, err, "; and 81 more")
}

// Of the tensors, one at a time is held beside the network's own.
func TestWriteMemory(t *testing.T) {
	g, err := nets.Build("resnet18", nets.Options{Width: 0.5})
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, WriteStateDict(filepath.Join(t.TempDir(), "w.safetensors"), g, w, nil))
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, 3*4*uint64(g.LargestParam())+1<<20)
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		have, want []int
		fits       bool
	}{
		{[]int{10, 8}, []int{10, 8}, true},
		{[]int{10, 8, 1, 1}, []int{10, 8}, true},
		{[]int{10, 8}, []int{10, 2, 2, 2}, true},
		{[]int{10, 8}, []int{8, 10}, false},
		{[]int{10, 2, 4, 1}, []int{10, 2, 2, 2}, false},
		{[]int{10, 48912491, 522896, 721248}, []int{10, 512}, false}, // 2⁶⁴ + 512
	} {
		assert.Equal(t, c.fits, fits(c.have, c.want), "%v as %v", c.have, c.want)
	}
}
