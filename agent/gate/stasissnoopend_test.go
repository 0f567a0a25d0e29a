package gate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// While it waits its ground is watched, and when it runs too. The leg stays in any case.
func TestASnoopEndsWithItsGround(t *testing.T) {
	fewer := strings.Replace(house, "observe: true, listen: true, intercept: {to: any}", "observe: true", 1)
	for name, c := range map[string]struct {
		lose   func(*office)
		reason string
		phase  audit.Phase
	}{
		"the right":        {func(o *office) { o.gate.SetPolicy(set(o.t, fewer)) }, "no_right", audit.Revoked},
		"a lock":           {func(o *office) { o.mustLock("anna") }, "not_for_this_call", audit.Revoked},
		"somebody unknown": {func(o *office) { o.leg("e", "PJSIP/999", call.StateUp, ""); o.enter("x", "e") }, "not_for_this_call", audit.Revoked},
		"the call":         {func(o *office) { o.hangUp("x") }, "call_ended", audit.Ended},
	} {
		for _, runs := range []bool{false, true} {
			t.Run(fmt.Sprint(name, runs), func(t *testing.T) {
				o := newOffice(t, house)
				o.talk("x", ivanov, "PJSIP/101")
				s := o.snoopsBy("carl")
				snoop, leg, bridge := s.snoop("spy", "anna"), s.phone(""), s.bridge()
				s.add(bridge, snoop)
				if runs {
					s.add(bridge, leg)
				}
				c.lose(o)
				o.log.until(t, "told ended snoop "+c.reason)
				phase := c.phase
				if !runs && phase == audit.Ended {
					phase = audit.Failed
				}
				o.audit.waits(t, snoop, phase)
				taps := map[bool]int{true: 1}[runs]
				if o.tapCount() != taps || len(o.supervises("carl")) != 0 {
					t.Fatalf("%+v", o.pbx.taps)
				}
				if there, _ := s.Has(leg); !there {
					t.Fatal("his leg has gone with it")
				}
				if err := s.Add(t.Context(), bridge, snoop); code(err) != "no_such_channel" {
					t.Fatal(err)
				}
				if runs {
					o.at(o.rungLeg(0), "-room")
				}
			})
		}
	}
}

func TestASnoopEndsWithItsCredential(t *testing.T) {
	for _, runs := range []bool{false, true} {
		o := newOffice(t, house)
		o.talk("x", ivanov, "PJSIP/101")
		s := o.snoopsBy("carl")
		snoop, leg, bridge := s.snoop("spy", "anna"), s.phone(""), s.bridge()
		if runs {
			s.add(bridge, snoop, leg)
		}
		o.gate.Recheck(func(auth.Subject) bool { return false })
		o.audit.waits(t, snoop, audit.Revoked)
		o.log.until(t, "told ended snoop credential_ended")
		if len(o.supervises("carl")) != 0 {
			t.Fatal("it runs")
		}
	}
}

func TestASnoopDoesNotWaitForever(t *testing.T) {
	o := newOffice(t, house, func(c *gate.Config) { c.SnoopTimeout = 20 * time.Millisecond })
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	c := o.snoopsBy("carl")
	leg, bridge := c.phone("PJSIP/113"), c.bridge()
	c.add(bridge, leg)
	running := c.snoop("spy", "anna")
	c.add(bridge, running) // one that has its leg in time goes on
	id := c.snoop("spy", "anna")
	if reason := w.act(id, "ended"); reason != "no_ear" {
		t.Fatal(reason)
	}
	o.log.until(t, "told ended snoop no_ear")
	if e := o.audit.waits(t, id, audit.Failed); e.Reason != "no_ear" {
		t.Fatalf("%+v", e)
	}
	if got := o.supervises("carl"); len(got) != 1 || got[0].ID != running {
		t.Fatalf("%+v", got)
	}
}

