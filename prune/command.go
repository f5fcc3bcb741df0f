package prune

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// Command is the command line that does the run in a new folder: the flags in
// which it differs from the defaults, each quoted for a shell.
func (c Config) Command(folder string) string {
	words := []string{"mdp prune --run", Quoted(folder)}
	defaults := Defaults()
	if c.NoTrain { // as the command takes them then, but for the flag that says so
		defaults.Data = ""
	}
	have, usual := reflect.ValueOf(c), reflect.ValueOf(defaults)
	for i := range have.NumField() {
		value := flagValue(have.Field(i))
		if value == flagValue(usual.Field(i)) {
			continue
		}
		flag := "--" + have.Type().Field(i).Tag.Get("yaml")
		if have.Field(i).Kind() == reflect.Bool {
			words = append(words, flag+"="+value)
			continue
		}
		words = append(words, flag, Quoted(value))
	}
	return strings.Join(words, " ")
}

// flagValue is a key's value as its flag takes it: a list has commas.
func flagValue(v reflect.Value) string {
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v.Interface())
}

// plain is a word that every shell leaves as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./,:@%+-]+$`)

// Quoted is s as one word of a POSIX shell.
func Quoted(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
