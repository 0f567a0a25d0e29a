package gate_test

import (
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
)

// From the moment in which a supervisor hears, those who are to be told are, though the record of that hangs; and what ends it then ends it.
func TestASupervisionIsToldFromTheMomentInWhichItIsHeard(t *testing.T) {
	o := newOffice(t, toned("{how: [panel, after]}", "none"))
	let := make(chan struct{})
	o.audit.before = func(e audit.Entry) {
		if e.Phase == audit.Done {
			o.log.add("done hangs")
			<-let
		}
	}
	o.talk("x", ivanov, "PJSIP/101")
	anna := o.watch("anna")
	id := o.must("dora", "spy", "anna")
	o.log.until(t, "done hangs")
	if m := anna.told(); m.ID != id || m.State != "active" || m.Since.IsZero() {
		t.Errorf("%+v", m)
	}
	if !o.supervised("anna") || len(o.notices("anna")) != 1 {
		t.Error("her row or her list does not say so")
	}
	// A tone that is wanted from now on does not wait for the disk.
	o.gate.SetPolicy(set(t, toned("[tone, panel, after]", "none")))
	o.log.until(t, "tone")
	// Nor does the end.
	o.gate.Recheck(func(s auth.Subject) bool { return s.Employee() != "dora" })
	if m := anna.told(); m.ID != id || m.State != "ended" {
		t.Errorf("%+v", m)
	}
	if o.pbx.left() != 0 {
		t.Errorf("%d legs are left", o.pbx.left())
	}
	close(let)
	e := o.audit.waits(t, "", audit.Disclosed)
	if !slices.Equal(e.Targets, []string{"anna"}) || !slices.Equal(e.Employees, []string{"anna"}) || e.Subject != "dora" {
		t.Errorf("%+v", e)
	}
	o.audit.waits(t, id, audit.Revoked)
	if order := o.steps(); slices.Index(order, "record done") > slices.Index(order, "record revoked deny credential_ended") {
		t.Errorf("%q", order)
	}
}

func TestASupervisionThatCannotBeRecordedIsToldAfterwards(t *testing.T) {
	o := newOffice(t, toned("after", "none"))
	o.audit.failing(audit.Done)
	o.talk("x", ivanov, "PJSIP/101")
	o.must("dora", "spy", "anna")
	o.log.until(t, "drop snoop own")
	o.recovers("record ended not_recorded")
	if e := o.audit.waits(t, "", audit.Disclosed); !slices.Equal(e.Targets, []string{"anna"}) {
		t.Errorf("%+v", e)
	}
	if list := o.notices("anna"); len(list) != 1 || list[0].By != "dora" || list[0].State != "ended" {
		t.Errorf("%+v", list)
	}
}

// What ends a supervision while it changes its mode may come when the new mode is in force already: that is told too.
func TestAModeThatWasInForceWhenItEndedIsTold(t *testing.T) {
	o := newOffice(t, toned("none", "{how: [panel, after]}"))
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	anna := o.watch("anna")
	o.pbx.set(func() {
		o.pbx.swapped = func() { o.gate.Recheck(func(s auth.Subject) bool { return s.Employee() != "dora" }) }
	})
	o.change("dora", id, "barge")
	for _, state := range []string{"active", "ended"} {
		if m := anna.told(); m.ID != id || m.State != state || m.Mode != "barge" {
			t.Errorf("%+v", m)
		}
	}
	if e := o.audit.waits(t, "", audit.Disclosed); e.Mode != "barge" || !slices.Equal(e.Targets, []string{"anna"}) {
		t.Errorf("%+v", e)
	}
}
