package gate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestASupervisionIsDecidedRecordedAndOnlyThenCarriedOut(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	id := o.must("carl", "whisper", "anna")
	w.act(id, "ringing")
	w.act(id, "active")
	if err := o.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
		t.Fatal(err)
	}
	if reason := w.act(id, "ended"); reason != "ended_by_supervisor" {
		t.Fatal(reason)
	}
	o.happened("record decided allow allowed", "ring", "tap", "record done", "drop snoop own", "record ended ended_by_supervisor")
	if o.pbx.left() != 0 {
		t.Fatal("own legs are left")
	}
	e := o.audit.last(t, audit.Decided)
	if e.ID != id || e.Subject != "carl" || e.Action != "whisper" || e.Mode != "whisper" || e.Door != "test" || len(e.Targets) != 1 || e.Targets[0] != "anna" || e.Rule.Line == 0 {
		t.Fatalf("%+v", e)
	}
	if err := o.gate.EndSupervision(t.Context(), who("carl"), id); gate.AsProblem(err).Code != "no_such_supervision" {
		t.Fatalf("ended twice: %v", err)
	}
}

// Each refusal, in the order of the contract: every case has all that the later ones are refused for.
func TestRefusalsComeInTheOrderThatWasPromised(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/105") // to egor
	for _, c := range []struct{ name, code, subject, target, phone, handle string }{
		{"unknown subject", "unknown_subject", "ghost", "nobody", "PJSIP/999", "c1"},
		{"unknown target", "no_such_employee", "anna", "nobody", "PJSIP/999", "c1"},
		{"himself", "self", "egor", "egor", "PJSIP/999", "c1"},
		{"protected", "protected", "dora", "hana", "PJSIP/999", "c1"},
		{"excluded", "excluded", "dora", "egor", "PJSIP/999", "c1"},
		{"no right", "no_right", "anna", "egor", "PJSIP/999", "c1"},
		{"no phone", "no_phone", "nils", "egor", "PJSIP/999", "c1"},
		{"another's phone", "not_your_phone", "carl", "egor", "PJSIP/101", "c1"},
		{"no phone of anybody", "not_your_phone", "carl", "egor", "PJSIP/999", "c1"},
		{"no such call", "no_such_call", "carl", "egor", "PJSIP/113", "c1"},
		{"on no call", "not_talking", "carl", "boris", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			more := []string{}
			if c.phone != "" {
				more = append(more, c.phone, c.handle)
			}
			before := len(o.log.all())
			o.refused(c.code, c.subject, "spy", c.target, more...)
			if got := o.log.all()[before:]; len(got) != 1 || got[0] != "record decided deny "+c.code {
				t.Fatalf("%q", got)
			}
		})
	}
	if o.pbx.left() != 0 {
		t.Fatal("something was carried out")
	}
}

func TestTheCallIsTheOneNamedOrTheOnlyOneThatIsUpAndNotHeld(t *testing.T) {
	o := newOffice(t, house)
	o.rings("r", other, "PJSIP/101")
	o.refused("not_talking", "carl", "spy", "anna")
	ringing := o.row("carl", "anna").Calls[0].ID
	o.refused("not_talking", "carl", "spy", "anna", ringing)
	o.answers("r", 1)
	o.talk("s", ivanov, "PJSIP/101")
	o.refused("several_calls", "carl", "spy", "anna")
	first := o.row("carl", "anna").Calls[0].ID
	if first != ringing {
		t.Fatalf("the handle of a call that goes on has changed")
	}
	o.refused("no_such_call", "dora", "spy", "anna", first)
	o.refused("no_such_call", "carl", "spy", "boris", first)
	o.active("carl", "spy", "anna", first)
	o.refused("already_supervising", "carl", "spy", "anna", first)
	o.active("carl", "barge", "anna", "PJSIP/113", first) // another phone of his own; his two supervisions do not end each other
	v, err := o.gate.Supervisions(who("carl"))
	if err != nil || len(v) != 2 || v[0].Mode != "spy" || v[1].Mode != "barge" {
		t.Fatalf("%+v %v", v, err)
	}
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("r.1")})
	o.active("dora", "spy", "anna") // the other, as one is held
	if tap := o.pbx.taps[len(o.pbx.taps)-1]; tap.Target != "s.1" {
		t.Fatalf("the call listened to is %q", string(tap.Target))
	}
}

