package main

import (
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print what this program was built from",
		Long:  `Prints the version, the revision, the Go version and the platform.`,
		Example: `  mdp version
  mdp version --json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.print(readVersion(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// version is what the build left in the program.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Modified bool   `json:"modified"` // built from more than the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readVersion() version {
	v := version{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (v version) writeText(w io.Writer) error {
	text := "mdp " + v.Version
	if v.Revision != "" {
		text += ", revision " + v.Revision
	}
	_, err := io.WriteString(w, text+", "+v.Go+", "+v.Platform+"\n")
	return err
}
