package gate_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestASupervisionIsDecidedRecordedAndOnlyThenCarriedOut(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	id := o.must("carl", "whisper", "anna")
	w.act(id, "ringing")
	w.act(id, "active")
	if err := o.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
		t.Fatal(err)
	}
	if reason := w.act(id, "ended"); reason != "ended_by_supervisor" {
		t.Fatal(reason)
	}
	o.happened("record decided allow allowed", "ring", "tap", "record done", "drop snoop own", "record ended ended_by_supervisor")
	if o.pbx.left() != 0 {
		t.Fatal("own legs are left")
	}
	e := o.audit.last(t, audit.Decided)
	if e.ID != id || e.Subject != "carl" || e.Action != "whisper" || e.Mode != "whisper" || e.Door != "test" || len(e.Targets) != 1 || e.Targets[0] != "anna" || e.Rule.Line == 0 {
		t.Fatalf("%+v", e)
	}
	if err := o.gate.EndSupervision(t.Context(), who("carl"), id); gate.AsProblem(err).Code != "no_such_supervision" {
		t.Fatalf("ended twice: %v", err)
	}
}
