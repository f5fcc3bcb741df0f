package pytorch

import (
	"errors"
	"fmt"
	"strings"

	"mdp/engine/pickle"
)

// names under which training scripts save the state dict among other things, the
// first that is there counts.
var stateDicts = []string{"state_dict", "model_state_dict", "model", "net"}

// maxDepth bounds modules within modules.
const maxDepth = 64

// What a tensor or module takes at most, beside its name, and each of its attributes.
const (
	perTensor    = 256
	perAttribute = 32
)

// collector adds the tensors of a file that may take so many bytes more. Files hold
// modules and names once that stand in many places: two of one module, in two of
// another, in two of another.
type collector struct {
	*Checkpoint
	left int64
}

func (c *collector) charge(bytes int) error {
	if c.left -= int64(bytes); c.left < 0 {
		return errors.New("its tensors' names take more memory than a file of this size may")
	}
	return nil
}

// collect finds the tensors of a pickled value, of a file of so many bytes: a state
// dict, a dictionary with one in it, or a whole module.
func (c *Checkpoint) collect(v any, size int64) error {
	found := &collector{c, room(size)}
	for range maxDepth {
		d, ok := v.(*pickle.Dict)
		if !ok {
			break
		}
		inner, wrapped := any(nil), false
		for _, name := range stateDicts {
			if inner, wrapped = d.Get(name); wrapped && tensors(inner) {
				break
			}
			wrapped = false
		}
		if !wrapped {
			return found.dict("", d)
		}
		v = inner
	}
	if o, ok := v.(*pickle.Object); ok {
		return found.module("", o, maxDepth)
	}
	return errors.New("what torch.save wrote is neither a state dict nor a module")
}

// tensors says whether v may hold them.
func tensors(v any) bool {
	switch v := v.(type) {
	case *pickle.Dict:
		return true
	case *pickle.Object:
		return attributes(v) != nil
	}
	return false
}

// dict adds what a dictionary holds. What is no tensor is added as one that
// cannot be read, so that it is not passed over in silence.
func (c *collector) dict(prefix string, d *pickle.Dict) error {
	if err := c.charge(perAttribute * len(d.Pairs)); err != nil {
		return err
	}
	last := map[string]int{} // a key may come again
	for i, p := range d.Pairs {
		if name, ok := p.Key.(string); ok {
			last[name] = i
		}
	}
	for i, p := range d.Pairs {
		name, ok := p.Key.(string)
		switch {
		case !ok:
			return fmt.Errorf("a state dict with the key %s, which is no name", word(p.Key))
		case last[name] != i || p.Value == nil:
			continue
		}
		if err := c.charge(perTensor + len(prefix) + len(name)); err != nil {
			return err
		}
		t, err := rebuild(p.Value, maxDepth)
		if err != nil {
			return fmt.Errorf("%.80q: %w", prefix+name, err)
		}
		t.Name = prefix + name
		c.Tensors = append(c.Tensors, t)
	}
	return nil
}

// attributes are those of a pickled module, nil of anything else.
func attributes(o *pickle.Object) *pickle.Dict {
	d, _ := o.State.(*pickle.Dict)
	if d != nil {
		if _, ok := d.Get("_modules"); ok {
			return d
		}
	}
	return nil
}

// module adds a module's parameters and buffers and those of the modules in it.
func (c *collector) module(prefix string, o *pickle.Object, depth int) error {
	d := attributes(o)
	if d == nil || depth == 0 {
		return fmt.Errorf("%.80q is no module whose weights can be read (%.80q)", strings.TrimSuffix(prefix, "."), o.Class)
	}
	if err := c.charge(perTensor + len(prefix) + perAttribute*len(d.Pairs)); err != nil {
		return err
	}
	for _, part := range []string{"_parameters", "_buffers"} {
		if v, ok := d.Get(part); ok {
			if own, ok := v.(*pickle.Dict); ok {
				if err := c.dict(prefix, own); err != nil {
					return err
				}
			}
		}
	}
	v, _ := d.Get("_modules")
	inner, ok := v.(*pickle.Dict)
	if !ok {
		return nil
	}
	for _, p := range inner.Pairs {
		name, ok := p.Key.(string)
		m, ok2 := p.Value.(*pickle.Object)
		if p.Value == nil {
			continue
		}
		if !ok || !ok2 {
			return fmt.Errorf("%.80q holds %s, which is no module", prefix, word(p.Key))
		}
		if err := c.module(prefix+name+".", m, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// word is a pickled value for people. What others stand in is its type alone: a tuple
// of twice a tuple of twice a tuple soon has more parts than can be written.
func word(v any) string {
	switch v.(type) {
	case nil, string, int64, float64, bool, pickle.Global:
		return fmt.Sprintf("%.80q", fmt.Sprint(v))
	}
	return fmt.Sprintf("a %T", v)
}
