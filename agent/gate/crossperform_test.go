package gate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// performed is what a gate answers to a request: what was done as JSON, or a problem's code.
func performed(t testing.TB, answer []byte) (done, problem string) {
	t.Helper()
	var r struct {
		V       int
		Done    json.RawMessage
		Problem *struct{ Code, Text string }
	}
	if err := json.Unmarshal(answer, &r); err != nil || r.V != 1 || (r.Done == nil) == (r.Problem == nil) {
		t.Fatalf("%v: %s", err, answer)
	}
	if r.Problem != nil {
		if r.Problem.Code == "" || r.Problem.Text == "" {
			t.Fatalf("%s", answer)
		}
		return "", r.Problem.Code
	}
	return string(r.Done), ""
}

// request is a request as another sidecar writes it.
func request(op, employee, ask string) string {
	return fmt.Sprintf(`{"v":1,"op":%q,"subject":{"employee":%q,"credential":"token:1a2b3c4d5e6f"},"ask":%s}`, op, employee, ask)
}

// Whoever a sidecar says that somebody is, he may what the policy gives him here and nothing else, and who is named by no request that can be read is nobody.
func TestOfARequestOnlyWhoAsksIsBelieved(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	spy := `{"Target":"boris","Mode":"spy","Door":"http"}`
	perform := func(from, message string) string {
		t.Helper()
		answer, undo := p.b.gate.Perform(t.Context(), from, []byte(message))
		_, code := performed(t, answer)
		if code != "" && undo != nil {
			t.Fatalf("%s is to be undone", code)
		}
		return code
	}
	for _, c := range []struct{ code, request string }{
		{"no_right", request("supervise", "anna", spy)},
		{"unknown_subject", request("supervise", "ghost", spy)},
		{"protected", request("supervise", "carl", `{"Target":"hana","Mode":"spy","Door":"http"}`)},
		{"other_pbx", request("supervise", "dora", spy)},
		{"not_talking", request("supervise", "carl", `{"Target":"ivo","Mode":"spy","Door":"http"}`)},
		{"no_right", request("record", "ivo", `{"Target":"boris","Door":"http"}`)},
		{"not_on_call", request("lock", "anna", `{"Door":"http"}`)},
		{"no_right", request("lock", "ivo", `{"Door":"http"}`)},
		{"no_right", request("dial", "egor", `{"Number":"+78120000000","Door":"http"}`)},
		{"no_right", request("set", "boris", `{"Employee":"egor","DoNotDisturb":true,"Door":"http"}`)},
	} {
		before := len(p.b.log.all())
		if got := perform("a", c.request); got != c.code {
			t.Errorf("%s: %q", c.request, got)
		}
		if got := p.b.log.all()[before:]; !slices.Equal(got, []string{"record decided deny " + c.code}) {
			t.Errorf("%s: %q", c.request, got)
		}
		if e := p.b.audit.last(t, audit.Decided); e.Credential != "pbx:a:token:1a2b3c4d5e6f" {
			t.Errorf("%+v", e)
		}
	}
	before := len(p.b.log.all())
	good := request("supervise", "carl", spy)
	for _, c := range []struct{ code, from, request string }{
		{"no_such_supervision", "a", request("end", "carl", `{"ID":"none"}`)},
		{"no_such_supervision", "a", request("mode", "carl", `{"ID":"none","Mode":"spy","Reason":""}`)},
		{"no_such_lock", "a", request("unlock", "boris", `{"ID":"none"}`)},
		{"no_such_recording", "a", request("pause", "carl", `{"ID":"none"}`)},
		{"no_such_recording", "a", request("resume", "carl", `{"ID":"none"}`)},
		{"no_such_recording", "a", request("stop", "carl", `{"ID":"none"}`)},
		{"no_right", "a", request("settings", "boris", `{"ID":"egor"}`)},
		{"not_performed", "b", good},
		{"not_performed", "", good},
		{"not_performed", "a:b", good},
		{"not_performed", "a", ""},
		{"not_performed", "a", "null"},
		{"not_performed", "a", good + "x"},
		{"not_performed", "a", strings.Replace(good, `"v":1`, `"v":2`, 1)},
		{"not_performed", "a", strings.Replace(good, `"v":1`, `"v":1,"x":1`, 1)},
		{"not_performed", "a", request("hangup", "carl", spy)},
		{"not_performed", "a", request("supervise", "", spy)},
		{"not_performed", "a", strings.Replace(good, "token:", "pbx:c:token:", 1)},
		{"not_performed", "a", request("supervise", "carl", `{"Target":"boris","Mode":"spy","Leg":"x.1"}`)},
		{"not_performed", "a", request("supervise", "carl", `[]`)},
		{"not_performed", "a", request("dial", "boris", `{"Number":"7","Leg":"x.1"}`)},
		{"not_performed", "a", request("dial", "boris", `{"Number":"7","Transferred":true}`)},
		{"not_performed", "a", request("lock", "boris", `{"leg":"x.1"}`)},
	} {
		if got := perform(c.from, c.request); got != c.code {
			t.Errorf("%s: %q", c.request, got)
		}
	}
	if got := p.b.log.all()[before:]; len(got) > 0 {
		t.Fatalf("%q", got)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if answer, _ := p.b.gate.Perform(over, "a", []byte(good)); !strings.Contains(string(answer), `"problem"`) {
		t.Fatalf("too late, and %s", answer)
	}
	if answer, _ := newOffice(t, house).gate.Perform(t.Context(), "a", []byte(good)); !strings.Contains(string(answer), "not_performed") {
		t.Fatalf("%s", answer)
	}
	if got := p.b.log.all()[before:]; len(got) > 0 {
		t.Fatalf("%q", got)
	}
	if got := perform("a", good); got != "" {
		t.Fatalf("the good one is refused: %s", got)
	}
}

// Who asks for a call of a third PBX here is not sent on: what has crossed over crosses no further.
func TestARequestCrossesOverOnce(t *testing.T) {
	p := newPair(t)
	p.a.talk("x", ivanov, "PJSIP/101")
	p.settle()
	handle := p.b.row("carl", "anna").Calls[0].ID
	for op, ask := range map[string]string{
		"supervise": fmt.Sprintf(`{"Target":"anna","Mode":"spy","Call":%q,"Door":"http"}`, handle),
		"record":    fmt.Sprintf(`{"Target":"anna","Call":%q,"Door":"http"}`, handle),
		"settings":  `{"ID":"anna"}`,
	} {
		answer, _ := p.b.gate.Perform(t.Context(), "c", []byte(request(op, "carl", ask)))
		if done, code := performed(t, answer); done != "" {
			t.Errorf("%s: %s", op, done)
		} else if want := map[string]string{"supervise": "call_moved", "record": "call_moved", "settings": "other_pbx_unreachable"}[op]; code != want {
			t.Errorf("%s: %s", op, code)
		}
	}
	if n := p.ways["b"].times(); n != 0 {
		t.Fatalf("%d requests were sent on", n)
	}
}

func TestAChangeThatCannotBeReportedIsTakenBack(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	w := p.b.watch("carl")
	id := p.a.must("carl", "spy", "boris")
	w.act(id, "active")
	p.settle()
	p.lose = func(string, string) bool { return true }
	if _, err := p.a.gate.ChangeMode(t.Context(), who("carl"), id, "barge", "to help"); code(err) != "outcome_unknown" {
		t.Fatal(err)
	}
	if v, err := p.b.gate.Supervision(who("carl"), id); err != nil || v.Mode != "spy" || len(p.b.pbx.swaps) != 2 {
		t.Fatalf("%+v %v", v, err)
	}
	p.b.pbx.set(func() { p.b.pbx.swapped = func() { p.b.pbx.failing("swap", errPBX) } }) // and so the way back fails
	if _, err := p.a.gate.ChangeMode(t.Context(), who("carl"), id, "barge", ""); code(err) != "outcome_unknown" {
		t.Fatal(err)
	}
	if reason := w.act(id, "ended"); reason != "answer_lost" {
		t.Fatal(reason)
	}
	p.b.audit.waits(t, id, audit.Ended)
	p.lose = nil
	v := p.a.mustTape("carl", "boris")
	p.settle()
	ask := gate.RecordAsk{ID: v.ID, Door: "test"}
	p.lose = func(string, string) bool { return true }
	if _, err := p.a.gate.PauseRecording(t.Context(), who("carl"), ask); code(err) != "outcome_unknown" {
		t.Fatal(err)
	}
	state := func() string {
		p.settle()
		all, err := p.a.gate.Recordings(who("carl"))
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v %v", all, err)
		}
		return all[0].State
	}
	if got := state(); got != mask.TapePaused {
		t.Fatal(got)
	}
	if _, err := p.a.gate.ResumeRecording(t.Context(), who("carl"), ask); code(err) != "outcome_unknown" {
		t.Fatal(err)
	}
	if got := state(); got != mask.TapePaused {
		t.Fatalf("what was to go on and could not be said is %s", got)
	}
	p.lose = nil
	if v, err := p.a.gate.ResumeRecording(t.Context(), who("carl"), ask); err != nil || v.State != mask.TapeRecording {
		t.Fatalf("%+v %v", v, err)
	}
}

