package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// fit80 makes a command's flags, and those of the commands below it, fit a
// terminal that nobody has made wider.
func fit80(c *cobra.Command) {
	c.SetUsageTemplate(strings.ReplaceAll(c.UsageTemplate(), "Flags.FlagUsages ", "Flags.FlagUsagesWrapped 80 "))
	for _, sub := range c.Commands() {
		fit80(sub)
	}
}
