package ami

import (
	"syscall"
	"time"
)

// pause sleeps for less than a window. Go's timers are up to a millisecond late: that is what its poll of the network, which waits for them too, reckons in.
func pause(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // when a signal ends it early it is asked for again
}
