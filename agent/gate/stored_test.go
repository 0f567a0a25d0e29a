package gate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/recording"
)

// The recordings that are listed are those that one may do something with, each once, and the one that one has begun oneself is known again.
func TestWhatIsStoredIsListedForWhoMayHaveIt(t *testing.T) {
	spools, err := recording.OpenSpools([]recording.SpoolConfig{{Name: "ari", Path: t.TempDir(), ARI: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = spools.Close() })
	var name string
	text := strings.Replace(archive, "recordings: true, grade", "recordings: true, record: true, grade", 1)
	o := newArchive(t, text, func(c *gate.Config) {
		c.Recordings = &gate.Recordings{Spools: spools, Taped: func(_ call.LegID, n string, _ time.Time) { name = n }}
	})
	o.talk("a", other, "PJSIP/101")
	o.talk("b", "PJSIP/102", "PJSIP/108") // with hana, who is protected
	o.talk("c", "PJSIP/102", "PJSIP/105") // two rows that carl sees
	o.sync()
	made := o.mustTape("carl", "anna")
	for i, f := range []struct {
		leg, file string
		deleted   bool
	}{{"a.1", name + ".wav", false}, {"a.1", "old.gsm", true}, {"b.0", "b.wav", false}, {"c.0", "c.ulaw", false}} {
		id, ok := o.past.scribe.CallOf(call.LegID(f.leg))
		if !ok {
			t.Fatal("no call")
		}
		rec, err := o.past.store.AddRecording(t.Context(), past.Recording{
			Call: id, Leg: call.LegID(f.leg), Spool: "ari", File: f.file, Source: "ari", Began: start.Add(time.Duration(i) * time.Second), Ended: start.Add(time.Minute),
		})
		if err != nil {
			t.Fatal(err)
		}
		if f.deleted {
			if err := o.past.store.MarkDeleted(t.Context(), rec.ID, start); err != nil {
				t.Fatal(err)
			}
		}
	}
	list := func(subject string, limit int) (all []gate.StoredRecording) {
		t.Helper()
		all, err := o.gate.StoredRecordings(t.Context(), who(subject), limit)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := list("carl", 10)
	of := map[string]gate.StoredRecording{}
	for _, r := range all {
		of[r.Format] = r
	}
	if len(all) != 2 || of["wav"].Tape != made.ID || of["ulaw"].Tape != "" || strings.Join(of["ulaw"].Can, " ") != "play download" {
		t.Fatalf("carl has %+v", all)
	}
	if got := list("carl", 1); len(got) != 1 {
		t.Errorf("of one there are %d", len(got))
	}
	for _, r := range all {
		if one, err := o.gate.StoredRecording(t.Context(), who("carl"), r.ID); err != nil || one.Format != r.Format || one.Tape != r.Tape {
			t.Errorf("%+v is found as %+v, %v", r, one, err)
		}
		for _, other := range []string{"dora", "ivo", "gus"} {
			if one, err := o.gate.StoredRecording(t.Context(), who(other), r.ID); err == nil || gate.AsProblem(err).Code != "no_such_recording" {
				t.Errorf("%s is given %+v, %v", other, one, err)
			}
		}
	}
	for _, subject := range []string{"dora", "anna", "gus"} { // who may hear nothing, and who has no journal
		if got := list(subject, 10); len(got) != 0 {
			t.Errorf("%s has %+v", subject, got)
		}
	}
	if got := list("ivo", 10); len(got) != 1 || got[0].Tape != "" { // not egor's, and the other was begun by carl
		t.Errorf("ivo has %+v", got)
	}
}
