package gate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// What ends a running supervision, with what the supervisor is told and what is on record.
func TestNoSupervisionOutlivesItsGroundItsSupervisorOrItsTarget(t *testing.T) {
	joins := func(o *office, leg, phone string) { o.leg(leg, phone, call.StateUp, ""); o.enter("x", leg) }
	for _, c := range []struct {
		name, reason string
		phase        audit.Phase
		ground       string
		change       func(*office)
	}{
		{"an excluded colleague joins", "not_for_this_call", audit.Revoked, "excluded_other", func(o *office) { joins(o, "e", "PJSIP/105") }},
		{"one is being dialled by the other side", "not_for_this_call", audit.Revoked, "excluded_other", func(o *office) {
			o.leg("e", "PJSIP/105", call.StateDown, "")
			o.dial("x.0", "e", "105")
		}},
		{"one joins by a Local channel that was dialled before its other half was seen", "not_for_this_call", audit.Revoked, "excluded_other", func(o *office) {
			o.seen(call.Channel{ID: "l1", Name: "Local/5@c-1;1", State: call.StateDown})
			o.dial("x.0", "l1", "5@c")
			o.seen(call.Channel{ID: "l2", Name: "Local/5@c-1;2", State: call.StateRing})
			o.leg("e", "PJSIP/105", call.StateDown, "")
			o.dial("l2", "e", "105")
		}},
		{"a protected colleague joins", "not_for_this_call", audit.Revoked, "protected_other", func(o *office) { joins(o, "h", "PJSIP/108") }},
		{"an unknown phone joins", "not_for_this_call", audit.Revoked, "unknown_phone", func(o *office) { joins(o, "u", "PJSIP/777") }},
		{"the other side turns out to be protected", "not_for_this_call", audit.Revoked, "protected_number", func(o *office) {
			ch := o.ch("x.0")
			ch.Connected.Number = secret
			o.seen(ch)
		}},
		{"an excluded colleague barges in", "not_for_this_call", audit.Revoked, "excluded_other", func(o *office) { o.active("egor", "barge", "anna") }},
		{"another call of the phone, with one excluded, is taken up", "not_for_this_call", audit.Revoked, "excluded_other", func(o *office) { o.talk("y", "PJSIP/105", "PJSIP/101") }},
		{"the right is taken away", "no_right", audit.Revoked, "no_right", func(o *office) {
			o.gate.SetPolicy(set(o.t, strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "observe: true", 1)))
		}},
		{"the target is excluded", "excluded", audit.Revoked, "excluded", func(o *office) {
			o.gate.SetPolicy(set(o.t, strings.Replace(house, "except: [egor]}}\n  egor", "except: [anna]}}\n  egor", 1)))
		}},
		{"the phone is given to another", "not_for_this_call", audit.Revoked, "unknown_target", func(o *office) {
			o.gate.SetPolicy(set(o.t, strings.NewReplacer("PJSIP/101", "PJSIP/102", "PJSIP/102", "PJSIP/101").Replace(house)))
		}},
		{"the supervisor is nobody any more", "unknown_subject", audit.Revoked, "unknown_subject", func(o *office) {
			o.gate.SetPolicy(set(o.t, strings.Replace(house, "  dora:", "  dorothea:", 1)))
		}},
		{"the target hangs up", "call_ended", audit.Ended, "call_ended", func(o *office) { o.gone("x.1") }},
		{"the target's place is taken by another phone", "call_ended", audit.Ended, "call_ended", func(o *office) {
			ch := o.ch("x.1")
			ch.Name = "PJSIP/102-0009"
			o.seen(ch)
		}},
		{"the other side hangs up", "call_ended", audit.Ended, "call_ended", func(o *office) { o.gone("x.0") }},
		{"the supervisor hangs up", "ended_by_supervisor", audit.Ended, "ended_by_supervisor", func(o *office) { o.hangsUp(o.pbx.rung[0].Leg) }},
		{"the PBX ends his leg", "leg_gone", audit.Ended, "leg_gone", func(o *office) { o.gone(string(o.pbx.rung[0].Leg)) }},
		{"the snoop is gone", "leg_gone", audit.Ended, "leg_gone", func(o *office) { o.gone(string(o.pbx.taps[0].Snoop)) }},
		{"the supervisor hands his leg on", "not_for_this_call", audit.Revoked, "unknown_party", func(o *office) {
			o.leg("z", "PJSIP/102", call.StateUp, "")
			o.enter(string(o.pbx.rung[0].Bridge), "z")
		}},
		{"the supervisor's leg has become another phone's", "not_for_this_call", audit.Revoked, "unknown_party", func(o *office) {
			ch := o.ch(string(o.pbx.rung[0].Leg))
			ch.Name = "PJSIP/102-0009"
			o.seen(ch)
		}},
		{"the credential is withdrawn", "credential_ended", audit.Revoked, "credential_ended", func(o *office) {
			o.gate.Recheck(func(s auth.Subject) bool { return s.Employee() != "dora" })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			id := o.active("dora", "spy", "anna")
			w, bystander := o.watch("dora"), o.watch("carl")
			c.change(o)
			if c.name == "the supervisor is nobody any more" {
				if _, err := w.Next(t.Context()); !errors.Is(err, gate.CutUnknown) {
					t.Fatal(err)
				}
				o.log.until(t, "record revoked")
			} else if reason := w.act(id, "ended"); reason != c.reason {
				t.Fatalf("he is told %s", reason)
			}
			o.log.until(t, "record "+string(c.phase))
			if e := o.audit.last(t, c.phase); e.ID != id || e.Reason != c.ground || e.Subject != "dora" {
				t.Fatalf("on record is %+v", e)
			}
			for leg := range o.pbx.legs {
				if strings.HasPrefix(string(leg), string(o.pbx.rung[0].Leg)) {
					t.Fatal("its legs are left")
				}
			}
			for _, m := range bystander.all() {
				if m.Supervision != nil {
					t.Fatal("another was told of it")
				}
			}
		})
	}
}

