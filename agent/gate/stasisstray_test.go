package gate_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// away has a client's leg taken by its phone into an ordinary call with a phone that answers.
func (o *office) away(leg call.LegID, name, with string) {
	o.leg(name+".1", with, call.StateDown, "")
	o.state(name+".1", call.StateUp)
	o.enter(name, name+".1", string(leg))
}

// A leg that its phone has taken into an ordinary call is no ear: that would end whatever others do in that call.
func TestALegInAnOrdinaryCallIsNoEar(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/105")
	c := o.snoopsBy("carl")
	leg, home := c.phone("PJSIP/113"), c.phone("PJSIP/103")
	o.away(o.rungLeg(0), "y", "PJSIP/101")
	theirs := o.must("dora", "spy", "anna")
	snoop, bridge := c.snoop("spy", "egor"), c.bridge()
	c.add(bridge, snoop)
	if err := c.Add(t.Context(), bridge, leg); code(err) != "no_such_channel" {
		t.Fatal(err)
	}
	if got := o.supervises("dora"); len(got) != 1 || got[0].ID != theirs {
		t.Fatalf("another's supervision of the ordinary call is over: %+v", got)
	}
	c.add(bridge, home) // one that is there, is
	if got := o.supervises("carl"); len(got) != 1 || got[0].ID != snoop {
		t.Fatalf("%+v", got)
	}
}

// The recording of an ordinary call does not end by whoever is in it with a leg that a client has rung.
func TestALegInAnOrdinaryCallIsRecordedOn(t *testing.T) {
	o := newStudio(t, studio)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	leg, bridge := c.phone("PJSIP/113"), c.bridge()
	o.away(o.rungLeg(0), "y", "PJSIP/102")
	w := o.watch("carl")
	tape := o.mustTape("carl", "carl", o.row("carl", "carl").Calls[0].ID)
	w.taped(tape.ID, "recording")
	c.add(bridge, c.snoop("spy", "anna"))
	if err := c.Add(t.Context(), bridge, leg); code(err) != "no_such_channel" {
		t.Fatal(err)
	}
	if all, err := o.gate.Recordings(who("carl")); err != nil || len(all) != 1 {
		t.Fatalf("%+v %v", all, err)
	}
}

// Nor does a client do anything else with it than hang it up, until its phone brings it back.
func TestALegInAnOrdinaryCallIsNotSteered(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c := o.steers("carl")
		leg, room := c.rings("PJSIP/113"), c.bridge()
		o.away(o.ringing(), "y", "PJSIP/101")
		for name, do := range map[string]func() error{
			"a bridge": func() error { return c.Add(t.Context(), room, leg) },
			"a hold":   func() error { return c.Hold(t.Context(), leg, true) },
			"music":    func() error { return c.Music(t.Context(), leg, true) },
			"a sound": func() error {
				_, err := c.Play(t.Context(), leg, []gate.StasisMedium{{Kind: "digits", Value: "1"}})
				return err
			},
		} {
			if err := do(); code(err) != "no_such_channel" {
				t.Errorf("%s: %v", name, err)
			}
		}
		o.leave("y", string(o.ringing()))
		c.puts(room, leg)
		o.away(o.ringing(), "z", "PJSIP/101")
		if err := c.HangUp(t.Context(), leg); err != nil {
			t.Error(err)
		}
	})
}

// Who talks on a call by a leg that his client has rung is on it as by any other, and may not supervise it. That of his which is on nobody's call may.
func TestWhoTalksByAClientsLegIsPartyToTheCall(t *testing.T) {
	o := newOffice(t, house)
	c := o.snoopsBy("carl")
	c.phone("PJSIP/113")
	o.talk("x", ivanov, "PJSIP/102")
	o.away(o.rungLeg(0), "y", "PJSIP/101")
	o.refused("party", "carl", "spy", "anna", "PJSIP/103")
	o.must("carl", "spy", "boris", "PJSIP/103")
}
