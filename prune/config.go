package prune

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"mdp/engine/device"
	"mdp/engine/train"
)

// Config is everything that decides a run. A run file's keys and the command's
// flags are the yaml names here; the help texts are the flags' too.
type Config struct {
	Net         string   `yaml:"net" json:"net" help:"network to prune; mdp nets lists them"`
	Width       float64  `yaml:"width" json:"width" help:"width multiplier of the network"`
	Weights     string   `yaml:"weights" json:"weights" help:"trained weights: a folder that mdp import made, whose network replaces --net, or a safetensors or .pth file; without it the network is trained here"`
	ONNX        string   `yaml:"onnx" json:"onnx" help:"trained ONNX model to prune, in place of --net and --weights"`
	Data        string   `yaml:"data" json:"data" help:"data set: fashion-mnist, synthetic, or a folder (IDX files or train/<class>/*.jpg)"`
	NoTrain     bool     `yaml:"no-train" json:"no-train" help:"train nothing: the weights given are cut by their magnitude and not fine-tuned; no data set is needed then, a validation set alone tells the accuracy"`
	Size        int      `yaml:"size" json:"size" help:"height and width of the images; 0 takes the data set's own"`
	Normalise   string   `yaml:"normalise" json:"normalise" help:"what a trained network expects: imagenet, none (pixels 0 to 1), or MEAN/STD of pixels 0 to 1, by channel with commas; empty is what came with the model, or the data set's own"`
	Crop        int      `yaml:"crop" json:"crop" help:"padding of the random crop in training, pixels"`
	ResizedCrop float64  `yaml:"resized-crop" json:"resized-crop" help:"in place of crop: smallest share of the image's area that a random part scaled to the whole has; 0 is off"`
	Flip        bool     `yaml:"flip" json:"flip" help:"flip half the training images"`
	Seed        uint64   `yaml:"seed" json:"seed" help:"seed of every random choice"`
	Budgets     []string `yaml:"budget" json:"budget" help:"latency budgets: 0.5x of the dense network, or 3.2ms"`

	Epochs         int            `yaml:"epochs" json:"epochs" help:"epochs of dense training"`
	Batch          int            `yaml:"batch" json:"batch" help:"training batch"`
	LearningRate   float64        `yaml:"learning-rate" json:"learning-rate" help:"peak learning rate of dense training"`
	Schedule       train.Schedule `yaml:"schedule" json:"schedule" help:"learning-rate schedule after the warm-up: cosine, linear or step"`
	WarmupEpochs   float64        `yaml:"warmup-epochs" json:"warmup-epochs" help:"epochs of linear warm-up"`
	Momentum       float64        `yaml:"momentum" json:"momentum" help:"Nesterov momentum"`
	WeightDecay    float64        `yaml:"weight-decay" json:"weight-decay" help:"weight decay of filters; batch norm and bias have none"`
	LabelSmoothing float64        `yaml:"label-smoothing" json:"label-smoothing" help:"share of the target spread over all classes"`

	FineTuneEpochs       int     `yaml:"finetune-epochs" json:"finetune-epochs" help:"epochs of fine-tuning each pruned network"`
	FineTuneLearningRate float64 `yaml:"finetune-learning-rate" json:"finetune-learning-rate" help:"peak learning rate of fine-tuning"`

	Importance   Importance `yaml:"importance" json:"importance" help:"channel score: taylor, magnitude or random"`
	ScoreBatches int        `yaml:"score-batches" json:"score-batches" help:"training batches the Taylor scores are averaged over"`
	Fix          []string   `yaml:"fix" json:"fix" help:"layers to leave whole, with their block: names, or patterns such as layer4*"`
	Step         int        `yaml:"step" json:"step" help:"channels per option; 0 chooses by the layer's width"`

	Coarse       int  `yaml:"coarse" json:"coarse" help:"measure every n-th option only and fill in between by a model of tiles; 0 measures all"`
	MeasuredOnly bool `yaml:"measured-only" json:"measured-only" help:"choose among measured configurations alone, none that was filled in"`

	With []string `yaml:"with" json:"with" help:"further devices that every budget's network must be fast enough for, too: FILE=BUDGET, FILE being the problem.json, or the folder, of a run of the same network there; runs/phone=0.5x"`

	Stay      []string `yaml:"stay" json:"stay" help:"layers whose blocks may not go: names or patterns"`
	MinShare  []string `yaml:"min-share" json:"min-share" help:"smallest share of its channels that a layer keeps: 0.25, or layer3*=0.25 for some"`
	MaxShare  []string `yaml:"max-share" json:"max-share" help:"largest share of its channels that a layer keeps: 0.8, or layer3*=0.8 for some"`
	Multiple  []string `yaml:"multiple" json:"multiple" help:"channels that a layer keeps are a multiple of this, or all: 16, or layer3*=16 for some"`
	Equal     []string `yaml:"equal" json:"equal" help:"patterns; the layers that one names keep equal numbers of channels"`
	Baselines bool     `yaml:"baselines" json:"baselines" help:"solve by simpler methods as well, to see what the exact one gains"`

	Device       string `yaml:"device" json:"device" help:"what everything runs on: cpu, or a GPU as cuda:0; mdp doctor lists them"`
	Precision    string `yaml:"precision" json:"precision" help:"how convolutions multiply: fp32, tf32, bf16 or fp16; a processor has fp32, and bf16 with AVX-512 BF16"`
	Storage      string `yaml:"storage" json:"storage" help:"what activations lie in a GPU's memory as: fp32, or bf16 or fp16 with precision so"`
	Atomics      bool   `yaml:"atomics" json:"atomics" help:"on a GPU, add up weight gradients as they come: no training repeats bit for bit"`
	Threads      int    `yaml:"threads" json:"threads" help:"threads of the CPU backend; 0 takes every core"`
	ISA          string `yaml:"isa" json:"isa" help:"instruction set: avx512, avx2 or generic; empty takes the best there is"`
	LatencyBatch int    `yaml:"latency-batch" json:"latency-batch" help:"images per inference whose latency counts"`

	Checkpoint time.Duration `yaml:"checkpoint" json:"checkpoint" help:"time between checkpoints of a training"`
}

