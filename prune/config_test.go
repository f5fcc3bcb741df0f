package prune

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

func TestConfigCheck(t *testing.T) {
	require.NoError(t, Defaults().Check())
	resized := Defaults()
	resized.Crop, resized.ResizedCrop = 0, 0.35
	require.NoError(t, resized.Check())
	for want, change := range map[string]func(*Config){
		"width 0":                 func(c *Config) { c.Width = 0 },
		"width NaN":               func(c *Config) { c.Width = math.NaN() },
		"width +Inf":              func(c *Config) { c.Width = math.Inf(1) },
		"epochs 0":                func(c *Config) { c.Epochs = 0 },
		"fine-tuning: epochs 0":   func(c *Config) { c.FineTuneEpochs = 0 },
		"interval -1s":            func(c *Config) { c.Checkpoint = -time.Second },
		"latency batch 0":         func(c *Config) { c.LatencyBatch = 0 },
		"score batches 0":         func(c *Config) { c.ScoreBatches = 0 },
		"step -1":                 func(c *Config) { c.Step = -1 },
		"crop -1":                 func(c *Config) { c.Crop = -1 },
		"size -1":                 func(c *Config) { c.Size = -1 },
		"resized crop NaN":        func(c *Config) { c.ResizedCrop = math.NaN() },
		"resized crop 1.5":        func(c *Config) { c.ResizedCrop = 1.5 },
		"needs a trained network": func(c *Config) { c.NoTrain = true },
		"no data set given":       func(c *Config) { c.Data = "" },
		"exclude each other":      func(c *Config) { c.ResizedCrop = 0.35 },
		`importance "much"`:       func(c *Config) { c.Importance = "much" },
		`normalise "half"`:        func(c *Config) { c.Normalise = "half" },
		`normalise "0/0"`:         func(c *Config) { c.Normalise = "0/0" },
		`normalise "0,x/1"`:       func(c *Config) { c.Normalise = "0,x/1" },
		`normalise "0/NaN"`:       func(c *Config) { c.Normalise = "0/NaN" },
		"no budget":               func(c *Config) { c.Budgets = nil },
		`budget "half"`:           func(c *Config) { c.Budgets = []string{"half"} },
		"0.50x is given twice":    func(c *Config) { c.Budgets = []string{"0.5x", "1ms", "0.50x"} },
		"1000us is given twice":   func(c *Config) { c.Budgets = []string{"0.5x", "1ms", "1000us"} },
		"0.5x is given twice, as": func(c *Config) { c.Budgets = []string{"0.5x", "0.5x"} },
	} {
		c := Defaults()
		change(&c)
		assert.ErrorContains(t, c.Check(), want)
	}
}

func TestBudgetNS(t *testing.T) {
	for s, want := range map[string]int64{"0.5x": 5e8, "10x": 1e10, "1e-3x": 1e6, "3.2ms": 3.2e6, "1s": 1e9, "1ns": 1} {
		got, err := BudgetNS(s, 1e9)
		assert.NoError(t, err, s)
		assert.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "x", "0x", "-0.5x", "NaNx", "Infx", "11x", "../x", "0.5x/", " 0.5x", "0.5", "0.5X", "ms", "-1ms", "0ms", "../1ms", "1e400x"} {
		_, err := BudgetNS(s, 1e9)
		assert.ErrorContains(t, err, "such as 0.5x", "%q", s)
	}
}

// Whatever the run file says: no panic, and what was read is written as it was.
func FuzzConfigRead(f *testing.F) {
	for _, s := range []string{"", "seed: 1\nbudget: [0.5x, 3ms]\n", "width: .nan\n", "checkpoint: 3s\n", "crop: {}\n", "net: [\n", "fix: null\n", "- 1\n", "a: &a [*a]\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		c := Defaults()
		if c.Read(bytes.NewReader(file)) != nil || c.Check() != nil {
			return
		}
		b, err := yaml.Marshal(c)
		require.NoError(t, err)
		var again Config
		require.NoError(t, again.Read(bytes.NewReader(b)))
		assert.Equal(t, c.Command("run"), again.Command("run"))
	})
}
