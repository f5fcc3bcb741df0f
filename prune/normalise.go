package prune

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mdp/engine/data"
)

// normalisation reads "imagenet", "none" or means and deviations such as
// "0.286/0.353", of pixels from 0 to 1 and by channel.
func normalisation(text string) (mean, std []float32, err error) {
	numbers := text
	switch text {
	case "imagenet":
		numbers = "0.485,0.456,0.406/0.229,0.224,0.225"
	case "none":
		numbers = "0/1"
	}
	means, stds, ok := strings.Cut(numbers, "/")
	if !ok {
		return nil, nil, fmt.Errorf("normalise %q is neither imagenet, none, nor MEAN/STD such as 0.286/0.353", text)
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
	return read(means, -math.MaxFloat32), read(stds, 1e-9), err
}

// normalising readies what is done to every pixel: what the run says, or what
// makes the known images' mean 0 and deviation 1.
func (p *Pipeline) normalising(known *data.Set) (err error) {
	if p.Config.Normalise == "" {
		p.mean, p.std, err = data.MeanStd(known, 10_000)
	} else {
		p.mean, p.std, err = normalisation(p.Config.Normalise)
		for _, v := range []*[]float32{&p.mean, &p.std} {
			if len(*v) == 1 {
				*v = slices.Repeat(*v, known.C)
			}
			if len(*v) != known.C {
				return fmt.Errorf("normalise %q has %d numbers, the images of %s have %d channels", p.Config.Normalise, len(*v), p.Config.Data, known.C)
			}
		}
	}
	if err == nil {
		p.normalise = data.Normalize(p.mean, p.std)
	}
	return err
}
