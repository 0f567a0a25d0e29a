package amiproxy_test

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/ami"
)

// replaces has another leg in the bridge of a call in the place of its second one, who leaves before it or behind it.
func (w *world) replaces(id, by, endpoint string, behind bool) {
	other, bridge := leg(by, endpoint, call.StateUp, call.Identity{Number: "300"}, call.Identity{}), call.Bridge{ID: call.BridgeID(id + ".b"), Type: "mixing"}
	w.ingest(call.Event{Kind: call.LegSeen, Channel: other, At: at(20)})
	moves := []call.Event{
		{Kind: call.BridgeLeft, Bridge: bridge, Channel: call.Channel{ID: call.LegID(id + ".q")}, At: at(20)},
		{Kind: call.BridgeEntered, Bridge: bridge, Channel: other, At: at(20)},
	}
	if behind {
		slices.Reverse(moves)
	}
	w.ingest(moves...)
}

// movesBehind has something happen when the door has looked at the calls so often since it was armed.
func (w *world) movesBehind(looks int, happens func()) *atomic.Bool {
	armed := new(atomic.Bool)
	w.door.View(func(who auth.Subject) (gate.Channels, error) {
		v, err := w.gate.Channels(who)
		if armed.Load() {
			if looks--; looks == 0 {
				happens()
			}
		}
		return v, err
	})
	return armed
}

// Who is on the other side may be another by the time that a command on his channel is decided: the directory was asked where it leads, or the attended
// transfer of somebody else came between. The other is left alone.
func TestACommandOnAChannelIsNotDoneToWhoHasComeInItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		asks  func(own, other string) *ami.Message
		names int    // how many channels it names: it looks once for each
		order string // where nobody has come
	}{
		"Redirect": {func(_, other string) *ami.Message { return act("Redirect", "Channel", other, "Exten", "120") }, 1, "redirect 1.q 120"},
		"Redirect of both": {func(own, other string) *ami.Message {
			return act("Redirect", "Channel", own, "ExtraChannel", other, "Exten", "120")
		}, 2, "redirect 1.p1.q 120"},
		"Park":           {func(_, other string) *ami.Message { return act("Park", "Channel", other) }, 1, "park 1.q"},
		"Park, told one": {func(own, other string) *ami.Message { return act("Park", "Channel", own, "Channel2", other) }, 2, "park 1.q"},
		"PlayDTMF":       {func(_, other string) *ami.Message { return act("PlayDTMF", "Channel", other, "Digit", "1") }, 1, "press 1.q 1"},
	} {
		for _, moves := range []string{"", "before", "behind"} {
			w := newWorld(t)
			armed := w.movesBehind(c.names, func() { w.replaces("1", "9.z", "PJSIP/300", moves == "behind") })
			w.meets("1", "PJSIP/100", "PJSIP/210")
			alice := w.as("alice")
			own, _ := channelOf(t, alice, "PJSIP/100")
			other, _ := channelOf(t, alice, "PJSIP/210")
			m := c.asks(own, other)
			armed.Store(moves != "")
			got, want := answered(t, alice, m), "ok"
			if moves != "" {
				want = "The call changed while it was decided; look at the board and ask again."
			}
			if got != want {
				t.Errorf("%s, moves %s: %q", name, moves, got)
			}
			if moves == "" {
				w.pbx.ordered(t, c.order)
			} else if all := w.pbx.taken(); len(all) > 0 {
				t.Errorf("%s: somebody else is where the channel was, and the PBX was asked for %q", name, all)
			}
		}
	}
}

// A Bridge is of who is named, and of nobody who has come in his place.
func TestABridgeOfTwoChannelsIsNotOfWhoHasComeInThePlaceOfOne(t *testing.T) {
	for _, moves := range []string{"", "before", "behind"} {
		w := newWorld(t)
		armed := w.movesBehind(2, func() { w.replaces("2", "9.z", "PJSIP/300", moves == "behind") })
		w.meets("1", "PJSIP/100", "PJSIP/210")
		w.meets("2", "PJSIP/100", "PJSIP/120")
		alice := w.as("alice")
		one, _ := channelOf(t, alice, "PJSIP/210")
		two, _ := channelOf(t, alice, "PJSIP/120")
		armed.Store(moves != "")
		got := answered(t, alice, act("Bridge", "Channel1", one, "Channel2", two))
		if all := w.pbx.taken(); moves != "" && (got == "ok" || len(all) > 0) || moves == "" && (got != "ok" || len(all) != 1) {
			t.Errorf("moves %s: %q, %q", moves, got, all)
		}
	}
}
