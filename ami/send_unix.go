//go:build unix && (!linux || 386 || s390x)

package ami

import "syscall"

// send hands the kernel what it takes at once: Go's connections are not waited for.
func send(fd uintptr, wire []byte) (int, error) { return syscall.Write(int(fd), wire) }
