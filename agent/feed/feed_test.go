package feed_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
)

// A clock that a test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newClock() *clock { return &clock{time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)} }

func leg(id string) *call.Event {
	return &call.Event{Kind: call.LegSeen, Channel: call.Channel{ID: call.LegID(id), Name: "PJSIP/" + id + "-1", State: call.StateUp}}
}

func gone(id string) *call.Event {
	return &call.Event{Kind: call.LegGone, Channel: call.Channel{ID: call.LegID(id)}}
}

func fact(kind call.Kind, a, b string) *call.Event {
	return &call.Event{Kind: kind, Channel: call.Channel{ID: call.LegID(a)}, Peer: call.Channel{ID: call.LegID(b)}}
}

func resynced(ids ...string) *call.Event {
	s := &call.Snapshot{}
	for _, id := range ids {
		s.Channels = append(s.Channels, leg(id).Channel)
	}
	return &call.Event{Kind: call.Resynced, Snapshot: s}
}

// known returns a feed whose state is known.
func known(t *testing.T, c feed.Config) *feed.Feed {
	t.Helper()
	f := feed.New(c)
	f.Ingest(resynced())
	if !f.Stats().Known {
		t.Fatal("the state is not known after a resync")
	}
	return f
}

// queued reads what a subscription has, without waiting.
func queued(s *feed.Subscription) []feed.Batch {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var got []feed.Batch
	batches, _ := s.Take(ctx)
	for _, b := range batches {
		got = append(got, *b)
	}
	return got
}

func words(batches []feed.Batch) string {
	var s []string
	for _, b := range batches {
		for _, c := range b.Changes {
			s = append(s, fmt.Sprint(c))
		}
	}
	return strings.Join(s, ", ")
}

func TestNothingIsDeliveredBeforeTheStateIsKnown(t *testing.T) {
	applied := 0
	f := feed.New(feed.Config{OnApply: func(*call.Table, *call.Event, []call.Change) { applied++ }})
	known, seq := true, uint64(7)
	s := f.Subscribe(10, func(t *call.Table, n uint64) { known, seq = t.Known(), n })
	defer s.Close()
	if known || seq != 0 {
		t.Errorf("known %v, sequence %d at the start", known, seq)
	}
	f.Ingest(leg("a"))
	f.LinkLost()
	f.Ingest(fact(call.SpyBegan, "a", "b"))
	if got := f.Stats(); applied != 0 || got.Early != 2 || got.Applied != 0 || got.Legs != 0 || len(queued(s)) != 0 {
		t.Errorf("before the state is known: %+v", got)
	}
	f.Ingest(resynced("b"))
	f.Ingest(leg("c"))
	got := queued(s)
	if words(got) != "resynced, leg created c" || !got[0].Known || got[0].Seq != 1 || got[1].Seq != 2 {
		t.Errorf("told %v", got)
	}
	f.LinkLost()
	f.Ingest(leg("d"))
	got = queued(s)
	if words(got) != "link lost" || got[0].Known {
		t.Errorf("after a loss told %v", got)
	}
	if st := f.Stats(); st.Known || st.Legs != 2 || st.Early != 3 {
		t.Errorf("after a loss: %+v", st)
	}
}

