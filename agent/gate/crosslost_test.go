package gate_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

const outOfReach = "other_pbx_unreachable"

func TestWhatIsOutOfReachIsNotSaidToBeNothing(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	w := p.a.watch("carl")
	id := p.a.must("carl", "spy", "boris")
	w.act(id, "active")
	p.talks("y", "PJSIP/109")
	tape, lock := p.a.mustTape("carl", "ivo"), p.a.mustLock("boris") // which ends the supervision
	p.listed("boris", lock.ID)
	w.act(id, "ended")
	p.talks("z", "PJSIP/105")
	id = p.a.must("carl", "spy", "egor")
	w.act(id, "active")
	p.settle()
	p.cut("b")
	asks := func(subject, supervision, tape, lock string) map[string]error {
		s, byID := who(subject), gate.RecordAsk{ID: tape, Door: "test"}
		codes := map[string]error{
			"supervision": p.a.gate.EndSupervision(t.Context(), s, supervision),
			"lock":        p.a.gate.Unlock(t.Context(), s, lock),
		}
		_, codes["mode"] = p.a.gate.ChangeMode(t.Context(), s, supervision, "whisper", "")
		_, codes["pause"] = p.a.gate.PauseRecording(t.Context(), s, byID)
		_, codes["stop"] = p.a.gate.StopRecording(t.Context(), s, byID)
		return codes
	}
	for what, err := range asks("carl", id, tape.ID, lock.ID) {
		if want := map[bool]string{true: "no_such_lock", false: outOfReach}[what == "lock"]; code(err) != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := p.a.gate.StopRecording(t.Context(), who("carl"), gate.RecordAsk{Target: "ivo", Door: "test"}); code(err) != outOfReach {
		t.Error(err)
	}
	if err := p.a.gate.Unlock(t.Context(), who("boris"), lock.ID); code(err) != outOfReach {
		t.Error(err)
	}
	// Of what is another's, and of what never was, it is said as ever.
	for _, ids := range [][3]string{{id, tape.ID, lock.ID}, {"none", "none", "none"}} {
		for what, err := range asks("anna", ids[0], ids[1], ids[2]) {
			if c := code(err); c != "no_such_supervision" && c != "no_such_recording" && c != "no_such_lock" && c != "no_right" {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	for _, subject := range []string{"carl", "boris"} {
		if got := p.lists(p.a, subject); len(got) != 0 {
			t.Errorf("%s has %q on his lists", subject, got)
		}
	}
}

func TestWhoIsDoneWithWhatIsOutOfReachIsDoneWithItOnceItIsBack(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	p.talks("y", "PJSIP/109")
	tape, kept := p.a.mustTape("carl", "ivo"), p.a.mustTape("carl", "boris")
	w := p.a.watch("carl")
	id := p.a.must("carl", "spy", "boris")
	w.act(id, "active")
	p.settle()
	p.cut("b")
	w.act(id, "ended")
	if err := p.a.gate.EndSupervision(t.Context(), who("carl"), id); code(err) != outOfReach {
		t.Fatal(err)
	}
	if _, err := p.a.gate.StopRecording(t.Context(), who("carl"), gate.RecordAsk{ID: tape.ID, Door: "test"}); code(err) != outOfReach {
		t.Fatal(err)
	}
	p.join("b")
	for ended, stopped := false, false; !ended || !stopped; {
		m := w.next()
		ended = ended || m.Supervision != nil && m.Supervision.State == "ended" && m.Supervision.Reason == "ended_by_supervisor"
		stopped = stopped || m.Recording != nil && m.Recording.ID == tape.ID && m.Recording.State == "stopped" && m.Recording.Reason != outOfReach
	}
	p.listed("carl", kept.ID)
}

func TestWhatIsOutOfReachIsForgottenWhenItCanGoOnNoLonger(t *testing.T) {
	inTime(t, func(t *testing.T, p *pair, carl auth.Subject, _ *atomic.Bool, id string) {
		change := func() error {
			_, err := p.a.gate.ChangeMode(t.Context(), carl, id, "whisper", "")
			return err
		}
		p.cut("b")
		p.after(vouchStale - time.Second)
		if err := change(); code(err) != outOfReach {
			t.Fatal(err)
		}
		p.after(2 * time.Second)
		if err := change(); code(err) != "no_such_supervision" {
			t.Fatal(err)
		}
		p.join("b")
		lock := p.a.mustLock("boris")
		p.settle()
		p.cut("b")
		p.after(vouchStale - time.Second)
		if err := p.a.gate.Unlock(t.Context(), who("boris"), lock.ID); code(err) != outOfReach {
			t.Fatal(err)
		}
		p.after(2 * time.Second)
		if err := p.a.gate.Unlock(t.Context(), who("boris"), lock.ID); code(err) != "no_such_lock" {
			t.Fatal(err)
		}
	})
}
