//go:build !cuda

package main

import "github.com/spf13/cobra"

func cudaFindings() []finding {
	return []finding{{Name: "cuda", Detail: "not in this build: make cuda builds bin/mdp-cuda"}}
}

func cudaCommands(*app) []*cobra.Command { return nil }
