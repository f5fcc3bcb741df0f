package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mdp/engine/atomicfile"
)

// Script is a Slurm job array: each of its tasks runs one job of a plan.
type Script struct {
	Name  string // of its file
	Tasks []int  // jobs of the plan
	Text  string
}

// Scripts writes the plan's unfinished jobs as job arrays: one for those of the
// processor, one for those of a GPU, for they ask Slurm for other things. file is the
// sweep file; both it and the sweep's folder must be where every node sees them.
func (s *Sweep) Scripts(file string) ([]Script, error) {
	states, err := s.folder().states(s.Jobs)
	if err != nil {
		return nil, err
	}
	var cpu, gpu []int
	pool := ""
	for i, j := range s.Jobs {
		onGPU := strings.HasPrefix(j.Devices[0], "cuda:")
		if onGPU && pool == "" {
			pool = strings.Join(j.Devices, ",")
		}
		switch {
		case onGPU && pool != strings.Join(j.Devices, ","):
			return nil, fmt.Errorf("the runs are on %s and on %s, but Slurm chooses the GPU: name one device, or one list of those that are alike", pool, strings.Join(j.Devices, ","))
		case states[i].Phase == Done:
		case onGPU:
			gpu = append(gpu, i)
		default:
			cpu = append(cpu, i)
		}
	}
	var scripts []Script
	for _, a := range []struct {
		name  string
		tasks []int
		ask   []string
	}{{"cpu", cpu, nil}, {"gpu", gpu, []string{"--gres=gpu:1"}}} {
		if len(a.tasks) == 0 {
			continue
		}
		text, err := s.script(file, a.tasks, slices.Concat(a.ask, s.Slurm))
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, Script{"slurm-" + a.name + ".sh", a.tasks, text})
	}
	return scripts, nil
}

func (s *Sweep) script(file string, tasks []int, options []string) (string, error) {
	for _, o := range options {
		if !strings.HasPrefix(o, "-") || strings.ContainsAny(o, "\n\r") {
			return "", fmt.Errorf("slurm option %q is none of sbatch: they look like --partition=gpu", o)
		}
	}
	paths := []string{".", s.Program, file, s.Dir}
	for i, p := range paths {
		absolute, err := filepath.Abs(p)
		if err != nil {
			return "", err
		}
		paths[i] = absolute
	}
	var b strings.Builder
	directive := func(option string) { fmt.Fprintf(&b, "#SBATCH %s\n", option) }
	b.WriteString("#!/bin/sh\n")
	directive("--job-name=mdp-sweep")
	directive("--array=" + ranges(tasks))
	directive("--chdir=" + directiveWord(paths[0]))
	directive("--output=" + directiveWord(filepath.Join(paths[3], "slurm-%A_%a.log")))
	directive("--requeue") // a run goes on where it stopped
	for _, o := range options {
		directive(o)
	}
	fmt.Fprintf(&b, "exec %s sweep %s --dir %s --job \"$SLURM_ARRAY_TASK_ID\"\n", shellWord(paths[1]), shellWord(paths[2]), shellWord(paths[3]))
	return b.String(), nil
}

// Submit writes a script into the sweep's folder and submits it.
func (s *Sweep) Submit(ctx context.Context, script Script) (arrayID string, err error) {
	unlock, err := s.folder().lock(lockFile, together)
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(s.Dir, script.Name)
	err = atomicfile.Write(path, func(w io.Writer) error { _, err := io.WriteString(w, script.Text); return err })
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "sbatch", "--parsable", path).Output()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("there is no sbatch on this machine: submit %s where there is, or leave out --slurm to run the sweep here", path)
	case errors.As(err, &exit):
		return "", fmt.Errorf("sbatch %s: %s: %s", path, exit, strings.TrimSpace(string(exit.Stderr)))
	case err != nil:
		return "", fmt.Errorf("sbatch %s: %w", path, err)
	}
	arrayID, _, _ = strings.Cut(strings.TrimSpace(string(out)), ";") // ID or ID;cluster
	return arrayID, nil
}

// ranges writes ascending numbers as sbatch reads them: 0-3,5,8-9.
func ranges(of []int) string {
	var parts []string
	for i := 0; i < len(of); {
		end := i
		for end+1 < len(of) && of[end+1] == of[end]+1 {
			end++
		}
		part := strconv.Itoa(of[i])
		if end > i {
			part += "-" + strconv.Itoa(of[end])
		}
		parts = append(parts, part)
		i = end + 1
	}
	return strings.Join(parts, ",")
}

// directiveWord is s as one word of an #SBATCH line, which a # within words
// does not end but a space does.
func directiveWord(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// shellWord is s as one word of a POSIX shell.
func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
