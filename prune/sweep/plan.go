// Package sweep runs many prunings from one file: every combination of the
// values it names, each a run folder of its own, on as many devices as there are.
//
// A Plan is the file, read (plan.go). Sweep works it off on this machine, one
// run on a device at a time, each a process of its own (queue.go, process.go);
// what it knows is in files, so that it goes on after it was killed (state.go).
// Script hands the same plan to Slurm (slurm.go). Summary gathers what the runs
// came to (summary.go).
package sweep

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"mdp/engine/device"
	"mdp/prune"
)

// Plan is what a sweep file asks for.
type Plan struct {
	Axes  []string // the keys that have several values, in the file's order
	Jobs  []Job    // every combination of them, the last axis fastest
	Slurm []string // options for sbatch, such as --partition=gpu

	// LeftOut names the combinations that no device can run: the processor has
	// no tf32.
	LeftOut []string
}

// Job is one run of a plan.
type Job struct {
	Name    string       `json:"name"`    // of its folder
	Values  []string     `json:"values"`  // of the plan's axes
	Config  prune.Config `json:"config"`  // on the first of its devices
	Devices []string     `json:"devices"` // any one of which may run it
}

// maxJobs is more than anybody waits for.
const maxJobs = 10_000

// Read reads a sweep file: a run file in which a key may have a list of values.
// Each combination of them is a job, over the defaults. A list of devices within
// the list of devices is one value: any of them may run the job. A key that is a
// list in a run file, such as budget, is one value, too; a list of lists is several.
func Read(r io.Reader, defaults prune.Config) (Plan, error) {
	var doc yaml.Node
	switch err := yaml.NewDecoder(r).Decode(&doc); {
	case errors.Is(err, io.EOF):
		return Plan{}, errors.New("it is empty: name at least a net")
	case err != nil:
		return Plan{}, errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "input error: "))
	}
	file := resolve(doc.Content[0])
	if file.Kind != yaml.MappingNode {
		return Plan{}, fmt.Errorf("line %d: want keys with their values, such as net: [resnet18, resnet34]", file.Line)
	}
	var plan Plan
	var axes []axis
	seen := map[string]bool{}
	jobs := 1
	for i := 0; i < len(file.Content); i += 2 {
		name, value := file.Content[i], resolve(file.Content[i+1])
		if seen[name.Value] {
			return Plan{}, fmt.Errorf("line %d: %s is given twice", name.Line, name.Value)
		}
		seen[name.Value] = true
		if name.Value == "slurm" {
			if err := decode(value, &plan.Slurm); err != nil {
				return Plan{}, fmt.Errorf("%w: slurm is a list of sbatch options, such as [--partition=gpu]", err)
			}
			continue
		}
		a, err := newAxis(name, value)
		if err != nil {
			return Plan{}, err
		}
		if jobs *= len(a.values); jobs > maxJobs {
			return Plan{}, fmt.Errorf("line %d: more than %d runs: give fewer values", name.Line, maxJobs)
		}
		axes = append(axes, a)
		if len(a.values) > 1 {
			plan.Axes = append(plan.Axes, a.key)
		}
	}
	if err := plan.combine(axes, Job{Config: defaults, Devices: []string{defaults.Device}}); err != nil {
		return Plan{}, err
	}
	if len(plan.Jobs) == 0 {
		return Plan{}, fmt.Errorf("no combination can run: %s", plan.LeftOut[0])
	}
	return plan, plan.checkNames()
}

