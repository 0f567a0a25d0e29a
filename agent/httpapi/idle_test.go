package httpapi_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/httpapi"
)

// A stream on which nothing happens costs nothing: a writer that looked again and again whether there is something to write would take a processor, and one for each stream.
func TestAnIdleStreamTakesNoProcessor(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.PerEmployee = 50 })
	for range 20 {
		w.watch("carl").next()
	}
	w.talking(ivanov, "1", "PJSIP/101", "101") // and something has happened, and is over
	worked := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	w.ask("carl", "GET", "/v1/me", "")
	least := time.Hour // another test's leftovers may work a moment longer
	for range 3 {
		before := worked()
		time.Sleep(500 * time.Millisecond) // what is measured
		least = min(least, worked()-before)
	}
	if least > 200*time.Millisecond {
		t.Errorf("20 idle streams took %v of processor in half a second", least)
	}
}
