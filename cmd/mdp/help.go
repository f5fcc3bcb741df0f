package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is of a terminal that nobody has made wider, in characters.
const helpWidth = 80

// fit80 makes a command's help, and that of those below it, fit the columns.
func fit80(c *cobra.Command) {
	c.SetUsageTemplate(strings.ReplaceAll(c.UsageTemplate(), "Flags.FlagUsages ", "Flags.FlagUsagesWrapped 80 "))
	c.Long = filled(c.Long)
	for _, sub := range c.Commands() {
		fit80(sub)
	}
}

// filled fills the paragraphs of a text anew where a line is too long. What begins
// with a space is a table, and stays.
func filled(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		lines, long := strings.Split(p, "\n"), false
		for _, l := range lines {
			long = long || len([]rune(l)) > helpWidth
		}
		if !long || strings.HasPrefix(p, " ") || strings.Contains(p, "\n ") {
			continue
		}
		line, out := "", []string{}
		for _, word := range strings.Fields(p) {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > helpWidth {
				out, line = append(out, line), ""
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
		paragraphs[i] = strings.Join(append(out, line), "\n")
	}
	return strings.Join(paragraphs, "\n\n")
}
