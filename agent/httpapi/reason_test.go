package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// Who is told that a change of mode requires a reason can do as he is told.
func TestAChangeOfModeTakesAReason(t *testing.T) {
	w := newWorld(t)
	w.gate.SetPolicy(w.policy(strings.Replace(policyText, "observe: true, listen: true", "observe: true, spy: any, whisper: {to: any, reason: true}", 1)))
	w.talking(ivanov, "1", "PJSIP/101", "101")
	s := w.watch("carl")
	var v mask.Supervision
	w.ask("carl", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`).decode(t, &v)
	w.answered(recv(t, w.pbx.rung).Leg, "PJSIP/103")
	recv(t, w.pbx.tapped)
	for m := s.next(); m.Supervision == nil || m.Supervision.State != "active"; m = s.next() {
	}
	patch := func(body string) answer { return w.ask("carl", http.MethodPatch, "/v1/supervisions/"+v.ID, body) }
	if a := patch(`{"mode":"whisper"}`); a.status != 403 || a.problem(t).Code != "reason_required" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := patch(`{"mode":"whisper","reason":"a\nb"}`); a.status != 422 || a.problem(t).Code != "bad_reason" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := patch(`{"mode":"whisper","reason":"complaint 4711"}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if e := w.book.Last(); e.Phase != audit.Done || e.Mode != "whisper" || e.Given != "complaint 4711" {
		t.Errorf("on record is %+v", e)
	}
}
