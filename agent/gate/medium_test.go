package gate_test

import (
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

const robot = "UnicastRTP/10.0.0.9:4000-0x5571"

// A medium is ended where it listens to an employee's call that goes on without it, and never where it is somebody's only other side.
func TestAMediumIsEndedOnlyWhereACallOfAnEmployeesGoesOnWithoutIt(t *testing.T) {
	halves := func(y *yard) {
		y.seen(call.Channel{ID: "l1", Name: "Local/94@phones-1;1", State: call.StateUp})
		y.seen(call.Channel{ID: "l2", Name: "Local/94@phones-1;2", State: call.StateUp})
	}
	for name, c := range map[string]struct {
		scene func(y *yard)
		did   string
		whom  int
	}{
		"a customer's other side":   {func(y *yard) { y.leg("c", ivanov, call.StateUp, ""); y.enter("b", "c", "m") }, "reported", 0},
		"an employee's other side":  {func(y *yard) { y.leg("c", "PJSIP/102", call.StateUp, ""); y.enter("b", "c", "m") }, "reported", 1},
		"before its customer comes": {func(y *yard) { y.enter("b", "m"); y.leg("c", ivanov, call.StateUp, ""); y.enter("b", "c") }, "reported", 0},
		"between two from outside": {func(y *yard) {
			y.leg("c", ivanov, call.StateUp, "")
			y.leg("d", other, call.StateUp, "")
			y.enter("b", "c", "d", "m")
		}, "reported", 0},
		"of a customer for whom an employee is rung": {func(y *yard) {
			y.rings("x", ivanov, "PJSIP/101")
			y.state("x.0", call.StateUp)
			y.enter("b", "x.0", "m")
		}, "reported", 1},
		"an employee's other side behind a Local channel": {func(y *yard) {
			halves(y)
			y.leg("c", "PJSIP/102", call.StateUp, "")
			y.enter("b", "c", "l1")
			y.enter("a", "l2", "m")
		}, "reported", 1},
		"in an employee's call": {func(y *yard) { y.talk("x", ivanov, "PJSIP/101"); y.enter("x", "m") }, "ended", 1},
		"in one behind a Local channel": {func(y *yard) {
			y.talk("x", ivanov, "PJSIP/101")
			halves(y)
			y.enter("x", "l1")
			y.enter("a", "l2", "m")
		}, "ended", 1},
		"that spies": {func(y *yard) {
			y.talk("x", ivanov, "PJSIP/101")
			y.says("m", "ChanSpy")
			y.ingest(call.Event{Kind: call.SpyBegan, Channel: y.ch("m"), Peer: y.ch("x.1")})
		}, "ended", 1},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house)
			y.medium("m", robot)
			c.scene(y)
			for e := (audit.Entry{}); e.Action != "media"; {
				if e = y.audit.waits(t, "", audit.Witnessed); e.Action != "media" && name != "that spies" {
					t.Fatalf("%+v", e)
				} else if e.Action == "media" && e.Detail != c.did {
					t.Fatalf("%+v", e)
				} else if name == "that spies" {
					break // the spy is ended beside it
				}
			}
			if y.hungUp() != (c.did == "ended") && name != "that spies" {
				t.Errorf("there was %q", y.log.all())
			}
		})
	}
}

// Whoever comes to it later makes an ear of it: an employee who is put through to the customer of a machine.
func TestAMediumThatBecomesAnEarIsEndedThen(t *testing.T) {
	y := newYard(t, house)
	y.medium("m", robot)
	y.leg("c", ivanov, call.StateUp, "")
	y.enter("b", "c", "m")
	if e := y.became("reported"); len(e.Employees) != 0 {
		t.Errorf("%+v", e)
	}
	y.leg("e", "PJSIP/101", call.StateUp, "")
	y.enter("b", "e")
	y.log.until(t, "record witnessed", 2)
	if e := y.audit.last(t, audit.Witnessed); e.Detail != "ended" || len(e.Employees) != 1 || e.Employees[0] != "anna" {
		t.Errorf("%+v", e)
	}
	y.log.until(t, "record revoked")
}

