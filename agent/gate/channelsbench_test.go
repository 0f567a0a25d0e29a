package gate_test

import (
	"fmt"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// panels opens n streams of channels, half of which see all.
func panels(b *testing.B, o *office, n, employees int) (all []*gate.ChannelWatcher) {
	for i := range n {
		w, err := o.gate.WatchChannels(who(fmt.Sprintf("e%d", 2+i%(employees-2))))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(w.Close)
		all = append(all, w)
	}
	return all
}

// One event of a call that everybody is told of: a phone puts its call on hold and takes it back, in turn. Who watches does nothing with what he gets.
func BenchmarkChannelsToldToAll(b *testing.B) {
	for _, n := range []int{0, 2, 10, 100, 1000} {
		b.Run(fmt.Sprintf("watchers=%d", n), func(b *testing.B) {
			o := newOffice(b, company(100))
			o.talk("x", ivanov, "PJSIP/1000")
			all := panels(b, o, n, 100)
			events := [2]call.Event{
				{Kind: call.LegHeld, Channel: call.Channel{ID: "x.1"}, At: start}, {Kind: call.LegUnheld, Channel: call.Channel{ID: "x.1"}, At: start},
			}
			told, made := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				o.feed.Ingest(&events[made%2])
				if made++; made%64 != 0 {
					continue
				}
				for _, w := range all {
					for _, ok := w.TryNext(); ok; _, ok = w.TryNext() {
						told++
					}
				}
			}
			if want := made / 64 * 64 * n; told != want {
				b.Errorf("%d scenes were told, not %d", told, want)
			}
		})
	}
}

// What there is for a list: 50 calls in a company of 1000.
func BenchmarkChannels(b *testing.B) {
	o := newOffice(b, company(1000))
	for i := range 50 {
		o.talk(fmt.Sprint("c", i), ivanov, fmt.Sprintf("PJSIP/%d", 1100+i))
	}
	s := who("e2")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.gate.Channels(s); err != nil {
			b.Fatal(err)
		}
	}
}

// While nobody watches channels they cost nothing; and of one more who sees what others see, a change costs no memory of its own.
func TestChannelsOfManyWhoSeeTheSameAreComposedOnce(t *testing.T) {
	cost := func(n int) float64 {
		o := newOffice(t, company(20))
		o.talk("x", ivanov, "PJSIP/1000")
		var all []*gate.ChannelWatcher
		for range n {
			w, err := o.gate.WatchChannels(who("e2"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.Close)
			all = append(all, w)
		}
		event := call.Event{Kind: call.LegHeld, Channel: call.Channel{ID: "x.1"}, At: start}
		told := 0
		each := testing.AllocsPerRun(50, func() {
			o.feed.Ingest(&event)
			for _, w := range all {
				for s, ok := w.TryNext(); ok; s, ok = w.TryNext() {
					told++
					for i := range s.Holes() {
						_ = w.Handle(s, i)
					}
				}
			}
			if event.Kind == call.LegHeld {
				event.Kind = call.LegUnheld
			} else {
				event.Kind = call.LegHeld
			}
		})
		if told != 51*n {
			t.Errorf("%d scenes for %d watchers", told, n)
		}
		return each
	}
	none, one, many := cost(0), cost(1), cost(101)
	if none > 4 || many-one > 3 {
		t.Errorf("an event costs %v allocations with nobody, %v with one and %v with a hundred more", none, one, many)
	}
}

// Those who share a scene share what a door has made of it; another door makes its own.
func TestASceneIsRenderedOnce(t *testing.T) {
	o := newOffice(t, house)
	a, b := o.panel("carl"), o.panel("carl")
	o.leg("x", "PJSIP/101", call.StateRing, "7")
	one, _ := a.TryNext()
	two, _ := b.TryNext()
	if one == nil || one != two {
		t.Fatal("they have scenes of their own")
	}
	made := 0
	form := func(c []mask.ChannelChange) any { made++; return c[0].Kind }
	for range 2 {
		if one.Once("a door", form) != mask.ChannelAppeared || two.Once("a door", form) != mask.ChannelAppeared || made != 1 {
			t.Errorf("it is made %d times", made)
		}
	}
	other := func(c []mask.ChannelChange) any { return len(c) }
	if two.Once("another door", other) != len(one.Changes()) || one.Once("a door", other) != mask.ChannelAppeared {
		t.Error("one door is given what another has made")
	}
}