func TestASubscriptionBeginsWithThePresentStateAndMissesNothing(t *testing.T) {
	f := known(t, feed.Config{})
	f.Ingest(leg("a"))
	var seen []*call.Leg
	var seq uint64
	s := f.Subscribe(10, func(t *call.Table, n uint64) { seen, seq = t.All(nil), n })
	f.Ingest(leg("b"))
	f.Ingest(leg("b")) // nothing new
	f.Ingest(gone("a"))
	got := queued(s)
	if len(seen) != 1 || seq != 2 || len(got) != 2 || got[0].Seq != 3 || got[1].Seq != 4 || words(got) != "leg created b, leg gone a" {
		t.Errorf("began with %v at %d, then %v", seen, seq, got)
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
	s.Close()
	s.Close()
	if !errors.Is(s.Err(), feed.ErrClosed) {
		t.Errorf("closed by %v", s.Err())
	}
	if got, err := s.Take(t.Context()); len(got) > 0 || !errors.Is(err, feed.ErrClosed) {
		t.Errorf("from a closed subscription came %v, %v", got, err)
	}
	f.Ingest(leg("c"))
	if got := f.Stats(); got.Subscribers != 0 || got.CutOff != 0 || got.Delivered != 2 {
		t.Errorf("%+v", got)
	}
}

func TestWhoIsTooSlowIsCutOffAloneAndTold(t *testing.T) {
	f := known(t, feed.Config{})
	slow, fast, last := f.Subscribe(2, nil), f.Subscribe(100, nil), f.Subscribe(0, nil)
	for i := range 10 {
		f.Ingest(leg(fmt.Sprint(i)))
	}
	if !errors.Is(slow.Err(), feed.ErrSlow) || !errors.Is(last.Err(), feed.ErrSlow) || fast.Err() != nil {
		t.Errorf("slow: %v, last: %v, fast: %v", slow.Err(), last.Err(), fast.Err())
	}
	if a, b, c := len(queued(slow)), len(queued(fast)), len(queued(last)); a != 2 || b != 10 || c != 1 {
		t.Errorf("slow got %d, fast %d, last %d", a, b, c)
	}
	if got := f.Stats(); got.CutOff != 2 || got.Subscribers != 1 {
		t.Errorf("%+v", got)
	}
	slow.Close() // keeps its reason
	if !errors.Is(slow.Err(), feed.ErrSlow) {
		t.Error(slow.Err())
	}
	f.Close()
	if !errors.Is(fast.Err(), feed.ErrClosed) {
		t.Error(fast.Err())
	}
	if late := f.Subscribe(1, nil); !errors.Is(late.Err(), feed.ErrClosed) {
		t.Errorf("a subscription to a closed feed: %v", late.Err())
	}
}

func TestTheHookSeesEachFactBeforeAnySubscriber(t *testing.T) {
	var s *feed.Subscription
	var log []string
	f := known(t, feed.Config{OnApply: func(table *call.Table, ev *call.Event, ch []call.Change) {
		if ev.Kind == call.Resynced {
			return
		}
		if n := len(queued(s)); n != 0 {
			t.Errorf("%d batches are out before the hook", n)
		}
		log = append(log, fmt.Sprintf("%v: %d changes, %d legs", ev, len(ch), table.Len()))
	}})
	s = f.Subscribe(10, nil)
	defer s.Close()
	for _, ev := range []*call.Event{leg("a"), leg("a"), gone("a"), fact(call.PickedUp, "a", "a")} {
		f.Ingest(ev)
		queued(s)
	}
	if got := strings.Join(log, "; "); got != "leg seen a: 1 changes, 1 legs; leg seen a: 0 changes, 1 legs; leg gone a: 1 changes, 0 legs; picked up a a: 0 changes, 0 legs" {
		t.Errorf("seen: %s", got)
	}
}

func TestAFactOfAMIWaitsForItsLegs(t *testing.T) {
	c := newClock()
	asked := 0
	f := known(t, feed.Config{Now: c.Now, Resync: func() { asked++ }})
	s := f.Subscribe(10, nil)
	defer s.Close()
	spy := fact(call.SpyBegan, "v", "a")
	ids := []byte("va")
	spy.Channel.ID, spy.Peer.ID = call.LegID(unsafe.String(&ids[0], 1)), call.LegID(unsafe.String(&ids[1], 1))
	f.Ingest(spy)
	copy(ids, "##") // the feed keeps nothing of what it was given
	*spy = call.Event{}
	f.Ingest(fact(call.SpyEnded, "v", "a"))
	f.Ingest(fact(call.SpyBegan, "v", "b"))
	f.Ingest(leg("a"))
	f.Ingest(leg("b"))
	c.now = c.now.Add(feed.HoldBack - time.Millisecond)
	f.Tick()
	if got := words(queued(s)); got != "leg created a, leg created b" {
		t.Errorf("told %s", got)
	}
	f.Ingest(leg("v"))
	if got := words(queued(s)); got != "leg created v, spy began v a, spy ended v a, spy began v b" {
		t.Errorf("told %s", got)
	}
	// What is over when it is told waits for nobody.
	f.Ingest(gone("v"))
	f.Ingest(fact(call.SpyEnded, "v", ""))
	c.now = c.now.Add(time.Hour)
	f.Tick()
	if got := f.Stats(); asked != 0 || got.Held != 3 || got.Late != 0 {
		t.Errorf("asked %d times, %+v", asked, got)
	}
}

func TestAFactThatWaitsInVainIsCountedAndAnsweredByAResyncAtMostOnceASecond(t *testing.T) {
	c := newClock()
	asked := 0
	f := known(t, feed.Config{Now: c.Now, Resync: func() { asked++ }})
	for range 3 {
		f.Ingest(fact(call.PickedUp, "x", "y"))
	}
	c.now = c.now.Add(feed.HoldBack)
	f.Tick()
	if got := f.Stats(); asked != 1 || got.Late != 3 || got.Resyncs != 1 {
		t.Fatalf("asked %d times, %+v", asked, got)
	}
	f.RequestResync() // a witness heard what does not fit
	f.Tick()
	c.now = c.now.Add(feed.ResyncEvery - time.Millisecond)
	f.Tick()
	if asked != 1 {
		t.Fatalf("asked %d times within a second", asked)
	}
	c.now = c.now.Add(time.Millisecond)
	f.Tick()
	f.Tick()
	if asked != 2 {
		t.Fatalf("asked %d times, want one more after a second", asked)
	}
	// A snapshot that comes meanwhile may have been begun before what the next is wanted for.
	for i, hand := range []func(){func() { f.Ingest(resynced()) }, func() { f.Resync(resynced().Snapshot, nil) }} {
		f.RequestResync()
		hand()
		if asked != 2+i {
			t.Fatalf("asked %d times within a second", asked)
		}
		c.now = c.now.Add(feed.ResyncEvery)
		f.Tick()
		if asked != 3+i {
			t.Fatalf("asked %d times: a snapshot that was begun before has answered", asked)
		}
	}
	// The one that follows the loss of the link answers what was wanted before that, and not what is wanted while it is being taken.
	f.RequestResync()
	f.LinkLost()
	c.now = c.now.Add(time.Hour)
	f.Tick()
	f.Ingest(resynced())
	if asked != 4 {
		t.Fatalf("asked %d times", asked)
	}
	f.LinkLost()
	f.RequestResync()
	if asked != 4 {
		t.Fatalf("asked %d times while nothing is known", asked)
	}
	f.Ingest(resynced())
	if asked != 5 {
		t.Fatalf("asked %d times", asked)
	}
}

func TestWhatWaitsIsBounded(t *testing.T) {
	f := known(t, feed.Config{})
	for i := range 5000 {
		f.Ingest(fact(call.SpyBegan, fmt.Sprint("x", i), "y"))
	}
	if got := f.Stats(); got.Held != 5000 || got.Late != 5000-1024 || got.Resyncs != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAMoveThatIsNoneEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := known(t, feed.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- f.Run(ctx) }()
		synctest.Wait()
		s := f.Subscribe(10, nil)
		defer s.Close()
		room := call.Bridge{ID: "r", Type: "mixing"}
		for _, id := range []string{"a", "b"} {
			f.Ingest(&call.Event{Kind: call.BridgeEntered, Channel: leg(id).Channel, Bridge: room})
		}
		f.Ingest(&call.Event{Kind: call.BridgeLeft, Channel: leg("a").Channel, Bridge: room})
		queued(s)
		left := time.Now()
		b, err := s.Take(ctx)
		if took := time.Since(left); err != nil || len(b) != 1 || words([]feed.Batch{*b[0]}) != "move ended a r" || took < call.MoveTime || took > call.MoveTime+50*time.Millisecond {
			t.Errorf("%v after %v", b, took)
		}
		cancel()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestRunAsksForTheResyncThatHadToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan time.Time, 10)
		f := known(t, feed.Config{Resync: func() { asked <- time.Now() }})
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- f.Run(ctx) }()
		synctest.Wait()
		f.RequestResync()
		f.RequestResync()
		first, second := <-asked, <-asked
		if d := second.Sub(first); d < feed.ResyncEvery || d > feed.ResyncEvery+50*time.Millisecond {
			t.Errorf("asked again after %v", d)
		}
		cancel()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

