//go:build linux && !386 && !s390x

package ami

import (
	"syscall"
	"unsafe"
)

// send hands the kernel what it takes at once.
//
// It goes round the runtime's scheduler, as a call may that never waits: to the scheduler each call is one that may, and with thousands of
// them a second it takes the processor away from some and moves their goroutine to another thread, whose turn comes later.
func send(fd uintptr, wire []byte) (int, error) {
	if len(wire) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(wire))), uintptr(len(wire)), //nolint:gosec // the kernel reads it while the call lasts
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
