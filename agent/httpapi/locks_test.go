package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
)

func TestTheSupervisedMayAskOfWhatTheyAreTold(t *testing.T) {
	w := newWorld(t)
	if a := w.ask("anna", http.MethodGet, "/v1/me/supervised", ""); a.status != 200 || strings.TrimSpace(string(a.body)) != `{"supervised":[]}` {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.gate.SetPolicy(w.policy(strings.Replace(policyText, "observe: true, listen: true", "observe: true, listen: {to: any, notify: panel}", 1)))
	w.talking(ivanov, "1", "PJSIP/101", "101")
	if a := w.ask("carl", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.answered(recv(t, w.pbx.rung).Leg, "PJSIP/103")
	recv(t, w.pbx.tapped)
	var list httpapi.SupervisedCalls
	for len(list.Supervised) == 0 {
		w.ask("anna", http.MethodGet, "/v1/me/supervised", "").decode(t, &list)
	}
	if v := list.Supervised[0]; v.By != "carl" || v.Mode != "spy" || v.State != "active" {
		t.Fatalf("%+v", v)
	}
	if a := w.ask("anna", http.MethodGet, "/v1/employees", ""); !strings.Contains(string(a.body), `"supervised":true`) {
		t.Fatalf("her own row does not say so: %s", a.body)
	}
	if a := w.ask("carl", http.MethodGet, "/v1/employees", ""); strings.Contains(string(a.body), `"supervised"`) {
		t.Fatalf("another is told: %s", a.body)
	}
}

func TestAPrivateLockFromRequestToEnd(t *testing.T) {
	w := newWorld(t)
	if a := w.ask("anna", http.MethodPost, "/v1/locks", `{}`); a.status != 409 || a.problem(t).Code != "not_on_call" {
		t.Fatalf("on no call: %d %s", a.status, a.body)
	}
	w.talking(ivanov, "1", "PJSIP/101", "101")
	if a := w.ask("boris", http.MethodPost, "/v1/locks", `{}`); a.status != 403 || a.problem(t).Code != "no_right" {
		t.Fatalf("by who may not: %d %s", a.status, a.body)
	}
	var board gate.Board
	w.ask("anna", http.MethodGet, "/v1/employees", "").decode(t, &board)
	handle := board.Employees[0].Calls[0].ID
	if a := w.ask("anna", http.MethodPost, "/v1/locks", `{"call":"caaaaaaaaaaaaaaaaaaaa"}`); a.status != 404 {
		t.Fatalf("of no call: %d %s", a.status, a.body)
	}
	a := w.ask("anna", http.MethodPost, "/v1/locks", fmt.Sprintf(`{"call":%q}`, handle))
	var v mask.Lock
	a.decode(t, &v)
	if a.status != 201 || v.ID == "" || v.Call != handle || v.Since.IsZero() {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.ask("anna", http.MethodGet, "/v1/employees", ""); !strings.Contains(string(a.body), `"locked":true`) {
		t.Fatalf("her own row does not say so: %s", a.body)
	}
	if a := w.ask("carl", http.MethodGet, "/v1/employees", ""); strings.Contains(string(a.body), `locked`) {
		t.Fatalf("another is told: %s", a.body)
	}
	if a := w.ask("carl", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`); a.status != 403 || a.problem(t).Code != "not_for_this_call" || a.problem(t).Rule != "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var list httpapi.Locks
	w.ask("anna", http.MethodGet, "/v1/locks", "").decode(t, &list)
	if len(list.Locks) != 1 || list.Locks[0] != v {
		t.Fatalf("%+v", list)
	}
	if a := w.ask("carl", http.MethodDelete, "/v1/locks/"+v.ID, ""); a.status != 404 || a.problem(t).Code != "no_such_lock" {
		t.Fatalf("by another: %d %s", a.status, a.body)
	}
	if a := w.ask("anna", http.MethodDelete, "/v1/locks/"+v.ID, ""); a.status != 204 || len(a.body) != 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.ask("anna", http.MethodGet, "/v1/locks", ""); strings.TrimSpace(string(a.body)) != `{"locks":[]}` {
		t.Fatalf("%s", a.body)
	}
	if a := w.ask("carl", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}