// Whoever waits for the answer no more: what has been begun is carried through, so that it can be undone as a whole.
func TestWhatIsBegunIsCarriedThroughThoughNobodyWaits(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	p.b.pbx.holds("record")
	ctx, cancel := context.WithCancel(t.Context())
	said := make(chan string, 1)
	undo := func() {}
	go func() {
		answer, back := p.b.gate.Perform(ctx, "a", []byte(request("record", "carl", `{"Target":"boris","Door":"http"}`)))
		undo = back
		said <- string(answer)
	}()
	for !slices.Contains(p.b.log.all(), "record") {
		p.b.log.wait(5 * time.Millisecond)
	}
	cancel()
	p.b.pbx.let()
	if done, code := performed(t, []byte(<-said)); done == "" || undo == nil {
		t.Fatal(code)
	}
	undo()
	if e := p.b.audit.waits(t, "", audit.Ended); e.Reason != "answer_lost" || p.b.pbx.left() != 0 {
		t.Fatalf("%+v", e)
	}
}

// What was locked before stays locked when the answer to a second request is lost, and a call that was taken is the taker's.
func TestWhatWasSoBeforeIsNotUndone(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	k := p.a.mustLock("boris")
	p.lose = func(string, string) bool { return true }
	if _, got := p.a.lock("boris"); got != "outcome_unknown" {
		t.Fatal(got)
	}
	p.settle()
	p.listed("boris", k.ID)
	p.b.rings("y", ivanov, "PJSIP/105")
	p.settle()
	p.lose = func(string, string) bool {
		p.b.log.until(t, "record done")
		return true
	}
	p.a.refused("outcome_unknown", "carl", "intercept", "egor")
	if p.b.pbx.left() != 1 || p.b.row("carl", "carl").State != "talking" {
		t.Fatalf("the caller was cut off: %q", p.b.log.all())
	}
}

