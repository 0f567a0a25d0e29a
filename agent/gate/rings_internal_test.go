package gate

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

// A caller may wait in a queue all night, which rings the same phones again and again.
func TestOfACallerWhoRingsThePhonesOfAQueueAgainAndAgainEachIsNotedOnce(t *testing.T) {
	g := &Gate{}
	g.dog.rings = map[call.LegID][]string{}
	phones := []string{"PJSIP/101", "PJSIP/102", "PJSIP/103"}
	for range 1000 {
		for _, phone := range phones {
			g.rings(&call.Event{Kind: call.DialBegan, Channel: call.Channel{ID: "caller"}, Peer: call.Channel{ID: "x", Name: phone + "-00000001"}})
		}
	}
	if n := len(g.dog.rings["caller"]); n != len(phones) {
		t.Errorf("%d phones are noted of %d", n, len(phones))
	}
}