// What its client does to one of the three ends it, and the leg stays unless it is that which was hung up.
func TestWhatEndsASnoop(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(s *snooping, snoop, leg, bridge string) error
		stays bool   // the leg
		in    string // where the leg is then
	}{
		"the snoop is hung up": {func(s *snooping, snoop, _, _ string) error { return s.HangUp(s.o.t.Context(), snoop) }, true, "-room"},
		"it is ended over HTTP": {func(s *snooping, snoop, _, _ string) error {
			return s.o.gate.EndSupervision(s.o.t.Context(), who("carl"), snoop)
		}, true, "-room"},
		"the leg is hung up":         {func(s *snooping, _, leg, _ string) error { return s.HangUp(s.o.t.Context(), leg) }, false, ""},
		"his phone hangs up":         {func(s *snooping, _, _, _ string) error { s.o.hangsUp(s.o.rungLeg(0)); return nil }, false, ""},
		"the bridge is destroyed":    {func(s *snooping, _, _, bridge string) error { return s.DestroyBridge(s.o.t.Context(), bridge) }, true, ""},
		"the PBX has no such bridge": {func(s *snooping, _, _, _ string) error { s.o.noRoom(s); return nil }, true, ""},
		"the snoop is taken out":     {func(s *snooping, snoop, _, bridge string) error { return s.Remove(s.o.t.Context(), bridge, snoop) }, true, "-room"},
		"the leg is taken out":       {func(s *snooping, _, leg, bridge string) error { return s.Remove(s.o.t.Context(), bridge, leg) }, true, ""},
		"both are taken out": {func(s *snooping, snoop, leg, bridge string) error {
			return s.Remove(s.o.t.Context(), bridge, leg, snoop)
		}, true, ""},
		"the leg goes elsewhere":      {func(s *snooping, _, leg, _ string) error { return s.Add(s.o.t.Context(), s.bridge(), leg) }, true, "-room"},
		"the client goes":             {func(s *snooping, _, _, _ string) error { s.Close(); return nil }, false, ""},
		"the PBX has hung the ear up": {func(s *snooping, _, _, _ string) error { s.o.gone(string(s.o.pbx.taps[0].Snoop)); return nil }, true, "-room"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			s := o.snoopsBy("carl")
			snoop, leg, bridge := s.hears("spy", "anna")
			s.must(c.end(s, snoop, leg, bridge))
			e := o.audit.waits(t, snoop, audit.Ended)
			if want := map[bool]string{true: "leg_gone", false: "ended_by_supervisor"}[name == "the PBX has hung the ear up"]; e.Reason != want {
				t.Fatalf("%+v", e)
			}
			o.log.until(t, "told ended snoop "+e.Reason)
			if there, _ := s.Has(snoop); there || len(o.supervises("carl")) != 0 {
				t.Fatal("the snoop is there")
			}
			if c.stays {
				if there, up := s.Has(leg); !there || !up {
					t.Fatal("his leg has gone")
				}
				if row := o.row("carl", "carl").Calls; len(row) != 1 || row[0].Supervision != "" {
					t.Fatalf("%+v", row)
				}
				o.at(o.rungLeg(0), c.in)
				// It is as good as before.
				again := s.snoop("spy", "anna")
				s.add(s.bridge(), again, leg)
				if o.tapCount() != 2 {
					t.Fatalf("%+v", o.pbx.taps)
				}
				return
			}
			o.log.until(t, "told ended leg")
			if o.pbx.left() != 0 {
				t.Fatal("legs are left")
			}
		})
	}
}

// A snoop that waits is put where its client likes, and ends with its bridge only.
func TestASnoopThatWaitsGoesInAndOut(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	snoop, bridge := c.snoop("spy", "anna"), c.bridge()
	c.add(bridge, snoop)
	c.must(c.Remove(t.Context(), bridge, snoop))
	if got := o.supervises("carl"); len(got) != 1 || len(c.bridges()[0]) != 0 {
		t.Fatalf("%+v", got)
	}
	c.add(bridge, snoop)
	c.must(c.DestroyBridge(t.Context(), bridge))
	o.audit.waits(t, snoop, audit.Failed)
	if len(o.supervises("carl")) != 0 {
		t.Fatal("it waits")
	}
}

// His leg is not hung up, so it is taken out of what he hears beside the hanging up of the snoop, over which the PBX may be slow.
func TestWhoseSnoopIsRevokedIsDeafThoughThePBXIsSlowToHangItUp(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	snoop, _, _ := c.hears("spy", "anna")
	o.at(o.rungLeg(0), "-bridge")
	o.pbx.holds("drop snoop")
	o.gate.SetPolicy(set(t, strings.Replace(house, "observe: true, listen: true, intercept: {to: any}", "observe: true", 1)))
	o.log.until(t, "leave")
	o.at(o.rungLeg(0), "")
	o.pbx.let()
	o.audit.waits(t, snoop, audit.Revoked)
	o.at(o.rungLeg(0), "-room")
}
