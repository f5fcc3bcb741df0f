package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mdp/engine/nets"
)

func newNetsCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "nets",
		Short: "List the networks, with parameters and multiply-adds",
		Long: `Lists the networks that --net knows, in their published form: parameters, and
millions of multiply-adds for one image.`,
		Example: `  mdp nets
  mdp nets --json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runNets(a, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func runNets(a *app, asJSON bool) error {
	var all networks
	for _, n := range nets.List() {
		g, err := nets.Build(n.Name, nets.Options{})
		if err != nil {
			return err
		}
		all = append(all, network{n.Name, n.Description, n.Input.H, n.Input.W, n.Input.C, n.Classes, g.ParamCount(), g.MACs()})
	}
	return a.print(all, asJSON)
}

// network is a network in its published form.
type network struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Height      int    `json:"height"`
	Width       int    `json:"width"`
	Channels    int    `json:"channels"`
	Classes     int    `json:"classes"`
	Parameters  int64  `json:"parameters"`
	MACs        int64  `json:"macs"`
}

type networks []network

func (all networks) writeText(w io.Writer) error {
	rows := [][]string{{"network", "parameters", "MMAC", "input", "classes"}}
	for _, n := range all {
		rows = append(rows, []string{n.Name, fmt.Sprint(n.Parameters), mega(n.MACs), fmt.Sprintf("%d×%d×%d", n.Height, n.Width, n.Channels), fmt.Sprint(n.Classes)})
	}
	return table(w, rows)
}
