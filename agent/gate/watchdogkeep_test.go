package gate_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// looks takes another snapshot of a PBX of which all is known; without what has gone from it unseen.
func (y *yard) looks(without ...string) {
	y.ingest(call.Event{Kind: call.Resynced, Snapshot: y.picture(without...)})
}

// missed takes a snapshot behind a while of which nothing is known.
func (y *yard) missed(without ...string) {
	p := y.picture(without...)
	y.ingest(call.Event{Kind: call.LinkLost})
	y.ingest(call.Event{Kind: call.Resynced, Snapshot: p})
}

// departs has a leg leave a bridge for another extension of the dialplan.
func (y *yard) departs(bridge, id, exten string) {
	ch := y.ch(id)
	ch.Exten = exten
	y.keeps(ch)
	y.ingest(call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: call.BridgeID(bridge)}, Channel: ch})
}

// keeps notes a leg as it is, without telling of it.
func (o *office) keeps(ch call.Channel) call.Channel {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.chans[string(ch.ID)] = ch
	return ch
}

// redirects has somebody redirect another caller, and waits until that is on record as the n-th: whatever was before it has been seen by then.
func (y *yard) redirects(n int) {
	y.t.Helper()
	y.talk("control", other, "PJSIP/105")
	y.departs("control", "control.0", "*55")
	seen := func() bool {
		return slices.ContainsFunc(y.audit.all(), func(e audit.Entry) bool { return slices.Equal(e.Employees, []string{"egor"}) })
	}
	for end := time.Now().Add(30 * time.Second); !seen() || int(y.count("redirect", "reported")) < n; y.log.wait(time.Millisecond) {
		if time.Now().After(end) {
			y.t.Fatalf("there was %q", y.log.all())
		}
	}
	y.close() // waits until all is written down
	if got := y.count("redirect", "reported"); int(got) != n {
		y.t.Errorf("%g redirections are reported, not %d", got, n)
	}
}

// A snapshot may come between Earshot's own order and what the PBX tells of it.
func TestWhoIsHandedBackIsNoRedirectionThoughASnapshotComesBetween(t *testing.T) {
	for name, c := range map[string]struct {
		look func(y *yard)
		n    int
	}{
		"none":                     {func(*yard) {}, 1},
		"another look":             {func(y *yard) { y.looks() }, 1},
		"after a while unknown":    {func(y *yard) { y.missed() }, 1},
		"and somebody is quicker":  {func(y *yard) { y.looks(); y.departs("taken", "x.0", "*55") }, 2},
		"and he goes on elsewhere": {nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house, handing)
			y.pbx.holds("return")
			y.takes()
			y.talks()
			y.log.until(t, "return")
			if c.look != nil {
				c.look(y)
			}
			y.pbx.let()
			y.became("handed_back")
			if c.look == nil { // rings again, is answered, and then somebody else sends him where he likes
				y.leg("x.2", "PJSIP/101", call.StateUp, "")
				ch := y.ch("x.0")
				ch.Exten = "returned"
				y.keeps(ch)
				y.enter("again", "x.0", "x.2")
				y.departs("again", "x.0", "*55")
			}
			y.redirects(c.n)
		})
	}
}

// Behind a Local channel he may be moved when he has been answered, and is in no bridge yet.
func TestWhoIsHandedBackBeforeHeIsInABridgeIsNoRedirection(t *testing.T) {
	y := newYard(t, house, handing)
	dials := func(exten string) {
		ch := y.ch("x.0")
		ch.App, ch.Exten = "Dial", exten
		y.keeps(ch)
		y.ingest(call.Event{Kind: call.AppBegan, Channel: ch})
	}
	y.leg("x.0", ivanov, call.StateRing, "101")
	dials("101")
	y.takes()
	y.gone("x.1")
	y.ingest(call.Event{Kind: call.DialEnded, Channel: y.ch("x.0"), Peer: y.ch("p"), Answered: true})
	y.state("x.0", call.StateUp)
	y.enter("taken", "p")
	y.became("handed_back")
	dials("returned")
	y.leg("x.2", "PJSIP/101", call.StateRinging, "")
	y.dial("x.0", "x.2", "101")
	y.redirects(1)
	y = newYard(t, house, handing) // whereas one whom somebody else moves is
	y.leg("x.0", ivanov, call.StateRing, "101")
	dials("101")
	y.takes()
	dials("102")
	y.redirects(2)
}

