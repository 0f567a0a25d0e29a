package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// telling is house with what the supervised are told when dora spies.
func telling(notify string) string {
	return strings.Replace(house, "dora:  {name: Dora,  phones: [PJSIP/104], numbers: [\"104\"], listen: {to: any, allow: [spy], except: [egor]}}",
		"dora:  {name: Dora,  phones: [PJSIP/104], numbers: [\"104\"], listen: {to: any, allow: [spy, barge], except: [egor], notify: "+notify+"}}", 1)
}

// told waits for the next message that a call of his own is supervised, or is no more.
func (w *watcher) told() mask.Supervised {
	w.t.Helper()
	for {
		if m := w.next(); m.Supervised != nil {
			return *m.Supervised
		}
	}
}

// hasNotBeenTold makes sure that nothing of a supervision is among what is there.
func (w *watcher) hasNotBeenTold() {
	w.t.Helper()
	for _, m := range w.all() {
		if m.Supervised != nil || m.Employee != nil && slices.ContainsFunc(m.Employee.Calls, func(c mask.View) bool { return c.Supervised }) {
			w.t.Errorf("he is told %+v %+v", m.Supervised, m.Employee)
		}
	}
}

func (o *office) supervised(employee string) bool {
	b, err := o.gate.Employees(who(employee))
	if err != nil {
		o.t.Fatal(err)
	}
	for _, row := range b.Employees {
		for _, c := range row.Calls {
			if c.Supervised && row.ID != employee {
				o.t.Errorf("%s is told of %s", employee, row.ID)
			}
			if c.Supervised {
				return true
			}
		}
	}
	return false
}

func (o *office) notices(employee string) []mask.Supervised {
	list, err := o.gate.Supervised(who(employee))
	if err != nil {
		o.t.Fatal(err)
	}
	return list
}

func TestThePanelTellsTheSupervisedWhileItLasts(t *testing.T) {
	o := newOffice(t, telling("panel"))
	o.talk("x", "PJSIP/102", "PJSIP/101")
	anna, boris, carl, dora := o.watch("anna"), o.watch("boris"), o.watch("carl"), o.watch("dora")
	o.pbx.silent = true
	id := o.must("dora", "spy", "anna")
	o.log.until(t, "ring")
	anna.hasNotBeenTold() // her phone rings only
	o.pbx.answer(call.LegID("earshot-" + id))
	v := anna.told()
	if v.ID != id || v.By != "dora" || v.Mode != "spy" || v.State != "active" || v.Since.IsZero() || v.Until != nil {
		t.Fatalf("%+v", v)
	}
	if !o.supervised("anna") || o.supervised("boris") || o.supervised("carl") {
		t.Fatal("the rows do not say so to her alone")
	}
	if list := o.notices("anna"); len(list) != 1 || list[0] != v {
		t.Fatalf("%+v", list)
	}
	dora.act(id, "active") // which is later than that she hears
	if _, err := o.gate.ChangeMode(t.Context(), who("dora"), id, "barge", ""); err != nil {
		t.Fatal(err)
	}
	if v := anna.told(); v.Mode != "barge" || v.State != "active" {
		t.Fatalf("%+v", v)
	}
	if err := o.gate.EndSupervision(t.Context(), who("dora"), id); err != nil {
		t.Fatal(err)
	}
	if v := anna.told(); v.ID != id || v.State != "ended" || v.Until == nil {
		t.Fatalf("%+v", v)
	}
	if o.supervised("anna") || len(o.notices("anna")) != 0 {
		t.Fatal("she is told that it goes on, or afterwards")
	}
	boris.hasNotBeenTold()
	carl.hasNotBeenTold()
	o.log.until(t, "record disclosed")
	if e := o.audit.last(t, audit.Disclosed); e.Action != gate.NoticeAction || e.Subject != "dora" || !slices.Equal(e.Targets, []string{"anna"}) || e.Employees != nil || e.Mode != "barge" {
		t.Fatalf("%+v", e)
	}
}