// A unique id proves nothing: AMI's ChannelId and ARI's snoopId are the client's choice.
func TestAForeignLegOfAnIdLikeEarshotsOwnIsOnRecord(t *testing.T) {
	for _, id := range []string{"earshot-mine", "earshot-mine-snoop", "earshot-mine-tone-x", "earshot-mine-take"} {
		t.Run(id, func(t *testing.T) {
			y := newYard(t, house)
			y.talk("x", ivanov, "PJSIP/101")
			y.snoop(id, "x.1")
			if e := y.became("ended"); e.Action != "spy" || e.Credential != "ari" || len(e.Employees) != 1 {
				t.Errorf("%+v", e)
			}
			y.log.until(t, "record revoked")
		})
	}
	// And it hides nobody: who has such a leg is on the call like any other.
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.leg("earshot-mine", "PJSIP/105", call.StateUp, "")
	o.enter("x", "earshot-mine")
	o.refused("not_for_this_call", "dora", "spy", "anna")
}

// A leg that has come into the application with such an id and is nobody's does not wait there for ever.
func TestAForeignLegInTheApplicationIsToldThatThereIsNothing(t *testing.T) {
	o := newOffice(t, house)
	o.waits("earshot-mine", "PJSIP/105")
	o.gate.Entered("earshot-mine")
	o.log.until(t, "send away")
	o.talk("x", ivanov, "PJSIP/101")
	o.active("carl", "spy", "anna")
	var s []pbx.Send
	o.pbx.set(func() { s = slices.Clone(o.pbx.sends) })
	if len(s) != 1 || s[0].Leg != "earshot-mine" {
		t.Errorf("%+v", s)
	}
}

// What could not be handed back has not been sent anywhere by Earshot: who sends it elsewhere then is seen.
func TestALegThatWasNotHandedBackIsLookedAtAgain(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		seen bool
	}{"no include": {pbx.ErrNoInclude, true}, "gone": {pbx.ErrGone, true}, "a fault": {errPBX, true}, "handed back": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house, func(w *gate.Watchdog) { w.Pickup = gate.End })
			y.pbx.failing("return", c.err)
			y.rings("x", ivanov, "PJSIP/101")
			ch := y.ch("x.1")
			y.strange("p", "PJSIP/102", call.StateUp)
			y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch("p"), Peer: ch})
			y.gone("x.1")
			y.state("x.0", call.StateUp)
			y.enter("taken", "p", "x.0")
			y.log.until(t, "record witnessed")
			if c.seen {
				y.leave("taken", "x.0")
				y.enter("other", "x.0")
				moved := y.ch("x.0")
				moved.Exten = "777"
				y.ingest(call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: "other"}, Channel: moved})
				y.log.until(t, "record witnessed", 2)
				if e := y.audit.last(t, audit.Witnessed); e.Action != "redirect" {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// What the phone door lets a phone take is on record already, whenever AMI tells of it.
func TestAPickupThatThePhoneDoorLetIsNotPastTheGate(t *testing.T) {
	y := newYard(t, house)
	y.rings("x", other, "PJSIP/101")
	ch := y.ch("x.1")
	w := y.watch("fay")
	v, err := y.gate.Intercept(t.Context(), who("fay"), y.desk("f", "PJSIP/106", "101", ""))
	if err != nil {
		t.Fatal(err)
	}
	w.act(v.ID, "taken")
	y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch("f"), Peer: ch})
	// Another's is.
	y.rings("z", other, "PJSIP/102")
	y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch("f"), Peer: y.ch("z.1")})
	if e := y.became("left"); e.Subject != "fay" || len(e.Targets) != 1 || e.Targets[0] != "boris" {
		t.Errorf("%+v", e)
	}
}
