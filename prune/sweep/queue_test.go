package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/prune"
	"mdp/prune/report"
)

// The program that a sweep starts is this test binary: with MDP_TEST_ROLE it
// does what a run of mdp prune may do. With role "sweep" it is a whole sweep,
// to be killed.
func TestMain(m *testing.M) {
	switch os.Getenv("MDP_TEST_ROLE") {
	case "run":
		os.Exit(run(os.Args[1:]))
	case "sweep":
		os.Setenv("MDP_TEST_ROLE", "run")
		s, err := open(os.Args[1], os.Args[2])
		if err == nil {
			err = s.Run(context.Background(), func(Event) {})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func open(file, dir string) (*Sweep, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := Read(f, prune.Defaults())
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	return &Sweep{Plan: p, Dir: dir, Program: self, Title: "test", Final: func(code int) bool { return code == 3 }}, err
}

// run behaves as its data key says. It holds its folder's and its device's lock
// while it lives, so that two at a time on either are found out, and adds a line
// to its folder's "runs" when it is done.
func run(args []string) int {
	at := map[string]string{}
	for i := 1; i+1 < len(args); i += 2 {
		at[args[i]] = args[i+1]
	}
	folder, device := at["--run"], at["--device"]
	for _, lock := range []string{filepath.Join(folder, "held"), filepath.Join(folder, "..", ".held-"+device)} {
		f, err := os.OpenFile(lock, os.O_CREATE|os.O_RDWR, 0o644)
		if err == nil {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		}
		if err != nil {
			appendLine(filepath.Join(folder, "..", "overlaps"), lock)
			return 1
		}
	}
	c := prune.Defaults()
	f, err := os.Open(at["--config"])
	if err == nil {
		err = c.Read(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mdp:", err)
		return 2
	}
	appendLine(filepath.Join(folder, "tries"), device)
	tries := len(readLines(filepath.Join(folder, "tries")))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("working on", device)
	switch c.Data {
	case "slow":
		time.Sleep(time.Duration(5+rand.IntN(20)) * time.Millisecond)
	case "long":
		select {
		case <-ctx.Done():
			appendLine(filepath.Join(folder, "stopped"), "")
			return 130
		case <-time.After(time.Minute):
		}
	case "broken":
		if device == "cuda:1" {
			fmt.Fprintln(os.Stderr, "mdp: the GPU is lost")
			return 1
		}
		time.Sleep(20 * time.Millisecond)
	case "fails":
		fmt.Fprintln(os.Stderr, "mdp: it cannot be done")
		return 1
	case "infeasible":
		fmt.Fprintln(os.Stderr, "mdp: the budget is too small")
		return 3
	case "fails-once":
		if tries == 1 {
			fmt.Fprintln(os.Stderr, "mdp: not yet")
			return 1
		}
	case "crashes-once":
		if tries == 1 {
			panic("crash")
		}
	case "killed-once":
		if tries == 1 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	r := report.Run{Networks: []report.Network{{Name: report.Dense, MeasuredMS: new(2.0)}, {Name: report.Pruned, Budget: "0.5x", Accuracy: new(0.5), MeasuredMS: new(1.0)}}}
	b, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "report.json"), b, 0o644)
	}
	if err != nil {
		return 1
	}
	appendLine(filepath.Join(folder, "runs"), device)
	return 0
}

func appendLine(path, line string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(f, line)
		f.Close()
	}
	if err != nil {
		panic(err)
	}
}

func readLines(path string) (lines []string) {
	b, _ := os.ReadFile(path) // none is no lines
	for l := range strings.Lines(string(b)) {
		lines = append(lines, strings.TrimSuffix(l, "\n"))
	}
	return lines
}

// newSweep is a sweep of the file in a new folder.
func newSweep(t *testing.T, text string) *Sweep {
	t.Setenv("MDP_TEST_ROLE", "run")
	dir := t.TempDir()
	file := filepath.Join(dir, "sweep.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	s, err := open(file, filepath.Join(dir, "out"))
	require.NoError(t, err)
	return s
}

// work runs the sweep and returns what was told of it, a word an event.
func work(t *testing.T, s *Sweep) (told []string) {
	words := map[EventKind]string{Skip: "skip", Begin: "begin", Finish: "finish", Retry: "retry", GiveUp: "give up", Stopped: "stopped"}
	require.NoError(t, s.Run(context.Background(), func(e Event) {
		if w, ok := words[e.Kind]; ok {
			told = append(told, w+" "+e.Job.Name)
		}
	}))
	return told
}

func TestFailedJobsAreIsolatedAndTriedOnceMore(t *testing.T) {
	s := newSweep(t, "data: [fails, fails-once, crashes-once, infeasible, killed-once, fine]")
	assert.Equal(t, []string{
		"begin fails", "retry fails", "begin fails-once", "retry fails-once", "begin crashes-once", "retry crashes-once",
		"begin infeasible", "give up infeasible", "begin killed-once", "retry killed-once", "begin fine", "finish fine",
		"begin fails", "give up fails", "begin fails-once", "finish fails-once", "begin crashes-once", "finish crashes-once",
		"begin killed-once", "finish killed-once",
	}, work(t, s))
	assert.NoFileExists(t, filepath.Join(s.Dir, "overlaps"))
	r, err := s.Summarise()
	require.NoError(t, err)
	var states, errors []string
	for _, run := range r.Runs {
		states, errors = append(states, run.State), append(errors, run.Error)
	}
	assert.Equal(t, []string{"failed", "done", "done", "failed", "done", "done"}, states)
	assert.Equal(t, []string{"it cannot be done", "", "", "the budget is too small", "", ""}, errors)
	assert.Len(t, r.Runs[5].Networks, 2)
	for _, name := range []string{"summary.json", "summary.csv", "summary.html"} {
		assert.FileExists(t, filepath.Join(s.Dir, name))
	}
	log, err := os.ReadFile(filepath.Join(s.Dir, "crashes-once", "job.log"))
	require.NoError(t, err)
	assert.Contains(t, string(log), "panic: crash")

	// Again: what is done stays, what failed is tried anew.
	assert.Equal(t, []string{
		"skip fails-once", "skip crashes-once", "skip killed-once", "skip fine",
		"begin fails", "retry fails", "begin infeasible", "give up infeasible", "begin fails", "give up fails",
	}, work(t, s))
	assert.Len(t, readLines(filepath.Join(s.Dir, "fine", "runs")), 1)
}

// A job of a changed file is run again; one without its report, too.
func TestOnlyWhatIsDoneIsSkipped(t *testing.T) {
	s := newSweep(t, "seed: [1, 2, 3]")
	assert.Len(t, work(t, s), 6)
	require.NoError(t, os.Remove(filepath.Join(s.Dir, "seed-2", "report.json")))
	s.Jobs[2].Config.Epochs++
	scripts, err := s.Scripts("sweep.yaml")
	require.NoError(t, err)
	assert.Equal(t, []int{1, 2}, scripts[0].Tasks, "by Slurm as well")
	r, err := s.Summarise()
	require.NoError(t, err)
	assert.Equal(t, string(Waiting), r.Runs[1].State)
	assert.Equal(t, []string{"skip seed-1", "begin seed-2", "finish seed-2", "begin seed-3", "finish seed-3"}, work(t, s))

	require.NoError(t, os.WriteFile(filepath.Join(s.Dir, "seed-1", "job.json"), []byte("{"), 0o644))
	err = s.Run(context.Background(), func(Event) {})
	require.ErrorContains(t, err, "job.json")
	require.ErrorContains(t, err, "delete it")
}

// Every device has one job at a time, and all of them have some.
func TestOneJobOnADevice(t *testing.T) {
	s := newSweep(t, "data: slow\nseed: [1, 2, 3, 4, 5, 6]\ndevice: [cpu, [cuda:0, cuda:1]]")
	most, on := 0, map[string]int{}
	require.NoError(t, s.Run(context.Background(), func(e Event) {
		if e.Kind == Begin {
			most = max(most, e.Tally.Running)
			on[e.Device]++
		}
	}))
	assert.NoFileExists(t, filepath.Join(s.Dir, "overlaps"))
	assert.Equal(t, 3, most)
	assert.Equal(t, 6, on["cpu"])
	assert.Equal(t, 6, on["cuda:0"]+on["cuda:1"])
	assert.NotZero(t, on["cuda:0"])
	assert.NotZero(t, on["cuda:1"])
}

// A device that fails all it is given takes none from another that works.
func TestBrokenDevice(t *testing.T) {
	s := newSweep(t, "data: broken\nseed: [1, 2, 3, 4, 5, 6]\ndevice: [[cuda:0, cuda:1]]")
	assert.NotContains(t, strings.Join(work(t, s), "; "), "give up")
	failed := 0
	for _, j := range s.Jobs {
		assert.Equal(t, []string{"cuda:0"}, readLines(filepath.Join(s.Dir, j.Name, "runs")))
		tries := readLines(filepath.Join(s.Dir, j.Name, "tries"))
		if len(tries) == 2 {
			failed++
		}
		assert.Subset(t, [][]string{{"cuda:0"}, {"cuda:1", "cuda:0"}}, [][]string{tries})
	}
	assert.Positive(t, failed)
}

// A sweep that is killed again and again at any moment does every job, none of
// them twice, and leaves no process behind that works on.
func TestKilledSweepGoesOn(t *testing.T) {
	s := newSweep(t, "data: slow\nseed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\ndevice: [[cuda:0, cuda:1]]\nnet: resnet8-cifar")
	h := fnv.New64a()
	h.Write([]byte(t.Name()))
	rng := rand.New(rand.NewPCG(h.Sum64(), 0))
	self, err := os.Executable()
	require.NoError(t, err)
	recorded := func() (n int) { // what only came to its end is asked again
		for _, j := range s.Jobs {
			state, err := s.folder().state(j)
			require.NoError(t, err)
			if state.Phase == Done {
				n++
			}
		}
		return n
	}
	kills, patience := 0, 1
	for done := 0; ; kills++ {
		c := exec.Command(self, filepath.Join(filepath.Dir(s.Dir), "sweep.yaml"), s.Dir)
		c.Env = append(os.Environ(), "MDP_TEST_ROLE=sweep")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		require.NoError(t, c.Start())
		timer := time.AfterFunc(time.Duration(patience*(10+rng.IntN(120)))*time.Millisecond, func() { c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		require.Empty(t, stderr.String())
		if now := recorded(); now > done {
			done, patience = now, 1
		} else { // on a machine full of other work it hardly starts
			require.Less(t, patience, 1<<10, "it does not get on")
			patience *= 2
		}
	}
	t.Logf("killed %d times", kills)
	assert.Positive(t, kills)
	assert.NoFileExists(t, filepath.Join(s.Dir, "overlaps"), "a process outlived its sweep")
	for _, j := range s.Jobs {
		// A kill between the end of a run and its record has it asked again.
		assert.NotEmpty(t, readLines(filepath.Join(s.Dir, j.Name, "runs")), j.Name)
		state, err := s.folder().state(j)
		require.NoError(t, err)
		assert.Equal(t, Done, state.Phase)
		assert.Zero(t, state.Failures, "a kill is no failure of the job")
		tries := readLines(filepath.Join(s.Dir, j.Name, "tries"))
		for _, device := range tries {
			assert.Equal(t, tries[0], device, "a run that was begun on one device went on on another")
		}
	}
	assert.NotContains(t, strings.Join(work(t, s), " "), "begin")
}

func TestAskedToStop(t *testing.T) {
	s := newSweep(t, "data: long\nseed: [1, 2]")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var told []EventKind
	err := s.Run(ctx, func(e Event) {
		told = append(told, e.Kind)
		if e.Kind == Say {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []EventKind{Begin, Say, Stopped}, told)
	assert.FileExists(t, filepath.Join(s.Dir, "seed-1", "stopped"), "it was not asked but killed")
	state, err := s.folder().state(s.Jobs[0])
	require.NoError(t, err)
	assert.Equal(t, Waiting, state.Phase)
	assert.Zero(t, state.Failures)
}

// Tasks of a job array work side by side, but no two on one job, and nobody
// while a whole sweep does.
func TestTasksSideBySide(t *testing.T) {
	s := newSweep(t, "data: slow\nseed: [1, 2, 3, 4]")
	none := func(Event) {}
	var wait sync.WaitGroup
	for i := range s.Jobs {
		wait.Go(func() {
			assert.NoError(t, s.RunJob(context.Background(), i, fmt.Sprint("cuda:", i), none))
			_, err := s.Summarise()
			assert.NoError(t, err)
		})
	}
	wait.Wait()
	b, err := os.ReadFile(filepath.Join(s.Dir, "summary.json"))
	require.NoError(t, err)
	assert.Equal(t, 4, strings.Count(string(b), `"done"`), "the last to end sums up all")

	unlock, err := s.folder().lock(lockFile, alone)
	require.NoError(t, err)
	require.ErrorContains(t, s.RunJob(context.Background(), 0, "cpu", none), "another sweep is working in")
	require.ErrorContains(t, s.Run(context.Background(), none), "another sweep is working in")
	require.NoError(t, unlock())
	unlock, err = s.folder().lock("."+s.Jobs[0].Name+".lock", alone)
	require.NoError(t, err)
	require.ErrorContains(t, s.RunJob(context.Background(), 0, "cpu", none), "another sweep is working in")
	require.NoError(t, unlock())
}

func TestProgramThatIsNotThere(t *testing.T) {
	s := newSweep(t, "seed: [1, 2]")
	s.Program = filepath.Join(t.TempDir(), "none")
	assert.Equal(t, []string{"begin seed-1", "retry seed-1", "begin seed-2", "retry seed-2",
		"begin seed-1", "give up seed-1", "begin seed-2", "give up seed-2"}, work(t, s))
}
