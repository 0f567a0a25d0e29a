package gate_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// unlisted is the policy that takes whoever is neither a phone nor a trunk for outside.
var unlisted = strings.Replace(house, "trunks:", "unknown_phones: outside\ntrunks:", 1)

// comes has a customer call by a trunk that the policy does not name.
func (o *office) comes(name, number, to string) {
	o.leg(name+".0", "PJSIP/carrier", call.StateRing, strings.TrimPrefix(to, "PJSIP/"))
	ch := o.ch(name + ".0")
	ch.Caller = call.Identity{Name: "Mr " + number, Number: call.Number(number)}
	o.seen(ch)
	o.leg(name+".1", to, call.StateDown, "")
	o.dial(name+".0", name+".1", strings.TrimPrefix(to, "PJSIP/"))
	o.state(name+".1", call.StateRinging)
}

// Two calls by one such trunk are two people's, and whoever may not be heard on one of them is not heard on the other.
func TestTwoCallsByOneUnlistedTrunkAreNotOneCall(t *testing.T) {
	for name, c := range map[string]struct {
		policy        string
		one, both     string // what dora is told who wants to hear the first, before the second is there and then
		endsWhatRuns  bool
		groundOfThose string
	}{
		"that is taken for outside": {unlisted, "", "", false, "allowed"},
		"that is a trunk":           {strings.Replace(house, "PJSIP/trunk]", "PJSIP/trunk, PJSIP/carrier]", 1), "", "", false, "allowed"},
		"that is somebody's phone":  {strings.Replace(unlisted, "PJSIP/106]", "PJSIP/106, PJSIP/carrier]", 1), "", "not_for_this_call", true, "excluded_other"},
		"of which nothing is known": {house, "not_for_this_call", "not_for_this_call", false, "excluded_other"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, c.policy)
			both := func() {
				o.comes("y", other, "PJSIP/105") // whom dora may not hear
				o.answers("y", 1)
			}
			o.comes("x", ivanov, "PJSIP/101")
			o.answers("x", 1)
			if c.one == "" {
				id := o.active("dora", "spy", "anna")
				both()
				if o.gate.Ending(id) != c.endsWhatRuns {
					t.Errorf("it ends: %v", !c.endsWhatRuns)
				}
				if err := o.gate.EndSupervision(t.Context(), who("dora"), id); err != nil && !c.endsWhatRuns {
					t.Fatal(err)
				}
			} else {
				o.refused(c.one, "dora", "spy", "anna")
				both()
			}
			o.refused(c.both, "dora", "spy", "anna")
			if e := o.audit.last(t, audit.Decided); e.Reason != c.groundOfThose {
				t.Errorf("the record says %s", e.Reason)
			}
		})
	}
}

// Who calls by it is a customer as one who calls by a trunk: he is shown as from outside, offered to whom he is a client of, and not hung up when somebody else
// has put him into a call.
func TestWhoIsTakenForOutsideIsACustomer(t *testing.T) {
	for _, policy := range []string{house, unlisted} {
		kinds := strings.Replace(policy, "listen: {to: any, allow: [spy], except: [egor]}", "observe: kind", 1)
		y := newYard(t, kinds, func(w *gate.Watchdog) { w.Join = gate.End })
		y.comes("x", ivanov, "PJSIP/101")
		kind, can, did := "", 0, "ended"
		if policy == unlisted {
			kind, can, did = "external", 1, "reported"
		}
		if v := y.row("gus", "anna"); len(v.Can) != can || v.Calls[0].Hidden != (can == 0) {
			t.Errorf("the responsible employee is shown %+v", v)
		}
		if v := y.row("dora", "anna").Calls[0]; v.Kind != kind {
			t.Errorf("it is of the kind %q, not %q", v.Kind, kind)
		}
		y.answers("x", 1)
		y.strange("j", "PJSIP/carrier", call.StateUp)
		ch := y.ch("j")
		ch.App = "BridgeAdd"
		y.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: "x", Type: "mixing"}, Channel: ch})
		y.became(did)
	}
}

// And a call that waits with nobody is offered.
func TestWhoWaitsAndIsTakenForOutsideIsOfferedToWhoIsResponsible(t *testing.T) {
	o := newOffice(t, unlisted, soon)
	w := o.watch("gus")
	o.leg("x.0", "PJSIP/carrier", call.StateUp, "100")
	ch := o.ch("x.0")
	ch.Caller.Number = ivanov
	o.seen(ch)
	o.into("x.0", "Queue")
	v := w.incoming()
	if v.State != "waiting" || v.Call == "" {
		t.Fatalf("%+v", v)
	}
	w.act(o.must("gus", "intercept", v.Target, v.Call), "taken")
}
