package gate_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// pastCalls are how many calls the journal of the benchmark has. To write 100,000 takes a minute.
var pastCalls = flag.Int("past", 5000, "how many calls the journal of the benchmark has")

// fill writes calls from outside to three employees into a journal, one every minute.
func (o *office) fill(b *testing.B, calls int) {
	b.Helper()
	table := call.NewTable()
	at := start.Add(-time.Duration(calls) * time.Minute)
	apply := func(ev call.Event) {
		ev.At = at
		o.past.scribe.Apply(table, &ev, table.Apply(&ev))
	}
	apply(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	for i := range calls {
		from := call.Identity{Name: "Somebody", Number: call.Number(fmt.Sprintf("+7916%07d", i%5000))}
		t := call.Channel{ID: call.LegID(fmt.Sprintf("%d.0", i)), Name: fmt.Sprintf("PJSIP/trunk-%d", i), State: call.StateRing, Caller: from, Exten: "101", Created: at}
		p := call.Channel{ID: call.LegID(fmt.Sprintf("%d.1", i)), Name: fmt.Sprintf("PJSIP/10%d-%d", []int{1, 2, 5}[i%3], i), Created: at}
		in := call.Bridge{ID: call.BridgeID(fmt.Sprint(i)), Type: "mixing"}
		apply(call.Event{Kind: call.LegSeen, Channel: t})
		apply(call.Event{Kind: call.LegSeen, Channel: p})
		apply(call.Event{Kind: call.DialBegan, Channel: t, Peer: p, Dialled: "101"})
		t.State, p.State = call.StateUp, call.StateUp
		at = at.Add(10 * time.Second)
		apply(call.Event{Kind: call.LegSeen, Channel: p})
		apply(call.Event{Kind: call.DialEnded, Channel: t, Peer: p, Answered: true})
		apply(call.Event{Kind: call.BridgeEntered, Bridge: in, Channel: p})
		apply(call.Event{Kind: call.BridgeEntered, Bridge: in, Channel: t})
		at = at.Add(20 * time.Second)
		apply(call.Event{Kind: call.LegGone, Channel: t})
		apply(call.Event{Kind: call.LegGone, Channel: p})
		at = at.Add(30 * time.Second)
		if i%2000 == 1999 {
			o.sync()
		}
	}
	o.sync()
}

func BenchmarkAPageOfFiftyRows(b *testing.B) {
	o := newArchive(b, archive)
	o.fill(b, *pastCalls)
	for _, c := range []struct {
		name, subject string
		ask           gate.JournalAsk
	}{
		{"seen", "carl", gate.JournalAsk{}}, {"hidden", "dora", gate.JournalAsk{}}, {"own", "anna", gate.JournalAsk{}}, {"department", "irina", gate.JournalAsk{}},
		{"a third of them refused", "ivo", gate.JournalAsk{}},
		{"in the middle", "carl", gate.JournalAsk{To: start.Add(-time.Duration(*pastCalls/2) * time.Minute)}},
		{"by number", "carl", gate.JournalAsk{Number: "+79160001234"}},
		{"by a number that is hidden", "dora", gate.JournalAsk{Number: "+79160001234"}},
		{"by outcome", "carl", gate.JournalAsk{Outcome: "missed"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				page, err := o.gate.Journal(b.Context(), who(c.subject), c.ask)
				if err != nil {
					b.Fatal(err)
				}
				if n := len(page.Rows); n != 50 && c.ask.Number == "" && c.ask.Outcome == "" {
					b.Fatalf("%d rows", n)
				}
			}
		})
	}
}
