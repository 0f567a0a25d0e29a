package gate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// Who has no phone of his own is offered nothing that would ring it, by whatever way one is told what one may, and all that needs none; what he asks for
// all the same is answered no_phone. With a phone it is offered, by the same rights.
func TestWhoHasNoPhoneIsOfferedNothingThatNeedsOne(t *testing.T) {
	rights := `, all: true}`
	with := strings.NewReplacer(
		`gus:   {name: Gus,   phones: [PJSIP/107], numbers: ["107"]}`, `gus:   {name: Gus, numbers: ["107"]`+rights,
		`carl:  {name: Carl,  phones: [PJSIP/113], numbers: ["113"], observe: true, listen: true}`, `carl:  {name: Carl, phones: [PJSIP/113], numbers: ["113"]`+rights,
		`nils:  {name: Nils,  numbers: ["110"]}`, `nils:  {name: Nils, numbers: ["110"]`+rights,
	).Replace(lineHouse)
	o := newLineOffice(t, soon)
	o.gate.SetPolicy(set(t, with))
	o.converses("x", other, "q-sales", "PJSIP/101")
	o.rings("y", ivanov, "PJSIP/105") // gus's client
	w := o.watch("gus")
	o.inMusic("z", ivanov)
	w.incoming()
	for _, c := range []struct {
		subject, me, talking, ringing, free, line, conversation string
	}{
		{
			"carl", "observe spy whisper barge intercept dial lock settings.permissions", "spy whisper barge dial", "intercept dial", "dial",
			"change statistics history join replies", "join",
		},
		{"nils", "observe settings.permissions", "", "", "", "change statistics history replies", ""},
	} {
		me, err := o.gate.Me(who(c.subject))
		if got := strings.Join(me.Actions, " "); err != nil || got != c.me || (len(me.Phones) == 0) != (c.subject == "nils") {
			t.Errorf("%s is told of %q, %v, by phones %q", c.subject, got, err, me.Phones)
		}
		for target, want := range map[string]string{"anna": c.talking, "egor": c.ringing, "vic": c.free} {
			if got := strings.Join(o.row(c.subject, target).Can, " "); got != want {
				t.Errorf("%s on %s: %q", c.subject, target, got)
			}
			found := o.search(c.subject, gate.Resource{Type: gate.ResourceEmployee, ID: target})
			found = slices.DeleteFunc(found, func(a string) bool {
				return !slices.Contains([]string{"spy", "whisper", "barge", "intercept", "dial"}, a)
			})
			if got := strings.Join(found, " "); got != want {
				t.Errorf("%s on %s, by other software: %q", c.subject, target, got)
			}
		}
		if got := strings.Join(o.line(c.subject, "sales").Can, " "); got != c.line {
			t.Errorf("%s on the line: %q", c.subject, got)
		}
		all, err := o.gate.Conversations(who(c.subject), "sales")
		if err != nil || len(all) != 1 || strings.Join(all[0].Can, " ") != c.conversation {
			t.Errorf("%s on the conversation: %+v, %v", c.subject, all, err)
		}
		if r := o.row(c.subject, "anna"); len(r.Calls) != 1 || r.Calls[0].Peer == nil {
			t.Errorf("%s does not see what needs no phone: %+v", c.subject, r)
		}
	}
	o.refused("no_phone", "nils", "spy", "anna")
	for action, target := range map[string]string{"spy": "anna", "intercept": "egor", "dial": "vic"} {
		if a := o.evaluate("nils", action, gate.Resource{Type: gate.ResourceEmployee, ID: target}, true); a.Allowed || a.Reason != "no_phone" {
			t.Errorf("%s on %s: %+v", action, target, a)
		}
		if a := o.evaluate("dora", action, gate.Resource{Type: gate.ResourceEmployee, ID: target}, true); a.Allowed || a.Reason != "no_right" {
			t.Errorf("%s on %s by who has no right: %+v", action, target, a)
		}
	}
	list := o.offers("gus")
	if len(list) != 2 {
		t.Fatalf("gus is offered %+v", list)
	}
	for _, v := range list {
		if v.CanAccept || v.Call != "" || v.Target != "" {
			t.Errorf("gus is offered %+v", v)
		}
		if a := o.evaluate("gus", "intercept", gate.Resource{Type: gate.ResourceCall, ID: v.ID}, true); a.Allowed || a.Reason != "no_phone" {
			t.Errorf("of %s: %+v", v.State, a)
		}
		_, err := o.gate.Intercept(t.Context(), who("gus"), gate.Ask{Call: v.ID})
		refuses(t, err, "no_phone")
	}
	o.gate.SetPolicy(set(t, strings.Replace(with, `gus:   {name: Gus,`, `gus:   {name: Gus, phones: [PJSIP/107],`, 1)))
	for _, v := range o.offers("gus") {
		if !v.CanAccept {
			t.Errorf("with a phone gus is offered %+v", v)
		}
	}
}