// Defaults are a recipe for small images; see the README for ImageNet's.
func Defaults() Config {
	return Config{
		Net: "resnet14-cifar", Width: 1, Data: "fashion-mnist", Crop: 2, Flip: true, Seed: 1,
		Budgets: []string{"0.7x", "0.5x", "0.35x"},
		Epochs:  2, Batch: 128, LearningRate: 0.2, Schedule: train.Cosine, WarmupEpochs: 0.3, Momentum: 0.9, WeightDecay: 5e-4,
		FineTuneEpochs: 1, FineTuneLearningRate: 0.1,
		Importance: Taylor, ScoreBatches: 40,
		Device: "cpu", Precision: device.FP32, Storage: device.FP32,
		LatencyBatch: 64,
		Checkpoint:   20 * time.Second,
	}
}

// Untrained is c for a user without data: nothing is trained and no data set opened.
func (c Config) Untrained() Config {
	c.NoTrain, c.Data = true, ""
	return c
}

// importance is how channels are scored: Taylor's scores need gradients, which a
// run that trains nothing has not.
func (c Config) importance() Importance {
	if c.NoTrain && c.Importance == Taylor {
		return Magnitude
	}
	return c.Importance
}

// given says that the run starts from a trained network.
func (c Config) given() bool { return c.ONNX != "" || c.Weights != "" }

// Name is what the network is called: by its file or folder where it is given as
// one, else by --net.
func (c Config) Name() string {
	switch {
	case c.ONNX != "":
		return stem(c.ONNX)
	case isFolder(c.Weights):
		return filepath.Base(c.Weights)
	}
	return c.Net
}

// stages are those of a run, in order.
func (c Config) stages() []Stage {
	all := Stages()
	if c.NoTrain {
		all = slices.DeleteFunc(all, func(s Stage) bool { return s == StageFineTune })
	}
	return all
}

// Read takes what a YAML run file names and leaves the rest of c as it is. An
// unknown key is an error.
func (c *Config) Read(r io.Reader) error {
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	err := d.Decode(c)
	var wrong *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF): // an empty file
		return nil
	case errors.As(err, &wrong):
		return errors.New(unknownKey.ReplaceAllString(wrong.Errors[0], "there is no key $1"))
	case err != nil:
		return errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "input error: "))
	}
	return nil
}

// unknownKey is how the YAML package puts it.
var unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)

