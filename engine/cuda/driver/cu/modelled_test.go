//go:build cuda

package cu

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModelledDriver: the self-test finds what testdata/modelled says of its GPU, so
// the way there and the streams, events and clock of the model are right. Its times
// are made up, but do not depend on this machine's.
func TestModelledDriver(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.Command("g++", "-shared", "-fPIC", "-std=c++17", "-O2", "-Wall", "-Werror",
		"-o", filepath.Join(dir, "libcuda.so.1"), "testdata/modelled/libcuda.cpp").CombinedOutput()
	require.NoError(t, err, "%s", out)
	c := exec.Command("go", "run", "-tags", "cuda", "../../../../cmd/mdp", "bench", "--selftest", "--device", "cuda:0", "--json", "--quiet")
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+dir, "MODELLED_NOISE=0", "MODELLED_THROTTLE_S=0")
	out, err = c.Output()
	require.NoError(t, err)
	var found struct {
		Backend  string
		ClockMHz float64 `json:"clock_mhz"`
		Probes   []struct {
			Bytes int64
			GBPS  float64 `json:"gb_per_s"`
		}
	}
	require.NoError(t, json.Unmarshal(out, &found), "%s", out)
	require.Equal(t, "cuda fp32, modelled GPU", found.Backend)
	require.InEpsilon(t, 1980, found.ClockMHz, 0.01)
	large := found.Probes[len(found.Probes)-1]
	require.InEpsilon(t, 4300, large.GBPS, 0.1, "a copy of %d bytes", large.Bytes)
}
