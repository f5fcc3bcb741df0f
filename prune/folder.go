package prune

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mdp/engine/atomicfile"
)

// Folder is a run's files and the record of what made them. Every step reads and
// writes files here, so that each can be run, resumed, inspected and replaced by
// another tool's file alone.
type Folder struct {
	dir     string
	records map[string]record
	log     *os.File
	made    bool // by this process
}

// record is how a step was last done: a digest of all that went in, and of each
// file that did and that came out.
type record struct {
	Inputs  string            `json:"inputs"`
	Read    map[string]string `json:"read,omitempty"`
	Outputs map[string]string `json:"outputs"`
	Seconds float64           `json:"seconds"`
}

const (
	recordFile = "steps.json"
	logFile    = "log.jsonl"
)

// OpenFolder opens or makes a run folder.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	err := os.Mkdir(dir, 0o755)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	f := &Folder{dir: dir, made: err == nil}
	if err := f.readRecords(); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(f.Path(logFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	f.log = log
	return f, err
}

// Close closes the log and gives up the lock. A folder that was made for nothing,
// because the run could not begin, goes.
func (f *Folder) Close() error {
	var err error
	if f.made && f.hasOnly(logFile) && f.Lock() == nil {
		err = errors.Join(os.Remove(f.Path(logFile)), os.Remove(f.dir))
	}
	return errors.Join(err, f.log.Close())
}

// hasOnly says that there is nothing in the folder but some of these files.
func (f *Folder) hasOnly(names ...string) bool {
	entries, err := os.ReadDir(f.dir)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !slices.Contains(names, e.Name()) })
}

// Path of a file of the run.
func (f *Folder) Path(name string) string { return filepath.Join(f.dir, name) }

// Log appends an event, one JSON object a line, with its time.
func (f *Folder) Log(event string, values any) error {
	b, err := json.Marshal(map[string]any{"time": time.Now().UTC().Format(time.RFC3339Nano), "event": event, "values": values})
	if err != nil {
		return err
	}
	_, err = f.log.Write(append(b, '\n'))
	return err
}

// ReadJSON reads a file of the run; its errors name the file.
func (f *Folder) ReadJSON(name string, v any) error {
	return readJSON(f.Path(name), v)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// WriteJSON replaces a file of the run, whole or not at all.
func (f *Folder) WriteJSON(name string, v any) error {
	return f.Write(name, encodeJSON(v))
}

func encodeJSON(v any) func(io.Writer) error {
	return func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(v)
	}
}

// Write replaces a file of the run, whole or not at all.
func (f *Folder) Write(name string, fill func(io.Writer) error) error {
	path := f.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, fill)
}

func (f *Folder) readRecords() error {
	var records map[string]record
	if err := f.ReadJSON(recordFile, &records); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; delete it to run every step again", err)
	}
	if records == nil {
		records = map[string]record{}
	}
	f.records = records
	return nil
}

// Lock keeps other processes from running steps in this folder, until Close. It
// reads again what was done: another process may have held it meanwhile.
func (f *Folder) Lock() error {
	err := syscall.Flock(int(f.log.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("another process is working in %s: wait for it, or choose another run folder", f.dir)
	}
	if err != nil {
		return err
	}
	// Whoever made the folder for nothing took the log with it, and the lock on it is worth nothing.
	held, err := f.log.Stat()
	if there, e := os.Stat(f.Path(logFile)); err != nil || e != nil || !os.SameFile(held, there) {
		return errors.Join(err, fmt.Errorf("%s was removed while it was opened: try again", f.dir))
	}
	return f.readRecords()
}

// Step does a step unless it was done with the same configuration and the same
// contents of its input files, and its outputs are still what it wrote.
func (f *Folder) Step(name string, config any, in, out []string, do func() error) (skipped bool, err error) {
	inputs, read, err := f.inputs(config, in)
	if err == nil {
		err = f.fresh(in...)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if r, ok := f.records[name]; ok && r.Inputs == inputs && f.unchanged(r) {
		return true, f.Log("skip", name)
	}
	start := time.Now()
	if err := do(); err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	r := record{Inputs: inputs, Read: read, Outputs: map[string]string{}, Seconds: time.Since(start).Seconds()}
	for _, o := range out {
		if r.Outputs[o], err = f.digest(o); err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
	}
	f.records[name] = r
	if err := f.WriteJSON(recordFile, f.records); err != nil {
		return false, err
	}
	return false, f.Log("step", map[string]any{"step": name, "seconds": r.Seconds})
}

// inputs is the digest of all that goes into a step, and those of its files.
func (f *Folder) inputs(config any, files []string) (all string, each map[string]string, err error) {
	b, err := json.Marshal(config)
	if err != nil {
		return "", nil, err
	}
	h := sha256.New()
	h.Write(b)
	each = map[string]string{}
	for _, name := range files {
		d, err := f.digest(name)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil, fmt.Errorf("%s is missing: run the steps before this one, or mdp prune for all of them", f.Path(name))
		}
		if err != nil {
			return "", nil, err
		}
		each[name] = d
		fmt.Fprintf(h, "\x00%s\x00%s", name, d)
	}
	return hex.EncodeToString(h.Sum(nil)), each, nil
}

// fresh refuses a file that a step made of files which have changed since: what
// reads it would mix two runs. One that another tool put there is taken as it is.
func (f *Folder) fresh(files ...string) error {
	digests := map[string]string{} // weights are large, and read by many
	holds := func(name, want string) bool {
		if _, ok := digests[name]; !ok {
			digests[name], _ = f.digest(name) // "" of one that is gone
		}
		return digests[name] == want
	}
	for _, step := range slices.Sorted(maps.Keys(f.records)) {
		r := f.records[step]
		for _, name := range files {
			if made, ok := r.Outputs[name]; !ok || !holds(name, made) {
				continue
			}
			for _, read := range slices.Sorted(maps.Keys(r.Read)) {
				if !holds(read, r.Read[read]) {
					stage, _, _ := strings.Cut(step, "/")
					return fmt.Errorf("%s was made before %s changed: run mdp prune, or mdp %s again", f.Path(name), f.Path(read), stage)
				}
			}
		}
	}
	return nil
}

func (f *Folder) unchanged(r record) bool {
	for name, want := range r.Outputs {
		if got, err := f.digest(name); err != nil || got != want {
			return false
		}
	}
	return true
}

func (f *Folder) digest(name string) (string, error) { return digest(f.Path(name)) }

// digest is the SHA-256 of a file.
func digest(path string) (string, error) {
	r, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