func TestAPeerWhoComesBackWithinTheGraceEndsNothing(t *testing.T) {
	o := newOffice(t, house, func(c *gate.Config) { c.Grace = time.Hour })
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	o.leave("x", "x.0")
	o.pass(1) // the move has ended elsewhere
	o.leg("b", "PJSIP/102", call.StateUp, "")
	o.enter("x", "b")
	o.gone("x.0")
	o.gone("b")
	o.enter("x", "b")
	if v, err := o.gate.Supervision(who("dora"), id); err != nil || v.State != "active" {
		t.Fatalf("%+v %v", v, err)
	}
	o.leg("e", "PJSIP/105", call.StateUp, "") // while nobody is there, who comes is looked at at once
	o.enter("x", "e")
	o.log.until(t, "record revoked deny excluded_other")
}

func TestAPhoneThatIsNotAnsweredEndsInFailure(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		change func(*office, string)
	}{
		"hung up":            {"no_answer", func(o *office, _ string) { o.gone(string(o.pbx.rung[0].Leg)) }},
		"called off":         {"ended_by_supervisor", func(o *office, id string) { _ = o.gate.EndSupervision(o.t.Context(), who("carl"), id) }},
		"the call ends":      {"call_ended", func(o *office, _ string) { o.gone("x.1") }},
		"protected joins":    {"not_for_this_call", func(o *office, _ string) { o.leg("h", "PJSIP/108", call.StateUp, ""); o.enter("x", "h") }},
		"rings for too long": {"no_answer", func(*office, string) {}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house, func(c *gate.Config) {
				if name == "rings for too long" {
					c.RingTimeout = -5*time.Second + 50*time.Millisecond // to which 5 s are added for the PBX
				}
			})
			o.pbx.silent = true
			o.talk("x", ivanov, "PJSIP/101")
			w := o.watch("carl")
			id := o.must("carl", "spy", "anna")
			o.waitRung(1)
			c.change(o, id)
			if reason := w.act(id, "ended"); reason != c.reason {
				t.Fatal(reason)
			}
			lines := o.log.all()
			if slices.Contains(lines, "tap") || slices.Contains(lines, "record done") || slices.Contains(lines, "record ended "+c.reason) {
				t.Fatalf("%q", lines)
			}
			if o.pbx.left() != 0 {
				t.Fatal("legs are left")
			}
		})
	}
}

