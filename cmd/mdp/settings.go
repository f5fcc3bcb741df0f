package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mdp/prune"
)

// settings finds a run's folder and configuration. Flags go over the run file,
// that over the configuration the run folder has, that over the defaults.
type settings struct {
	defaults func() prune.Config
	folder   string // of the run; "" is runs/<name of the network>
	file     string // the run file; "" is none
	flags    *pflag.FlagSet
	flagged  prune.Config // what the flags say, over the defaults
}

// addFlags gives the command --run, --config and one flag for each key of a run file.
func (s *settings) addFlags(cmd *cobra.Command) {
	s.flags, s.flagged = cmd.Flags(), s.defaults()
	s.flags.SortFlags = false
	s.flags.StringVar(&s.folder, "run", "", "run folder (default runs/<name of the network>)")
	s.flags.StringVar(&s.file, "config", "", "YAML run file of keys, named as below")
	for _, k := range keys(&s.flagged) {
		k.addFlag(s.flags)
		must(s.flags.SetAnnotation(k.name, keyFlag, nil))
		if k.choices != nil {
			must(cmd.RegisterFlagCompletionFunc(k.name, cobra.FixedCompletions(k.choices, cobra.ShellCompDirectiveNoFileComp)))
		}
	}
	must(cmd.RegisterFlagCompletionFunc("data", cobra.FixedCompletions([]string{"fashion-mnist", "synthetic"}, cobra.ShellCompDirectiveDefault)))
	must(cmd.MarkFlagDirname("run"))
	must(cmd.MarkFlagFilename("config", "yaml", "yml"))
	must(cmd.MarkFlagFilename("weights", "safetensors", "pt", "pth"))
	must(cmd.MarkFlagFilename("onnx", "onnx"))
}

// resolve reads what there is and returns the run's folder and configuration.
func (s *settings) resolve() (folder string, c prune.Config, err error) {
	if folder, c, err = s.beyond(s.defaults()); err == nil && c.NoTrain { // then there is no usual data set
		folder, c, err = s.beyond(s.defaults().Untrained())
	}
	if err != nil {
		return folder, c, err
	}
	for _, k := range keys(&c) {
		if err := k.check(); err != nil {
			return folder, c, err
		}
	}
	return folder, c, c.Check()
}

// beyond puts what the run folder has over the defaults, and what the user says over both.
func (s *settings) beyond(defaults prune.Config) (folder string, c prune.Config, err error) {
	folder = s.folder
	if folder == "" {
		if c, err = s.over(defaults); err != nil {
			return "", c, err
		}
		folder = filepath.Join("runs", c.Name())
	}
	saved, err := readSaved(folder, defaults)
	if err != nil {
		return folder, c, err
	}
	c, err = s.over(saved)
	return folder, c, err
}

// over puts the run file and the flags over c.
func (s *settings) over(c prune.Config) (prune.Config, error) {
	if s.file != "" {
		f, err := os.Open(s.file)
		if err != nil {
			return c, err
		}
		defer f.Close()
		if err := c.Read(f); err != nil {
			return c, fmt.Errorf("%s: %w", s.file, err)
		}
	}
	flagged := keys(&s.flagged)
	for i, k := range keys(&c) {
		if s.flags.Changed(k.name) {
			k.value.Set(flagged[i].value)
		}
	}
	return c, nil
}

// readSaved reads the configuration of a run folder over c, if there is one.
func readSaved(folder string, c prune.Config) (prune.Config, error) {
	path := filepath.Join(folder, "config.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("%s: %w; delete it and give the flags again", path, err)
	}
	return c, nil
}
