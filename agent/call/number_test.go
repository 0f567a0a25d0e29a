package call_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

const secret = "79161234567"

func TestNothingPrintsANumberOrAName(t *testing.T) {
	ch := call.Channel{ID: "id.1", Name: "Local/" + secret + "@out-1;2", Exten: secret,
		Caller: call.Identity{Name: secret, Number: secret}, Connected: call.Identity{Number: secret}}
	table := call.NewTable()
	table.Apply(&call.Event{Kind: call.LegSeen, Channel: ch})
	leg := table.Leg("id.1")
	ev := call.Event{Kind: call.DialBegan, Channel: ch, Peer: ch, Dialled: secret}
	things := []any{call.Number(secret), ch.Caller, ch, &ch, ev, &ev, leg, *leg, []*call.Leg{leg}, call.Snapshot{Channels: []call.Channel{ch}},
		[]call.Channel{ch}, map[string]call.Number{"a": secret}, struct{ N call.Number }{secret}, leg.Dialled(), leg.Exten()}
	for _, thing := range things {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s"} {
			out := fmt.Sprintf(verb, thing)
			if strings.Contains(out, secret) || strings.Contains(out, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of %T prints %q", verb, thing, out)
			}
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "thing", thing)
		if strings.Contains(log.String(), secret) {
			t.Errorf("slog of %T prints %s", thing, log.String())
		}
	}
	for _, thing := range []any{call.Number(secret), leg} {
		if out, err := json.Marshal(thing); err != nil || strings.Contains(string(out), secret) {
			t.Errorf("JSON of %T: %s, %v", thing, out, err)
		}
	}
	// The control: what is asked for by name is there.
	if leg.Caller().Number.Digits() != secret || leg.Name() != ch.Name || leg.Exten().Digits() != secret {
		t.Error("the leg has not what was told of it")
	}
	if got := fmt.Sprintf("%v|%v|%#v|%v", call.Number(""), call.Number("1"), call.Number("1"), leg); got != "|[number]|[number]|leg id.1" {
		t.Errorf("printed %s", got)
	}
	if got := fmt.Sprintf("%v|%v|%v", (*call.Leg)(nil), call.Identity{}, call.Identity{Name: "x"}); got != "<nil>||[identity]" {
		t.Errorf("printed %s", got)
	}
}

func TestStatesKindsAndPhasesHaveWords(t *testing.T) {
	for s := call.StateUnknown; s <= call.StateBusy; s++ {
		if call.ParseState(s.String()) != s {
			t.Errorf("%d is written %q and read as %d", s, s, call.ParseState(s.String()))
		}
	}
	if call.ParseState("Dialing Offhook") != call.StateDialing || call.ParseState("Pre-ring") != call.StateRinging || call.ParseState("up") != call.StateUnknown {
		t.Error("other spellings")
	}
	if call.State(99).String() != "Unknown" || call.Kind(60).String() != "kind 60" || call.TransferDone.String() != "transfer done" {
		t.Error("values out of range")
	}
	if call.Phase(0).String() != "" || call.PhaseDialling.String() != "dialling" || call.Direction(0).String() != "" || call.Out.String() != "out" {
		t.Error("phases and directions")
	}
}
