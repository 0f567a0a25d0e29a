package agent

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// Whose call a recording of ARI's is of: the leg itself, what a snoop spies on, even by another snoop, and who is in a bridge.
func TestWhoseCallIsRecorded(t *testing.T) {
	table := call.NewTable()
	leg := func(id, name string) call.Channel {
		return call.Channel{ID: call.LegID(id), Name: name, State: call.StateUp}
	}
	for _, ch := range []call.Channel{leg("1", "PJSIP/101-1"), leg("2", "PJSIP/102-2"), leg("s", "Snoop/1-01"), leg("t", "Snoop/s-02"), leg("r", "Recorder/ARI-1;2")} {
		table.Apply(&call.Event{Kind: call.LegSeen, Channel: ch})
	}
	for id, bridge := range map[string]string{"r": "b", "2": "b", "s": "c"} {
		table.Apply(&call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: call.BridgeID(bridge), Type: "mixing"}, Channel: leg(id, "")})
	}
	for _, tc := range []struct {
		of   pbx.Recording
		want call.LegID
	}{
		{pbx.Recording{Leg: "1"}, "1"},
		{pbx.Recording{Leg: "s"}, "1"},
		{pbx.Recording{Leg: "t"}, "1"},
		{pbx.Recording{Leg: "gone"}, "gone"},
		{pbx.Recording{Bridge: "b"}, "2"},
		{pbx.Recording{Bridge: "c"}, "1"},
		{pbx.Recording{Bridge: "none"}, ""},
	} {
		if got := talker(table, tc.of); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.of, got, tc.want)
		}
	}
}
