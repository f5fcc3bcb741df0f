package nets

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
)

// Parameters and GMACs (to three decimals) as torchvision publishes them with
// its weights; MobileNet-V1 from its paper, the CIFAR nets with projections.
func TestPublishedCounts(t *testing.T) {
	for _, c := range []struct {
		name   string
		params int64
		gmac   float64
	}{
		{"resnet18", 11_689_512, 1.814},
		{"resnet34", 21_797_672, 3.664},
		{"resnet50", 25_557_032, 4.089},
		{"resnet101", 44_549_160, 7.801},
		{"resnet152", 60_192_808, 11.514},
		{"resnet20-cifar", 272_474, 0.041},
		{"resnet32-cifar", 466_906, 0.069},
		{"resnet56-cifar", 855_770, 0.126},
		{"vgg11_bn", 132_868_840, 7.609},
		{"vgg13_bn", 133_053_736, 11.308},
		{"vgg16_bn", 138_365_992, 15.470},
		{"vgg19_bn", 143_678_248, 19.632},
		{"mobilenet_v1", 4_231_976, 0.569},
		{"mobilenet_v2", 3_504_872, 0.301},
		{"mobilenet_v3_small", 2_542_856, 0.057},
		{"mobilenet_v3_large", 5_483_032, 0.217},
		{"efficientnet_b0", 5_288_548, 0.386},
		{"regnet_y_400mf", 4_344_144, 0.402},
		{"densenet121", 7_978_856, 2.834},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := Build(c.name, Options{})
			require.NoError(t, err)
			assert.Equal(t, c.params, g.ParamCount())
			assert.Equal(t, c.gmac, math.Round(float64(g.MACs())/1e6)/1e3)
		})
	}
}

// The number of tensors in torchvision's state dicts, num_batches_tracked aside,
// and the names that are easiest to get wrong.
func TestStateDictNames(t *testing.T) {
	for _, c := range []struct {
		name    string
		tensors int
		shapes  map[string][]int
	}{
		{"resnet18", 102, map[string][]int{
			"conv1.weight":                 {64, 7, 7, 3},
			"bn1.running_var":              {64},
			"layer1.0.conv1.weight":        {64, 3, 3, 64},
			"layer2.0.downsample.0.weight": {128, 1, 1, 64},
			"layer4.1.bn2.bias":            {512},
			"fc.weight":                    {1000, 512},
		}},
		{"resnet50", 267, map[string][]int{
			"layer1.0.downsample.0.weight": {256, 1, 1, 64},
			"layer1.0.downsample.1.weight": {256},
			"layer3.5.conv2.weight":        {256, 3, 3, 256},
			"layer4.2.bn3.running_mean":    {2048},
			"fc.bias":                      {1000},
		}},
		{"vgg16_bn", 84, map[string][]int{
			"features.0.weight":   {64, 3, 3, 3},
			"features.0.bias":     {64},
			"features.41.weight":  {512},
			"features.40.weight":  {512, 3, 3, 512},
			"classifier.0.weight": {4096, 25088},
			"classifier.6.bias":   {1000},
		}},
		{"mobilenet_v2", 262, map[string][]int{
			"features.0.0.weight":         {32, 3, 3, 3},
			"features.1.conv.0.0.weight":  {32, 3, 3, 1},
			"features.1.conv.1.weight":    {16, 1, 1, 32},
			"features.1.conv.2.bias":      {16},
			"features.2.conv.1.0.weight":  {96, 3, 3, 1},
			"features.17.conv.2.weight":   {320, 1, 1, 960},
			"features.17.conv.3.weight":   {320},
			"features.18.1.running_var":   {1280},
			"classifier.1.weight":         {1000, 1280},
			"features.14.conv.1.1.weight": {576},
		}},
		{"mobilenet_v3_large", 266, map[string][]int{
			"features.0.0.weight":           {16, 3, 3, 3},
			"features.1.block.0.0.weight":   {16, 3, 3, 1},
			"features.1.block.1.1.bias":     {16},
			"features.4.block.2.fc1.weight": {24, 1, 1, 72},
			"features.4.block.3.0.weight":   {40, 1, 1, 72},
			"features.15.block.2.fc2.bias":  {960},
			"features.16.0.weight":          {960, 1, 1, 160},
			"classifier.0.weight":           {1280, 960},
			"classifier.3.bias":             {1000},
		}},
		{"efficientnet_b0", 311, map[string][]int{
			"features.1.0.block.1.fc1.weight": {8, 1, 1, 32},
			"features.1.0.block.2.0.weight":   {16, 1, 1, 32},
			"features.2.0.block.2.fc1.weight": {4, 1, 1, 96},
			"features.6.3.block.1.0.weight":   {1152, 5, 5, 1},
			"features.8.0.weight":             {1280, 1, 1, 320},
		}},
		{"regnet_y_400mf", 331, map[string][]int{
			"stem.0.weight": {32, 3, 3, 3},
			"trunk_output.block1.block1-0.proj.0.weight":   {48, 1, 1, 32},
			"trunk_output.block1.block1-0.f.b.0.weight":    {48, 3, 3, 8},
			"trunk_output.block2.block2-0.f.se.fc1.weight": {12, 1, 1, 104},
			"trunk_output.block4.block4-5.f.c.1.bias":      {440},
			"fc.weight": {1000, 440},
		}},
		{"densenet121", 606, map[string][]int{
			"features.denseblock1.denselayer2.norm1.weight":  {96},
			"features.denseblock4.denselayer16.conv2.weight": {32, 3, 3, 128},
			"features.transition3.conv.weight":               {512, 1, 1, 1024},
			"features.norm5.running_var":                     {1024},
			"classifier.weight":                              {1000, 1024},
		}},
		{"mobilenet_v1", 137, map[string][]int{
			"features.1.0.weight":  {32, 3, 3, 1},
			"features.13.3.weight": {1024, 1, 1, 1024},
			"classifier.1.weight":  {1000, 1024},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := Build(c.name, Options{})
			require.NoError(t, err)
			have := map[string][]int{}
			for _, p := range g.Params() {
				have[p.Name] = p.Shape
			}
			assert.Len(t, have, c.tensors)
			for name, shape := range c.shapes {
				assert.Equal(t, shape, have[name], name)
			}
		})
	}
}

