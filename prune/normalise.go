package prune

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mdp/engine/atomicfile"
	"mdp/engine/data"
)

// Normalisation is what a network expects of its images: (pixel − mean) / std of
// every channel, pixels from 0 to 1.
type Normalisation struct {
	Mean []float32 `json:"mean"`
	Std  []float32 `json:"std"`
}

// ReadNormalisation reads "imagenet", "none" or means and deviations such as
// "0.286/0.353", by channel or one for all.
func ReadNormalisation(text string, channels int) (Normalisation, error) {
	n, err := parseNormalisation(text)
	if err != nil {
		return n, err
	}
	for _, v := range []*[]float32{&n.Mean, &n.Std} {
		if len(*v) == 1 {
			*v = slices.Repeat(*v, channels)
		}
	}
	if err := n.check(channels); err != nil {
		return n, fmt.Errorf("normalise %q: %w", text, err)
	}
	return n, nil
}

func (n Normalisation) check(channels int) error {
	for _, v := range [][]float32{n.Mean, n.Std} {
		if len(v) != channels {
			return fmt.Errorf("%d numbers for images of %d channels", len(v), channels)
		}
	}
	for c, s := range n.Std {
		if !(s > 0 && s <= math.MaxFloat32 && math.Abs(float64(n.Mean[c])) <= math.MaxFloat32) {
			return fmt.Errorf("channel %d: mean %g and deviation %g must be finite, the latter above 0", c, n.Mean[c], s)
		}
	}
	return nil
}

func parseNormalisation(text string) (n Normalisation, err error) {
	numbers := text
	switch text {
	case "imagenet":
		numbers = "0.485,0.456,0.406/0.229,0.224,0.225"
	case "none":
		numbers = "0/1"
	}
	means, stds, ok := strings.Cut(numbers, "/")
	if !ok {
		return n, fmt.Errorf("normalise %q is neither imagenet, none, nor MEAN/STD such as 0.286/0.353", text)
	}
	read := func(list string, least float64) (v []float32) {
		for word := range strings.SplitSeq(list, ",") {
			f, e := strconv.ParseFloat(word, 32)
			if e != nil || !(f >= least && f <= math.MaxFloat32) {
				err = fmt.Errorf("normalise %q: %q is no number, or no deviation above 0", text, word)
			}
			v = append(v, float32(f))
		}
		return v
	}
	return Normalisation{read(means, -math.MaxFloat32), read(stds, 1e-9)}, err
}

// inputFile, beside a network, has its Normalisation where that is known.
const inputFile = "input.json"

// readInput reads the normalisation of a model folder, nil where it has none.
func readInput(dir string) (*Normalisation, error) {
	var n Normalisation
	err := readJSON(filepath.Join(dir, inputFile), &n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &n, err
}

// writeInput makes n the normalisation of a model folder, or removes it.
func writeInput(dir string, n *Normalisation) error {
	name := filepath.Join(dir, inputFile)
	if n != nil {
		return atomicfile.Write(name, encodeJSON(n))
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// expect settles what is done to every pixel of images of so many channels: what
// the run says, else what came with the network, else what makes the data set's
// mean 0 and deviation 1. Without a data set it may stay unknown.
func (p *Pipeline) expect(channels int) error {
	switch {
	case p.Config.Normalise != "":
		n, err := ReadNormalisation(p.Config.Normalise, channels)
		if err != nil {
			return err
		}
		p.input = &n
	case p.input != nil:
		if err := p.input.check(channels); err != nil {
			return fmt.Errorf("what %s says of the network: %w", inputFile, err)
		}
	case p.test != nil:
		known := p.train
		if known == nil {
			known = p.test
		}
		mean, std, err := data.MeanStd(known, 10_000)
		if err != nil {
			return err
		}
		p.input = &Normalisation{mean, std}
	default:
		return nil
	}
	p.normalise = data.Normalize(p.input.Mean, p.input.Std)
	return nil
}

// inherit makes what the first stage left the normalisation of those after it,
// and tells what that is, for their keys. A folder of before there was such a
// file has none.
func (p *Pipeline) inherit() (string, error) {
	n, err := readInput(p.dir)
	if n == nil || err != nil {
		return "", err
	}
	if p.normalise == nil {
		p.input = n
	}
	return fmt.Sprintf(", normalised by %v/%v", n.Mean, n.Std), nil
}
