package train

import (
	"mdp/engine"
	"mdp/engine/data"
)

// normalised is how a program makes of bytes what data.Normalize makes of images.
func normalised(r *data.Recipe) *engine.Bytes {
	b := &engine.Bytes{Mean: r.Mean}
	for _, s := range r.Std {
		b.Scale = append(b.Scale, 1/s)
	}
	return b
}

// next is the loader's next batch.
func (t *trainer) next() (err error) {
	if t.batch.Pixels != nil {
		_, err = t.loader.NextBytes(t.batch.Pixels, t.batch.Moves, t.batch.Labels)
	} else {
		_, err = t.loader.Next(t.batch.Images, t.batch.Labels)
	}
	return err
}
