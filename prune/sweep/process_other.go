//go:build !linux

package sweep

import "syscall"

// attributes keep Ctrl-C from a job's process, which this one asks to stop.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
