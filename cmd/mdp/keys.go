package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"mdp/engine/device"
	"mdp/engine/nets"
	"mdp/engine/train"
	"mdp/prune"
)

// key is one key of a run file and the flag of the same name: a field of
// prune.Config, whose tags name and explain it.
type key struct {
	name, help string
	value      reflect.Value
	choices    []string // nil: any value
}

// keys lists the fields of c, each of which can be set through its key.
func keys(c *prune.Config) []key {
	v := reflect.ValueOf(c).Elem()
	var ks []key
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		name := tag.Get("yaml")
		ks = append(ks, key{name, tag.Get("help"), v.Field(i), choices(name)})
	}
	return ks
}

// choices are the values that a key may have, nil where it may have any.
func choices(name string) []string {
	switch name {
	case "net":
		var names []string
		for _, n := range nets.List() {
			names = append(names, n.Name)
		}
		return names
	case "schedule":
		return []string{string(train.Cosine), string(train.Linear), string(train.Steps)}
	case "importance":
		return []string{string(prune.Taylor), string(prune.Magnitude), string(prune.Random)}
	case "precision":
		return []string{device.FP32, device.TF32, device.BF16, device.FP16}
	case "storage":
		return []string{device.FP32, device.BF16, device.FP16}
	case "isa":
		return []string{"avx512", "avx2", "generic"}
	}
	return nil
}

// check reports a value that is none of the choices.
func (k key) check() error {
	if v := k.value.String(); k.choices != nil && v != "" && !slices.Contains(k.choices, v) {
		return fmt.Errorf("%s %q is none of %s", k.name, v, strings.Join(k.choices, ", "))
	}
	return nil
}

func (k key) addFlag(flags *pflag.FlagSet) {
	switch p := k.value.Addr().Interface().(type) {
	case *bool:
		flags.BoolVar(p, k.name, *p, k.help)
	case *int:
		flags.IntVar(p, k.name, *p, k.help)
	case *uint64:
		flags.Uint64Var(p, k.name, *p, k.help)
	case *float64:
		flags.Float64Var(p, k.name, *p, k.help)
	case *time.Duration:
		flags.DurationVar(p, k.name, *p, k.help)
	case *[]string:
		flags.StringSliceVar(p, k.name, *p, k.help)
	default:
		flags.Var(word{k}, k.name, k.help)
	}
}

// word is a key of some string type as a flag.
type word struct{ key }

func (w word) Type() string   { return "string" }
func (w word) String() string { return w.value.String() }

func (w word) Set(s string) error {
	if w.value.SetString(s); s == "" {
		return nil
	}
	return w.check()
}

// must is for what only a mistake in this program can make fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
