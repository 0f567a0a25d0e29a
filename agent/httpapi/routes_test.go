package httpapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
)

func asClose(err error, c *websocket.CloseError) bool { return errors.As(err, c) }

func TestMeTellsWhoOneIs(t *testing.T) {
	w := newWorld(t)
	a := w.ask("carl", http.MethodGet, "/v1/me", "")
	var me gate.Me
	a.decode(t, &me)
	if a.status != 200 || me.ID != "carl" || len(me.Phones) != 2 || strings.Join(me.Actions, " ") != "observe spy whisper barge" {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

func TestTheBoardShowsCallsAsTheSightAllows(t *testing.T) {
	w := newWorld(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	for _, c := range []struct {
		who    string
		hidden bool
	}{{"carl", false}, {"dora", true}, {"anna", false}} {
		var b gate.Board
		w.ask(c.who, http.MethodGet, "/v1/employees", "").decode(t, &b)
		if !b.Known || b.Me.ID != c.who || len(b.Employees) != 6 {
			t.Fatalf("%s: %+v", c.who, b)
		}
		anna := b.Employees[0]
		if anna.ID != "anna" || anna.State != mask.Talking || len(anna.Calls) != 1 || anna.Calls[0].Hidden != c.hidden {
			t.Fatalf("%s sees %+v", c.who, anna)
		}
		if p := anna.Calls[0].Peer; c.hidden != (p == nil) || p != nil && p.Number != ivanov.number {
			t.Fatalf("%s sees the peer %+v", c.who, p)
		}
	}
}

func TestASupervisionFromRequestToEnd(t *testing.T) {
	w := newWorld(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	a := w.ask("carl", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy","phone":"PJSIP/113"}`)
	var v mask.Supervision
	a.decode(t, &v)
	where := "/v1/supervisions/" + v.ID
	if a.status != 201 || a.header.Get("Location") != where || v.State != "ringing" || v.Target != "anna" || v.Mode != "spy" || v.Phone != "PJSIP/113" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	ring := recv(t, w.pbx.rung)
	w.answered(ring.Leg, "PJSIP/113")
	recv(t, w.pbx.tapped)
	if a := w.ask("carl", http.MethodGet, where, ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var list httpapi.Supervisions
	w.ask("carl", http.MethodGet, "/v1/supervisions", "").decode(t, &list)
	if len(list.Supervisions) != 1 || list.Supervisions[0].ID != v.ID {
		t.Fatalf("%+v", list)
	}
	// To another it is as if it never was.
	never := w.ask("dora", http.MethodGet, "/v1/supervisions/never", "")
	for _, m := range []string{http.MethodGet, http.MethodDelete} {
		if a := w.ask("dora", m, where, ""); a.status != 404 || string(a.body) != string(never.body) {
			t.Fatalf("%s by another: %d %s", m, a.status, a.body)
		}
	}
	if a := w.ask("carl", http.MethodDelete, where, ""); a.status != 204 || len(a.body) != 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.ask("carl", http.MethodGet, where, ""); a.status != 404 || a.problem(t).Code != "no_such_supervision" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.ask("carl", http.MethodGet, "/v1/supervisions", ""); strings.TrimSpace(string(a.body)) != `{"supervisions":[]}` {
		t.Fatalf("%s", a.body)
	}
}
