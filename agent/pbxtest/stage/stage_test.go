package stage_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
)

func TestARecordTellsByWhatWasDecided(t *testing.T) {
	var r stage.Record
	if got := r.Last(); got.ID != "" || r.Has("") {
		t.Errorf("in the beginning there is %+v", got)
	}
	write := func(e audit.Entry) error { return r.Append(t.Context(), e) }
	allow := audit.Entry{ID: "1", Phase: audit.Decided, Outcome: audit.Allow, Action: "spy"}
	deny := audit.Entry{ID: "2", Phase: audit.Decided, Outcome: audit.Deny, Action: "spy"}
	done := audit.Entry{ID: "3", Phase: audit.Done, Action: "spy"}
	for _, e := range []audit.Entry{allow, deny, done} {
		if err := write(e); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(all []audit.Entry) (text string) {
		for _, e := range all {
			text += e.ID
		}
		return text
	}
	if got := fmt.Sprintf("%s %s %s %s %s %v %v", ids(r.All()), ids(r.Decided()), ids(r.Allowed()), ids(r.Denied()), r.Last().ID, r.Has("2"), r.Has("4")); got != "123 12 1 2 3 true false" {
		t.Errorf("it tells %s", got)
	}
	if err := write(audit.Entry{ID: "4", Action: "no code"}); !errors.Is(err, audit.ErrInvalid) || r.Has("4") {
		t.Errorf("what the log would not take is taken: %v", err)
	}
	full := errors.New("disk full")
	r.Refuse(full)
	if err := write(done); !errors.Is(err, full) || len(r.All()) != 3 {
		t.Errorf("it takes %v all the same: %v", r.Last(), err)
	}
	r.Refuse(nil)
	r.Forget()
	each := 0
	r.OnEach(func() { each++ })
	go func() { _ = write(audit.Entry{ID: "5", Phase: audit.Revoked, Action: "spy"}) }()
	if e := r.Until(t, audit.Revoked); e.ID != "5" || each != 1 || len(r.All()) != 1 {
		t.Errorf("%+v, told %d times, is one of %d", e, each, len(r.All()))
	}
}

func TestALogIsWaitedFor(t *testing.T) {
	var l stage.Log
	go func() {
		for i := range 3 {
			_, _ = fmt.Fprintln(&l, "line", i)
		}
	}()
	l.Until(t, "line 2")
	l.Until(t, "line 0")
	if got := l.String(); got != "line 0\nline 1\nline 2\n" {
		t.Errorf("it has %q", got)
	}
}

// A call's events make one call of the table, which is over behind them; who is hidden is in what the PBX tells of a Plot.
func TestCallsArePlayedFromTheRingToTheEnd(t *testing.T) {
	for name, events := range map[string][]call.Event{
		"talks": append(stage.Talks("1", "Ivanov", "+79161234567", "PJSIP/101"), stage.HangsUp("1", 16, 40)...),
		"plot": func() []call.Event {
			all, legs := stage.Plot("1", "PJSIP/101", call.Identity{Number: "101"}, "<", ">", []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
			return append(all, stage.Gone(legs)...)
		}(),
	} {
		table, most := call.NewTable(), 0
		table.Apply(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}, At: stage.Start})
		for i := range stage.Dated(events) {
			table.Apply(&events[i])
			most = max(most, table.Len())
		}
		if most < 2 || table.Len() != 0 {
			t.Errorf("%s: there are %d legs at the most, and %d in the end", name, most, table.Len())
		}
	}
	if !stage.Tells("x"+strings.ToUpper(stage.HiddenName)) || !stage.Tells("+"+stage.HiddenNumber) || stage.Tells("Ivanov +79161234567") {
		t.Error("who is hidden is told otherwise")
	}
}
