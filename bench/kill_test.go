package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

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

// measureAll says how many rows are done after each time; they are measured by fours.
func measureAll(path string) error {
	h := header()
	h.Rule.MinClock, h.Rule.Together = 0.5, 4
	table, err := OpenTable(path, h)
	if err != nil {
		return err
	}
	had := table.Len()
	return table.Measure(context.Background(), fake{}, grid(12), func(done, _ int, _ time.Duration) { fmt.Println(had + done) })
}

const usually = 30 * time.Millisecond // in which most children measure something

// Two hundred processes killed at any moment lose no row that one of them said was
// done, change none that was there, and measure none twice.
func TestKilledAtRandom(t *testing.T) {
	r := seeded(t)
	for kills, tables := 0, 1; kills < 200; tables++ {
		path := filepath.Join(t.TempDir(), "latency.jsonl")
		var before []Row
		longest := usually // until a child is killed
		for done := false; !done; {
			said, err := measureFor(t, path, time.Duration(r.Int64N(int64(longest))))
			done = err == nil
			if !done {
				kills++
			}
			require.Less(t, longest, time.Minute, "it never gets done")
			longest *= 2 // unless rows were added: on a starved machine a child does not get far
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				require.Zero(t, said)
				continue // killed before it made the file
			}
			require.NoError(t, err)
			c, err := parse(data) // which refuses a key that is there twice
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(c.rows), max(said, len(before)), "a row that was done is gone")
			for i, row := range before {
				require.Equal(t, row, c.rows[i], "a row was written again")
			}
			if len(c.rows) > len(before) {
				longest = usually
			}
			before = slices.Clone(c.rows)
		}
		require.Len(t, before, 144)
		t.Logf("killed %d times, %d tables done", kills, tables)
	}
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
