package gate_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// What could not be recorded when it happened is on record later: behind each other, and with its time.
func TestWhatHappenedWhileNothingCouldBeRecordedIsRecordedLater(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	id := o.active("carl", "spy", "anna")
	before := len(o.audit.of(id))
	o.audit.failing(audit.Decided, audit.Done, audit.Ended, audit.Revoked, audit.Failed)
	began := time.Now()
	if err := o.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
		t.Fatal(err)
	}
	if reason := w.act(id, "ended"); reason != "ended_by_supervisor" {
		t.Fatal(reason)
	}
	over := time.Now()
	if n, err := o.gate.RecordLate(t.Context()); n != 0 || err == nil {
		t.Fatalf("%d were recorded, %v", n, err)
	}
	o.refused("not_recorded", "carl", "spy", "anna") // what is refused leaves nothing to be recorded
	o.audit.failing()
	if n, err := o.gate.RecordLate(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d were recorded, %v", n, err)
	}
	if n, err := o.gate.RecordLate(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d were recorded again, %v", n, err)
	}
	all := o.audit.of(id)
	if len(all) != before+1 {
		t.Fatalf("%d entries, were %d", len(all), before)
	}
	e := all[len(all)-1]
	if e.Phase != audit.Ended || e.Reason != "ended_by_supervisor" || e.Happened.Before(began) || e.Happened.After(over) {
		t.Errorf("%+v", e)
	}
}

// An end that can be written again waits until what came before it is on record.
func TestWhatComesBehindWhatIsLateWaitsForIt(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	o.audit.failing(audit.Done)
	id := o.must("carl", "spy", "anna")
	if reason := w.act(id, "ended"); reason != "not_recorded" {
		t.Fatal(reason)
	}
	o.audit.failing()
	if n, err := o.gate.RecordLate(t.Context()); n != 2 || err != nil {
		t.Fatalf("%d were recorded, %v", n, err)
	}
	var got []audit.Phase
	for _, e := range o.audit.of(id) {
		got = append(got, e.Phase)
	}
	if len(got) != 3 || got[0] != audit.Decided || got[1] != audit.Done || got[2] != audit.Ended {
		t.Errorf("%v", got)
	}
}
