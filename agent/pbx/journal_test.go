package pbx

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/journal"
)

// written is what the journal has to say of each scenario: the call, then its legs.
var written = map[string][]string{
	"attended-keys":          {"call answered, attended transfer by 101", "trunk out answered with 101+102", "101 in answered with 102+trunk", "102 in answered with 101+trunk"},
	"attended-keys-abort":    {"call answered", "trunk out answered with 101", "101 in answered with 102+trunk", "102 in answered with 101"},
	"attended-keys-ringing":  {"call answered, attended transfer by 101", "trunk out answered with 101+102", "101 in answered with 102+trunk", "102 in answered with 101+trunk"},
	"attended-keys-three":    {"call answered, attended transfer by 101", "trunk out answered with 101+102", "101 in answered with 102+trunk", "102 in answered with 101+trunk"},
	"attended-refer":         {"call answered, attended transfer by 101", "trunk out answered with 101+102", "101 in answered with trunk", "101 out answered with 102", "102 in answered with 101+trunk"},
	"attended-refer-ringing": {"call answered, attended transfer by 101", "trunk out answered with 101+102", "101 in answered with trunk", "101 out unanswered with 102", "102 in answered with 101+trunk"},
	"blind-keys":             {"call answered, blind transfer by 101", "trunk out answered with 101+102", "101 in answered with trunk", "102 in answered with trunk"},
	"blind-keys-caller":      {"call answered, blind transfer by 101", "101 out answered with 102", "102 in answered with 101+103", "103 in answered with 102"},
	"blind-refer":            {"call answered, blind transfer by 102", "101 out answered with 102+103", "102 in answered with 101", "103 in answered with 101"},
	"busy":                   {"call busy", "101 out busy with 102", "102 in busy with 101"},
	"cancelled":              {"call cancelled", "trunk out cancelled with 102", "102 in missed with trunk"},
	"chanspy":                {"call answered", "trunk out answered with 101", "101 in answered with trunk"},
	"click-to-call":          {"call answered", "101 out answered with 102", "102 in answered with 101"},
	"conference":             {"call answered", "101 out answered with 102+103", "102 out answered with 101+103", "103 out answered with 101+102"},
	"declined":               {"call busy", "101 out busy with 102", "102 in busy with 101"},
	"direct-media":           {"call answered", "302 out answered with 303", "303 in answered with 302"},
	"forward":                {"call answered", "trunk out answered with 102", "102 in answered with trunk"},
	"forward-later":          {"call answered", "101 out answered with 102+402", "402 in missed with 101", "102 in answered with 101"},
	"hold":                   {"call answered", "101 out answered with 102", "102 in answered with 101"},
	"internal":               {"call answered", "101 out answered with 102", "102 in answered with 101"},
	"local":                  {"call answered", "101 out answered with 102", "102 in answered with 101"},
	"local-n":                {"call answered", "101 out answered with 102", "102 in answered with 101"},
	"music":                  {"call answered", "101 out answered"},
	"parking":                {"call answered", "trunk out answered with 101+201", "101 in answered with trunk", "201 out answered with trunk"},
	"pickup":                 {"call answered", "trunk out answered with 101+103", "101 in elsewhere with trunk", "103 in answered with trunk"},
	"pickup-from-queue":      {"call answered, trunk in sales: answered", "trunk out answered on sales with 101+102+103", "101 in elsewhere on sales with trunk", "102 in elsewhere on sales with trunk", "103 in answered on sales with trunk"},
	"pickup-group":           {"call answered", "201 out answered with 101+103", "101 in elsewhere with 201", "103 in answered with 201"},
	"queue":                  {"call answered, trunk in sales: answered", "trunk out answered on sales with 101+102", "101 in elsewhere on sales with trunk", "102 in answered on sales with trunk"},
	"queue-given-up":         {"call abandoned, trunk in sales: abandoned", "trunk out abandoned on sales with 101+102", "101 in missed on sales with trunk", "102 in missed on sales with trunk"},
	"queue-local":            {"call answered, trunk in support: answered", "trunk out answered on support with 201+202+203", "201 in elsewhere on support with trunk", "202 in answered on support with trunk", "203 in elsewhere on support with trunk"},
	"queue-member-declines":  {"call answered, trunk in sales: answered", "trunk out answered on sales with 101+102", "101 in answered on sales with trunk", "102 in busy on sales with trunk"},
	"recorded":               {"call answered", "101 out answered with 102", "102 in answered with 101"},
	"ring-group":             {"call answered", "101 out answered with 301+303", "301 in answered with 101", "303 in elsewhere with 101"},
	"silent-phone":           {"call answered", "101 out answered with 102", "102 in answered with 101"},
	"supervision":            {"call answered", "trunk out answered with 101", "101 in answered with trunk"},
	"trunk-in":               {"call answered", "trunk out answered with 101", "101 in answered with trunk"},
	"trunk-out":              {"call answered", "101 out answered with trunk", "trunk in answered with 101"},
	"two-calls":              {"call answered", "101 out answered with 102", "102 in answered with 101", "call answered", "trunk out answered with 101", "101 in answered with trunk"},
}

// TestTheJournalSaysWhatEachRecordedScenarioIs replays every stream into a scribe and reads the journal.
func TestTheJournalSaysWhatEachRecordedScenarioIs(t *testing.T) {
	all := tapes(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newWriter(t).replay(all[name], -1)
			if want := written[name]; !slices.Equal(got, want) {
				t.Errorf("the journal says\n\t%q: {\n\t\t%s\n\t},\nand should say\n\t%s", name, strings.Join(got, "\n\t\t"), strings.Join(want, "\n\t"))
			}
		})
	}
}

