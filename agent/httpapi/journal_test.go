package httpapi_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// newArchive is a world in which carl reads and grades everything.
func newArchive(t testing.TB, options ...option) *world {
	t.Helper()
	w := newWorldKept(t, true, func(*gate.Config) {}, options...)
	w.gate.SetPolicy(w.policy(strings.NewReplacer("listen: true", "listen: true, journal: true, statistics: true, grade: true").Replace(policyText)))
	return w
}

func TestTheJournalIsServed(t *testing.T) {
	w := newArchive(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	w.ingest(ends("1", 40)...)
	w.internal("2", "PJSIP/102", "102", "PJSIP/106", "106")
	w.sync()
	var page mask.JournalPage
	a := w.ask("carl", http.MethodGet, "/v1/journal?limit=2", "")
	a.decode(t, &page)
	if a.status != 200 || len(page.Rows) != 2 || page.Next == "" || page.Rows[0].Outcome != "running" || page.Rows[0].Employee != "fred" || page.Rows[0].Peer.Employee != "boris" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var rest mask.JournalPage
	w.ask("carl", http.MethodGet, "/v1/journal?cursor="+page.Next, "").decode(t, &rest)
	if len(rest.Rows) != 1 || rest.Next != "" || rest.Rows[0].Employee != "anna" || rest.Rows[0].Talk != 25 || rest.Rows[0].Wait != 15 || rest.Rows[0].Peer.Number != ivanov.number {
		t.Fatalf("%+v", rest)
	}
	row := "/v1/journal/" + rest.Rows[0].ID
	a = w.ask("carl", http.MethodPut, row+"/grade", `{"value":5,"comment":"good"}`)
	var g mask.Grade
	a.decode(t, &g)
	if a.status != 200 || g.Value != 5 || g.By != "carl" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var one mask.JournalRow
	w.ask("carl", http.MethodGet, row, "").decode(t, &one)
	if len(one.Grades) != 1 || one.Grades[0].Comment != "good" {
		t.Fatalf("%+v", one)
	}
	var s httpapi.Statistics
	w.ask("carl", http.MethodGet, "/v1/statistics?by=employee", "").decode(t, &s)
	if s.By != "employee" || len(s.Figures) != 1 || s.Figures[0].Employee != "anna" || s.Figures[0].Talk != 25 {
		t.Fatalf("%+v", s)
	}
}

func TestWhatIsWrongWithAQuestionToTheJournalIsSaid(t *testing.T) {
	w := newArchive(t)
	for _, c := range []struct {
		who, method, path, body string
		status                  int
		code                    string
	}{
		{"anna", "GET", "/v1/journal", "", 403, "no_right"},
		{"anna", "GET", "/v1/journal.csv", "", 403, "no_right"},
		{"anna", "GET", "/v1/statistics?by=employee", "", 403, "no_right"},
		{"carl", "GET", "/v1/journal?employee=nobody", "", 404, "no_such_employee"},
		{"carl", "GET", "/v1/journal?limit=201", "", 422, "invalid_request"},
		{"carl", "GET", "/v1/journal?outcome=odd", "", 422, "invalid_request"},
		{"carl", "GET", "/v1/journal?from=yesterday", "", 422, "invalid_request"},
		{"carl", "GET", "/v1/journal?cursor=abc", "", 422, "bad_query"},
		{"carl", "GET", "/v1/journal?number=abc", "", 422, "bad_query"},
		{"carl", "GET", "/v1/journal?page=2", "", 400, "unknown_parameter"},
		{"carl", "GET", "/v1/journal/caaaaaaaaaaaaaaaaaaaaaaaaa", "", 404, "no_such_row"},
		{"carl", "GET", "/v1/journal/x", "", 404, "no_such_row"},
		{"carl", "PUT", "/v1/journal/x/grade", `{"value":3}`, 404, "no_such_row"},
		{"carl", "PUT", "/v1/journal/x/grade", `{"value":0}`, 422, "bad_grade"},
		{"carl", "PUT", "/v1/journal/x/grade", `{"value":"3"}`, 400, "wrong_type"},
		{"carl", "GET", "/v1/lines/x/history", "", 404, "no_such_line"},
		{"carl", "GET", "/v1/lines/x/statistics", "", 404, "no_such_line"},
		{"carl", "GET", "/v1/statistics?by=hour", "", 422, "bad_query"},
		{"carl", "GET", "/v1/statistics", "", 422, "invalid_request"},
	} {
		if a := w.ask(c.who, c.method, c.path, c.body); a.status != c.status || a.problem(t).Code != c.code {
			t.Errorf("%s %s by %s: %d %s", c.method, c.path, c.who, a.status, a.body)
		}
	}
	for parameter, path := range map[string]string{"limit": "/v1/journal?limit=201", "outcome": "/v1/journal?outcome=odd", "from": "/v1/journal?from=yesterday", "by": "/v1/statistics"} {
		p := w.ask("carl", http.MethodGet, path, "").problem(t)
		if !strings.Contains(p.Detail, "parameter "+parameter+" ") || strings.Contains(p.Detail, "yesterday") {
			t.Errorf("%s: %s", path, p.Detail)
		}
	}
	w = newWorld(t)
	for _, path := range []string{"/v1/journal", "/v1/journal.csv", "/v1/journal/x", "/v1/statistics?by=day&from=2026-10-01T09:00:00Z", "/v1/lines/x/history", "/v1/lines/x/statistics"} {
		if a := w.ask("carl", http.MethodGet, path, ""); a.status != 404 || a.problem(t).Code != "no_journal" {
			t.Errorf("%s without a journal: %d %s", path, a.status, a.body)
		}
	}
}

func TestTheExportHasEveryRowAndNoFormula(t *testing.T) {
	w := newArchive(t)
	const n = 450
	for i := range n {
		o := outside{`=HYPERLINK("http://x","y")`, ivanov.number}
		w.ingest(o.rings(fmt.Sprint(i), "PJSIP/101", "101", 10+i)...)
		w.ingest(ends(fmt.Sprint(i), 12+i)...)
	}
	w.sync()
	a := w.ask("carl", http.MethodGet, "/v1/journal.csv?number="+url.QueryEscape(ivanov.number), "")
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") || !strings.Contains(a.header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	all, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil || len(all) != n+1 {
		t.Fatalf("%d lines, %v", len(all), err)
	}
	for _, r := range all[1:] {
		if r[0] != "anna" || r[8] != "'"+ivanov.number || r[9] != `'=HYPERLINK("http://x","y")` {
			t.Fatalf("%q", r)
		}
		for _, cell := range r {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				t.Fatalf("%q is taken for a formula", cell)
			}
		}
	}
	if len(w.book.All()) != 1 || w.book.All()[0].Phase != audit.Disclosed || w.book.All()[0].Detail != "export+number" {
		t.Errorf("%+v", w.book.All())
	}
}

func TestExportsAreLimitedApart(t *testing.T) {
	limits := generous
	limits.Exports = httpapi.Rate{PerMinute: 1, Burst: 2}
	w := newArchive(t, func(c *httpapi.Config) { c.Limits = limits })
	for range 2 {
		if a := w.ask("carl", http.MethodGet, "/v1/journal.csv", ""); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := w.ask("carl", http.MethodGet, "/v1/journal.csv", ""); a.status != 429 || a.problem(t).Code != "too_many_requests" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.metric(t, `earshot_http_limited_total{limit="exports"}`, 1)
	if a := w.ask("carl", http.MethodGet, "/v1/journal", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.book.Refuse(fmt.Errorf("disk full"))
	w.clock.Add(120)
	if a := w.ask("dora", http.MethodGet, "/v1/journal.csv", ""); a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAnExportThatCannotBeRecordedIsNotHandedOut(t *testing.T) {
	w := newArchive(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	w.sync()
	w.book.Refuse(fmt.Errorf("disk full"))
	if a := w.ask("carl", http.MethodGet, "/v1/journal.csv", ""); a.status != 503 || a.problem(t).Code != "not_recorded" || strings.Contains(string(a.body), ivanov.number) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
