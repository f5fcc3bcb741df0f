package sensor

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// Processor reads what Linux says of the machine's processor.
type Processor struct {
	proc, sys string // folders
	before    ticks
}

// ticks are clock ticks of all cores since the machine, or of this process since it
// began.
type ticks struct{ all, busy, own int64 }

// NewProcessor reads the machine's own, or is None where there is no Linux.
func NewProcessor() Sensor { return newProcessor("/proc", "/sys/devices/system/cpu") }

func newProcessor(proc, sys string) Sensor {
	p := &Processor{proc: proc, sys: sys}
	var err error
	if p.before, err = p.ticks(); err != nil {
		return None("nobody tells of this processor: " + err.Error())
	}
	return p
}

// Settings are the governor of the first core's clock, where the machine shows it.
func (p *Processor) Settings() Settings {
	s := Settings{Source: "Linux"}
	if text, err := os.ReadFile(p.sys + "/cpu0/cpufreq/scaling_governor"); err == nil {
		s.Governor = strings.TrimSpace(string(text))
	}
	return s
}

// Read tells how much of the processor others took since the reading before.
func (p *Processor) Read() (Reading, error) {
	now, err := p.ticks()
	if err != nil {
		return Reading{}, err
	}
	var r Reading
	if all := now.all - p.before.all; all > 0 {
		others := now.busy - p.before.busy - (now.own - p.before.own)
		r.Busy = min(1, max(0, float64(others)/float64(all)))
	}
	p.before = now
	return r, nil
}

// Close does nothing.
func (p *Processor) Close() error { return nil }

// ticks reads proc(5): of stat user, nice, system, idle, iowait, irq, softirq and
// steal; of self/stat the 14th and 15th field, utime and stime, counted behind the
// name, which may hold spaces.
func (p *Processor) ticks() (t ticks, err error) {
	text, err := os.ReadFile(p.proc + "/stat")
	if err != nil {
		return t, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	var n [8]int64
	if _, err := fmt.Sscanf(string(line), "cpu %d %d %d %d %d %d %d %d", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7]); err != nil {
		return t, fmt.Errorf("%s/stat: %w", p.proc, err)
	}
	for i, v := range n {
		t.all += v
		if i != 3 && i != 4 {
			t.busy += v
		}
	}
	text, err = os.ReadFile(p.proc + "/self/stat")
	if err != nil {
		return t, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return t, fmt.Errorf("%s/self/stat has %d fields behind the name", p.proc, len(fields))
	}
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return t, fmt.Errorf("%s/self/stat: %w", p.proc, err)
	}
	t.own = user + system
	return t, nil
}