// A PBX that has not answered in time may do it behind that, which is Earshot's doing all the same; but not what somebody else does.
func TestWhoIsHandedBackLateIsNoRedirection(t *testing.T) {
	for exten, n := range map[string]int{"returned": 1, "*55": 2} {
		y := newYard(t, house, handing)
		y.pbx.failing("return", context.DeadlineExceeded)
		y.takes()
		y.talks()
		y.became("failed")
		y.departs("taken", "x.0", exten)
		y.redirects(n)
	}
}

// What the watchdog has been told stays told: a snapshot that is only one look more takes nothing of it away.
func TestWhatTheWatchdogKnowsOutlivesAnotherLook(t *testing.T) {
	for name, c := range map[string]struct {
		scene     func(y *yard, look func(*yard))
		kind, did string
	}{
		"whom a leg rang for that is gone": {func(y *yard, look func(*yard)) {
			y.rings("x", ivanov, "PJSIP/101")
			y.strange("p", "PJSIP/102", call.StateUp)
			rang := y.ch("x.1")
			y.talks()
			look(y)
			y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch("p"), Peer: rang})
		}, "pickup", "handed_back"},
		"where a leg was in the dialplan when it came": {func(y *yard, look func(*yard)) {
			y.talk("x", ivanov, "PJSIP/101")
			ch := y.ch("x.0")
			ch.Exten = "*55" // it is on its way, and in its bridge still
			y.keeps(ch)
			look(y)
			y.departs("x", "x.0", "*55")
		}, "redirect", "reported"},
		"that a leg was put where it is": {func(y *yard, look func(*yard)) {
			y.talk("x", ivanov, "PJSIP/101")
			y.strange("j", "PJSIP/102", call.StateUp)
			ch := y.ch("j")
			ch.App = ""
			y.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: "new", Type: "mixing"}, Channel: ch})
			y.leave("x", "x.0")
			look(y)
			y.enter("new", "x.0")
		}, "join", "reported"},
		"whose place somebody takes": {func(y *yard, look func(*yard)) {
			y.talk("x", ivanov, "PJSIP/101")
			y.leave("x", "x.1")
			y.strange("j", "PJSIP/103", call.StateUp)
			look(y)
			ch := y.ch("j")
			ch.App = ""
			y.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: "x", Type: "mixing"}, Channel: ch})
		}, "join", "left"},
		"whom a caller rings": {func(y *yard, look func(*yard)) {
			y.leg("x.0", ivanov, call.StateRing, "101")
			dials := func(exten string) {
				ch := y.ch("x.0")
				ch.App, ch.Exten = "Dial", exten
				y.keeps(ch)
				y.ingest(call.Event{Kind: call.AppBegan, Channel: ch})
			}
			dials("101")
			y.rings("x", ivanov, "PJSIP/101")
			look(y)
			dials("102")
		}, "redirect", "reported"},
		"what is to be asked about": {func(y *yard, look func(*yard)) {
			y.talk("x", ivanov, "PJSIP/101")
			ear := y.ear()
			y.begins(ear, "ExecIf", "")
			look(y)
			y.says(ear, "AudioSocket a,b")
		}, "media", "ended"},
	} {
		for when, look := range map[string]func(*yard){"": func(*yard) {}, ", over a snapshot": func(y *yard) { y.looks() }} {
			t.Run(name+when, func(t *testing.T) {
				y := newYard(t, house, handing)
				c.scene(y, look)
				if e := y.became(c.did); e.Action != c.kind {
					t.Errorf("the record says %+v", e)
				}
			})
		}
	}
}

// AMI may tell of a pickup behind a change of the policy, or of the directory.
func TestWhomALegRangForIsKnownThoughThePolicyChangesBeforeAMITells(t *testing.T) {
	for name, change := range map[string]func(y *yard){
		"the directory": func(y *yard) { y.gate.Refresh() },
		"the policy": func(y *yard) {
			y.gate.SetPolicy(set(y.t, strings.Replace(house, "  anna:", "  adam: {phones: [PJSIP/120]}\n  anna:", 1)))
		},
		"who has the phone": func(y *yard) {
			y.gate.SetPolicy(set(y.t, strings.NewReplacer("PJSIP/101", "PJSIP/109", "PJSIP/109", "PJSIP/101").Replace(house)))
		},
		"who is in it": func(y *yard) { y.gate.SetPolicy(set(y.t, strings.Replace(house, "  anna:", "  anya:", 1))) },
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house, handing)
			y.rings("x", ivanov, "PJSIP/101")
			y.strange("p", "PJSIP/102", call.StateUp)
			rang := y.ch("x.1")
			y.talks()
			change(y)
			y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch("p"), Peer: rang})
			switch name {
			case "who has the phone": // where it rang is not where he is
				if e := y.became("reported"); !slices.Equal(e.Employees, []string{"anna"}) {
					t.Errorf("the record says %+v", e)
				}
			case "who is in it":
				y.became("reported")
			default:
				if e := y.became("handed_back"); !slices.Equal(e.Employees, []string{"anna"}) || e.Reason != "no_right" {
					t.Errorf("the record says %+v", e)
				}
			}
		})
	}
}

