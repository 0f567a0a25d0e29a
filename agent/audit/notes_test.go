package audit_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// What a log says of its own gaps is told with the chain, and nothing that somebody else has written into it is taken for that.
func TestVerifyingTellsWhatALogSaysOfItsGaps(t *testing.T) {
	own := func(detail string) audit.Entry {
		return audit.Entry{ID: "audit", Phase: audit.Recovered, Action: "audit", Detail: detail}
	}
	path := t.TempDir() + "/audit.jsonl"
	l := mustOpen(t, path, audit.Options{})
	for _, e := range []audit.Entry{
		own(audit.DetailStarted), own(audit.DetailStopped), own(audit.DetailUnclosed), own("refused:3"), own("lost:2"), own("refused:40"), own("lost:"), own("lost:x"), own("lost"),
		own(audit.DetailTornTail), own(audit.DetailWriteFailed), own(audit.DetailWriteFailed),
		{ID: "a", Phase: audit.Failed, Action: "spy", Reason: audit.ReasonUnknown}, {ID: "b", Phase: audit.Ended, Action: "spy", Reason: audit.ReasonRestarted},
		{ID: "c", Phase: audit.Revoked, Action: "spy", Reason: audit.ReasonRestarted}, {ID: "d", Phase: audit.Ended, Action: "spy", Reason: "call_ended"},
		{ID: "e", Phase: audit.Done, Action: "spy", Detail: "lost:7"},
		{ID: "f", Phase: audit.Done, Action: "spy", Given: `x","reason":"outcome_unknown","phase":"recovered","detail":"lost:9"`},
		{ID: "recovered", Phase: audit.Done, Action: "recovered", Detail: audit.DetailUnclosed},
	} {
		mustAppend(t, l, e)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	rep, err := audit.VerifyFiles(nil, path)
	want := audit.Notes{Unclosed: 1, TornTail: 1, WriteFailed: 2, Refused: 43, Lost: 2, Unknown: 1, Restarted: 2}
	if err != nil || !rep.OK() || rep.Notes != want {
		t.Fatalf("%+v %v, want %+v", rep, err, want)
	}
	const text = "not_closed 1, torn_tail 1, write_failed 2, refused 43, lost 2, outcome_unknown 1, earshot_restarted 2"
	if got := rep.Notes.String(); got != text || (audit.Notes{}).String() != "" {
		t.Errorf("%q", got)
	}
}
