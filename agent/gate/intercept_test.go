package gate_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestARingingCallIsDecidedRecordedTakenAndThenTheTakers(t *testing.T) {
	o := newOffice(t, house)
	o.rings("x", ivanov, "PJSIP/101")
	w := o.watch("gus")
	if r := o.row("gus", "anna"); !slices.Equal(r.Can, []string{"intercept"}) || r.Calls[0].Peer == nil || r.Calls[0].Peer.Name != "Ivanov Ltd" {
		t.Fatalf("the client's responsible employee is shown %+v", r)
	}
	id := o.must("gus", "intercept", "anna")
	w.act(id, "ringing")
	w.act(id, "taken")
	o.happened("record decided allow allowed", "take", "record done")
	take := o.pbx.takes[0]
	if take.Ringing != "x.1" || take.Endpoint != "PJSIP/107" || take.Display.Number.Digits() != ivanov || take.Display.Name != "Ivanov Ltd" {
		t.Fatalf("%q %q", string(take.Ringing), take.Endpoint)
	}
	// It is an ordinary call now: shown as his, supervised as any, and not hung up by a resync.
	if r := o.row("carl", "gus"); r.State != "talking" || r.Calls[0].Peer == nil || r.Calls[0].Peer.Number != ivanov {
		t.Fatalf("%+v", r)
	}
	o.active("carl", "spy", "gus")
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture()})
	if r := o.row("gus", "gus"); r.State != "talking" {
		t.Fatalf("%+v", r)
	}
	if lines := o.log.all(); slices.Contains(lines, "drop take") {
		t.Fatal("the caller was lost")
	}
	o.leg("h", "PJSIP/108", call.StateUp, "")
	o.enter("taken", "h")
	o.log.until(t, "record revoked deny protected_other")
}

func TestWhoMayTakeWhichRingingCall(t *testing.T) {
	const egor, anna, boris = "PJSIP/105", "PJSIP/101", "PJSIP/102"
	for _, c := range []struct {
		name, code, ground string
		subject            string
		scene              func(*office)
	}{
		{"own client", "", "allowed", "gus", func(o *office) { o.rings("x", ivanov, anna) }},
		{"another's client", "not_client", "not_client", "gus", func(o *office) { o.rings("x", other, anna) }},
		{"a client who withholds his number", "not_client", "not_client", "gus", func(o *office) { o.rings("x", "", anna) }},
		{"own client, one of those rung excluded", "not_client", "excluded_other", "gus", func(o *office) { o.rings("x", ivanov, anna, egor) }},
		{"wider scope", "", "allowed", "fay", func(o *office) { o.rings("x", other, anna) }},
		{"wider scope, one of those rung excluded", "not_for_this_call", "excluded_other", "fay", func(o *office) { o.rings("x", other, anna, egor) }},
		{"wider scope, one of those rung protected", "not_for_this_call", "protected_other", "fay", func(o *office) { o.rings("x", other, anna, "PJSIP/108") }},
		{"an excluded caller does not count", "", "allowed", "fay", func(o *office) { o.rings("x", egor, anna) }},
		{"an internal caller", "", "allowed", "fay", func(o *office) { o.rings("x", boris, anna) }},
		{"an internal caller is nobody's client", "not_client", "not_client", "gus", func(o *office) { o.rings("x", boris, anna) }},
		{"no right", "no_right", "no_right", "dora", func(o *office) { o.rings("x", other, anna) }},
		{"an outgoing leg", "not_ringing", "not_ringing", "fay", func(o *office) {
			o.leg("x.1", anna, call.StateRing, "900")
			o.leg("t", other, call.StateDown, "")
			o.dial("x.1", "t", "900")
		}},
		{"a leg that rings in order to call out", "not_for_this_call", "unknown_party", "fay", func(o *office) {
			o.leg("x.1", anna, call.StateDown, "")
			o.ingest(call.Event{Kind: call.DialBegan, Peer: o.ch("x.1")})
			o.state("x.1", call.StateRinging)
		}},
		{"answered meanwhile", "not_ringing", "not_ringing", "fay", func(o *office) { o.talk("x", other, anna) }},
		{"his own call", "party", "party", "fay", func(o *office) { o.rings("x", "PJSIP/106", anna) }},
		{"a call that rings at his own phone too", "party", "party", "fay", func(o *office) { o.rings("x", other, anna, "PJSIP/106") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(t, house)
			c.scene(o)
			o.pbx.silent = true
			if _, code := o.ask(c.subject, "intercept", "anna"); code != c.code {
				t.Fatalf("told %q", code)
			}
			if e := o.audit.last(t, audit.Decided); e.Reason != c.ground || (e.Outcome == audit.Allow) != (c.code == "") {
				t.Fatalf("on record is %+v", e)
			}
			if can := o.row(c.subject, "anna").Can; slices.Contains(can, "intercept") && c.code != "" && c.code != "not_for_this_call" {
				t.Fatalf("he was offered %q", can)
			}
		})
	}
}