// Check reports the first value that makes no sense.
func (c Config) Check() error {
	if err := c.training().Check(); err != nil {
		return err
	}
	if err := c.fineTuning().Check(); err != nil {
		return fmt.Errorf("fine-tuning: %w", err)
	}
	switch {
	case !(c.Width > 0 && c.Width <= math.MaxFloat64):
		return fmt.Errorf("width %g must be above 0 and finite", c.Width)
	case !(c.ResizedCrop >= 0 && c.ResizedCrop <= 1):
		return fmt.Errorf("resized crop %g must be a share of the image, in [0, 1]", c.ResizedCrop)
	case c.ResizedCrop > 0 && c.Crop > 0:
		return fmt.Errorf("crop %d and resized crop %g exclude each other: set one of them to 0", c.Crop, c.ResizedCrop)
	case c.ONNX != "" && c.Weights != "":
		return fmt.Errorf("onnx %s and weights %s are both networks to start from: say one of them", c.ONNX, c.Weights)
	case c.NoTrain && !c.given():
		return errors.New("no-train needs a trained network: say which with --onnx or --weights")
	case c.Data == "" && !c.NoTrain:
		return errors.New("no data set given: say --data DIR, or --no-train to cut the network without")
	case c.Checkpoint < 0:
		return fmt.Errorf("checkpoint interval %v must not be negative", c.Checkpoint)
	case len(c.Budgets) == 0:
		return errors.New("no budget given: say for example 0.5x or 3.2ms")
	case c.LatencyBatch < 1:
		return fmt.Errorf("latency batch %d must be at least 1", c.LatencyBatch)
	case c.ScoreBatches < 1:
		return fmt.Errorf("score batches %d must be at least 1", c.ScoreBatches)
	case c.Coarse < 0:
		return fmt.Errorf("coarse %d must not be negative", c.Coarse)
	case c.Step < 0 || c.Crop < 0 || c.Size < 0:
		return fmt.Errorf("step %d, crop %d and size %d must not be negative", c.Step, c.Crop, c.Size)
	case !slices.Contains([]Importance{Taylor, Magnitude, Random}, c.Importance):
		return fmt.Errorf("importance %q is none of %s, %s, %s", c.Importance, Taylor, Magnitude, Random)
	}
	if err := c.device().Check(); err != nil {
		return err
	}
	if _, err := c.Constraints(); err != nil {
		return err
	}
	for _, w := range c.With {
		if _, err := parseFurther(w); err != nil {
			return err
		}
	}
	if c.Baselines && len(c.With) > 0 {
		return errors.New("baselines look at one device alone: take with or baselines away")
	}
	if c.Normalise != "" {
		if _, err := parseNormalisation(c.Normalise); err != nil {
			return err
		}
	}
	asked := map[budget]string{}
	for _, s := range c.Budgets {
		b, err := parseBudget(s)
		if err != nil {
			return err
		}
		if as, ok := asked[b]; ok {
			return fmt.Errorf("budget %s is given twice, as %s before", s, as)
		}
		asked[b] = s
	}
	return nil
}

// budget is what a budget asks for: a share of the dense latency, or a time.
type budget struct {
	ofDense float64
	time    time.Duration
}

func parseBudget(s string) (budget, error) {
	bad := fmt.Errorf("budget %q is neither a share of the dense latency such as 0.5x nor a time such as 3.2ms", s)
	if share, ok := strings.CutSuffix(s, "x"); ok {
		f, err := strconv.ParseFloat(share, 64)
		if err != nil || !(f > 0 && f <= 10) {
			return budget{}, bad
		}
		return budget{ofDense: f}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return budget{}, bad
	}
	return budget{time: d}, nil
}

// BudgetNS is the latency that a budget means: "0.5x" of the dense network's,
// or a time such as "3.2ms".
func BudgetNS(s string, denseNS int64) (int64, error) {
	b, err := parseBudget(s)
	if err != nil {
		return 0, err
	}
	if b.ofDense > 0 {
		return int64(b.ofDense * float64(denseNS)), nil
	}
	return b.time.Nanoseconds(), nil
}

func (c Config) device() device.Options {
	return device.Options{Name: c.Device, Precision: c.Precision, Storage: c.Storage, Atomics: c.Atomics, Keep: true, Threads: c.Threads, ISA: c.ISA}
}

func (c Config) training() train.Config {
	return train.Config{
		Epochs: c.Epochs, Batch: c.Batch, LearningRate: c.LearningRate, Schedule: c.Schedule, WarmupEpochs: c.WarmupEpochs,
		Momentum: c.Momentum, Nesterov: true, WeightDecay: c.WeightDecay, LabelSmoothing: c.LabelSmoothing, Seed: c.Seed,
	}
}

// fineTuning is training with other numbers, and never a longer warm-up than a
// tenth of it: the weights are good already.
func (c Config) fineTuning() train.Config {
	t := c.training()
	t.Epochs, t.LearningRate = c.FineTuneEpochs, c.FineTuneLearningRate
	t.WarmupEpochs = min(t.WarmupEpochs, 0.1*float64(t.Epochs))
	t.Seed++ // another order of the images
	return t
}
