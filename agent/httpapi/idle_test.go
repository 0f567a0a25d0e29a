package httpapi_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/pbxtest/processor"
)

// A stream on which nothing happens costs nothing: a writer that looked again and again whether there is something to write would take a processor, and one for each stream.
func TestAnIdleStreamTakesNoProcessor(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.PerEmployee = 50 })
	for range 20 {
		w.watch("carl").next()
	}
	w.talking(ivanov, "1", "PJSIP/101", "101") // and something has happened, and is over
	w.ask("carl", "GET", "/v1/me", "")
	const most = 200 * time.Millisecond
	if took := processor.Idle(t, most); took > most {
		t.Errorf("20 idle streams took %v of processor in %v", took, processor.Window)
	}
}