// combine appends the jobs of every combination of the axes, over job.
func (p *Plan) combine(axes []axis, job Job) error {
	if len(axes) == 0 {
		return p.add(job)
	}
	a := axes[0]
	for _, v := range a.values {
		next := job
		next.Values = slices.Clone(job.Values)
		if a.key == "device" {
			if err := decode(v, (*oneOrMore)(&next.Devices)); err != nil || len(next.Devices) == 0 {
				return fmt.Errorf("line %d: a device is a name such as cuda:0, or a list of devices that are alike", v.Line)
			}
			next.Config.Device = next.Devices[0]
		} else if err := decode(v, a.field(&next.Config)); err != nil {
			return fmt.Errorf("%w: that is no %s", err, a.key)
		}
		if len(a.values) > 1 {
			next.Values = append(next.Values, text(v))
		}
		if err := p.combine(axes[1:], next); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) add(job Job) error {
	job.Name = job.name(p.Axes)
	for _, d := range job.Devices {
		job.Config.Device = d
		if precision := job.Config.Precision; d == "cpu" && (precision == device.TF32 || precision == device.FP16) {
			p.LeftOut = append(p.LeftOut, fmt.Sprintf("%s on cpu, which has no %s", job.Name, precision))
			return nil
		}
		if err := job.Config.Check(); err != nil {
			return fmt.Errorf("%s: %w", job.Name, err)
		}
	}
	job.Config.Device = job.Devices[0]
	p.Jobs = append(p.Jobs, job)
	return nil
}

// name is the job's folder: the values that make it another than its
// neighbours; a number has its key before it.
func (j Job) name(axes []string) string {
	var parts []string
	for i, key := range axes {
		v := unfit.ReplaceAllString(j.Values[i], "-")
		if number.MatchString(v) {
			v = key + "-" + v
		}
		parts = append(parts, strings.TrimLeft(v, ".-"))
	}
	if len(parts) == 0 {
		return j.Config.Name()
	}
	return strings.Join(parts, "_")
}

var (
	unfit  = regexp.MustCompile(`[^A-Za-z0-9.-]+`)
	number = regexp.MustCompile(`^([0-9.-]|$)`) // or nothing
)

// checkNames refuses two jobs in one folder, and a folder that cannot be.
func (p Plan) checkNames() error {
	of := map[string]Job{}
	for _, j := range p.Jobs {
		if other, ok := of[j.Name]; ok {
			return fmt.Errorf("%q and %q would share the folder %s: give values that differ in letters or digits", other.Values, j.Values, j.Name)
		}
		if j.Name == "" || len(j.Name) > 200 {
			return fmt.Errorf("the folder of a run cannot be called %q: give shorter values", j.Name)
		}
		of[j.Name] = j
	}
	return nil
}

// axis is a key of the file with its values, one for most.
type axis struct {
	key    string
	values []*yaml.Node
	index  int // of the field of prune.Config; -1 for the device
}

func newAxis(name, value *yaml.Node) (axis, error) {
	t := reflect.TypeFor[prune.Config]()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("yaml") != name.Value {
			continue
		}
		a := axis{key: name.Value, values: []*yaml.Node{value}, index: i}
		several := value.Kind == yaml.SequenceNode
		if several && f.Type.Kind() == reflect.Slice { // then a list is one value
			several = len(value.Content) > 0 && resolve(value.Content[0]).Kind == yaml.SequenceNode
		}
		if several {
			a.values = nil
			for _, v := range value.Content {
				a.values = append(a.values, resolve(v))
			}
			if len(a.values) == 0 {
				return axis{}, fmt.Errorf("line %d: %s has no value", value.Line, name.Value)
			}
		}
		return a, nil
	}
	return axis{}, fmt.Errorf("line %d: there is no key %s", name.Line, name.Value)
}

func (a axis) field(c *prune.Config) any {
	f := reflect.ValueOf(c).Elem().Field(a.index)
	f.SetZero() // a list must not grow in the array of another job
	return f.Addr().Interface()
}

// oneOrMore is a list that may be written as its only element.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = []string{n.Value}
		return nil
	}
	var list []string
	err := n.Decode(&list)
	*o = list
	return err
}

// decode is the node's Decode with an error of one line, and no null.
func decode(n *yaml.Node, into any) error {
	if n.Tag == "!!null" {
		return fmt.Errorf("line %d: there is no value", n.Line)
	}
	err := n.Decode(into)
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) {
		return errors.New(wrong.Errors[0])
	}
	return err
}

// text is a value as a person writes it.
func text(n *yaml.Node) string {
	if n.Kind != yaml.SequenceNode {
		return n.Value
	}
	var parts []string
	for _, v := range n.Content {
		parts = append(parts, resolve(v).Value)
	}
	return strings.Join(parts, ",")
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
