package pytorch

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"mdp/engine/graph"
)

// dialect is what another library calls the nodes of a network, and in which
// numbers its network differs.
type dialect struct {
	name func(node string) string
	eps  float64 // of every batch norm; 0 is the network's own
}

// dialects are those in which the weights of g may come: torchvision's, whose
// names the nodes have, its older ones, and timm's.
func dialects(g *graph.Graph) []dialect {
	same := func(node string) string { return node }
	all := []dialect{{name: same}}
	add := func(name func(string) string) { all = append(all, dialect{name: name}) }
	switch family := g.Name(); {
	case strings.HasPrefix(family, "densenet"): // torchvision's until 0.3
		add(func(node string) string { return oldDense.ReplaceAllString(node, "$1.$2") })
	case strings.HasPrefix(family, "vgg"):
		add(replacing("classifier.0", "pre_logits.fc1", "classifier.3", "pre_logits.fc2", "classifier.6", "head.fc"))
	case strings.HasPrefix(family, "regnet"):
		add(timmRegNet)
	case family == "mobilenet_v2":
		add(timmMobile(g, []int{1, 2, 3, 4, 3, 3, 1}, "conv_head", "bn2", "classifier"))
	case family == "efficientnet_b0":
		add(timmMobile(g, []int{1, 2, 2, 3, 3, 4, 1}, "conv_head", "bn2", "classifier"))
	case family == "mobilenet_v3_large":
		all = append(all, dialect{timmMobile(g, []int{1, 2, 3, 4, 2, 3}, "blocks.6.0.conv", "blocks.6.0.bn1", "conv_head", "classifier"), 1e-5})
	case family == "mobilenet_v3_small":
		all = append(all, dialect{timmMobile(g, []int{1, 2, 3, 2, 3}, "blocks.5.0.conv", "blocks.5.0.bn1", "conv_head", "classifier"), 1e-5})
	}
	return all
}

// apply returns g with the dialect's numbers.
func (d dialect) apply(g *graph.Graph) (*graph.Graph, error) {
	if d.eps == 0 {
		return g, nil
	}
	nodes := g.Nodes()
	for i := range nodes {
		if n := nodes[i].BatchNorm; n != nil {
			n.Eps = d.eps
		}
	}
	return graph.New(g.Name(), nodes)
}

var (
	oldDense    = regexp.MustCompile(`(denselayer\d+\.(?:norm|conv))(\d)$`)
	regNetBlock = regexp.MustCompile(`^trunk_output\.block\d+\.block(\d+)-(\d+)\.(.*)$`)
)

// replacing returns a function that replaces whole names.
func replacing(oldNew ...string) func(string) string {
	return func(node string) string {
		for i := 0; i < len(oldNew); i += 2 {
			if node == oldNew[i] {
				return oldNew[i+1]
			}
		}
		return node
	}
}

func timmRegNet(node string) string {
	part := replacing("proj.0", "downsample.conv", "proj.1", "downsample.bn", "f.a.0", "conv1.conv", "f.a.1", "conv1.bn", "f.b.0", "conv2.conv", "f.b.1", "conv2.bn",
		"f.se.fc1", "se.fc1", "f.se.fc2", "se.fc2", "f.c.0", "conv3.conv", "f.c.1", "conv3.bn")
	if m := regNetBlock.FindStringSubmatch(node); m != nil {
		i, _ := strconv.Atoi(m[2]) // timm counts from 1
		return fmt.Sprintf("s%s.b%d.%s", m[1], i+1, part(m[3]))
	}
	return replacing("stem.0", "stem.conv", "stem.1", "stem.bn", "fc", "head.fc")(node)
}

// timmMobile names a network of inverted residuals: timm counts blocks within
// stages of the given lengths, and calls layers by what they do. tail are its
// names for the layers behind the blocks.
func timmMobile(g *graph.Graph, stages []int, tail ...string) func(string) string {
	names := map[string]string{}
	stem := []string{"conv_stem", "bn1"}
	stage, index := 0, -1 // of the block that the last node belongs to
	block, norms := "", 0
	for i := range g.Len() {
		n := g.Node(i)
		if len(g.NodeParams(i)) == 0 {
			continue
		}
		prefix, inBlock := blockOf(n.Name)
		if !inBlock {
			rest := &stem
			if index >= 0 {
				rest = &tail
			}
			if len(*rest) > 0 {
				names[n.Name], *rest = (*rest)[0], (*rest)[1:]
			}
			continue
		}
		if prefix != block {
			block, norms = prefix, 0
			if index++; stage < len(stages) && index == stages[stage] {
				stage, index = stage+1, 0
			}
		}
		part := ""
		switch {
		case n.Op == graph.OpBatchNorm:
			norms++
			part = fmt.Sprint("bn", norms)
		case strings.HasSuffix(n.Name, ".fc1"):
			part = "se.conv_reduce"
		case strings.HasSuffix(n.Name, ".fc2"):
			part = "se.conv_expand"
		case n.Conv2D.Groups > 1:
			part = "conv_dw"
		case norms == 2:
			part = "conv_pwl"
		default:
			part = "conv_pw"
		}
		names[n.Name] = fmt.Sprintf("blocks.%d.%d.%s", stage, index, part)
	}
	return func(node string) string { return names[node] }
}

// blockOf is the inverted residual that a node of one of torchvision's networks is
// in.
func blockOf(node string) (string, bool) {
	for _, within := range []string{".conv.", ".block."} {
		if prefix, _, ok := strings.Cut(node, within); ok {
			return prefix, true
		}
	}
	return "", false
}