// A bridge from which somebody was transferred may go on for long, and who is left in it may be redirected by somebody.
func TestATransferHidesNoRedirectionThatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, house)
		defer y.close()
		y.talk("x", ivanov, "PJSIP/101")
		y.talk("z", "PJSIP/101", "PJSIP/102")
		y.ingest(call.Event{Kind: call.AttendedTransferred, Channel: y.ch("x.1"), Peer: y.ch("z.0")})
		y.leave("z", "z.1")
		y.enter("x", "z.1")
		y.gone("x.1", "z.0")
		time.Sleep(time.Minute)
		y.departs("x", "x.0", "*55")
		if e := y.became("reported"); e.Action != "redirect" {
			t.Errorf("the record says %+v", e)
		}
	})
}

// Who comes into a conference takes the place of who has just left it, and of nobody who left it long ago.
func TestWhoLeftLongAgoHasNobodyInHisPlace(t *testing.T) {
	for pause, whom := range map[time.Duration][]string{0: {"hana", "anna"}, time.Minute: {"anna"}} {
		synctest.Test(t, func(t *testing.T) {
			y := newYard(t, house, func(w *gate.Watchdog) { w.Join = gate.End })
			defer y.close()
			y.talk("x", ivanov, "PJSIP/101")
			y.leg("h", "PJSIP/108", call.StateUp, "700") // whom nobody may hear
			y.enter("x", "h")
			y.leave("x", "h")
			y.pass(1)
			time.Sleep(pause)
			y.strange("j", "PJSIP/103", call.StateUp)
			ch := y.ch("j")
			ch.App = "BridgeAdd"
			y.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: "x", Type: "mixing"}, Channel: ch})
			if e := y.became(map[bool]string{true: "ended", false: "left"}[pause == 0]); !slices.Equal(e.Employees, whom) {
				t.Errorf("after %s the record says %+v", pause, e)
			}
		})
	}
}

// A transfer is no redirection, whenever the PBX is looked at.
func TestATransferIsNoRedirectionThoughASnapshotComesBetween(t *testing.T) {
	for name, look := range map[string]func(*yard){"another look": func(y *yard) { y.looks() }, "after a while unknown": func(y *yard) { y.missed() }} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house)
			y.talk("x", ivanov, "PJSIP/101")
			y.ingest(call.Event{Kind: call.BlindTransferred, Channel: y.ch("x.1"), Bridge: call.Bridge{ID: "x"}})
			y.departs("x", "x.0", "102")
			look(y)
			y.redirects(1)
		})
	}
}

// What Earshot itself is about to do is expected before the leg is there that does it.
func TestWhatEarshotTakesIsNobodysPickupThoughASnapshotComesBeforeItsLegIsThere(t *testing.T) {
	y := newYard(t, house)
	y.rings("x", ivanov, "PJSIP/101")
	rang := y.ch("x.1")
	y.pbx.holds("take")
	w := y.watch("gus")
	id := y.must("gus", "intercept", "anna")
	y.log.until(t, "take")
	y.looks()
	y.pbx.let()
	w.act(id, "taken")
	y.log.until(t, "record done")
	y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch(string(y.pbx.takes[0].Leg)), Peer: rang})
	y.redirects(1)
	if e := y.audit.all(); slices.ContainsFunc(e, func(e audit.Entry) bool { return e.Action == "pickup" }) {
		t.Errorf("on record is %+v", e)
	}
}

// Of legs that have gone while nothing was known, nothing is kept.
func TestTheWatchdogKeepsNothingOfLegsThatAreGone(t *testing.T) {
	y := newYard(t, house, handing, func(w *gate.Watchdog) { w.Redirect = gate.Off })
	y.pbx.holds("return")
	y.takes()
	y.talks()
	y.log.until(t, "return")
	y.begins("x.0", "Dial", "")
	y.leg("z.0", ivanov, call.StateRing, "102")
	y.rings("z", ivanov, "PJSIP/102")
	if y.gate.Watched() == 0 {
		t.Fatal("nothing is kept of legs that are there")
	}
	y.missed("x.0", "p", "z.0", "z.1")
	if n := y.gate.Watched(); n != 0 {
		t.Errorf("%d things are kept", n)
	}
}
