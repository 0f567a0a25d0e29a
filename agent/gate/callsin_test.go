package gate_test

import (
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// transferred is a leg of a phone's that somebody else has sent to the phone door: it was on a call, and so it has been answered.
func (o *office) transferred(leg, phone string) string {
	o.waits(leg, phone)
	o.state(leg, call.StateUp)
	return leg
}

// Who transfers a colleague's phone to a code asks nothing in his name, whatever the colleague may.
func TestALegThatSomebodyElseTransferredAsksNothing(t *testing.T) {
	for name, leg := range map[string]func(o *office) string{
		"answered": func(o *office) string { return o.transferred("l", "PJSIP/103") },
		"taken out of a bridge unanswered": func(o *office) string {
			o.waits("l", "PJSIP/103")
			o.enter("before", "l")
			o.leave("before", "l")
			o.pass(5)
			return "l"
		},
		"of an id that a click has": func(o *office) string { return o.transferred("earshot-mine-call", "PJSIP/103") },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			o.rings("y", other, "PJSIP/102")
			l := leg(o)
			for what, ask := range map[string]func() error{
				"spy": func() error {
					_, err := o.gate.Supervise(t.Context(), who("carl"), gate.Ask{Number: "101", Mode: "spy", Phone: "PJSIP/103", Leg: l, Door: gate.DoorPhone})
					return err
				},
				"pickup": func() error {
					_, err := o.gate.Intercept(t.Context(), who("carl"), gate.Ask{Number: "102", Phone: "PJSIP/103", Leg: l, Door: gate.DoorPhone})
					return err
				},
				"group": func() error {
					_, err := o.gate.InterceptOldest(t.Context(), who("carl"), gate.Ask{Phone: "PJSIP/103", Leg: l, Door: gate.DoorPhone})
					return err
				},
			} {
				if err := ask(); code(err) != "not_your_phone" {
					t.Errorf("%s: %v", what, err)
				}
			}
			if len(o.pbx.seats)+len(o.pbx.sends) > 0 {
				t.Errorf("%+v %+v", o.pbx.seats, o.pbx.sends)
			}
			// The same phone asks by a call of its own.
			if _, err := o.gate.Supervise(t.Context(), who("carl"), o.desk("own", "PJSIP/103", "101", "spy")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOnlyACallOfTheLockersOwnPhoneSwitchesHisLock(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	v := o.mustLock("anna")
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.1")})
	for name, leg := range map[string]string{
		"transferred": o.transferred("l", "PJSIP/101"), "another's phone": o.waits("m", "PJSIP/102"), "none": "nobody", "on the call": "x.1",
	} {
		if err := o.gate.SwitchLock(t.Context(), who("anna"), leg); code(err) != "not_your_phone" {
			t.Errorf("%s: %v", name, err)
		}
		if e := o.audit.last(t, audit.Decided); e.Action != "lock" || e.Outcome != audit.Deny || e.Reason != "not_your_phone" || e.Subject != "anna" {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if locks, err := o.gate.Locks(who("anna")); err != nil || len(locks) != 1 || locks[0].ID != v.ID {
		t.Fatalf("%+v %v", locks, err)
	}
	if err := o.gate.SwitchLock(t.Context(), who("anna"), o.waits("own", "PJSIP/101")); err != nil {
		t.Error(err)
	}
	if locks, err := o.gate.Locks(who("anna")); err != nil || len(locks) != 0 {
		t.Errorf("%+v %v", locks, err)
	}
}

// A disk that hangs, a phone that the policy does not know, one that has been answered: none of it keeps a call to an emergency number.
func TestAnEmergencyCallWaitsForNothing(t *testing.T) {
	o := newOffice(t, house+"emergency: [\"112\"]\n", func(c *gate.Config) { c.Holds = func(auth.Subject) bool { return false } })
	let := make(chan struct{})
	o.audit.before = func(audit.Entry) { <-let }
	for _, c := range []struct {
		name, leg, phone, credential string
		subject                      auth.Subject
	}{
		{"an employee's", o.waits("a", "PJSIP/101"), "PJSIP/101", "", who("anna")},
		{"transferred", o.transferred("b", "PJSIP/101"), "PJSIP/101", "", who("anna")},
		{"nobody's", o.waits("c", "PJSIP/999"), "PJSIP/999", "phone:PJSIP/999", auth.Subject{}},
		{"no phone's", "d", "", "phone:", auth.Subject{}},
	} {
		o.pbx.set(func() { o.pbx.sends = nil })
		v, err := o.gate.Dial(t.Context(), c.subject, gate.DialAsk{Number: "112", Phone: c.phone, Leg: c.leg, Door: gate.DoorPhone})
		if s := o.pbx.sends; err != nil || len(s) != 1 || s[0].Leg != call.LegID(c.leg) || s[0].Context != "earshot-outgoing" || s[0].Extension != "112" {
			t.Errorf("%s: %v %+v", c.name, err, s)
		}
		defer func() {
			if e := o.audit.waits(t, v.ID, audit.Decided); e.Reason != "emergency" || e.Subject != c.subject.Employee() || c.credential != "" && e.Credential != c.credential {
				t.Errorf("%s: %+v", c.name, e)
			}
			o.audit.waits(t, v.ID, audit.Done)
		}()
	}
	if n := o.audit.count(); n != 0 {
		t.Errorf("%d entries are on record, of a disk that hangs", n)
	}
	// What is no emergency has to have an owner.
	if _, err := o.gate.Dial(t.Context(), auth.Subject{}, gate.DialAsk{Number: "101", Phone: "PJSIP/999", Leg: "c", Door: gate.DoorPhone}); code(err) != "unknown_subject" {
		t.Error(err)
	}
	close(let)
}

func TestWhoSupervisesDialsOnAnotherLineOfThatPhone(t *testing.T) {
	o := newOffice(t, house+"roles: {all: {dial: any}}\nassign: [{role: all, to: [everyone]}]\n")
	o.talk("x", ivanov, "PJSIP/101")
	o.hears("dora", "d", "PJSIP/104", "101", "spy")
	ask := gate.DialAsk{Number: "102", Phone: "PJSIP/104", Door: "test"}
	if _, err := o.gate.Dial(t.Context(), who("dora"), ask); code(err) != "already_supervising" {
		t.Errorf("the phone is rung: %v", err)
	}
	ask.Leg = o.waits("d2", "PJSIP/104")
	if _, err := o.gate.Dial(t.Context(), who("dora"), ask); err != nil {
		t.Errorf("another line: %v", err)
	}
}

// Whether anything rings cannot be told of a PBX that is out of reach, and to no record.
func TestTheOldestCallOfAnUnknownPBXIsNotRefused(t *testing.T) {
	o := newOffice(t, house)
	ask := gate.Ask{Phone: "PJSIP/106", Leg: o.waits("f", "PJSIP/106"), Door: gate.DoorPhone}
	if _, err := o.gate.InterceptOldest(t.Context(), who("fay"), ask); code(err) != "not_ringing" || o.audit.count() != 1 {
		t.Fatalf("%v, %d on record", err, o.audit.count())
	}
	o.ingest(call.Event{Kind: call.LinkLost})
	if _, err := o.gate.InterceptOldest(t.Context(), who("fay"), ask); code(err) != "state_unknown" || o.audit.count() != 1 {
		t.Fatalf("%v, %d on record", err, o.audit.count())
	}
}

func TestWhoHasCalledInIsToldThatTheToneIsNotToBeHad(t *testing.T) {
	o := newOffice(t, toned("tone", "none"))
	o.pbx.failing("tone", errPBX)
	o.talk("x", ivanov, "PJSIP/101")
	if _, err := o.gate.Supervise(t.Context(), who("dora"), o.desk("c", "PJSIP/104", "101", "spy")); err != nil {
		t.Fatal(err)
	}
	o.log.until(t, "send away")
	var s []pbx.Send
	o.pbx.set(func() { s = slices.Clone(o.pbx.sends) })
	if len(s) != 1 || s[0].Leg != "c" {
		t.Errorf("%+v", s)
	}
	if e := o.audit.waits(t, "", audit.Failed); e.Reason != "not_told" {
		t.Errorf("%+v", e)
	}
}
