package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every command's help fits a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	var b bytes.Buffer
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		b.Reset()
		c.SetOut(&b)
		require.NoError(t, c.Help())
		for line := range strings.Lines(b.String()) {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), 80, "%s: %s", c.CommandPath(), line)
		}
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look(newRootCmd(&app{stdout: &b, stderr: &b, defaults: tiny}))
}
