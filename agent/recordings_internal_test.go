package agent

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/recording"
)

// What MixMonitor records goes on as long as its leg is there; while the PBX is out of sight nobody can say.
func TestWhetherALegIsRecordedStill(t *testing.T) {
	a := &Agent{feed: feed.New(feed.Config{})}
	defer a.feed.Close()
	runs := func(leg string) (bool, error) { return a.recordsStill(t.Context(), recording.SourceMixMonitor, leg) }
	if _, err := runs("1"); !errors.Is(err, errOutOfSight) {
		t.Errorf("before anything is known: %v", err)
	}
	a.feed.Resync(&call.Snapshot{Channels: []call.Channel{{ID: "1", Name: "PJSIP/101-1", State: call.StateUp}}}, nil)
	for leg, want := range map[string]bool{"1": true, "2": false} {
		if got, err := runs(leg); got != want || err != nil {
			t.Errorf("%s: %v, %v", leg, got, err)
		}
	}
}

// A call that has ended and is not written yet is a recording's call all the same.
func TestTheCallOfARecordingIsFoundBeforeItIsWritten(t *testing.T) {
	store, err := journal.Open(t.Context(), journal.Config{Path: filepath.Join(t.TempDir(), "journal")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	scribe, err := journal.NewScribe(t.Context(), store, journal.ScribeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	table, at := call.NewTable(), time.Now()
	for _, ev := range []call.Event{
		{Kind: call.Resynced, Snapshot: &call.Snapshot{}},
		{Kind: call.LegSeen, Channel: call.Channel{ID: "1", Name: "PJSIP/101-1", State: call.StateRing, Exten: "102", Created: at}},
		{Kind: call.LegGone, Channel: call.Channel{ID: "1", Name: "PJSIP/101-1"}},
	} {
		ev.At = at
		scribe.Apply(table, &ev, table.Apply(&ev))
	}
	b := book{store, scribe}
	if id, err := b.CallOf(t.Context(), "1", at); id == "" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	if _, err := b.CallOf(t.Context(), "2", at); !errors.Is(err, recording.ErrNoCall) {
		t.Errorf("of a leg that was none: %v", err)
	}
}

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
