package amiproxy_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/pbxtest/processor"
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
	const most = 200 * time.Millisecond
	if took := processor.Idle(t, most); took > most {
		t.Errorf("20 idle sessions took %v of processor in %v", took, processor.Window)
	}
}
