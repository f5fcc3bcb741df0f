package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// failure is why an attempt at a job came to nothing.
type failure struct {
	says  string // one line
	final bool   // it would fail again
}

func (f *failure) Error() string { return f.says }

// process runs mdp prune for a job on a device and returns when it has ended. A
// crash of it is a failure of that job and no more. It dies with this process,
// and is asked to stop when ctx is done. tell hears the lines it says.
func (s *Sweep) process(ctx context.Context, j Job, device string, tell func(line string)) error {
	log, err := os.OpenFile(s.folder().of(j, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	said := &listener{log: log, tell: tell}
	cmd := exec.CommandContext(ctx, s.Program, "prune", "--run", s.folder().of(j, ""), "--config", s.folder().of(j, configFile), "--device", device)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute // to save what it has

	// That the process dies with its parent means with the thread that began it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &exit):
		return &failure{says: err.Error()}
	}
	if says, ok := strings.CutPrefix(said.last, "mdp: "); ok {
		return &failure{says, s.Final(exit.ExitCode())}
	}
	return &failure{says: fmt.Sprintf("it ended with %s; %s has what it said", exit, log.Name())}
}

// listener writes all it is given to a log and hands on each whole line.
type listener struct {
	log  io.Writer
	tell func(string)
	part []byte
	last string
}

func (l *listener) Write(b []byte) (int, error) {
	l.part = append(l.part, b...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			break
		}
		l.last, l.part = string(line), rest
		l.tell(l.last)
	}
	const most = 1 << 16 // of a line that does not end
	if len(l.part) > most {
		l.part = l.part[:0]
	}
	return l.log.Write(b)
}
