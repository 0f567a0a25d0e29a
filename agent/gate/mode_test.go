package gate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// modes is a company in which dora may do all three to anna, and finn may not barge in.
const modes = `
version: 1
employees:
  anna: {name: Anna, phones: [PJSIP/101], numbers: ["101"]}
  dora: {name: Dora, phones: [PJSIP/104], numbers: ["104"], listen: {to: any, allow: [spy, whisper, barge], except: [egor]}}
  egor: {name: Egor, phones: [PJSIP/105], numbers: ["105"]}
  finn: {name: Finn, phones: [PJSIP/106], numbers: ["106"], listen: {to: any, allow: [spy, whisper]}}
trunks: [PJSIP/trunk]
`

func (o *office) change(subject, id, mode string, reason ...string) string {
	o.t.Helper()
	v, err := o.gate.ChangeMode(o.t.Context(), who(subject), id, mode, strings.Join(reason, ""))
	if err != nil {
		return gate.AsProblem(err).Code
	}
	return v.Mode
}

func TestAModeIsChangedByADecisionOfItsOwnAndASecondSnoop(t *testing.T) {
	o := newOffice(t, modes)
	o.talk("x", "PJSIP/trunk", "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	w := o.watch("dora")
	defer w.Close()
	if got := o.change("dora", id, "whisper"); got != "whisper" {
		t.Fatalf("spy to whisper: %s", got)
	}
	if e := o.audit.last(t, audit.Done); e.ID != id || e.Mode != "whisper" {
		t.Fatalf("what was done is on record as %+v", e)
	}
	if got := o.change("dora", id, "barge"); got != "barge" {
		t.Fatalf("whisper to barge: %s", got)
	}
	if got := o.change("dora", id, "barge"); got != "barge" {
		t.Fatalf("barge to barge: %s", got)
	}
	s := o.pbx.swaps
	if len(s) != 2 || s[0].Voice != pbx.VoiceTarget || s[1].Voice != pbx.VoiceBoth || s[0].Old != o.pbx.taps[0].Snoop || s[1].Old != s[0].New || s[1].Target != "x.1" {
		t.Fatalf("orders %+v", s)
	}
	var told []string
	for _, m := range w.all() {
		if m.Supervision != nil {
			told = append(told, m.Supervision.Mode)
		}
	}
	if len(told) != 2 || told[0] != "whisper" || told[1] != "barge" {
		t.Fatalf("the supervisor was told %v", told)
	}
	if err := o.gate.EndSupervision(t.Context(), who("dora"), id); err != nil {
		t.Fatal(err)
	}
	if n := o.pbx.left(); n != 0 {
		t.Fatalf("%d own legs are left", n)
	}
}

// The PBX answers an order before its events about it have come, on a busy machine long before.
func TestAnOldSnoopThatIsSeenForAMomentLongerIsNoStranger(t *testing.T) {
	o := newOffice(t, modes)
	o.talk("x", "PJSIP/trunk", "PJSIP/101")
	o.pbx.late = true
	id := o.active("dora", "spy", "anna")
	first := string(o.pbx.taps[0].Snoop)
	if got := o.change("dora", id, "whisper"); got != "whisper" {
		t.Fatalf("spy to whisper: %s", got)
	}
	o.leg("y.0", "PJSIP/106", call.StateUp, "") // whatever happens on the call meanwhile
	o.enter("x", "y.0")
	o.leave("x", "y.0")
	o.gone(first)
	if v, err := o.gate.Supervision(who("dora"), id); err != nil || v.State != "active" || v.Mode != "whisper" {
		t.Fatalf("%+v %v", v, err)
	}
	if got := o.change("dora", id, "barge"); got != "barge" {
		t.Fatalf("whisper to barge: %s", got)
	}
	o.pass(2)
	if err := o.gate.EndSupervision(t.Context(), who("dora"), id); err != nil {
		t.Fatal(err)
	}
	o.gone(string(o.pbx.swaps[0].New))
	if n := o.pbx.left(); n != 0 {
		t.Fatalf("%d own legs are left", n)
	}
	o.pbx.late = false
	o.active("dora", "spy", "anna")
}

func TestASupervisionThatIsBetweenTwoModesEnds(t *testing.T) {
	o := newOffice(t, modes)
	o.talk("x", "PJSIP/trunk", "PJSIP/101")
	w := o.watch("dora")
	id := o.active("dora", "spy", "anna")
	o.pbx.failing("swap", fmt.Errorf("%w: 500", pbx.ErrBetweenModes))
	if got := o.change("dora", id, "barge"); got != "no_such_supervision" {
		t.Fatal(got)
	}
	if reason := w.act(id, "ended"); reason != "pbx_failed" {
		t.Fatal(reason)
	}
	o.log.until(t, "record failed pbx_failed")
	o.log.until(t, "record ended pbx_failed")
}

func TestAModeThatIsRefusedLeavesTheSupervisionAsItIs(t *testing.T) {
	o := newOffice(t, modes)
	o.talk("x", "PJSIP/trunk", "PJSIP/101")
	id := o.active("finn", "spy", "anna")
	for _, c := range []struct{ subject, id, mode, want string }{
		{"finn", id, "barge", "no_right"},
		{"finn", id, "shout", "unknown_mode"},
		{"finn", "nothing", "spy", "no_such_supervision"},
		{"dora", id, "barge", "no_such_supervision"},
		{"finn", id, "spy", "spy"},
	} {
		if got := o.change(c.subject, c.id, c.mode); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.subject, c.mode, got, c.want)
		}
	}
	if len(o.pbx.swaps) != 0 {
		t.Errorf("the PBX was told to %+v", o.pbx.swaps)
	}
	if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Mode != "barge" || e.Reason != "no_right" {
		t.Errorf("on record is %+v", e)
	}
	if v, err := o.gate.Supervision(who("finn"), id); err != nil || v.State != "active" || v.Mode != "spy" {
		t.Errorf("the supervision is %+v, %v", v, err)
	}
}

