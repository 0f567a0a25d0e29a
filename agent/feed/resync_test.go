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

// A leg that was made behind the snapshot's list is told of again by what has happened since, but only by ARI: that it spies, or is spied on, AMI has said once.
func TestWhoSpiesIsKnownOverASnapshotThatWasBegunBeforeHeCame(t *testing.T) {
	for name, listed := range map[string][]string{"the spy is late": {"a", "b"}, "whom he spies on is late": {"s", "b"}, "both are": {"b"}, "none is": {"a", "b", "s"}} {
		for _, lost := range []bool{false, true} {
			f := known(t, feed.Config{})
			var since []call.Event
			list := &call.Snapshot{}
			for _, id := range []string{"a", "s", "b"} {
				made := leg(id)
				made.Channel.Created = time.Unix(1_790_000_000, 0)
				if f.Ingest(made); slices.Contains(listed, id) {
					list.Channels = append(list.Channels, made.Channel)
				} else {
					since = append(since, *made)
				}
			}
			f.Ingest(fact(call.SpyBegan, "s", "a"))
			if lost {
				f.LinkLost() // then it may have ended unseen
			}
			f.Resync(list, since)
			f.Read(func(table *call.Table) {
				if on := table.Leg("s").Spied(); (on != nil && on == table.Leg("a")) == lost {
					t.Errorf("%s, and the link was lost %v: he spies %v", name, lost, on)
				}
			})
			f.Ingest(fact(call.SpyEnded, "s", "a"))
			f.Resync(list, since)
			f.Read(func(table *call.Table) {
				if table.Leg("s").Spied() != nil {
					t.Errorf("%s: he spies after he has ended", name)
				}
			})
		}
	}
}
