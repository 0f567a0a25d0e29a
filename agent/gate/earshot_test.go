package gate_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
)

// dora may not listen where egor is; nobody where hana, a protected number or an unknown phone is. Each case has a twin that is let.
func TestEverybodyWithinEarshotDecides(t *testing.T) {
	local := func(o *office, half string, s call.State) {
		o.seen(call.Channel{ID: call.LegID("l" + half), Name: "Local/700@ctx-1;" + half, State: s})
	}
	for _, c := range []struct {
		name    string
		scene   func(o *office, egor, number string)
		subject string
		ground  string // on record
	}{
		{"in the bridge", func(o *office, egor, _ string) { o.talk("x", egor, "PJSIP/101") }, "dora", "excluded_other"},
		{"behind a Local channel", func(o *office, egor, _ string) {
			o.leg("x.1", "PJSIP/101", call.StateRing, "700")
			local(o, "1", call.StateDown)
			local(o, "2", call.StateRing)
			o.dial("x.1", "l1", "700@ctx")
			o.leg("e", egor, call.StateDown, "")
			o.dial("l2", "e", "5")
			for _, leg := range []string{"e", "l2", "l1", "x.1"} {
				o.state(leg, call.StateUp)
			}
			o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch("l2"), Peer: o.ch("e"), Answered: true})
			o.enter("far", "e", "l2")
			o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch("x.1"), Peer: o.ch("l1"), Answered: true})
			o.enter("near", "x.1", "l1")
		}, "dora", "excluded_other"},
		{"behind two Local channels in a row", func(o *office, egor, _ string) {
			half := func(id, name string) { o.seen(call.Channel{ID: call.LegID(id), Name: name, State: call.StateUp}) }
			o.leg("x.1", "PJSIP/101", call.StateUp, "700")
			half("l1", "Local/700@ctx-1;1")
			half("l2", "Local/700@ctx-1;2")
			half("m1", "Local/701@ctx-2;1")
			half("m2", "Local/701@ctx-2;2")
			o.leg("e", egor, call.StateUp, "")
			o.enter("near", "x.1", "l1")
			o.enter("between", "l2", "m1")
			o.enter("far", "m2", "e")
		}, "dora", "excluded_other"},
		{"behind another application's snoop", func(o *office, egor, _ string) {
			o.talk("x", ivanov, "PJSIP/101")
			o.seen(call.Channel{ID: "n", Name: "Snoop/x.1-00000009", State: call.StateUp})
			o.leg("e", egor, call.StateUp, "")
			o.enter("theirs", "n", "e")
		}, "dora", "excluded_other"},
		{"behind a snoop on the snoop of another supervision", func(o *office, egor, _ string) {
			o.talk("x", ivanov, "PJSIP/101")
			o.active("carl", "whisper", "anna")
			o.seen(call.Channel{ID: "n", Name: "Snoop/" + string(o.pbx.taps[0].Snoop) + "-00000009", State: call.StateUp})
			o.leg("e", egor, call.StateUp, "")
			o.enter("theirs", "n", "e")
		}, "dora", "excluded_other"},
		{"in a conference", func(o *office, egor, _ string) {
			o.talk("x", ivanov, "PJSIP/101")
			o.leg("e", egor, call.StateUp, "")
			o.enter("x", "e")
		}, "dora", "excluded_other"},
		{"dialled by the other side", func(o *office, egor, _ string) {
			o.talk("x", ivanov, "PJSIP/101")
			o.leg("e", egor, call.StateDown, "")
			o.dial("x.0", "e", "5")
		}, "dora", "excluded_other"},
		{"on another leg of the phone, neither held", func(o *office, egor, _ string) {
			o.talk("x", ivanov, "PJSIP/101")
			o.talk("y", egor, "PJSIP/101")
			o.pass(1)
		}, "dora", "excluded_other"},
		{"barging in", func(o *office, egor, _ string) {
			o.talk("x", ivanov, "PJSIP/101")
			if egor == "PJSIP/105" {
				o.active("egor", "barge", "anna")
			} else {
				o.active("ivo", "barge", "anna")
			}
		}, "dora", "excluded_other"},
		{"whispering", func(o *office, egor, _ string) {
			o.talk("x", ivanov, "PJSIP/101")
			if egor == "PJSIP/105" {
				o.active("egor", "whisper", "anna")
			} else {
				o.active("ivo", "whisper", "anna")
			}
		}, "dora", "excluded_other"},
		{"listened to by the target", func(o *office, egor, _ string) {
			o.talk("y", ivanov, egor)
			if egor == "PJSIP/105" {
				o.active("carl", "spy", "egor")
			} else {
				o.active("carl", "spy", "boris")
			}
		}, "dora to carl", "excluded_other"},
		{"an unknown spy who is he", func(o *office, egor, _ string) {
			o.talk("x", ivanov, "PJSIP/101")
			o.leg("s", egor, call.StateUp, "")
			o.ingest(call.Event{Kind: call.SpyBegan, Channel: o.ch("s"), Peer: o.ch("x.1")})
		}, "dora", "excluded_other"},
		{"claimed by a number from outside", func(o *office, _, number string) { o.talk("x", number, "PJSIP/101") }, "dora", "excluded_other"},
		{"claimed by his number behind a route's prefix", func(o *office, _, number string) {
			o.talk("x", strings.Replace(number, "+7", "98", 1), "PJSIP/101")
		}, "dora", "excluded_other"},
		{"claimed by what was dialled", func(o *office, _, number string) {
			o.leg("x.1", "PJSIP/101", call.StateRing, "9")
			o.leg("t", "+4900", call.StateDown, "")
			o.dial("x.1", "t", number+"@trunk")
			o.state("x.1", call.StateUp)
			o.state("t", call.StateUp)
			o.enter("x", "x.1", "t")
		}, "dora", "excluded_other"},
		{"protected colleague", func(o *office, egor, _ string) {
			o.talk("x", strings.Replace(egor, "PJSIP/105", "PJSIP/108", 1), "PJSIP/101")
		}, "carl", "protected_other"},
		{"protected number", func(o *office, egor, _ string) {
			if egor == "PJSIP/105" {
				o.talk("x", "84957654321", "PJSIP/101")
			} else {
				o.talk("x", ivanov, "PJSIP/101")
			}
		}, "carl", "protected_number"},
		{"unknown phone", func(o *office, egor, _ string) { o.talk("x", strings.Replace(egor, "105", "999", 1), "PJSIP/101") }, "carl", "unknown_phone"},
		{"he who listens to himself by another", func(o *office, egor, _ string) {
			if egor == "PJSIP/105" {
				o.talk("y", ivanov, "PJSIP/104")
				o.active("carl", "spy", "dora")
			} else {
				o.talk("y", ivanov, "PJSIP/102")
				o.active("carl", "spy", "boris")
			}
		}, "dora to carl", "party"},
	} {
		t.Run(c.name, func(t *testing.T) {
			subject, target, ok := strings.Cut(c.subject, " to ")
			if !ok {
				target = "anna"
			}
			o := newOffice(t, house)
			c.scene(o, "PJSIP/105", "+79160000105")
			handle := calls(o, subject, target)
			o.refused("not_for_this_call", subject, "spy", target, handle)
			if e := o.audit.last(t, audit.Decided); e.Reason != c.ground {
				t.Fatalf("the record says %s", e.Reason)
			}
			twin := newOffice(t, house)
			c.scene(twin, "PJSIP/102", "+79160000999")
			twin.active(subject, "spy", target, calls(twin, subject, target))
		})
	}
}