// A phone's display shows before it is answered. Who may not see the caller does not learn him by asking for the call.
func TestTheTakersDisplayShowsTheCallerOnlyToWhoMaySeeHim(t *testing.T) {
	for subject, shows := range map[string]bool{"gus": true, "carl": true, "fay": false} {
		o := newOffice(t, house)
		o.pbx.silent = true
		o.rings("x", ivanov, "PJSIP/101")
		o.must(subject, "intercept", "anna")
		o.log.until(t, "take")
		o.waitTaken()
		d := o.pbx.takes[0].Display
		if (d.Number.Digits() == ivanov) != shows || strings.Contains(d.Name, "Ivanov") != shows {
			t.Errorf("%s is shown %q", subject, d.Name)
		}
	}
}

func TestOfTwoWhoWantACallOneGetsIt(t *testing.T) {
	o := newOffice(t, house)
	o.pbx.silent = true
	o.rings("x", ivanov, "PJSIP/101", "PJSIP/102")
	codes := make([]string, 2)
	var both sync.WaitGroup
	for i, ask := range [][2]string{{"fay", "anna"}, {"gus", "boris"}} { // the same call at two phones
		both.Go(func() { _, codes[i] = o.ask(ask[0], "intercept", ask[1]) })
	}
	both.Wait()
	slices.Sort(codes)
	if !slices.Equal(codes, []string{"", "already_taken"}) {
		t.Fatalf("%q", codes)
	}
}

// That somebody is taking a call is told to those only who might take it too.
func TestThatACallIsBeingTakenIsNoNewsForStrangers(t *testing.T) {
	o := newOffice(t, house)
	o.pbx.silent = true
	o.rings("x", other, "PJSIP/101", "PJSIP/102")
	o.refused("not_client", "gus", "intercept", "boris")
	o.must("fay", "intercept", "anna")
	o.refused("not_client", "gus", "intercept", "boris")
	o.refused("not_client", "gus", "intercept", "anna")
	o.refused("already_taken", "carl", "intercept", "boris")
}

// Nor whether what rings at a colleague is Earshot's own.
func TestASupervisorsRingingPhoneIsARingingCallLikeAnother(t *testing.T) {
	o := newOffice(t, house)
	o.pbx.silent = true
	o.talk("x", ivanov, "PJSIP/101")
	o.must("dora", "spy", "anna")
	o.waitRungRow("dora")
	supervised := o.row("fay", "dora")
	o.refused("not_for_this_call", "fay", "intercept", "dora")
	o.refused("not_client", "gus", "intercept", "dora")
	o.rings("y", other, "PJSIP/102")
	ordinary := o.row("fay", "boris")
	if supervised.State != ordinary.State || !slices.Equal(supervised.Can, ordinary.Can) || supervised.Calls[0].Hidden != ordinary.Calls[0].Hidden {
		t.Fatalf("%+v and %+v", supervised, ordinary)
	}
	// To who may see all, it is a leg on which nobody is met; to its owner alone it says what it is.
	if c := o.row("carl", "dora").Calls[0]; c.Hidden || c.Peer != nil || c.Supervision != "" {
		t.Fatalf("%+v", c)
	}
	if c := o.row("dora", "dora").Calls[0]; c.Hidden || c.Peer != nil || c.Supervision == "" {
		t.Fatalf("%+v", c)
	}
}

