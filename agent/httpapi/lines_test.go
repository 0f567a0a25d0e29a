package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// withLines gives the world's policy two lines: carl may all on sales, dora views it, egor nothing.
func withLines() string {
	return strings.NewReplacer(
		"observe: true, listen: true}", "observe: true, listen: true, line.view: [line:sales], line.connect: [line:sales], line.change: [line:sales], line.join: [line:sales], line.replies: [line:sales]}",
		"except: [egor]}}", "except: [egor]}, line.view: [line:sales], line.connect: [line:sales]}",
	).Replace(policyText) + "lines:\n  sales: {name: Sales line, queue: q1, members: [anna, boris]}\n  back: {members: [dora]}\n"
}

func newLineWorld(t *testing.T) *world {
	w := newWorld(t)
	w.gate.SetPolicy(w.policy(withLines()))
	w.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "q1", Members: []queue.Member{{Interface: "PJSIP/101", Penalty: 2}}}}})
	w.gate.SetReplies(map[string][]mask.Reply{"sales": {{ID: "hello", Title: "Greeting", Text: "Good day."}}})
	return w
}

func TestLinesAreServedToWhoMayViewThem(t *testing.T) {
	w := newLineWorld(t)
	var list httpapi.Lines
	w.ask("dora", http.MethodGet, "/v1/lines", "").decode(t, &list)
	if len(list.Lines) != 1 || list.Lines[0].ID != "sales" || !list.Lines[0].Known || len(list.Lines[0].Members) != 2 || list.Lines[0].Members[0].Penalty != 2 {
		t.Fatalf("%+v", list)
	}
	if a := w.ask("egor", http.MethodGet, "/v1/lines", ""); strings.TrimSpace(string(a.body)) != `{"lines":[]}` {
		t.Fatalf("%s", a.body)
	}
	var one mask.Line
	w.ask("carl", http.MethodGet, "/v1/lines/sales", "").decode(t, &one)
	if strings.Join(one.Can, " ") != "change join replies" {
		t.Fatalf("%+v", one)
	}
	there, not := w.ask("egor", http.MethodGet, "/v1/lines/sales", ""), w.ask("egor", http.MethodGet, "/v1/lines/nowhere", "")
	if there.status != 404 || string(there.body) != string(not.body) || there.problem(t).Code != "no_such_line" {
		t.Fatalf("%s %s", there.body, not.body)
	}
	var replies httpapi.Replies
	w.ask("carl", http.MethodGet, "/v1/lines/sales/replies", "").decode(t, &replies)
	if len(replies.Replies) != 1 || replies.Replies[0].Text != "Good day." {
		t.Fatalf("%+v", replies)
	}
	if a := w.ask("dora", http.MethodGet, "/v1/lines/sales/replies", ""); a.status != 403 || a.problem(t).Code != "no_right" {
		t.Fatalf("%s", a.body)
	}
}

func TestWhoWorksOnALineIsChanged(t *testing.T) {
	w := newLineWorld(t)
	for _, c := range []struct {
		who, method, path, body string
		status                  int
		code                    string
	}{
		{"carl", http.MethodPut, "sales/members/boris", `{"penalty":3,"paused":true}`, 204, ""},
		{"carl", http.MethodPut, "sales/members/anna", `{}`, 204, ""},
		{"carl", http.MethodDelete, "sales/members/anna", "", 204, ""},
		{"carl", http.MethodDelete, "sales/members/boris", "", 404, "no_such_member"},
		{"carl", http.MethodPut, "sales/members/nobody", `{}`, 404, "no_such_employee"},
		{"carl", http.MethodPut, "sales/members/boris", `{"penalty":-1}`, 422, "bad_penalty"},
		{"carl", http.MethodPut, "sales/members/boris", `{"penalty":1.5}`, 400, "wrong_type"},
		{"carl", http.MethodPut, "sales/members/boris", `{"queue":"q2"}`, 400, "unknown_member"},
		{"carl", http.MethodPut, "back/members/boris", `{}`, 404, "no_such_line"},
		{"dora", http.MethodPut, "sales/members/boris", `{}`, 403, "no_right"},
		{"egor", http.MethodPut, "sales/members/boris", `{}`, 404, "no_such_line"},
		{"egor", http.MethodDelete, "nowhere/members/boris", "", 404, "no_such_line"},
	} {
		a := w.ask(c.who, c.method, "/v1/lines/"+c.path, c.body)
		if a.status != c.status || c.code != "" && a.problem(t).Code != c.code {
			t.Errorf("%+v: %d %s", c, a.status, a.body)
		}
	}
}

