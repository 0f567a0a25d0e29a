//go:build !linux

package ami

import "time"

// pause sleeps for less than a window.
func pause(d time.Duration) { time.Sleep(d) }
