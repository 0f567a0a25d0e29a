package amiproxy_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
)

// A session in which nothing happens costs nothing: a writer that looked again and again whether there is something to write would take a processor, and one for each session.
func TestAnIdleSessionTakesNoProcessor(t *testing.T) {
	w := newWorld(t, func(c *amiproxy.Config) { c.PerEmployee = 50 })
	var last *listener
	for range 20 {
		last = w.listen(t, "carol", "on")
	}
	w.talks("1", "ALICE", "79161234567", "PJSIP/110")
	select {
	case <-last.events:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was told")
	}
	worked := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	least := time.Hour // another test's leftovers may work a moment longer
	for range 3 {
		before := worked()
		time.Sleep(500 * time.Millisecond) // what is measured
		least = min(least, worked()-before)
	}
	if least > 200*time.Millisecond {
		t.Errorf("20 idle sessions took %v of processor in half a second", least)
	}
}
