package pbx

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
)

// raw is the events of ARI in all recorded streams, in order of the streams' names.
func raw(b *testing.B) []string {
	b.Helper()
	all := tapes(b)
	var events []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for i := range all[name] {
			if e := all[name][i].ARI; e != nil {
				events = append(events, string(e))
			}
		}
	}
	return events
}

// BenchmarkEvent takes one event of a recorded stream from its JSON into the table: decoded, translated, applied. All scenarios follow one
// another, from the first ring to the last hang-up. The floor decodes the same events into a bare structure with encoding/json and does no
// more.
func BenchmarkEvent(b *testing.B) {
	events := raw(b)
	b.Run("earshot", func(b *testing.B) {
		f := feed.New(feed.Config{})
		p := newPlayer(b)
		p.link.cfg.Sink = f
		f.Ingest(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
		var e ari.Event
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			if err := e.Decode(events[i]); err != nil {
				b.Fatal(err)
			}
			p.link.take(&e, nil)
			if i++; i == len(events) {
				i = 0
				// The same calls come again; the table would take their legs for gone.
				b.StopTimer()
				f = feed.New(feed.Config{})
				p.link.cfg.Sink = f
				f.Ingest(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
				b.StartTimer()
			}
		}
	})
	b.Run("translate", func(b *testing.B) {
		decoded := make([]ari.Event, len(events))
		for i := range events {
			if err := decoded[i].Decode(events[i]); err != nil {
				b.Fatal(err)
			}
		}
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			translate(&decoded[i])
			if i++; i == len(decoded) {
				i = 0
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			var e modelEvent
			if err := json.Unmarshal([]byte(events[i]), &e); err != nil {
				b.Fatal(err)
			}
			if i++; i == len(events) {
				i = 0
			}
		}
	})
}

// BenchmarkWitness holds one event of AMI against its schema.
func BenchmarkWitness(b *testing.B) {
	for _, tape := range tapes(b) {
		for i := range tape {
			lines := tape[i].AMI
			if lines == nil || lines[0] != "Event: Pickup" {
				continue
			}
			m, err := ami.NewReader(strings.NewReader(strings.Join(lines, "\r\n")+end), ami.Limits{}).Read()
			if err != nil {
				b.Fatal(err)
			}
			w := witnessed["Pickup"]
			b.ReportAllocs()
			for b.Loop() {
				if m.Irregular() != 0 || !w.fields.fits(m, classCall) {
					b.Fatal("it does not fit")
				}
			}
			return
		}
	}
}