// TestTheJournalGoesOnAfterAKill kills Earshot at each mark of each stream, and starts it again with a new table. What it says in the end is the
// same, but that a call which was cut says so; and what nobody can know who comes later, which unseen says.
func TestTheJournalGoesOnAfterAKill(t *testing.T) {
	all := tapes(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marks := 0
			for i := range all[name] {
				if all[name][i].Mark != "" {
					marks++
				}
			}
			for killed := 2; killed < marks; killed++ { // nobody is on a call at the first and the last
				var got []string
				cut := 0
				for _, line := range newWriter(t).replay(all[name], killed) {
					if strings.Contains(line, ", with a gap") {
						cut++
					}
					got = append(got, strings.Replace(line, ", with a gap", "", 1))
				}
				want := written[name]
				if cut == 0 || !slices.Equal(got, want) {
					t.Errorf("killed at mark %d, the journal has %d calls with a gap and says\n\t%s\nand should say\n\t%s", killed, cut, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
				}
			}
		})
	}
}

// A writer is a player whose feed has a scribe.
type writer struct {
	*player
	config journal.Config
	store  *journal.Store
	scribe *journal.Scribe
}

func newWriter(t *testing.T) *writer {
	w := &writer{player: newPlayer(t), config: journal.Config{Path: filepath.Join(t.TempDir(), "journal")}}
	w.open(t)
	w.feed = feed.New(feed.Config{
		Now: w.clock, Resync: func() { t.Error("a resync was asked for") },
		OnApply: func(table *call.Table, ev *call.Event, ch []call.Change) { w.scribe.Apply(table, ev, ch) },
	})
	w.link.cfg.Sink = w.feed
	return w
}

func (w *writer) clock() time.Time { return w.now }

func (w *writer) open(t *testing.T) {
	store, err := journal.Open(t.Context(), w.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w.store = store
	if w.scribe, err = journal.NewScribe(t.Context(), store, journal.ScribeConfig{
		Employee: func(endpoint string) string {
			if who := short(endpoint); who != "trunk" {
				return who
			}
			return ""
		},
		Supervises: func(id call.LegID) bool { return strings.HasPrefix(string(id), Prefix) },
		Now:        w.clock,
	}); err != nil {
		t.Fatal(err)
	}
}

// replay plays a tape and returns what the journal then says. At the mark of that number Earshot is killed and starts anew.
func (w *writer) replay(tape []entry, killed int) []string {
	w.t.Helper()
	marks := 0
	for i := range tape {
		e := &tape[i]
		if i == 0 {
			w.now = e.At
			w.feed.Resync(canned(e.Snapshot).read(w.t), nil)
		}
		if e.Mark == "" {
			w.take(e, nil)
			continue
		}
		w.wait(e.At)
		if marks++; marks == killed {
			if err := w.scribe.Sync(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
			w.open(w.t.(*testing.T))
			w.feed = feed.New(feed.Config{
				Now:     w.clock,
				OnApply: func(table *call.Table, ev *call.Event, ch []call.Change) { w.scribe.Apply(table, ev, ch) },
			})
			w.link.cfg.Sink = w.feed
			w.feed.Resync(canned(e.Snapshot).read(w.t), nil)
		}
	}
	return w.said()
}

// said is what the journal says of all calls, oldest first.
func (w *writer) said() []string {
	w.t.Helper()
	ctx := w.t.Context()
	if err := w.scribe.Sync(ctx); err != nil {
		w.t.Fatal(err)
	}
	rows, err := w.store.Rows(ctx, journal.Filter{Limit: journal.MaxLimit})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(rows)
	var lines []string
	var seen []string
	for _, r := range rows {
		c := r.Call
		if slices.Contains(seen, c.ID) {
			continue
		}
		seen = append(seen, c.ID)
		line := "call " + c.Outcome.String()
		if c.Gap {
			line += ", with a gap"
		}
		name := map[call.LegID]string{}
		for _, l := range c.Legs {
			name[l.ID] = short(l.Endpoint)
		}
		for _, v := range c.Visits {
			line += fmt.Sprintf(", %s in %s: %s", name[v.Leg], v.Line, v.Outcome)
		}
		for _, tr := range c.Transfers {
			kind := "blind"
			if tr.Attended {
				kind = "attended"
			}
			line += fmt.Sprintf(", %s transfer by %s", kind, name[tr.By])
		}
		lines = append(lines, line)
		for _, l := range c.Legs {
			var peers []string
			for _, p := range l.Peers {
				peers = append(peers, name[p])
			}
			slices.Sort(peers)
			line := fmt.Sprintf("%s %s %s", short(l.Endpoint), l.Direction, l.Outcome)
			if l.Line != "" {
				line += " on " + l.Line
			}
			if len(peers) > 0 {
				line += " with " + strings.Join(peers, "+")
			}
			lines = append(lines, line)
			if l.Began.IsZero() || l.Ended.Before(l.Began) || l.Began.Before(c.Began) || l.Ended.After(c.Ended) ||
				(l.Outcome == journal.Answered) == l.Answered.IsZero() || !l.Answered.IsZero() && (l.Answered.Before(l.Began) || l.Answered.After(l.Ended)) {
				w.t.Errorf("%s %s began %v, was answered %v and ended %v", short(l.Endpoint), l.Outcome, l.Began, l.Answered, l.Ended)
			}
		}
	}
	return lines
}
