package gate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// takes lets boris take a call that rings at anna's phone, as AMI tells it.
func (y *yard) takes() {
	y.rings("x", ivanov, "PJSIP/101")
	y.strange("p", "PJSIP/102", call.StateUp)
	y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch("p"), Peer: y.ch("x.1")})
}

// talks lets ARI show that he has it.
func (y *yard) talks() {
	y.gone("x.1")
	y.state("x.0", call.StateUp)
	y.enter("taken", "p", "x.0")
}

func handing(w *gate.Watchdog) { w.Pickup = gate.End }

// Who called rings again where he rang before anybody is hung up, and he never is.
func TestAStolenCallIsHandedBack(t *testing.T) {
	y := newYard(t, house, handing)
	y.takes()
	y.talks()
	e := y.became("handed_back")
	if e.Subject != "boris" || !slices.Equal(e.Employees, []string{"anna"}) || e.Outcome != audit.Deny {
		t.Errorf("the record says %+v", e)
	}
	y.log.until(t, "record revoked")
	if e := y.audit.last(t, audit.Revoked); e.Detail != "handed_back" || e.Subject != "boris" {
		t.Errorf("the record says %+v", e)
	}
	if r := y.pbx.returns; len(r) != 1 || r[0].Leg != "x.0" || r[0].Endpoint != "PJSIP/101" || !strings.HasPrefix(string(r[0].Mover), "earshot-") {
		t.Fatalf("%+v", r)
	}
	all := y.log.all()
	if back, drop := slices.Index(all, "return"), slices.Index(all, "drop own"); back < 0 || drop < back {
		t.Errorf("there was %q", all)
	}
	// What Earshot did itself is no redirection; what somebody else does after it is one. When the second is seen, what was before it has been.
	for id, whom := range map[string]string{"c": "dora", "d": "egor"} {
		y.talk(id, other, map[string]string{"dora": "PJSIP/104", "egor": "PJSIP/105"}[whom])
		ch := y.ch(id + ".0")
		ch.Exten = "*55"
		y.ingest(call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: call.BridgeID(id)}, Channel: ch})
		for !slices.Equal(y.audit.last(t, audit.Witnessed).Employees, []string{whom}) {
			y.log.wait(time.Millisecond)
		}
	}
	y.close() // waits until all is written down
	if n := y.count("redirect", "reported"); n != 2 {
		t.Errorf("%g redirections are reported", n)
	}
}

// AMI and ARI are two connections, and either may be the last to tell.
func TestACallIsHandedBackThoughAMIWasLast(t *testing.T) {
	y := newYard(t, house, handing)
	y.rings("x", ivanov, "PJSIP/101")
	y.strange("p", "PJSIP/102", call.StateUp)
	ringing := y.ch("x.1")
	y.talks()
	y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch("p"), Peer: ringing})
	y.became("handed_back")
}

