package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
)

// ledger is an audit log in memory.
type ledger struct{ entries []string }

func (l *ledger) Append(_ context.Context, e audit.Entry) error {
	l.entries = append(l.entries, fmt.Sprintf("%s %s %s %s %s %v %v", e.Phase, e.Action, e.Reason, e.Door, e.Mode, e.Subject == "", e.Employees))
	return nil
}

// A call that is too old goes with the files of its recordings, and with what was made of them, as is written down; one whose file is in a folder that nobody named any more stays, and the rest go.
func TestOldCallsGoWithTheirFiles(t *testing.T) {
	dir := t.TempDir()
	store, err := journal.Open(t.Context(), journal.Config{Path: filepath.Join(t.TempDir(), "journal")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	scribe, err := journal.NewScribe(t.Context(), store, journal.ScribeConfig{Employee: func(string) string { return "anna" }})
	if err != nil {
		t.Fatal(err)
	}
	spools, err := recording.OpenSpools([]recording.SpoolConfig{{Name: "main", Path: dir}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = spools.Close() }()
	set, _, err := policy.Load("p.yaml", []byte("version: 1\nemployees: {anna: {phones: [PJSIP/101]}}\n"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	record := &ledger{}
	a := &Agent{journal: store, scribe: scribe, unremoved: newUnremoved(), gate: gate.New(gate.Config{
		Feed: feed.New(feed.Config{}), Audit: record, Policy: set, Log: zerolog.Nop(), Recordings: &gate.Recordings{Book: store, Spools: spools},
	})}
	defer func() {
		if err := a.gate.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if err := os.WriteFile(filepath.Join(dir, "there.mp3"), []byte("sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	table, at := call.NewTable(), time.Now().Add(-48*time.Hour)
	happens := func(ev call.Event) {
		ev.At = at
		scribe.Apply(table, &ev, table.Apply(&ev))
	}
	happens(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	files := map[string]string{"there": "main", "gone": "main", "elsewhere": "other", "recent": "main"}
	for _, leg := range []string{"there", "gone", "elsewhere", "recent"} {
		if leg == "recent" {
			at = time.Now()
		}
		ch := call.Channel{ID: call.LegID(leg), Name: "PJSIP/101-" + leg, State: call.StateRing, Exten: "102", Created: at}
		happens(call.Event{Kind: call.LegSeen, Channel: ch})
		happens(call.Event{Kind: call.LegGone, Channel: ch})
		if err := scribe.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		id, err := store.CallOf(t.Context(), ch.ID, at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.AddRecording(t.Context(), journal.Recording{Call: id, Leg: ch.ID, Spool: files[leg], File: leg + ".wav", Began: at, Ended: at}); err != nil {
			t.Fatal(err)
		}
		if leg != "gone" {
			if err := os.WriteFile(filepath.Join(dir, leg+".wav"), []byte("sound"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	n, err := store.Retain(t.Context(), time.Now().Add(-24*time.Hour), a.removeRecording)
	if n != 2 || !errors.Is(err, errNoSpool) {
		t.Errorf("%d calls were deleted, %v", n, err)
	}
	if want := []string{"decided delete retention retention copy:main.mp3 true [anna]", "decided delete retention retention  true [anna]", "done delete  retention copy:main.mp3 true [anna]", "done delete  retention  true [anna]"}; !slices.Equal(record.entries, want) {
		t.Errorf("the record: %q", record.entries)
	}
	if n := testutil.ToFloat64(a.unremoved); n != 1 {
		t.Errorf("%v are counted", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "there.mp3")); err == nil {
		t.Error("what was made of it is left")
	}
	for leg, stays := range map[string]bool{"there": false, "gone": false, "elsewhere": true, "recent": true} {
		_, err := os.Stat(filepath.Join(dir, leg+".wav"))
		if _, known := store.RecordingOf(t.Context(), files[leg], leg+".wav"); (err == nil) != stays || (known == nil) != stays {
			t.Errorf("%s: the file %v, the journal %v", leg, err, known)
		}
	}
}

// A journal that cannot be written holds up nothing: calls are counted as unsaved, and that it fails is on the metrics and told once.
func TestAJournalThatCannotBeWrittenIsOnTheMetrics(t *testing.T) {
	store, err := journal.Open(t.Context(), journal.Config{Path: filepath.Join(t.TempDir(), "journal")})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	scribe, err := journal.NewScribe(t.Context(), store, journal.ScribeConfig{MaxUnsaved: 2, OnError: func(error) { told++ }})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil { // as a disk that is gone
		t.Fatal(err)
	}
	table := call.NewTable()
	happens := func(ev call.Event) {
		ev.At = time.Now()
		scribe.Apply(table, &ev, table.Apply(&ev))
	}
	happens(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	for _, leg := range []string{"a", "b", "c"} {
		ch := call.Channel{ID: call.LegID(leg), Name: "PJSIP/101-" + leg, State: call.StateRing, Exten: "102", Created: time.Now()}
		happens(call.Event{Kind: call.LegSeen, Channel: ch})
		happens(call.Event{Kind: call.LegGone, Channel: ch})
		if scribe.Sync(t.Context()) == nil {
			t.Fatal("it was written")
		}
	}
	want := strings.NewReplacer("\t", "").Replace(`
	# HELP earshot_journal_lost_calls_total Calls that had ended and were dropped since they could not be written.
	# TYPE earshot_journal_lost_calls_total counter
	earshot_journal_lost_calls_total 1
	# HELP earshot_journal_saves_total Calls written to the journal, each time that one was.
	# TYPE earshot_journal_saves_total counter
	earshot_journal_saves_total 0
	# HELP earshot_journal_unsaved_calls Calls of which something is not written yet; they are kept in memory.
	# TYPE earshot_journal_unsaved_calls gauge
	earshot_journal_unsaved_calls 2
	# HELP earshot_journal_write_errors_total Times the journal could not be written.
	# TYPE earshot_journal_write_errors_total counter
	earshot_journal_write_errors_total 3
	`)
	if err := testutil.CollectAndCompare(&journalCollector{store: store, scribe: scribe}, strings.NewReader(want)); err != nil || told != 1 {
		t.Errorf("%v; told %d times", err, told)
	}
}