func TestWhatCannotBeChangedOrRecordedStaysAsItWas(t *testing.T) {
	o := newOffice(t, modes)
	o.talk("x", "PJSIP/trunk", "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	o.pbx.failing("swap", errors.New("no"))
	if got := o.change("dora", id, "barge"); got != "pbx_failed" {
		t.Fatalf("a change that the PBX refused: %s", got)
	}
	if e := o.audit.last(t, audit.Failed); e.ID != id || e.Mode != "barge" {
		t.Fatalf("on record is %+v", e)
	}
	o.audit.failing(audit.Decided)
	if got := o.change("dora", id, "whisper"); got != "not_recorded" {
		t.Fatalf("a change that could not be recorded: %s", got)
	}
	if v, err := o.gate.Supervision(who("dora"), id); err != nil || v.State != "active" || v.Mode != "spy" {
		t.Fatalf("the supervision is %+v, %v", v, err)
	}
}

// A refusal that cannot be recorded has nothing to take back: a change that has been permitted meanwhile goes on.
func TestARefusalThatIsNotRecordedTakesNothingBack(t *testing.T) {
	o := newOffice(t, modes)
	o.talk("x", "PJSIP/trunk", "PJSIP/101")
	id := o.active("finn", "spy", "anna")
	o.pbx.holds("swap")
	o.audit.failing(audit.Decided)
	permitted := make(chan string, 1)
	o.audit.before = func(audit.Entry) {
		o.audit.mu.Lock()
		o.audit.before = nil
		o.audit.mu.Unlock()
		o.audit.failing()
		go func() {
			v, err := o.gate.ChangeMode(t.Context(), who("finn"), id, "whisper", "")
			if err != nil {
				v.Mode = err.Error()
			}
			permitted <- v.Mode
		}()
		o.log.until(t, "swap")
	}
	if got := o.change("finn", id, "barge"); got != "not_recorded" {
		t.Fatalf("a refusal that could not be recorded: %s", got)
	}
	o.pbx.let()
	if got := <-permitted; got != "whisper" {
		t.Fatalf("the change that was permitted meanwhile: %s", got)
	}
	if e := o.audit.last(t, audit.Done); e.Mode != "whisper" {
		t.Fatalf("on record is %+v", e)
	}
}

// A change that is called off between its decision and its order is on record as failed.
func TestAChangeThatIsCalledOffIsOnRecord(t *testing.T) {
	o := newOffice(t, modes)
	o.talk("x", "PJSIP/trunk", "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	o.audit.mu.Lock()
	o.audit.before = func(audit.Entry) {
		o.audit.mu.Lock()
		o.audit.before = nil
		o.audit.mu.Unlock()
		o.gone("x.1")
	}
	o.audit.mu.Unlock()
	if got := o.change("dora", id, "barge"); got != "no_such_supervision" {
		t.Fatalf("a change of what has ended: %s", got)
	}
	if e := o.audit.last(t, audit.Failed); e.ID != id || e.Mode != "barge" {
		t.Fatalf("on record is %+v", e)
	}
}

// While a change is under way the ground is that of both modes, and who joins ends it before the new mode is in force.
func TestWhoJoinsDuringAChangeEndsIt(t *testing.T) {
	o := newOffice(t, modes)
	o.talk("x", "PJSIP/trunk", "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	w := o.watch("dora")
	defer w.Close()
	o.pbx.holds("swap")
	got := make(chan string, 1)
	go func() {
		_, err := o.gate.ChangeMode(t.Context(), who("dora"), id, "barge", "")
		got <- gate.AsProblem(err).Code
	}()
	o.log.until(t, "swap")
	if second := o.change("dora", id, "whisper"); second != "changing_mode" {
		t.Errorf("a second change at once: %s", second)
	}
	o.leg("e", "PJSIP/105", call.StateUp, "")
	o.enter("x", "e")
	if reason := w.act(id, "ended"); reason != "not_for_this_call" {
		t.Errorf("it ended because of %s", reason)
	}
	if code := <-got; code != "no_such_supervision" {
		t.Errorf("the change was answered %s", code)
	}
	if n := o.pbx.left(); n != 0 {
		t.Errorf("%d own legs are left", n)
	}
}
