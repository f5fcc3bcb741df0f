package main

import (
	"fmt"
	"strings"
	"text/template"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// fit80 makes the usage of a command and of those below it fit a terminal that
// nobody has made wider, with the flags of its own before those of every run.
func fit80(root *cobra.Command) {
	usage := template.Must(template.New("usage").Funcs(template.FuncMap{
		"flags":                   usages,
		"rpad":                    func(s string, width int) string { return fmt.Sprintf("%-*s", width, s) },
		"trimTrailingWhitespaces": func(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) },
	}).Parse(strings.ReplaceAll(root.UsageTemplate(), ".LocalFlags.FlagUsages", "flags .LocalFlags")))
	root.SetUsageFunc(func(c *cobra.Command) error { return usage.Execute(c.OutOrStderr(), c) })
}

// keyFlag marks a flag that is a key of a run file.
const keyFlag = "key of a run file"

func usages(flags *pflag.FlagSet) string {
	var own, keys pflag.FlagSet
	own.SortFlags, keys.SortFlags = false, false
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := f.Annotations[keyFlag]; ok {
			keys.AddFlag(f)
		} else {
			own.AddFlag(f)
		}
	})
	if !keys.HasFlags() {
		return own.FlagUsagesWrapped(80)
	}
	return own.FlagUsagesWrapped(80) + "\nKeys of a run:\n" + keys.FlagUsagesWrapped(80)
}
