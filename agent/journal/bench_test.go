package journal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// busy has n calls of two who talk.
func busy(b testing.TB, n int) *pbx {
	p := newPBX(b)
	for i := range n {
		p.talk(fmt.Sprintf("%d-", i))
	}
	p.sync()
	return p
}

// ordinary are events that tell nothing that is worth keeping: somebody puts a call on hold and takes it back, a connected line is told again,
// a leg comes back into the bridge, a bridge is seen.
func ordinary(p *pbx) []call.Event {
	client, anna := p.ch("7-client"), p.ch("7-anna")
	bridge := call.Bridge{ID: "7-b", Type: "mixing"}
	events := []call.Event{
		{Kind: call.LegHeld, Channel: anna}, {Kind: call.LegSeen, Channel: client}, {Kind: call.LegUnheld, Channel: anna},
		{Kind: call.BridgeLeft, Channel: client, Bridge: bridge}, {Kind: call.BridgeEntered, Channel: client, Bridge: bridge},
		{Kind: call.BridgeSeen, Bridge: bridge}, {Kind: call.TimePassed},
	}
	for i := range events {
		events[i].At = p.now.Add(time.Second)
	}
	return events
}

func TestWhatConcernsNothingNewAllocatesNothing(t *testing.T) {
	p := busy(t, 20)
	events := ordinary(p)
	changes := 0
	n := testing.AllocsPerRun(200, func() {
		for i := range events {
			ch := p.table.Apply(&events[i])
			changes += len(ch)
			p.scribe.Apply(p.table, &events[i], ch)
		}
	})
	if n > 0 || changes == 0 {
		t.Errorf("%v allocations in %d changes", n, changes)
	}
	if st := p.scribe.Stats(); st.Unsaved != 0 {
		t.Errorf("%d calls are to be written", st.Unsaved)
	}
}

// BenchmarkApply takes in one event after the other: the table alone is what it is to be read beside.
func BenchmarkApply(b *testing.B) {
	for _, with := range []string{"earshot", "floor"} {
		b.Run("nothing new/"+with, func(b *testing.B) {
			p := busy(b, 100)
			events := ordinary(p)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				ev := &events[i%len(events)]
				ch := p.table.Apply(ev)
				if with == "earshot" {
					p.scribe.Apply(p.table, ev, ch)
				}
			}
			if with == "earshot" {
				b.ReportMetric(0, "max-allocs")
				b.ReportMetric(3, "max-ratio")
			}
		})
		b.Run("whole calls/"+with, func(b *testing.B) {
			p := busy(b, 100)
			if with == "floor" {
				p.deaf = true
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				client, anna := p.talk(fmt.Sprintf("x%d-", i))
				p.gone(client, anna)
				if i%1000 == 999 {
					b.StopTimer()
					p.sync()
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkSync writes calls: each was begun, answered and ended since the last time, five hundred in a transaction.
func BenchmarkSync(b *testing.B) {
	p := newPBX(b)
	n := 0
	for b.Loop() {
		b.StopTimer()
		for range 500 {
			n++
			client, anna := p.talk(fmt.Sprintf("x%d-", n))
			p.gone(client, anna)
		}
		b.StartTimer()
		p.sync()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/call")
}
