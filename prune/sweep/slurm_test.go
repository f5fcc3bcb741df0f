package sweep

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScripts(t *testing.T) {
	s := newSweep(t, "seed: [1, 2, 3, 4]\ndevice: [cpu, [cuda:0, cuda:1]]\nslurm: [--partition=gpu, --time=8:00:00]")
	s.Dir = filepath.Join(t.TempDir(), "it's a \"folder\" $HOME")
	t.Setenv("MDP_TEST_ROLE", "run")
	require.NoError(t, s.RunJob(context.Background(), 2, "cpu", func(Event) {}))
	scripts, err := s.Scripts("sweep.yaml")
	require.NoError(t, err)
	require.Len(t, scripts, 2)
	assert.Equal(t, []int{0, 4, 6}, scripts[0].Tasks)
	assert.Equal(t, []int{1, 3, 5, 7}, scripts[1].Tasks)
	assert.Contains(t, scripts[0].Text, "\n#SBATCH --array=0,4,6\n")
	assert.NotContains(t, scripts[0].Text, "gres")
	assert.Contains(t, scripts[1].Text, "\n#SBATCH --array=1,3,5,7\n")
	assert.Contains(t, scripts[1].Text, "\n#SBATCH --gres=gpu:1\n#SBATCH --partition=gpu\n#SBATCH --time=8:00:00\n")

	// A shell reads the command as it was meant.
	commands := scripts[1].Text[strings.Index(scripts[1].Text, "exec "):]
	out, err := exec.Command("sh", "-c", "SLURM_ARRAY_TASK_ID=5; "+strings.Replace(commands, "exec ", "printf '%s\n' ", 1)).Output()
	require.NoError(t, err)
	file, err := filepath.Abs("sweep.yaml")
	require.NoError(t, err)
	assert.Equal(t, []string{s.Program, "sweep", file, "--dir", s.Dir, "--job", "5", ""}, strings.Split(string(out), "\n"))
}

func TestRefusedScripts(t *testing.T) {
	_, err := newSweep(t, "device: [cuda:0, cuda:1]").Scripts("sweep.yaml")
	assert.ErrorContains(t, err, "Slurm chooses the GPU")
	_, err = newSweep(t, "slurm: [partition]").Scripts("sweep.yaml")
	assert.ErrorContains(t, err, `"partition"`)
	_, err = newSweep(t, `slurm: ["--time=1\nrm x"]`).Scripts("sweep.yaml")
	assert.ErrorContains(t, err, "none of sbatch")

	s := newSweep(t, "seed: 1")
	scripts, err := s.Scripts("sweep.yaml")
	require.NoError(t, err)
	t.Setenv("PATH", t.TempDir())
	_, err = s.Submit(context.Background(), scripts[0])
	assert.ErrorContains(t, err, "there is no sbatch")
	b, err := os.ReadFile(filepath.Join(s.Dir, "slurm-cpu.sh"))
	require.NoError(t, err)
	assert.Equal(t, scripts[0].Text, string(b))
}

func TestRanges(t *testing.T) {
	for want, of := range map[string][]int{"": nil, "7": {7}, "0-3,5,8-9": {0, 1, 2, 3, 5, 8, 9}} {
		assert.Equal(t, want, ranges(of))
	}
}
