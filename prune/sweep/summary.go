package sweep

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"mdp/engine/atomicfile"
	"mdp/prune/report"
)

// Summarise gathers what every job came to so far and writes it into the
// sweep's folder: summary.json, summary.csv and summary.html.
func (s *Sweep) Summarise() (report.Sweep, error) {
	unlock, err := s.folder().lock(".summary.lock", inTurn) // or an older one would replace a newer one
	if err != nil {
		return report.Sweep{}, err
	}
	defer unlock()
	r, err := s.gather()
	if err != nil {
		return report.Sweep{}, err
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer, report.Sweep) error
	}{
		{"summary.json", report.WriteSweepJSON},
		{"summary.csv", report.WriteSweepCSV},
		{"summary.html", report.WriteSweepHTML},
	} {
		err := atomicfile.Write(filepath.Join(s.Dir, f.name), func(w io.Writer) error { return f.write(w, r) })
		if err != nil {
			return report.Sweep{}, err
		}
	}
	return r, nil
}

func (s *Sweep) gather() (report.Sweep, error) {
	states, err := s.folder().states(s.Jobs)
	if err != nil {
		return report.Sweep{}, err
	}
	r := report.Sweep{Title: s.Title, Date: time.Now().UTC().Truncate(time.Second), Axes: s.Axes}
	for i, j := range s.Jobs {
		run := report.SweepRun{
			Name: j.Name, Values: j.Values, State: string(states[i].Phase), Device: states[i].Device,
			Failures: states[i].Failures, Error: states[i].Error, Seconds: states[i].Seconds,
		}
		if states[i].Phase == Done {
			if run.Networks, err = s.networks(j); err != nil {
				return report.Sweep{}, err
			}
		}
		r.Runs = append(r.Runs, run)
	}
	return r, nil
}

// networks reads those that a finished run reported.
func (s *Sweep) networks(j Job) ([]report.Network, error) {
	path := s.folder().of(j, reportFile)
	b, err := os.ReadFile(path)
	var r report.Run
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; delete it and sweep again", path, err)
	}
	return r.Networks, nil
}