func TestBothSidesAreToldWhereTheRuleSaysSo(t *testing.T) {
	o := newOffice(t, telling("{how: [panel, after], to: both}"))
	o.talk("x", "PJSIP/102", "PJSIP/101")
	anna, boris := o.watch("anna"), o.watch("boris")
	id := o.active("dora", "spy", "anna")
	if a, b := anna.told(), boris.told(); a != b || a.ID != id {
		t.Fatalf("%+v %+v", a, b)
	}
	if !o.supervised("anna") || !o.supervised("boris") {
		t.Fatal("the rows do not say so")
	}
	gus := o.watch("gus")
	o.leg("g", "PJSIP/107", call.StateUp, "")
	o.enter("x", "g")
	if v := gus.told(); v.State != "active" {
		t.Fatalf("who joins: %+v", v)
	}
	o.gone("g")
	if v := gus.told(); v.State != "ended" {
		t.Fatalf("who leaves: %+v", v)
	}
	o.hangUp("x")
	anna.told()
	boris.told()
	for _, who := range []string{"anna", "boris", "gus"} {
		if list := o.notices(who); len(list) != 1 || list[0].By != "dora" || list[0].State != "ended" || list[0].Until == nil {
			t.Fatalf("%s: %+v", who, list)
		}
	}
	// The next Earshot knows it from the record.
	o.log.until(t, "record disclosed")
	e := o.audit.last(t, audit.Disclosed)
	e.Time = start
	next := newOffice(t, house, func(c *gate.Config) { c.Notices = []audit.Entry{e} })
	if list := next.notices("boris"); len(list) != 1 || list[0].By != "dora" || list[0].Mode != "spy" || !list[0].Until.Equal(start) || time.Since(list[0].Since) > time.Minute {
		t.Fatalf("%+v", list)
	}
	if list := next.notices("carl"); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
}

// Unnoticed is about each who would be told, not about the call.
func TestOneSideMayBeListenedToUnnoticed(t *testing.T) {
	for unnoticed, told := range map[string]string{"boris": "anna", "anna": "nobody"} {
		o := newOffice(t, strings.Replace(telling("{how: panel, to: both}"), "to: both}}", "to: both}}, unnoticed: ["+unnoticed+"]", 1))
		o.talk("x", "PJSIP/102", "PJSIP/101")
		o.active("dora", "spy", "anna")
		for _, who := range []string{"anna", "boris"} {
			if o.supervised(who) != (who == told) {
				t.Errorf("unnoticed on %s: %s is told: %v", unnoticed, who, who != told)
			}
		}
	}
}

func TestWhoIsToldAfterwardsIsNotToldBefore(t *testing.T) {
	o := newOffice(t, telling("after"))
	o.talk("x", ivanov, "PJSIP/101")
	anna := o.watch("anna")
	id := o.active("dora", "spy", "anna")
	anna.hasNotBeenTold()
	if o.supervised("anna") || len(o.notices("anna")) != 0 {
		t.Fatal("she is told")
	}
	o.gone("x.1")
	if v := anna.told(); v.ID != id || v.State != "ended" || v.Until == nil {
		t.Fatalf("%+v", v)
	}
	if list := o.notices("anna"); len(list) != 1 || list[0].ID != id {
		t.Fatalf("%+v", list)
	}
}

func TestWhoMaySuperviseUnnoticedIsToldOfToNobody(t *testing.T) {
	for name, text := range map[string]string{
		"no rule":   house,
		"none":      telling("none"),
		"unnoticed": telling("{how: [panel, after], to: both}") + "roles: {quiet: {unnoticed: true}}\nassign: [{role: quiet, to: [dora]}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, text)
			o.talk("x", "PJSIP/102", "PJSIP/101")
			anna := o.watch("anna")
			o.active("dora", "spy", "anna")
			if o.supervised("anna") {
				t.Error("her row says so")
			}
			// The policy may be another while it runs.
			o.gate.SetPolicy(set(t, telling("panel")))
			if v := anna.told(); v.State != "active" || !o.supervised("anna") {
				t.Errorf("%+v", v)
			}
			o.gate.SetPolicy(set(t, text))
			if v := anna.told(); v.State != "ended" || o.supervised("anna") {
				t.Errorf("%+v", v)
			}
			o.hangUp("x")
			o.log.until(t, "record disclosed") // since she has been told for a while
			anna.hasNotBeenTold()
			if len(o.notices("anna")) != 0 {
				t.Error("she is told afterwards")
			}
		})
	}
}
