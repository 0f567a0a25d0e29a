package gate_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
)

// asking is the house in which dora must say why she listens to anna or egor.
var asking = strings.Replace(house, "allow: [spy], except: [egor]", "reason: [anna, egor]", 1)

func (o *office) because(reason, subject, mode, target string) (id, code string) {
	v, err := o.gate.Supervise(o.t.Context(), who(subject), gate.Ask{Target: target, Mode: mode, Reason: reason, Door: "test"})
	if err != nil {
		return "", gate.AsProblem(err).Code
	}
	return v.ID, ""
}

func TestWhereAReasonIsRequiredItIsGivenAndOnRecord(t *testing.T) {
	o := newOffice(t, asking)
	// It follows from the two of them alone, so it is said before anything of a call.
	if _, code := o.because("", "dora", "spy", "anna"); code != "reason_required" {
		t.Fatalf("%q", code)
	}
	o.talk("x", ivanov, "PJSIP/101")
	for _, none := range []string{"", "  "} {
		if _, code := o.because(none, "dora", "spy", "anna"); code != "reason_required" {
			t.Fatalf("without a reason: %q", code)
		}
	}
	if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Reason != "reason_required" || e.Rule.Line == 0 || e.Given != "" {
		t.Fatalf("on record is %+v", e)
	}
	for _, bad := range []string{"two\nlines", strings.Repeat("x", 501), strings.Repeat("щ", 501), "\x00", "\xff", "a\u2028b"} {
		if _, code := o.because(bad, "dora", "spy", "anna"); code != "bad_reason" {
			t.Errorf("%q is taken: %q", bad, code)
		}
	}
	w := o.watch("dora")
	id, code := o.because(" complaint 4711 ", "dora", "spy", "anna")
	if code != "" {
		t.Fatal(code)
	}
	w.act(id, "active")
	if e := o.audit.last(t, audit.Decided); e.ID != id || e.Outcome != audit.Allow || e.Given != "complaint 4711" {
		t.Fatalf("on record is %+v", e)
	}
	// The reason goes with the supervision: a change of mode and a new policy need no other.
	if mode := o.change("dora", id, "whisper"); mode != "whisper" {
		t.Fatalf("its mode is not changed: %s", mode)
	}
	o.gate.SetPolicy(set(o.t, asking+"# new\n"))
	o.gate.SetPolicy(set(o.t, strings.Replace(asking, "reason: [anna, egor]", "except: [anna]", 1)))
	if reason := w.act(id, "ended"); reason != "excluded" {
		t.Fatalf("it ended before its ground was gone: %s", reason)
	}
}

// Who began without a reason can give one for a mode that requires it. It is kept with the change that it was given for.
func TestAReasonCanBeGivenWithAChangeOfMode(t *testing.T) {
	o := newOffice(t, strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "listen: {to: any, allow: [spy]}, whisper: {to: any, reason: true}", 1))
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	given := func(p audit.Phase) string { return o.audit.last(t, p).Given }
	if got := o.change("dora", id, "whisper"); got != "reason_required" {
		t.Fatalf("without a reason: %s", got)
	}
	if got := o.change("dora", id, "whisper", "two\nlines"); got != "bad_reason" {
		t.Fatalf("with a bad one: %s", got)
	}
	// A change that is refused for something else leaves none behind, though it is on record with it.
	if got := o.change("dora", id, "barge", "refused"); got != "no_right" || given(audit.Decided) != "refused" {
		t.Fatalf("%s, on record with %q", got, given(audit.Decided))
	}
	if got := o.change("dora", id, "whisper"); got != "reason_required" || given(audit.Decided) != "" {
		t.Fatalf("%s, on record with %q", got, given(audit.Decided))
	}
	// Neither does one that fails, on record or on the PBX.
	o.audit.failing(audit.Decided)
	if got := o.change("dora", id, "whisper", "lost"); got != "not_recorded" {
		t.Fatal(got)
	}
	o.audit.failing()
	o.pbx.failing("swap", errors.New("no"))
	if got := o.change("dora", id, "whisper", "failed"); got != "pbx_failed" || given(audit.Failed) != "failed" {
		t.Fatalf("%s, on record with %q", got, given(audit.Failed))
	}
	o.pbx.failing("swap", nil)
	if got := o.change("dora", id, "whisper"); got != "reason_required" {
		t.Fatal(got)
	}
	if got := o.change("dora", id, "whisper", " complaint\u00a04711 "); got != "whisper" || given(audit.Decided) != "complaint 4711" || given(audit.Done) != "complaint 4711" {
		t.Fatalf("%s, on record with %q and %q", got, given(audit.Decided), given(audit.Done))
	}
	// From there on it goes with the supervision.
	w := o.watch("dora")
	o.gate.SetPolicy(o.gate.Policy())
	if got := o.change("dora", id, "spy"); got != "spy" || given(audit.Done) != "complaint 4711" {
		t.Fatalf("%s, on record with %q", got, given(audit.Done))
	}
	if got := o.change("dora", id, "whisper"); got != "whisper" {
		t.Fatal(got)
	}
	o.hangUp("x")
	if reason := w.act(id, "ended"); reason != "call_ended" {
		t.Fatal(reason)
	}
}

