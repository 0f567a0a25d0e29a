//go:build unix

// Package processor tells the tests how much of the processors their process takes, which, unlike the time that goes by, is no other's who works on the
// same machine.
package processor

import (
	"syscall"
	"testing"
	"time"
)

// Used is the time that this process has had of the processors until now, its own and what the system has done for it.
func Used(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Window is how long Idle looks at a time.
const Window = 500 * time.Millisecond

// tries are how often it looks before it believes that something works on.
const tries = 3

// Idle is how much this process takes in a Window in which nobody has anything to do: the least of several looks, as what another test has left behind may
// work a moment longer, or the first that is no more than most. What works on without an end does so in each.
func Idle(t testing.TB, most time.Duration) time.Duration {
	t.Helper()
	return idle(most, func() time.Duration { return Used(t) }, func() { time.Sleep(Window) }) // what is measured
}

func idle(most time.Duration, used func() time.Duration, wait func()) time.Duration {
	var least time.Duration
	for i := range tries {
		before := used()
		wait()
		if took := used() - before; i == 0 || took < least {
			least = took
		}
		if least <= most {
			break
		}
	}
	return least
}