// all are a subscription's batches until it ends.
func all(s *feed.Subscription) iter.Seq[*feed.Batch] {
	return func(yield func(*feed.Batch) bool) {
		for {
			batches, err := s.Take(context.Background())
			if err != nil {
				return
			}
			for _, b := range batches {
				if !yield(b) {
					return
				}
			}
		}
	}
}

// TestManyMayReadSubscribeAndLeaveAtOnce is for the race detector; each reader compares what it is told with the table.
func TestManyMayReadSubscribeAndLeaveAtOnce(t *testing.T) {
	f := known(t, feed.Config{})
	const calls, readers = 300, 8
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for {
				legs := map[call.LegID]bool{}
				var next uint64
				s := f.Subscribe(4, func(t *call.Table, seq uint64) {
					next = seq + 1
					for _, l := range t.All(nil) {
						legs[l.ID()] = true
					}
				})
				if legs["end"] {
					s.Close()
					return
				}
				for b := range all(s) {
					if b.Seq != next {
						t.Errorf("batch %d, want %d", b.Seq, next)
					}
					next++
					for _, c := range b.Changes {
						switch c.Kind {
						case call.LegCreated:
							if legs[c.Leg] {
								t.Errorf("%s is told twice", c.Leg)
							}
							legs[c.Leg] = true
						case call.LegGone:
							if !legs[c.Leg] {
								t.Errorf("%s goes and never came", c.Leg)
							}
							delete(legs, c.Leg)
						}
					}
					f.Read(func(t *call.Table) {
						for _, l := range t.All(nil) {
							t.Peers(nil, l)
						}
					})
					if legs["end"] {
						s.Close()
						return
					}
				}
			}
		})
	}
	for i := range calls {
		f.Ingest(leg(fmt.Sprint("a", i)))
		if i >= 10 {
			f.Ingest(gone(fmt.Sprint("a", i-10)))
		}
		f.Stats()
	}
	f.Ingest(leg("end"))
	wg.Wait()
}

func TestTakeWaitsAndEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := known(t, feed.Config{})
		s := f.Subscribe(1, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if got, err := s.Take(ctx); len(got) > 0 || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("%v, %v", got, err)
		}
		go f.Ingest(leg("a"))
		if got, err := s.Take(t.Context()); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
		go f.Close()
		if got, err := s.Take(t.Context()); len(got) > 0 || !errors.Is(err, feed.ErrClosed) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestHandingOnAllocatesForTheBatchAndNotForTheSubscriber(t *testing.T) {
	each := func(subscribers int) float64 {
		f := known(t, feed.Config{})
		f.Ingest(leg("a"))
		var all []*feed.Subscription
		for range subscribers {
			all = append(all, f.Subscribe(10, nil))
		}
		up, ring := leg("a"), leg("a")
		ring.Channel.State = call.StateRing
		tell := func() {
			f.Ingest(ring)
			f.Ingest(up)
			for _, s := range all {
				if got, err := s.Take(t.Context()); err != nil || len(got) != 2 {
					t.Fatal(got, err)
				}
			}
		}
		tell()
		tell()
		return testing.AllocsPerRun(100, tell)
	}
	if few, many := each(1), each(100); few != 2 || many != few {
		t.Errorf("%v allocations for two facts told to one, %v to 100", few, many)
	}
}

func TestAFactOfAMIThatHadToWaitKeepsTheNamesThatItGave(t *testing.T) {
	var told []string
	f := known(t, feed.Config{OnApply: func(_ *call.Table, ev *call.Event, _ []call.Change) {
		if ev.Kind == call.SpyBegan || ev.Kind == call.RecordingBegan {
			told = append(told, ev.Channel.Name+" "+ev.Peer.Name)
		}
	}})
	spy := fact(call.SpyBegan, "a", "b")
	spy.Channel.Name, spy.Peer.Name = "PJSIP/a-1", "PJSIP/b-1"
	f.Ingest(spy)
	record := fact(call.RecordingBegan, "b", "")
	record.Channel.Name = "PJSIP/b-1"
	f.Ingest(record)
	f.Ingest(leg("a"))
	if len(told) != 0 {
		t.Fatalf("%q were told before their legs", told)
	}
	f.Ingest(leg("b"))
	if len(told) != 2 || told[0] != "PJSIP/a-1 PJSIP/b-1" || told[1] != "PJSIP/b-1 " {
		t.Fatalf("%q", told)
	}
}