func TestSomebodyForWhomAReasonIsRequiredIsNotHeardWithoutOneByAnotherWay(t *testing.T) {
	o := newOffice(t, strings.Replace(asking, "[anna, egor]", "[egor]", 1))
	o.talk("x", "PJSIP/105", "PJSIP/101")
	if _, code := o.because("", "dora", "spy", "anna"); code != "not_for_this_call" {
		t.Fatalf("%q", code)
	}
	if e := o.audit.last(t, audit.Decided); e.Reason != "reason_required_other" {
		t.Fatalf("on record is %+v", e)
	}
	if _, code := o.because("complaint 4711", "dora", "spy", "anna"); code != "" {
		t.Fatal(code)
	}
	// And one who joins ends what was begun without one.
	o = newOffice(t, strings.Replace(asking, "[anna, egor]", "[egor]", 1))
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	w := o.watch("dora")
	o.leg("e", "PJSIP/105", call.StateUp, "")
	o.enter("x", "e")
	if reason := w.act(id, "ended"); reason != "not_for_this_call" {
		t.Fatalf("he is told %s", reason)
	}
}

func TestTheReasonOfASupervisionHoldsOverARestart(t *testing.T) {
	l := leftBehind()
	text := strings.Replace(house, "observe: true, listen: true, intercept: {to: any}", "listen: {reason: true}", 1)
	o := l.found(t, text)
	o.log.until(t, "record revoked")
	l.acts[0].Given = "complaint 4711"
	o = l.found(t, text)
	o.log.until(t, "renew")
	if e := o.audit.last(t, audit.Decided); e.Given != "complaint 4711" {
		t.Fatalf("on record is %+v", e)
	}
}

// A reason is as long as it looks, in whatever script, and what was pasted is taken.
func TestAReasonIsCountedInCharactersAndTakenAsItIsPasted(t *testing.T) {
	for reason, want := range map[string]string{
		strings.Repeat("щ", 500):                                strings.Repeat("щ", 500),
		strings.Repeat("\U0001f4de", 500):                       strings.Repeat("\U0001f4de", 500),
		"\u00a0жалоба\u00a0№\u202f4711\u3000от\u2003анны\u00a0": "жалоба № 4711 от анны",
	} {
		o := newOffice(t, asking)
		o.talk("x", ivanov, "PJSIP/101")
		id, code := o.because(reason, "dora", "spy", "anna")
		if code != "" {
			t.Errorf("%q: %s", reason, code)
			continue
		}
		if e := o.audit.last(t, audit.Decided); e.ID != id || e.Given != want {
			t.Errorf("on record is %q", e.Given)
		}
	}
}

// A grant that holds at certain times ends a supervision when its time is over, as any other change of the policy does.
func TestASupervisionEndsWithItsTime(t *testing.T) {
	text := strings.Replace(house, "version: 1\n", "version: 1\ntimezone: UTC\ntimes: {office: {hours: \"09:00-18:00\"}}\n", 1)
	text = strings.Replace(text, "allow: [spy], except: [egor]", "except: [egor], during: office", 1)
	o := newOffice(t, text)
	day := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	s, _, err := policy.Load("policy.yaml", []byte(text), day)
	if err != nil {
		t.Fatal(err)
	}
	o.gate.SetPolicy(s)
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	w := o.watch("dora")
	next, ok := s.NextChange()
	if !ok || !next.Equal(day.Add(6*time.Hour)) {
		t.Fatal(next)
	}
	o.gate.SetPolicy(s.At(next.Add(-time.Second)))
	o.gate.SetPolicy(s.At(next))
	if reason := w.act(id, "ended"); reason != "not_now" {
		t.Fatalf("he is told %s", reason)
	}
	if _, code := o.because("", "dora", "spy", "anna"); code != "not_now" {
		t.Fatal(code)
	}
}
