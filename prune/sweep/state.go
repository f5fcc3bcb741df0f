package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"

	"mdp/engine/atomicfile"
)

// Phase is how far a job has come.
type Phase string

// The phases of a job.
const (
	Waiting Phase = "waiting"
	Running Phase = "running" // or killed while it was
	Done    Phase = "done"
	Failed  Phase = "failed" // and tried often enough
)

// State is what is known of a job, kept in its folder: job.json.
type State struct {
	Phase    Phase     `json:"phase"`
	Device   string    `json:"device,omitempty"`   // that ran it last
	Failures int       `json:"failures,omitempty"` // of the attempts since it was last asked for
	Error    string    `json:"error,omitempty"`    // of the last one
	Started  time.Time `json:"started,omitzero"`
	Seconds  float64   `json:"seconds,omitempty"` // that the last attempt took
}

// The files of a job in its run folder, beside what else the run leaves.
const (
	stateFile  = "job.json"
	configFile = "run.yaml"
	logFile    = "job.log"     // what its process said
	reportFile = "report.json" // the run's last
)

// folder is where a sweep's runs lie.
type folder string

func (f folder) of(j Job, file string) string { return filepath.Join(string(f), j.Name, file) }

// state reads how far a job is. A job whose configuration is another than that
// of its folder has not begun, nor has one that is done and whose report is gone.
func (f folder) state(j Job) (State, error) {
	want, err := yaml.Marshal(j.Config)
	if err != nil {
		return State{}, err
	}
	have, err := os.ReadFile(f.of(j, configFile))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(have, want) {
		return State{Phase: Waiting}, nil
	}
	if err != nil {
		return State{}, err
	}
	path := f.of(j, stateFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return State{Phase: Waiting}, nil
	}
	var s State
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return State{}, fmt.Errorf("%s: %w; delete it and its run is looked at again", path, err)
	}
	if _, err := os.Stat(f.of(j, reportFile)); s.Phase == Done && err != nil {
		return State{Phase: Waiting}, nil
	}
	return s, nil
}

func (f folder) setState(j Job, s State) error {
	return atomicfile.Write(f.of(j, stateFile), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(s)
	})
}

// prepare makes the job's folder and leaves its configuration there. The old
// state goes first: it was that of another configuration.
func (f folder) prepare(j Job) error {
	if err := os.MkdirAll(f.of(j, ""), 0o755); err != nil {
		return err
	}
	want, err := yaml.Marshal(j.Config)
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(f.of(j, configFile)); err == nil && bytes.Equal(have, want) {
		return nil
	}
	if err := os.Remove(f.of(j, stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.Write(f.of(j, configFile), func(w io.Writer) error {
		_, err := w.Write(want)
		return err
	})
}

// states reads every job's.
func (f folder) states(jobs []Job) ([]State, error) {
	all := make([]State, len(jobs))
	for i, j := range jobs {
		var err error
		if all[i], err = f.state(j); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// lockFile is held by all who work in a sweep's folder.
const lockFile = ".lock"

// How a lock is held.
const (
	alone    = syscall.LOCK_EX | syscall.LOCK_NB // or not at all
	together = syscall.LOCK_SH | syscall.LOCK_NB // beside others who hold it together
	inTurn   = syscall.LOCK_EX                   // after those who hold it now
)

// lock takes the lock of that name until unlock, or says that it is taken.
func (f folder) lock(name string, how int) (unlock func() error, err error) {
	if err := os.MkdirAll(string(f), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(string(f), name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another sweep is working in %s: wait for it, or choose another folder", f)
		}
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return file.Close, nil
}
