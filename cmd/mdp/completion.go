package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCompletionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script that lets a shell complete mdp's commands",
		Long: `Prints the completion script of bash, zsh, fish or powershell; the shell's
manual says where such scripts go.`,
		Example: `  mdp completion bash > mdp.bash
  mdp completion fish > mdp.fish`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE:      func(cmd *cobra.Command, args []string) error { return runCompletion(a, cmd.Root(), args[0]) },
	}
}

func runCompletion(a *app, root *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(a.stdout, true)
	case "zsh":
		return root.GenZshCompletion(a.stdout)
	case "fish":
		return root.GenFishCompletion(a.stdout, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(a.stdout)
	}
	return fmt.Errorf("no script for %q", shell)
}