// waitRung waits until the n-th phone rings.
func (o *office) waitRung(n int) {
	o.t.Helper()
	o.log.until(o.t, "ring", n)
	for o.row("carl", "carl").State == "idle" {
		o.pass(0) // the order goes on in another goroutine
	}
}

func TestAnOrderThatFailsEndsInFailureAndIsCleanedUp(t *testing.T) {
	for _, order := range []string{"ring", "tap"} {
		o := newOffice(t, house)
		o.talk("x", ivanov, "PJSIP/101")
		w := o.watch("carl")
		o.pbx.failing(order, errors.New("allocation failed"))
		id := o.must("carl", "spy", "anna")
		if reason := w.act(id, "ended"); reason != "pbx_failed" {
			t.Fatal(reason)
		}
		o.log.until(t, "record failed pbx_failed")
		if o.pbx.left() != 0 || slices.Contains(o.log.all(), "record done") {
			t.Fatalf("%s: %q", order, o.log.all())
		}
		o.pbx.failing("", nil)
		o.active("carl", "spy", "anna")
	}
}

func TestAPhoneThatCannotBeRungIsToldWithWhatToDo(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	o.pbx.failing("ring", fmt.Errorf("%w: 500", pbx.ErrUnreachable))
	id := o.must("carl", "spy", "anna")
	if reason := w.act(id, "ended"); reason != "phone_unreachable" {
		t.Fatal(reason)
	}
	o.log.until(t, "record failed phone_unreachable")
}

// An order that hangs does not hold up the end.
func TestALossOfGroundInterruptsTheOrderThatIsUnderWay(t *testing.T) {
	for _, order := range []string{"ring", "tap", "renew"} {
		t.Run(order, func(t *testing.T) {
			o := newOffice(t, house, func(c *gate.Config) { c.Lease = 60 * time.Millisecond })
			o.talk("x", ivanov, "PJSIP/101")
			w := o.watch("dora")
			o.pbx.holds(order)
			id := o.must("dora", "spy", "anna")
			o.log.until(t, order)
			o.leg("e", "PJSIP/105", call.StateUp, "")
			o.enter("x", "e")
			if reason := w.act(id, "ended"); reason != "not_for_this_call" {
				t.Fatal(reason)
			}
			if o.pbx.left() != 0 {
				t.Fatal("legs are left")
			}
		})
	}
}

func TestWhatComesOfACalledOffOrderIsCleanedUp(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.pbx.holds("tap")
	id := o.must("carl", "spy", "anna")
	o.log.until(t, "tap")
	ring := o.pbx.rung[0]
	if err := o.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
		t.Fatal(err)
	}
	late := ring.Leg + "-snoop"
	o.pbx.put(late, "")
	o.seen(call.Channel{ID: late, Name: "Snoop/x.1-0002", State: call.StateUp})
	o.log.until(t, "drop snoop")
	before := len(o.log.all())
	o.ingest(call.Event{Kind: call.BridgeSeen, Bridge: call.Bridge{ID: "earshot-sync-1"}}) // not the gate's
	o.ingest(call.Event{Kind: call.BridgeSeen, Bridge: call.Bridge{ID: ring.Bridge}})
	o.log.until(t, "drop", 3)
	if n := len(o.log.all()) - before; n != 1 {
		t.Fatalf("%d orders", n)
	}
}
