package call_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// busy returns a table with n calls of two legs in a bridge each.
func busy(n int) *call.Table {
	t := call.NewTable()
	for i := range n {
		for _, ev := range lifeCycle(fmt.Sprint(i))[:9] {
			t.Apply(&ev)
		}
	}
	return t
}

// lifeCycle is a plain call from ring to hang-up; from its ninth event on both talk.
func lifeCycle(id string) []call.Event {
	a := call.Channel{ID: call.LegID("17953.a" + id), Name: "PJSIP/1" + id + "-00000001", State: call.StateRing, Exten: "102", App: "Dial",
		Caller: call.Identity{Name: "Anna", Number: "101"}, Created: start}
	b := call.Channel{ID: call.LegID("17953.b" + id), Name: "PJSIP/2" + id + "-00000002", State: call.StateDown, App: "AppDial",
		Caller: call.Identity{Name: "Boris", Number: "102"}, Connected: a.Caller, Created: start}
	ringing, up, aUp := b, b, a
	ringing.State, up.State, aUp.State = call.StateRinging, call.StateUp, call.StateUp
	room := call.Bridge{ID: call.BridgeID("room" + id), Type: "mixing"}
	return []call.Event{
		{Kind: call.LegSeen, Channel: a},
		{Kind: call.LegSeen, Channel: b},
		{Kind: call.DialBegan, Channel: a, Peer: b, Dialled: "102"},
		{Kind: call.LegSeen, Channel: ringing},
		{Kind: call.LegSeen, Channel: up},
		{Kind: call.DialEnded, Channel: a, Peer: up, Answered: true},
		{Kind: call.LegSeen, Channel: aUp},
		{Kind: call.BridgeEntered, Channel: up, Bridge: room},
		{Kind: call.BridgeEntered, Channel: aUp, Bridge: room},
		{Kind: call.BridgeLeft, Channel: up, Bridge: room},
		{Kind: call.BridgeLeft, Channel: aUp, Bridge: room},
		{Kind: call.BridgeGone, Bridge: room},
		{Kind: call.LegGone, Channel: up},
		{Kind: call.LegGone, Channel: aUp},
	}
}

// renew makes the same call a later one.
func renew(events []call.Event) {
	for i := range events {
		events[i].Channel.Created = events[i].Channel.Created.Add(time.Minute)
		events[i].Peer.Created = events[i].Peer.Created.Add(time.Minute)
	}
}

// BenchmarkApply is one plain call, fourteen events, beside n others. The floor keeps the same channels of the same events in a map, as one
// would who wanted to know no more than which there are: what a table does beyond that, ties, phases and the list of changes, is its own cost.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("others=%d/earshot", n), func(b *testing.B) {
			t, events := busy(n), lifeCycle("x")
			b.ReportAllocs()
			changes := 0
			for b.Loop() {
				for i := range events {
					changes += len(t.Apply(&events[i]))
				}
				renew(events) // or the table would take it for late words about the call before
				if t.Len() != 2*n {
					b.Fatal("a call is left")
				}
			}
			if changes == 0 {
				b.Fatal("nothing has changed")
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
		})
		b.Run(fmt.Sprintf("others=%d/floor", n), func(b *testing.B) {
			legs, events := map[call.LegID]*call.Channel{}, lifeCycle("x")
			for i := range n {
				for _, ev := range lifeCycle(fmt.Sprint(i))[:9] {
					keep(legs, &ev)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				for i := range events {
					keep(legs, &events[i])
				}
				renew(events)
				if len(legs) != 2*n {
					b.Fatal("a call is left")
				}
			}
		})
	}
}

// keep is the floor's Apply.
func keep(legs map[call.LegID]*call.Channel, ev *call.Event) {
	ch := &ev.Channel
	switch {
	case ev.Kind == call.LegGone:
		delete(legs, ch.ID)
	case ch.ID != "":
		if old := legs[ch.ID]; old != nil {
			*old = *ch
		} else {
			kept := *ch
			legs[ch.ID] = &kept
		}
	}
}

// BenchmarkApplyState is a change of state of one leg among two thousand, and of hold; both allocate nothing.
func BenchmarkApplyState(b *testing.B) {
	t := busy(1000)
	a := lifeCycle("7")[6].Channel
	up, ring := call.Event{Kind: call.LegSeen, Channel: a}, call.Event{Kind: call.LegSeen, Channel: a}
	ring.Channel.State = call.StateRing
	hold, unhold := call.Event{Kind: call.LegHeld, Channel: a}, call.Event{Kind: call.LegUnheld, Channel: a}
	same := call.Event{Kind: call.LegSeen, Channel: a}
	b.ReportAllocs()
	for b.Loop() {
		for _, ev := range []*call.Event{&ring, &up, &hold, &unhold, &same} {
			t.Apply(ev)
		}
	}
	b.ReportMetric(0, "max-allocs")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*5), "ns/event")
}

// BenchmarkQueries reads the ties of one leg among two thousand.
func BenchmarkQueries(b *testing.B) {
	t := busy(1000)
	leg := t.Leg("17953.a7")
	dst := make([]*call.Leg, 0, 16)
	b.Run("Peers", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = t.Peers(dst[:0], leg)
		}
	})
	b.Run("Call", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = t.Call(dst[:0], leg)
		}
	})
	b.Run("Earshot", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = t.Earshot(dst[:0], leg, call.Reach{})
		}
	})
	b.Run("Earshot in a conference of 100", func(b *testing.B) {
		big := make([]*call.Leg, 0, 128)
		for i := range 100 {
			ev := call.Event{Kind: call.BridgeEntered, Channel: call.Channel{ID: call.LegID(fmt.Sprint("17953.a", i))}, Bridge: call.Bridge{ID: "conference", Type: "mixing"}}
			t.Apply(&ev)
		}
		b.ReportAllocs()
		for b.Loop() {
			big = t.Earshot(big[:0], leg, call.Reach{})
		}
		if len(big) != 100 {
			b.Fatalf("%d legs", len(big))
		}
	})
}

// TestSteadyStateAllocatesNothing holds what the benchmarks show.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	table := busy(10)
	leg := table.Leg("17953.a7")
	a := lifeCycle("7")[6].Channel
	events := []call.Event{{Kind: call.LegSeen, Channel: a}, {Kind: call.LegSeen, Channel: a}, {Kind: call.LegHeld, Channel: a}, {Kind: call.LegUnheld, Channel: a},
		{Kind: call.BridgeLeft, Channel: a, Bridge: call.Bridge{ID: "room7"}}, {Kind: call.BridgeEntered, Channel: a, Bridge: call.Bridge{ID: "room7", Type: "mixing"}}}
	events[0].Channel.State = call.StateRing
	dst := make([]*call.Leg, 0, 16)
	changes := 0
	if n := testing.AllocsPerRun(100, func() {
		for i := range events {
			changes += len(table.Apply(&events[i]))
		}
		dst = table.Peers(dst[:0], leg)
		dst = table.Call(dst[:0], leg)
		dst = table.Earshot(dst[:0], leg, call.Reach{})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if changes == 0 || len(dst) != 2 {
		t.Errorf("%d changes, %d legs: nothing was measured", changes, len(dst))
	}
}
