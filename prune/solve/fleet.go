package solve

import (
	"fmt"
	"slices"
)

// Beside returns p with another problem's latency as one more cost: the same
// network cut in the same options, measured on another device. Importance is
// p's. Layers and groups that are not the same are an error.
func Beside(p, other *Problem, name string) (*Problem, error) {
	if len(p.Groups) != len(other.Groups) || len(p.Blocks) != len(other.Blocks) || len(p.Layers) != len(other.Layers) {
		return nil, fmt.Errorf("%s has %d groups, %d blocks and %d layers, the problem it goes with %d, %d and %d", name,
			len(other.Groups), len(other.Blocks), len(other.Layers), len(p.Groups), len(p.Blocks), len(p.Layers))
	}
	for i, g := range p.Groups {
		if o := other.Groups[i]; o.Options != g.Options || o.ChannelsPerOption != g.ChannelsPerOption {
			return nil, fmt.Errorf("group %d of %s has %d options of %d channels, the problem it goes with %d of %d", i, name,
				o.Options, o.ChannelsPerOption, g.Options, g.ChannelsPerOption)
		}
	}
	cost := Cost{Name: name, Unit: other.LatencyUnit, Capacity: other.Capacity, Constant: other.Constant}
	for i, l := range p.Layers {
		o := other.Layers[i]
		if o.Name != l.Name || o.Group != l.Group || o.PrevGroup != l.PrevGroup || o.Block != l.Block {
			return nil, fmt.Errorf("layer %d of %s is %q of group %d after %d in block %d, the problem it goes with has %q of %d after %d in %d", i, name,
				o.Name, o.Group, o.PrevGroup, o.Block, l.Name, l.Group, l.PrevGroup, l.Block)
		}
		cost.Layers = append(cost.Layers, o.Latency)
	}
	q := *p
	q.Costs = append(slices.Clone(p.Costs), cost)
	return &q, q.Validate()
}
