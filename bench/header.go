package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/klauspost/cpuid/v2"

	"mdp/engine"
	"mdp/engine/sensor"
)

// Header is the first line of a table: where, when and by what its rows were
// measured. Rows are comparable only when all of it but the date agrees.
type Header struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Date    time.Time `json:"date"`
	Machine string    `json:"machine"` // hash of the host's name
	CPU     string    `json:"cpu"`
	Cores   int       `json:"cores"`
	OS      string    `json:"os"`
	Backend string    `json:"backend"` // engine.Backend's Name: device, how it computes
	engine.Info
	Build string `json:"build"` // VCS revision; of an unclean build, its own hash
	Go    string `json:"go"`
	DType string `json:"dtype"` // in memory
	Batch int    `json:"batch"`
	Rule  Rule   `json:"rule"`

	// What decides how fast the device runs, of a table that is measured without a run.
	Settings sensor.Settings `json:"settings,omitzero"`
	Without  string          `json:"without,omitempty"` // what was asked for as well and is not there
}

const (
	format  = "mdp latency table"
	version = 2
)

// NewHeader describes this machine, this build and how it is about to measure.
func NewHeader(b engine.Backend, batch int, rule Rule) (Header, error) {
	host, err := os.Hostname()
	if err != nil {
		return Header{}, fmt.Errorf("name of this machine: %w", err)
	}
	build, err := revision()
	if err != nil {
		return Header{}, fmt.Errorf("build of this program: %w", err)
	}
	name := sha256.Sum256([]byte(host))
	return Header{
		Format: format, Version: version, Date: time.Now().UTC().Truncate(time.Second),
		Machine: hex.EncodeToString(name[:6]), CPU: cpuid.CPU.BrandName, Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Backend: b.Name(), Info: b.Info(), Build: build, Go: runtime.Version(), DType: "float32", Batch: batch, Rule: rule,
	}, nil
}

// revision is the VCS revision of a clean build. Anything else is known by the
// hash of the program itself.
func revision() (string, error) {
	commit, modified := "", true
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = s.Value
			case "vcs.modified":
				modified = s.Value == "true"
			}
		}
	}
	if commit != "" && !modified {
		return commit, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// OtherHeaderError is a table that was measured under another header.
type OtherHeaderError struct {
	Table      Header
	Field      string // the first that differs
	have, want any
}

func (e *OtherHeaderError) Error() string {
	return fmt.Sprintf("measured with another %s: %+v, now %+v; measure into another folder, or delete the table to start again", e.Field, e.have, e.want)
}

// Check is nil, or an OtherHeaderError that names the first field in which a
// table's header is not want: their rows must not mix.
func (h Header) Check(want Header) error {
	for _, f := range []struct {
		name       string
		have, want any
	}{
		{"machine", h.Machine, want.Machine},
		{"CPU", h.CPU, want.CPU},
		{"number of cores", h.Cores, want.Cores},
		{"OS", h.OS, want.OS},
		{"backend", h.Backend, want.Backend},
		{"device", h.Info, want.Info},
		{"build", h.Build, want.Build},
		{"Go version", h.Go, want.Go},
		{"dtype", h.DType, want.DType},
		{"batch", h.Batch, want.Batch},
		{"rule", h.Rule, want.Rule},
		{"clock policy", h.Settings, want.Settings},
	} {
		if f.have != f.want {
			return &OtherHeaderError{h, f.name, f.have, f.want}
		}
	}
	return nil
}
