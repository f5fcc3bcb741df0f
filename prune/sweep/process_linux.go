package sweep

import "syscall"

// attributes keep Ctrl-C from a job's process, which this one asks to stop, and
// have it die with this one.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
