// Package stage is what the tests of the doors have together: calls as a PBX tells of them, played without one, and a record, a log and a directory to look
// at afterwards. The doors' own worlds stand on it.
package stage

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/policy"
)

// Start is when everything happens.
var Start = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)

// At is a moment of the play.
func At(seconds int) time.Time { return Start.Add(time.Duration(seconds) * time.Second) }

// Policy compiles one, as it is at the Start.
func Policy(t testing.TB, text string) *policy.Set {
	t.Helper()
	set, problems, err := policy.Load("policy.yaml", []byte(text), Start)
	if err != nil {
		t.Fatalf("the policy of the tests: %v %v", err, problems)
	}
	return set
}

// Nobody is a directory in which nobody is a client.
type Nobody struct{}

// Find finds nobody.
func (Nobody) Find(string) (clients.Client, clients.Answer) {
	return clients.Client{}, clients.Stranger
}

// Leg is one that has been there since the Start.
func Leg(id, endpoint string, s call.State, own, other call.Identity) call.Channel {
	return call.Channel{ID: call.LegID(id), Name: endpoint + "-" + id, State: s, Caller: own, Connected: other, Created: Start}
}

// Dated gives what has no time the Start's.
func Dated(events []call.Event) []call.Event {
	for i := range events {
		if events[i].At.IsZero() {
			events[i].At = Start
		}
	}
	return events
}

// Rings has somebody from outside ring a phone.
func Rings(id, name, number, endpoint string) []call.Event {
	out := call.Identity{Name: name, Number: call.Number(number)}
	trunk := Leg(id+".t", "PJSIP/trunk", call.StateRing, out, call.Identity{})
	trunk.App = "Dial"
	phone := Leg(id+".p", endpoint, call.StateRinging, call.Identity{}, out)
	phone.App = "AppDial"
	return []call.Event{
		{Kind: call.LegSeen, Channel: trunk, At: At(10)},
		{Kind: call.LegSeen, Channel: phone, At: At(10)},
		{Kind: call.DialBegan, Channel: trunk, Peer: phone, At: At(10)},
	}
}

// Talks has somebody from outside ring a phone, and talk on it.
func Talks(id, name, number, endpoint string) []call.Event {
	out := call.Identity{Name: name, Number: call.Number(number)}
	trunk := Leg(id+".t", "PJSIP/trunk", call.StateUp, out, call.Identity{})
	phone := Leg(id+".p", endpoint, call.StateUp, call.Identity{}, out)
	bridge := call.Bridge{ID: call.BridgeID(id + ".b"), Type: "mixing"}
	return append(Rings(id, name, number, endpoint),
		call.Event{Kind: call.LegSeen, Channel: phone, At: At(15)},
		call.Event{Kind: call.DialEnded, Channel: trunk, Peer: phone, Answered: true, At: At(15)},
		call.Event{Kind: call.BridgeSeen, Bridge: bridge, At: At(15)},
		call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: phone, At: At(15)},
		call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: trunk, At: At(15)},
	)
}

// HangsUp ends a call for a cause, or for none that is told (0).
func HangsUp(id string, cause, second int) []call.Event {
	bridge, trunk, phone := call.Bridge{ID: call.BridgeID(id + ".b")}, call.Channel{ID: call.LegID(id + ".t")}, call.Channel{ID: call.LegID(id + ".p")}
	return []call.Event{
		{Kind: call.BridgeLeft, Bridge: bridge, Channel: trunk, At: At(second)},
		{Kind: call.LegGone, Channel: trunk, Cause: cause, At: At(second)},
		{Kind: call.LegGone, Channel: phone, Cause: cause, At: At(second)},
		{Kind: call.BridgeGone, Bridge: bridge, At: At(second)},
	}
}