// Every network at odd sizes, channels, classes and widths.
func TestOptions(t *testing.T) {
	for _, info := range List() {
		for _, o := range []Options{
			{Classes: 7, Input: graph.Shape{H: 32, W: 40, C: 1}, Width: 0.0625},
			{Classes: 1, Input: graph.Shape{H: 47, W: 33, C: 5}, Width: 0.3},
			{Input: graph.Shape{H: 448, W: 224, C: 3}, Width: 0.1},
		} {
			g, err := Build(info.Name, o)
			require.NoError(t, err, "%s %+v", info.Name, o)
			classes := o.Classes
			if classes == 0 {
				classes = info.Classes
			}
			assert.Equal(t, graph.Shape{H: 1, W: 1, C: classes}, g.Shape(g.Len()-1), "%s %+v", info.Name, o)
			assert.Equal(t, o.Input, g.Shape(0))
			assert.Equal(t, info.Name, g.Name())
		}
	}
}

func TestCIFARResNetShapes(t *testing.T) {
	g, err := Build("resnet14-cifar", Options{Input: graph.Shape{H: 28, W: 28, C: 1}, Width: 2})
	require.NoError(t, err)
	for name, want := range map[string]graph.Shape{
		"relu":                  {H: 28, W: 28, C: 32},
		"layer1.1.relu":         {H: 28, W: 28, C: 32},
		"layer2.0.downsample.1": {H: 14, W: 14, C: 64},
		"layer3.1.add":          {H: 7, W: 7, C: 128},
		"fc":                    {H: 1, W: 1, C: 10},
	} {
		i, ok := g.Index(name)
		require.True(t, ok, name)
		assert.Equal(t, want, g.Shape(i), name)
	}
	_, ok := g.Index("layer1.0.downsample.0")
	assert.False(t, ok, "the first stage needs no projection")
}

func TestVGGClassifierInputs(t *testing.T) {
	for _, c := range []struct{ h, w, features int }{
		{32, 32, 512}, {64, 64, 512}, {224, 224, 25088}, {448, 448, 25088}, {224, 448, 25088}, {255, 224, 25088},
	} {
		g, err := Build("vgg11_bn", Options{Input: graph.Shape{H: c.h, W: c.w, C: 3}})
		require.NoError(t, err)
		i, ok := g.Index("classifier.0")
		require.True(t, ok)
		assert.Equal(t, c.features, g.NodeParams(i)[0].Shape[1], "%d×%d", c.h, c.w)
	}
}

// torchvision's widths for mobilenet_v2(width_mult=0.75), and the edges of the
// rounding.
func TestMultipleOf8(t *testing.T) {
	for v, want := range map[float64]int{1: 8, 11.9: 16, 12: 16, 18: 24, 24: 24, 25.5: 24, 48: 48, 72: 72, 120: 120, 240: 240, 88.8: 88} {
		assert.Equal(t, want, multipleOf8(v), "%g", v)
	}
}

func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"resnet51", Options{}, "resnet50"},
		{"resnet50", Options{Width: -1}, "width"},
		{"resnet50", Options{Width: math.NaN()}, "width"},
		{"resnet50", Options{Width: 1e300}, "width"},
		{"resnet50", Options{Classes: -3}, "classes"},
		{"resnet50", Options{Input: graph.Shape{H: 224}}, "input shape"},
		{"vgg16_bn", Options{Input: graph.Shape{H: 31, W: 31, C: 3}}, "features.43"},
	} {
		_, err := Build(c.name, c.o)
		assert.ErrorContains(t, err, c.want)
	}
}
