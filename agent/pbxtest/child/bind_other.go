//go:build unix && !linux

package child

import "syscall"

// bind has no parent-death signal to ask for outside Linux; the process group is what Stop needs.
func bind(a *syscall.SysProcAttr) { a.Setpgid = true }