// A number without its area may be that of either, and the one whom dora may not hear comes later in the policy.
func TestANumberThatMayBeTwoPeoplesExcludesAsBoth(t *testing.T) {
	for number, excluded := range map[string]bool{"0000105": true, "+79160000105": true, "0000106": false} {
		o := newOffice(t, strings.Replace(house, `numbers: ["102"]`, `numbers: ["102", "+78120000105", "+78120000106"]`, 1))
		o.talk("x", number, "PJSIP/101")
		if excluded {
			o.refused("not_for_this_call", "dora", "spy", "anna")
			if e := o.audit.last(t, audit.Decided); e.Reason != "excluded_other" {
				t.Errorf("%s: the record says %s", number, e.Reason)
			}
		} else {
			o.active("dora", "spy", "anna")
		}
	}
}

func calls(o *office, subject, target string) string { return o.row(subject, target).Calls[0].ID }

func TestWhoIsNotHeardDoesNotDecide(t *testing.T) {
	for name, scene := range map[string]func(*office){
		"a spy": func(o *office) { o.active("egor", "spy", "anna") },
		"on another leg of the phone that is held": func(o *office) {
			o.talk("y", "PJSIP/105", "PJSIP/101")
			o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("y.1")})
		},
		"on another leg while this one is held": func(o *office) {
			o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.1")})
			o.talk("y", "PJSIP/105", "PJSIP/101")
		},
		"ringing on another leg":              func(o *office) { o.rings("y", "PJSIP/105", "PJSIP/101") },
		"on another call over the same trunk": func(o *office) { o.talk("y", "+49000", "PJSIP/105") },
		"one who has left": func(o *office) {
			o.leg("e", "PJSIP/105", call.StateUp, "")
			o.enter("x", "e")
			o.gone("e")
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			scene(o)
			o.active("dora", "spy", "anna", calls(o, "dora", "anna"))
		})
	}
}

func TestAPartyCannotSupervise(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", "PJSIP/103", "PJSIP/101")
	o.refused("party", "carl", "spy", "anna")
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.0")})
	o.refused("party", "carl", "barge", "anna", "PJSIP/113")
	if can := o.row("carl", "anna").Can; len(can) != 0 {
		t.Fatalf("%q", can)
	}
	o.hangUp("x")
	o.talk("y", ivanov, "PJSIP/101")
	id := o.active("carl", "spy", "anna") // not after leaving
	w := o.watch("carl")
	o.leg("z", "PJSIP/113", call.StateUp, "")
	o.enter("y", "z") // he joins the call that he listens to
	if reason := w.act(id, "ended"); reason != "party" {
		t.Fatal(reason)
	}
}

func TestANumberNeverGrants(t *testing.T) {
	o := newOffice(t, house)
	// Somebody outside calls boris, claiming to be anna; and then carl, whom nothing bars.
	o.talk("x", "101", "PJSIP/102")
	o.refused("not_talking", "carl", "spy", "anna")
	if p := o.row("carl", "boris").Calls[0].Peer; p == nil || p.Employee != "" || p.Number != "101" {
		t.Fatalf("%+v", p)
	}
	// One claiming to be dora makes dora no party, who would see.
	o.talk("y", "104", "PJSIP/101")
	if !o.row("dora", "anna").Calls[0].Hidden {
		t.Fatal("a claimed number has shown the call")
	}
	// One claiming a client's number from a colleague's phone is no client.
	o.rings("z", "PJSIP/105", "PJSIP/102")
	ch := o.ch("z.0")
	ch.Caller.Number = ivanov
	o.seen(ch)
	o.refused("not_client", "gus", "intercept", "boris")
}