// dora works on the line and has no line.change.
func TestWhoWorksOnALinePausesHimselfByHTTP(t *testing.T) {
	w := newLineWorld(t)
	w.gate.SetPolicy(w.policy(strings.Replace(withLines(), "members: [anna, boris]", "members: [anna, boris, dora]", 1)))
	for _, c := range []struct {
		employee, body string
		status         int
	}{{"dora", `{"paused":true}`, 204}, {"anna", `{"paused":true}`, 403}, {"dora", `{"penalty":1}`, 403}} {
		if a := w.ask("dora", http.MethodPut, "/v1/lines/sales/members/"+c.employee, c.body); a.status != c.status {
			t.Errorf("%+v: %d %s", c, a.status, a.body)
		}
	}
}

func TestAConversationIsJoinedAndTakenOverByHTTP(t *testing.T) {
	w := newLineWorld(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	for _, c := range []struct {
		who, path, body string
		status          int
		code            string
	}{
		{"carl", "sales/joins", `{"target":"anna"}`, 409, "not_on_line"}, // no line's conversation
		{"carl", "sales/takeovers", `{"target":"anna","call":"caaaaaaaaaaaaaaaaaaaa"}`, 404, "no_such_call"},
		{"carl", "sales/joins", `{}`, 422, "no_target"},
		{"carl", "sales/joins", `{"target":"anna","phone":"PJSIP/101"}`, 422, "not_your_phone"},
		{"dora", "sales/joins", `{"target":"anna"}`, 403, "no_right"},
		{"egor", "sales/takeovers", `{"target":"anna"}`, 404, "no_such_line"},
		{"egor", "nowhere/takeovers", `{"target":"anna"}`, 404, "no_such_line"},
	} {
		a := w.ask(c.who, http.MethodPost, "/v1/lines/"+c.path, c.body)
		if a.status != c.status || a.problem(t).Code != c.code {
			t.Errorf("%+v: %d %s", c, a.status, a.body)
		}
	}
}

func TestAJoiningIsFoundAndEndedByHTTP(t *testing.T) {
	w := newLineWorld(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	trunk := phone("1.t", "PJSIP/trunk", call.StateUp, ivanov.identity(), call.Identity{})
	trunk.Name, trunk.App, trunk.Queue = "PJSIP/trunk-00000001", "Queue", "q1"
	leg := phone("1.p", "PJSIP/101", call.StateUp, call.Identity{Number: "101"}, ivanov.identity())
	leg.Name = "PJSIP/101-00000001"
	w.ingest(call.Event{Kind: call.LegSeen, Channel: trunk, At: at(20)}, call.Event{Kind: call.LegSeen, Channel: leg, At: at(20)})
	var list httpapi.Conversations
	w.ask("carl", http.MethodGet, "/v1/lines/sales/conversations", "").decode(t, &list)
	if len(list.Conversations) != 1 || list.Conversations[0].Employee != "anna" || list.Conversations[0].Call.Peer == nil || strings.Join(list.Conversations[0].Can, " ") != "join" {
		t.Fatalf("%+v", list)
	}
	if a := w.ask("dora", http.MethodGet, "/v1/lines/sales/conversations", ""); strings.TrimSpace(string(a.body)) != `{"conversations":[]}` {
		t.Errorf("dora, who views: %s", a.body)
	}
	there, not := w.ask("egor", http.MethodGet, "/v1/lines/sales/conversations", ""), w.ask("egor", http.MethodGet, "/v1/lines/nowhere/conversations", "")
	if there.status != 404 || string(there.body) != string(not.body) {
		t.Errorf("%s %s", there.body, not.body)
	}
	a := w.ask("carl", http.MethodPost, "/v1/lines/sales/joins", `{"target":"anna"}`)
	var begun, found mask.Join
	a.decode(t, &begun)
	where := a.header.Get("Location")
	if a.status != http.StatusCreated || where != "/v1/lines/sales/joins/"+begun.ID {
		t.Fatalf("%d %q", a.status, where)
	}
	w.ask("carl", http.MethodGet, where, "").decode(t, &found)
	if found.ID != begun.ID || found.State != "ringing" {
		t.Errorf("%+v", found)
	}
	var own httpapi.OwnJoins
	w.ask("carl", http.MethodGet, "/v1/me/joins", "").decode(t, &own)
	var joins httpapi.Joins
	w.ask("carl", http.MethodGet, "/v1/lines/sales/joins", "").decode(t, &joins)
	if len(own.Joins) != 1 || len(joins.Joins) != 1 || len(joins.Joined) != 0 {
		t.Errorf("%+v %+v", own, joins)
	}
	if m := w.watch("carl").next(); m.Board == nil || len(m.Board.Joins) != 1 || m.Board.Joins[0].ID != begun.ID {
		t.Errorf("%+v", m.Board)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if a := w.ask("dora", method, where, ""); a.status != 404 || a.problem(t).Code != "no_such_join" {
			t.Errorf("another's: %d %s", a.status, a.body)
		}
	}
	if a := w.ask("carl", http.MethodDelete, where, ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.ask("carl", http.MethodGet, where, ""); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
