package feed_test

import (
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