// Through a Local channel who took the call is shown with the half that rings the phone before the phone is gone; who called is still who called.
func TestACallThroughALocalChannelIsHandedBackInWhateverOrderItIsTold(t *testing.T) {
	for name, scene := range map[string]func(pickup, bridged, gone func()){
		"AMI first":                      func(pickup, bridged, gone func()) { pickup(); bridged(); gone() },
		"AMI between":                    func(pickup, bridged, gone func()) { bridged(); pickup(); gone() },
		"AMI last":                       func(pickup, bridged, gone func()) { bridged(); gone(); pickup() },
		"AMI last, and the phone before": func(pickup, bridged, gone func()) { gone(); bridged(); pickup() },
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house, handing)
			y.leg("x", ivanov, call.StateRing, "101")
			y.seen(call.Channel{ID: "l1", Name: "Local/101@phones-1;1", State: call.StateDown, App: "AppDial"})
			y.seen(call.Channel{ID: "l2", Name: "Local/101@phones-1;2", State: call.StateRing, App: "Dial"})
			y.dial("x", "l1", "101@phones/n")
			y.leg("a", "PJSIP/101", call.StateDown, "")
			y.dial("l2", "a", "101")
			y.state("a", call.StateRinging)
			y.strange("p", "PJSIP/102", call.StateUp)
			ringing := y.ch("a")
			scene(
				func() { y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch("p"), Peer: ringing}) },
				func() {
					y.ingest(call.Event{Kind: call.DialEnded, Channel: y.ch("l2"), Peer: y.ch("p"), Answered: true})
					for _, id := range []string{"l2", "l1"} {
						y.state(id, call.StateUp)
					}
					y.ingest(call.Event{Kind: call.DialEnded, Channel: y.ch("x"), Peer: y.ch("l1"), Answered: true})
					y.state("x", call.StateUp)
					y.enter("taken", "p", "l2")
				},
				func() { y.gone("a") })
			y.enter("beyond", "l1", "x")
			y.became("handed_back")
			if r := y.pbx.returns; len(r) != 1 || r[0].Leg != "x" || r[0].Endpoint != "PJSIP/101" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Behind a Local channel who took the call may talk into it before who called has been answered. He is moved once he is.
func TestWhoHasNotBeenAnsweredYetIsHandedBackOnceHeIs(t *testing.T) {
	y := newYard(t, house, handing)
	y.takes()
	y.gone("x.1")
	y.ingest(call.Event{Kind: call.DialEnded, Channel: y.ch("x.0"), Peer: y.ch("p"), Answered: true})
	y.enter("taken", "p")
	if y.gate.CaughtUp() {
		t.Error("one who still hears ringing counts as talking")
	}
	y.state("x.0", call.StateUp)
	y.became("handed_back")
}

// Whoever cannot be handed back stays where he is, with whom he is.
func TestWhoCannotBeHandedBackIsNotHungUp(t *testing.T) {
	for name, c := range map[string]struct {
		policy string
		err    error
		did    string
	}{
		"the dialplan has no include": {house, pbx.ErrNoInclude, "reported"},
		"the phone is there no more":  {house, pbx.ErrNoPhone, "reported"},
		"the PBX does not do it":      {house, errors.New("no"), "failed"},
		"he is gone":                  {house, pbx.ErrGone, "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, c.policy, handing)
			y.pbx.failing("return", c.err)
			y.takes()
			y.talks()
			y.became(c.did)
			if y.hungUp() {
				t.Errorf("there was %q", y.log.all())
			}
		})
	}
	t.Run("nobody knows where it rang", func(t *testing.T) {
		y := newYard(t, house, handing)
		y.rings("x", ivanov, "PJSIP/999")
		y.strange("p", "PJSIP/102", call.StateUp)
		y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch("p"), Peer: y.ch("x.1")})
		y.talks()
		y.became("reported")
		if y.hungUp() || len(y.pbx.returns) > 0 {
			t.Errorf("there was %q", y.log.all())
		}
	})
}

// AMI's word that a call was taken moves nobody as long as ARI does not show that the two talk.
func TestAMIsWordAloneHandsNothingBack(t *testing.T) {
	for name, scene := range map[string]func(y *yard){
		"it rings on":               func(y *yard) { y.state("x.0", call.StateUp); y.enter("taken", "p", "x.0") },
		"he talks to somebody else": func(y *yard) { y.gone("x.1"); y.leg("q", "PJSIP/103", call.StateUp, ""); y.enter("w", "q", "p") },
		"he talks to him and others": func(y *yard) {
			y.gone("x.1")
			y.leg("q", "PJSIP/103", call.StateUp, "")
			y.enter("w", "x.0", "q", "p")
		},
		"nobody is there": func(y *yard) { y.gone("x.1") },
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house, handing)
			y.takes()
			scene(y)
			y.gone("p")
			y.became("gone")
			if y.hungUp() || len(y.pbx.returns) > 0 {
				t.Errorf("there was %q", y.log.all())
			}
		})
	}
}
