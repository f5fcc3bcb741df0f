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

// Bounds on a hostile file's modules within modules.
const (
	maxDepth   = 64
	maxTensors = 1 << 20
)

// collect finds the tensors of a pickled value: a state dict, a dictionary with
// one in it, or a whole module.
func (c *Checkpoint) collect(v any) error {
	for range maxDepth {
		d, ok := v.(*pickle.Dict)
		if !ok {
			break
		}
		inner, found := any(nil), false
		for _, name := range stateDicts {
			if inner, found = d.Get(name); found && tensors(inner) {
				break
			}
			found = false
		}
		if !found {
			return c.dict("", d)
		}
		v = inner
	}
	if o, ok := v.(*pickle.Object); ok {
		return c.module("", o, maxDepth)
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
func (c *Checkpoint) dict(prefix string, d *pickle.Dict) error {
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
			return fmt.Errorf("a state dict with the key %.80q, which is no name", fmt.Sprint(p.Key))
		case last[name] != i || p.Value == nil:
			continue
		case len(c.Tensors) == maxTensors:
			return fmt.Errorf("over %d tensors", maxTensors)
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
func (c *Checkpoint) module(prefix string, o *pickle.Object, depth int) error {
	d := attributes(o)
	if d == nil || depth == 0 {
		return fmt.Errorf("%.80q is no module whose weights can be read (%.80q)", strings.TrimSuffix(prefix, "."), o.Class)
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
			return fmt.Errorf("%.80q holds %.80q, which is no module", prefix, fmt.Sprint(p.Key))
		}
		if err := c.module(prefix+name+".", m, depth-1); err != nil {
			return err
		}
	}
	return nil
}
