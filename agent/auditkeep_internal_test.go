package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// The record says of each start whether the Earshot before had everything on record when it ended: what an Earshot had in memory when it was killed is missing, and nobody
// can say what it was.
func TestTheRecordSaysWhetherItWasEndedWithEverythingOnRecord(t *testing.T) {
	_, from, _ := house(t)
	said := func(dir string) (all []string) {
		t.Helper()
		for e, err := range audit.Read(nil, filepath.Join(dir, "audit.jsonl")) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Phase == audit.Recovered {
				all = append(all, e.Detail)
			}
		}
		return all
	}
	has := func(dir string, want ...string) {
		t.Helper()
		if got := said(dir); !slices.Equal(got, want) {
			t.Errorf("the log says of itself %q, not %q", got, want)
		}
	}
	const started, unclosed, stopped = audit.DetailStarted, audit.DetailUnclosed, audit.DetailStopped
	log := func(dir string) string { return filepath.Join(dir, "audit.jsonl") }
	happens := func(n *neighbour) {
		t.Helper()
		if err := n.audit.Append(t.Context(), audit.Entry{ID: "a", Phase: audit.Done, Action: "dial"}); err != nil {
			t.Fatal(err)
		}
	}

	dir := elsewhere(t, from)
	n, end := shares(t, dir)
	happens(n)
	killed := elsewhere(t, from) // as the files stood when it was
	for _, suffix := range []string{"", ".head"} {
		text, err := os.ReadFile(log(dir) + suffix)
		if err != nil {
			t.Fatal(err)
		}
		write(t, log(killed)+suffix, string(text))
	}
	end()
	has(dir, started, stopped)
	n, end = shares(t, dir)
	if _, err := n.audit.Rotate(); err != nil {
		t.Fatal(err)
	}
	end()
	has(dir, stopped)
	_, end = shares(t, dir)
	has(dir, stopped, started)

	// It stops while the log cannot be written.
	if err := os.Rename(log(dir), log(dir)+".away"); err != nil {
		t.Fatal(err)
	}
	end()
	if err := os.Rename(log(dir)+".away", log(dir)); err != nil {
		t.Fatal(err)
	}
	_, end = shares(t, dir)
	end()
	has(dir, stopped, started, unclosed, stopped)

	_, end = shares(t, killed)
	end()
	has(killed, started, unclosed, stopped)
	_, end = shares(t, killed)
	end()
	has(killed, started, unclosed, stopped, started, stopped)

	// Of an Earshot of old, which never says that it stops.
	old := elsewhere(t, from)
	l, err := audit.Open(log(old), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), audit.Entry{ID: "a", Phase: audit.Done, Action: "dial"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, end = shares(t, old)
	end()
	has(old, unclosed, stopped)
}

// What an Earshot before has written is read once for all that the next one has to know of it.
func TestWhatAnEarshotBeforeHasLeftIsReadFromTheRecord(t *testing.T) {
	a, _, _ := house(t)
	write := func(id string, p audit.Phase, action string) {
		t.Helper()
		if err := a.audit.Append(t.Context(), audit.Entry{ID: id, Phase: p, Action: action, Outcome: audit.Deny}); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(entries []audit.Entry) (all []string) {
		for _, e := range entries {
			all = append(all, e.ID)
		}
		return all
	}
	for _, id := range []string{"a", "b", "c"} {
		write(id, audit.Witnessed, "spy")
	}
	if _, err := a.audit.Rotate(); err != nil {
		t.Fatal(err)
	}
	write("c", audit.Witnessed, "spy") // the policy had another ground
	write("a", audit.Revoked, "spy")
	write("n", audit.Disclosed, "notice")
	write("f", audit.Revoked, "settings.user")
	write("g", audit.Decided, "settings.user")
	said := a.told(nil)
	if got := ids(said.witnessed); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("witnessed and not ended are %q", got)
	}
	if got := ids(said.notices); !slices.Equal(got, []string{"n"}) || !slices.Equal(said.forwards, []string{"f"}) || said.closed {
		t.Errorf("%q %q %t", got, said.forwards, said.closed)
	}
}
