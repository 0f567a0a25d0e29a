package amiproxy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
)

// supervising has carol spy on bob by the AMI door, and her phone answered.
func (w *world) supervising(t *testing.T) (own call.Channel, carol auth.Subject) {
	t.Helper()
	if got := answered(t, w.as("carol"), act("Originate", "Channel", "PJSIP/120", "Application", "ChanSpy", "Data", "PJSIP/210-,qd", "Async", "true")); got != "ok" {
		t.Fatal(got)
	}
	w.pbx.ordered(t, "ring PJSIP/120")
	own = call.Channel{ID: w.pbx.rung(), Name: "PJSIP/120-00000001", State: call.StateUp, Created: start}
	w.ingest(call.Event{Kind: call.LegSeen, Channel: own, At: at(28)}, call.Event{Kind: call.DialBegan, Peer: own, At: at(28)})
	carol, err := w.tokens.Authenticate(t.Context(), auth.Credential{Token: w.token["carol"]})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := w.gate.Supervisions(carol); err != nil || len(all) != 1 {
		t.Fatalf("she supervises %v, %v", all, err)
	}
	return own, carol
}

// ends waits until nothing is left of what somebody supervises.
func (w *world) ends(t *testing.T, s auth.Subject) {
	t.Helper()
	all, err := w.gate.Supervisions(s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), tooLong)
	defer cancel()
	for _, v := range all {
		if up, err := w.gate.Answered(ctx, s, v.ID); up || err != nil {
			t.Fatalf("it goes on: %v, %v", up, err)
		}
	}
}

// What is begun at this door has the same ground as at every other: it ends when somebody comes into the call whom the supervisor may not hear, and
// with the call, and no other call is heard then.
func TestASupervisionBegunHereEndsWithItsGround(t *testing.T) {
	for name, loses := range map[string]func(w *world){
		"the boss comes into the call": func(w *world) {
			bridge := call.Bridge{ID: "1.b", Type: "mixing"}
			boss := leg("2.p", "PJSIP/200", call.StateUp, call.Identity{}, call.Identity{})
			w.ingest(call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: "2.b"}, Channel: boss, At: at(30)},
				call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: boss, At: at(30)})
		},
		"the call ends and another begins": func(w *world) {
			w.hangsUp("1")
			w.talks("5", "", "+4915550005", "PJSIP/210")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.goesOn("talking")
			_, carol := w.supervising(t)
			loses(w)
			w.ends(t, carol)
			if got := w.pbx.taken(); len(got) != 1 {
				t.Errorf("the PBX was asked for %v", got)
			}
		})
	}
}

// A10 of the corpus: what one client sets for his events is for him alone, and gives him nothing that he may not see.
func TestAnEventMaskIsOfOneSessionAlone(t *testing.T) {
	w := newWorld(t)
	alice, olga := w.listen(t, "alice", "off"), w.listen(t, "olga", "on")
	if got := answered(t, alice.client, act("Events", "EventMask", "2147483647")); got != "ok" {
		t.Fatal(got)
	}
	w.talks("1", "Client", "+4915550001", "PJSIP/210")
	for _, l := range []*listener{alice, olga} {
		seen := false
		for _, m := range l.until("BridgeEnter", "PJSIP/210") {
			seen = seen || strings.Contains(string(m.Raw()), "+4915550001")
		}
		if seen != (l == olga) {
			t.Errorf("of the number she is told: %v", seen)
		}
	}
	if got := answered(t, alice.client, act("Events", "EventMask", "off")); got != "ok" {
		t.Fatal(got)
	}
	for len(alice.events) > 0 { // what was sent before the answer
		<-alice.events
	}
	w.hangsUp("1")
	olga.until("Hangup", "PJSIP/210")
	if got := answered(t, alice.client, act("Ping")); got != "ok" || len(alice.events) != 0 {
		t.Errorf("%q, and %d events came that she had turned off", got, len(alice.events))
	}
}