// FuzzPerform feeds a gate what no sidecar would write. In this company nobody has a right, so that whatever is asked is answered by a problem, nothing is
// ordered from the PBX, and nothing is recorded but refusals.
func FuzzPerform(f *testing.F) {
	for _, op := range []string{"supervise", "mode", "end", "intercept", "dial", "lock", "unlock", "record", "pause", "resume", "stop", "settings", "set", "x"} {
		f.Add("a", request(op, "anna", `{"Target":"boris","Mode":"spy","Call":"","Phone":"PJSIP/101","Number":"102","Reason":"why","Door":"http"}`))
		f.Add("a", request(op, "anna", `{"ID":"1","Target":"boris","Call":"c","Door":"http","Employee":"boris","Forward":"1","DoNotDisturb":true,"Paused":{"x":true}}`))
		f.Add("a", request(op, "boris", `{"ID":"anna"}`))
		f.Add("a", request(op, "boris", `{"Number":"112"}`))
	}
	f.Add("", "{}")
	c := newFakeCluster(f)
	o := c.office(f, "b", `
version: 1
employees:
  anna:  {name: Anna,  phones: [PJSIP/101], numbers: ["101"]}
  boris: {name: Boris, phones: [PJSIP/102], numbers: ["102"]}
trunks: [PJSIP/trunk]
`)
	o.talk("x", ivanov, "PJSIP/102")
	f.Fuzz(func(t *testing.T, from, message string) {
		before := len(o.log.all())
		answer, undo := o.gate.Perform(t.Context(), from, []byte(message))
		if done, code := performed(t, answer); done != "" || code == "" || undo != nil {
			t.Fatalf("%s was done: %s", message, done)
		}
		for _, line := range o.log.all()[before:] {
			if !strings.HasPrefix(line, "record decided deny ") {
				t.Fatalf("%s: %s", message, line)
			}
		}
	})
}
