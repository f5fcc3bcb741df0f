package cpu

import "syscall"

// onHugePages asks the system to back memory that nobody has touched yet with
// huge pages; where it has none, small ones serve.
func onHugePages(m []byte) { _ = syscall.Madvise(m, syscall.MADV_HUGEPAGE) }
