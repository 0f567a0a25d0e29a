package feed_test

import (
	"slices"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
)

// What ARI has not told of a leg a snapshot may: the fact that has waited for it is told behind the snapshot, and is not late.
func TestAFactOfAMIThatWaitsIsToldOnceASnapshotHasItsLegs(t *testing.T) {
	c := newClock()
	asked := 0
	var applied []call.Kind
	f := known(t, feed.Config{
		Now: c.Now, Resync: func() { asked++ },
		OnApply: func(_ *call.Table, ev *call.Event, _ []call.Change) { applied = append(applied, ev.Kind) },
	})
	s := f.Subscribe(10, nil)
	defer s.Close()
	f.Ingest(fact(call.PickedUp, "v", "a"))
	f.Ingest(fact(call.PickedUp, "x", "a"))
	f.Resync(resynced("v", "a").Snapshot, nil)
	if got := words(queued(s)); got != "resynced, picked up v a" {
		t.Errorf("told %s", got)
	}
	if len(applied) != 3 || applied[2] != call.PickedUp { // the first is how the state became known
		t.Errorf("the hook was told %v", applied)
	}
	c.now = c.now.Add(time.Hour)
	f.Tick()
	if got := f.Stats(); asked != 1 || got.Held != 2 || got.Late != 1 {
		t.Errorf("asked %d times, %+v", asked, got)
	}
}

// What AMI tells while nothing is known comes with the snapshot. The table makes nothing of a recording and of parking, so those who do are told behind it.
func TestWhatAMIToldBeforeTheSnapshotReachesTheHookBehindIt(t *testing.T) {
	var told []string
	f := feed.New(feed.Config{OnApply: func(t *call.Table, ev *call.Event, ch []call.Change) {
		if !t.Known() {
			told = append(told, "unknown")
		}
		told = append(told, ev.Kind.String()+" "+string(ev.Channel.ID))
		if ev.Kind != call.Resynced && len(ch) > 0 {
			told = append(told, "changed")
		}
	}})
	s := f.Subscribe(10, nil)
	defer s.Close()
	f.Resync(resynced("a", "b", "c").Snapshot, []call.Event{
		*leg("d"), *fact(call.RecordingBegan, "a", ""), *fact(call.Parked, "b", ""), *fact(call.Parked, "c", ""), *gone("c"),
		*fact(call.RecordingBegan, "gone", ""), *fact(call.RecordingBegan, "d", ""), *fact(call.RecordingEnded, "a", ""), *fact(call.Unparked, "b", ""),
	})
	want := []string{"resynced ", "recording began a", "parked b", "recording began d", "recording ended a", "unparked b"}
	if !slices.Equal(told, want) {
		t.Errorf("the hook was told %q, not %q", told, want)
	}
	if got := words(queued(s)); got != "resynced" {
		t.Errorf("told %s", got)
	}
}