func TestAnInterceptThatDoesNotSucceedLosesNobody(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		phase        string
		change       func(*office)
	}{
		{"not answered", "no_answer", "record failed no_answer", func(o *office) { o.gone(string(o.pbx.takes[0].Leg)) }},
		{"the target answers", "answered", "record failed answered", func(o *office) { o.answers("x", 1) }},
		{"the caller hangs up", "call_ended", "record failed call_ended", func(o *office) { o.gone("x.1", "x.0") }},
		{"an excluded phone is rung too", "not_for_this_call", "record revoked deny excluded_other", func(o *office) {
			o.leg("x.2", "PJSIP/105", call.StateDown, "")
			o.dial("x.0", "x.2", "105")
		}},
		{"the right is taken away", "no_right", "record revoked deny no_right", func(o *office) {
			o.gate.SetPolicy(set(o.t, strings.Replace(house, "intercept: {to: any, except: [egor]}", "observe: true", 1)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(t, house)
			o.pbx.silent = true
			o.rings("x", other, "PJSIP/101")
			w := o.watch("fay")
			id := o.must("fay", "intercept", "anna")
			o.waitTaken()
			o.waitRungRow("fay")
			c.change(o)
			if reason := w.act(id, "ended"); reason != c.reason {
				t.Fatal(reason)
			}
			o.log.until(t, c.phase)
			if o.pbx.left() != 0 {
				t.Fatal("the taker's phone rings on")
			}
		})
	}
}

func TestAnInterceptThatThePBXRefusesEnds(t *testing.T) {
	o := newOffice(t, house)
	o.rings("x", other, "PJSIP/101")
	w := o.watch("fay")
	o.pbx.failing("take", errors.New("no AMI connection"))
	id := o.must("fay", "intercept", "anna")
	if reason := w.act(id, "ended"); reason != "pbx_failed" {
		t.Fatal(reason)
	}
}

// The ringing leg goes before the taker's is seen to have the caller; that is no end.
func TestThePartsOfAPickupMayBeSeenInAnyOrder(t *testing.T) {
	steps := map[string]func(o *office, own string){
		"own up":      func(o *office, own string) { o.state(own, call.StateUp) },
		"target gone": func(o *office, _ string) { o.gone("x.1") },
		"answered": func(o *office, own string) {
			o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch("x.0"), Peer: o.ch(own), Answered: true})
		},
		"bridged": func(o *office, own string) { o.enter("b", own, "x.0") },
	}
	for _, order := range [][]string{
		{"own up", "target gone", "bridged"}, {"target gone", "own up", "bridged"}, {"own up", "answered", "target gone", "bridged"},
		{"own up", "bridged", "target gone"}, {"target gone", "answered", "own up", "bridged"},
	} {
		o := newOffice(t, house, func(c *gate.Config) { c.Grace = time.Minute })
		o.pbx.silent = true
		o.rings("x", other, "PJSIP/101")
		w := o.watch("fay")
		id := o.must("fay", "intercept", "anna")
		o.waitTaken()
		o.waitRungRow("fay")
		for _, s := range order {
			steps[s](o, string(o.pbx.takes[0].Leg))
		}
		w.act(id, "taken")
		if slices.Contains(o.log.all(), "drop take") {
			t.Fatalf("%q: the caller was hung up", order)
		}
	}
}

// What ends an intercept must not hang up a phone that is just getting the call.
func TestACallThatIsTakenAsItsGroundGoesIsNotHungUp(t *testing.T) {
	o := newOffice(t, house, func(c *gate.Config) { c.Grace = time.Minute })
	o.pbx.silent = true
	o.rings("x", other, "PJSIP/101")
	w := o.watch("fay")
	id := o.must("fay", "intercept", "anna")
	o.waitTaken()
	o.rings("y", other, "PJSIP/102")
	o.must("carl", "intercept", "boris") // which ends by the same change, and shows that there was time for it
	o.waitRungRow("fay")
	o.waitRungRow("carl")
	own := string(o.pbx.takes[0].Leg)
	o.state(own, call.StateUp)
	o.gate.SetPolicy(set(t, strings.NewReplacer("intercept: {to: any, except: [egor]}", "observe: true", ", intercept: {to: any}}", "}").Replace(house)))
	o.log.until(t, "record revoked deny no_right")
	o.gone("x.1")
	o.enter("b", own, "x.0")
	w.act(id, "taken")
	o.pbx.set(func() {
		if _, ok := o.pbx.legs[call.LegID(own)]; !ok {
			t.Fatal("the caller was hung up")
		}
	})
}

func TestAProtectedClientIsNotShownToWhoMayTakeHim(t *testing.T) {
	o := newOffice(t, strings.Replace(house, "+7 495 765-43-21", ivanov, 1))
	o.rings("x", ivanov, "PJSIP/101")
	for _, subject := range []string{"gus", "carl"} {
		if c := o.row(subject, "anna").Calls[0]; !c.Hidden || c.Peer != nil {
			t.Fatalf("%s is shown %+v", subject, c)
		}
	}
	if can := o.row("gus", "anna").Can; len(can) != 0 {
		t.Fatalf("what gus is offered tells that his client calls: %q", can)
	}
}

// Who else is rung is hidden with the rest: the button is there, and the answer gives nothing away.
func TestWhatIsOfferedOfAHiddenRingingCallDoesNotTellWhoElseIsRung(t *testing.T) {
	o := newOffice(t, house)
	o.rings("x", ivanov, "PJSIP/101", "PJSIP/105")
	for subject, want := range map[string]int{"fay": 1, "gus": 0} {
		if can := o.row(subject, "anna").Can; len(can) != want {
			t.Errorf("%s is offered %q", subject, can)
		}
	}
}