func TestNothingIsDoneWhatIsNotOnRecord(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.rings("y", ivanov, "PJSIP/102")
	w := o.watch("carl")
	o.audit.failing(audit.Decided)
	for _, mode := range []string{"spy", "whisper", "barge"} {
		o.refused("not_recorded", "carl", mode, "anna")
	}
	o.refused("not_recorded", "carl", "intercept", "boris")
	o.refused("not_recorded", "anna", "spy", "boris") // a refusal must be on record too
	o.happened()
	if v, _ := o.gate.Supervisions(who("carl")); len(v) != 0 || len(w.all()) != 0 {
		t.Fatal("something of it was told")
	}
	o.audit.failing(audit.Done)
	id := o.must("carl", "spy", "anna")
	if reason := w.act(id, "ended"); reason != "not_recorded" {
		t.Fatal(reason)
	}
	o.audit.failing()
	o.active("carl", "spy", "anna")
}

func TestWhileTheDecisionIsBeingRecordedTheGroundIsWatched(t *testing.T) {
	for _, c := range []struct {
		name, code string
		change     func(*office)
	}{
		{"an excluded party joins", "not_for_this_call", func(o *office) { o.leg("e", "PJSIP/105", call.StateDown, ""); o.dial("x.0", "e", "105") }},
		{"the call ends", "call_moved", func(o *office) { o.hangUp("x") }},
		{"the right is taken away", "no_right", func(o *office) {
			o.gate.SetPolicy(set(o.t, strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "listen: false", 1)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			w := o.watch("dora")
			var once sync.Once
			o.audit.before = func(audit.Entry) { once.Do(func() { c.change(o) }) }
			o.refused(c.code, "dora", "spy", "anna")
			if o.pbx.left() != 0 || slices.Contains(o.log.all(), "ring") {
				t.Fatalf("%q", o.log.all())
			}
			for _, m := range w.all() {
				if m.Supervision != nil {
					t.Fatalf("what never began was told: %+v", m.Supervision)
				}
			}
			o.audit.before = nil
			if v, _ := o.gate.Supervisions(who("dora")); len(v) != 0 {
				t.Fatal("it runs on")
			}
		})
	}
}

func TestARequestThatNobodyWaitsForIsNotBegun(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.gate.Supervise(ctx, who("carl"), gate.Ask{Target: "anna", Mode: "spy"}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	o.audit.before = func(e audit.Entry) { cancel() }
	v, err := o.gate.Supervise(ctx, who("carl"), gate.Ask{Target: "anna", Mode: "spy"})
	if err != nil {
		t.Fatal(err) // it is on record, and is carried out
	}
	o.log.until(t, "record done")
	if err := o.gate.EndSupervision(t.Context(), who("carl"), v.ID); err != nil {
		t.Fatal(err)
	}
}

// What one may not see and what is not there get the same answer, to the letter.
func TestWhatIsInvisibleAndWhatIsNotThereGetOneAnswer(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("carl", "spy", "anna")
	s := who("dora")
	for _, ids := range []string{id, "none", ""} {
		if _, err := o.gate.Supervision(s, ids); *gate.AsProblem(err) != *gate.AsProblem(o.gate.EndSupervision(t.Context(), s, "x")) {
			t.Fatalf("%q: %v", ids, err)
		}
		if err := o.gate.EndSupervision(t.Context(), s, ids); gate.AsProblem(err).Code != "no_such_supervision" {
			t.Fatal(err)
		}
	}
	// A handle that is another's, of another row, or of a call that was.
	foreign := o.row("carl", "anna").Calls[0].ID
	for _, h := range []string{foreign, "cnone"} {
		_, err := o.gate.Supervise(t.Context(), s, gate.Ask{Target: "anna", Mode: "spy", Call: h})
		p := gate.AsProblem(err)
		p.ID = ""
		if *p != (gate.Problem{Kind: gate.NotFound, Code: "no_such_call", Text: p.Text}) {
			t.Fatalf("%+v", p)
		}
	}
}
