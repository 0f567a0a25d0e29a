package amiproxy_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

// One's own leg is one's own to hang up, that by which one supervises too, and no other leg is, whoever asks and whatever he may do.
func TestOnlyOnesOwnLegIsHungUp(t *testing.T) {
	w := newWorld(t)
	w.goesOn("talking")
	carol, olga := w.as("carol"), w.as("olga")
	if got := answered(t, carol, act("Originate", "Channel", "PJSIP/120", "Application", "ChanSpy", "Data", "PJSIP/210,q", "Async", "true")); got != "ok" {
		t.Fatal(got)
	}
	w.pbx.ordered(t, "ring PJSIP/120")
	own := call.Channel{ID: w.pbx.rung(), Name: "PJSIP/120-00000001", State: call.StateRinging, Created: start}
	w.ingest(call.Event{Kind: call.LegSeen, Channel: own, At: at(28)}, call.Event{Kind: call.DialBegan, Peer: own, At: at(28)})
	name, _ := channelOf(t, olga, "PJSIP/120")
	if got := answered(t, olga, act("Hangup", "Channel", name)); got != "That is not a leg of yours" {
		t.Errorf("another's supervision: %q", got)
	}
	if list := rows(t, olga, "CoreShowChannels"); len(list) != 5 {
		t.Fatalf("there are %d channels", len(list))
	}
	bobs, _ := channelOf(t, carol, "PJSIP/210")
	if got := answered(t, carol, act("Hangup", "Channel", bobs)); got != "That is not a leg of yours" {
		t.Errorf("another's call: %q", got)
	}
	bob := w.as("bob")
	bobs, _ = channelOf(t, bob, "PJSIP/210")
	if got := answered(t, bob, act("Hangup", "Channel", bobs, "Cause", "sixteen")); got != "Cause is a number from 1 to 127." {
		t.Errorf("with a cause that is none: %q", got)
	}
	if got := answered(t, bob, act("Hangup", "Channel", bobs, "Cause", "16")); got != "ok" {
		t.Errorf("his own call: %q", got)
	}
	name, _ = channelOf(t, carol, "PJSIP/120")
	if got := answered(t, carol, act("Hangup", "Channel", name)); got != "ok" {
		t.Errorf("her own supervision: %q", got)
	}
}
