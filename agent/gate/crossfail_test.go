package gate_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestWhatIsNotKnownToBeDoneIsReportedAndNotLeftDone(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	p.talks("y", "PJSIP/105")
	way := p.ways["a"]

	// Out of reach, as far as the gate knows, and as far as it does not.
	p.cut("b")
	p.a.refused("other_pbx_unreachable", "carl", "spy", "boris")
	p.a.refused("no_right", "anna", "spy", "boris")
	p.a.refused("other_pbx", "dora", "spy", "boris")
	if _, err := p.a.gate.Dial(t.Context(), who("boris"), gate.DialAsk{Number: other}); code(err) != "other_pbx_unreachable" {
		t.Fatal(err)
	}
	p.join("b")
	way.sends(func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("Redis is away") })
	p.a.refused("other_pbx_unreachable", "carl", "spy", "boris")
	p.idle(p.b)
	if n := way.times(); n != 1 {
		t.Fatalf("%d requests", n)
	}

	// It may have been done, and was not; and it was done, and nobody could undo it.
	way.sends(func(context.Context, string, []byte) ([]byte, error) { return nil, gate.ErrMayBeDone })
	p.a.refused("outcome_unknown", "carl", "spy", "boris")
	p.listed("carl")
	way.sends(func(ctx context.Context, pbx string, request []byte) ([]byte, error) {
		_, _ = way.Cluster.Send(ctx, pbx, request)
		return nil, gate.ErrMayBeDone
	})
	w := p.a.watch("carl")
	p.a.refused("outcome_unknown", "carl", "spy", "boris")
	v := w.next()
	for v.Supervision == nil || v.Supervision.State != "active" {
		v = w.next()
	}
	p.listed("carl", v.Supervision.ID)
	way.sends(nil)
	if err := p.a.gate.EndSupervision(t.Context(), who("carl"), v.Supervision.ID); err != nil {
		t.Fatal(err)
	}

	// What nobody can read may have been done.
	for _, answer := range []string{"", "{}", `{"v":2,"done":{}}`, `{"v":1,"done":[]}`, `{"v":1}`, `{"v":1,"done":{},"problem":{"kind":1,"code":"x","text":"y"}}`, `{"v":1,"problem":{"kind":99,"code":"x","text":"y"}}`,
		`{"v":1,"problem":{"kind":1,"code":"","text":"y"}}`,
	} {
		way.sends(func(context.Context, string, []byte) ([]byte, error) { return []byte(answer), nil })
		p.a.refused("outcome_unknown", "carl", "spy", "boris")
	}
	way.sends(nil)

	// The answer is lost: each is undone.
	p.lose = func(string, string) bool { return true }
	begun := func(id string) string {
		p.b.audit.waits(t, id, audit.Decided)
		return id
	}
	last := func() string { return begun(p.b.audit.last(t, audit.Decided).ID) }
	undone := func(what string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !slices.ContainsFunc(p.b.audit.all(), func(e audit.Entry) bool {
			return e.ID == last() && (e.Phase == audit.Ended || e.Phase == audit.Failed) && e.Reason == "answer_lost"
		}); p.b.log.wait(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %q", what, p.b.log.all())
			}
		}
		p.settle()
		p.listed("carl")
		p.listed("boris")
		if n := p.b.pbx.left(); n != 0 {
			t.Fatalf("%s: %d legs are left", what, n)
		}
	}
	p.a.refused("outcome_unknown", "carl", "spy", "boris")
	undone("supervise")
	if _, got := p.a.tape("carl", "boris"); got != "outcome_unknown" {
		t.Fatal(got)
	}
	undone("record")
	if _, got := p.a.lock("boris"); got != "outcome_unknown" {
		t.Fatal(got)
	}
	undone("lock")
	p.b.pbx.set(func() { p.b.pbx.silent = true })
	p.b.rings("z", ivanov, "PJSIP/109")
	p.settle()
	p.a.refused("outcome_unknown", "carl", "intercept", "ivo")
	undone("intercept")
	if got := p.a.dials("boris", other); got != "outcome_unknown" {
		t.Fatal(got)
	}
	undone("dial")
	if got := p.b.log.all(); !slices.Contains(got, "drop") {
		t.Fatalf("the phone still rings: %q", got)
	}
	p.b.gone("z.0", "z.1")
	p.b.pbx.set(func() { p.b.pbx.silent = false })
	yes := true
	p.ways["b"].sends(nil)
	if _, err := p.b.gate.ChangeSettings(t.Context(), who("anna"), gate.SettingsAsk{Employee: "anna", DoNotDisturb: &yes}); code(err) != "outcome_unknown" {
		t.Fatal(err)
	}
	if p.desk["a"].value("DND", "101") != "YES" {
		t.Fatal("a setting is what it is")
	}
}
