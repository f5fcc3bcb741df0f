package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const killed = "MDP_TEST_MEASURE_INTO" // the path a child process measures into

func TestMain(m *testing.M) {
	if path := os.Getenv(killed); path != "" {
		if err := measureAll(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// measureAll says how many rows are done after each.
func measureAll(path string) error {
	table, err := OpenTable(path, header())
	if err != nil {
		return err
	}
	had := table.Len()
	return table.Measure(context.Background(), fake{}, grid(12), func(done, _ int, _ time.Duration) { fmt.Println(had + done) })
}

// A process killed at any moment loses no row it said was done, and whoever
// goes on measures none twice.
func TestKilledAtRandom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latency.jsonl")
	r := seeded(t)
	for kills := 0; ; kills++ {
		said, err := measureFor(t, path, time.Duration(r.IntN(40))*time.Millisecond)
		if _, statErr := os.Stat(path); statErr != nil {
			require.Zero(t, said)
			continue // killed before it made the file
		}
		data, readErr := os.ReadFile(path)
		require.NoError(t, readErr)
		c, parseErr := parse(data)
		require.NoError(t, parseErr)
		require.GreaterOrEqual(t, len(c.rows), said, "a row that was done is gone")
		if err == nil {
			t.Logf("killed %d times", kills)
			break
		}
		require.Less(t, kills, 1000, "it never gets done")
	}
	_, rows, err := ReadTable(path)
	require.NoError(t, err)
	keys := map[string]bool{}
	for _, row := range rows {
		keys[row.Key] = true
	}
	assert.Len(t, rows, 144)
	assert.Len(t, keys, 144)
}

// measureFor runs a child that measures and kills it after a while; it returns
// the last count the child said, and an error unless the child got done.
func measureFor(t *testing.T, path string, life time.Duration) (said int, err error) {
	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(self)
	child.Env = append(os.Environ(), killed+"="+path)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	child.Stderr = os.Stderr
	require.NoError(t, child.Start())
	timer := time.AfterFunc(life, func() { child.Process.Kill() })
	defer timer.Stop()
	text, err := io.ReadAll(bufio.NewReader(out))
	require.NoError(t, err)
	for rest := string(text); ; {
		var n int
		if _, scanErr := fmt.Sscanf(rest, "%d\n", &n); scanErr != nil {
			break
		}
		said = n
		rest = rest[len(fmt.Sprintln(n)):]
	}
	return said, child.Wait()
}
