package httpapi_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	past "github.com/earshot-pbx/earshot/agent/journal"
)

// figured is a world with calls behind it, of which carl and egor may see figures.
func figured(t testing.TB) *world {
	w := newArchive(t)
	w.gate.SetPolicy(w.policy(strings.NewReplacer("listen: true", "listen: true, journal: true, statistics: true").Replace(policyText) + `
lines: {support: {queue: help, members: [anna]}}
roles: {lines: {"line.statistics": any, "line.view": any}}
assign: [{role: lines, to: [carl]}]
`))
	w.ingest(ivanov.rings("1", "PJSIP/101", "101", 1)...)
	w.ingest(ends("1", 40)...)
	w.sync()
	return w
}

// Who prefers CSV to JSON gets it, by the rules of HTTP; who is indifferent, or wants what there is not, gets JSON.
func TestTheFormOfAnAnswerIsTheOneThatIsPreferred(t *testing.T) {
	w := figured(t)
	for accept, want := range map[string]string{
		"":                                  "json",
		"*/*":                               "json",
		"application/json":                  "json",
		"text/csv":                          "csv",
		"TEXT/CSV":                          "csv",
		"text/csv; charset=utf-8":           "csv",
		"text/*":                            "csv",
		"text/csv, application/json":        "json",
		"text/csv, */*;q=0.8":               "csv",
		"text/csv;q=0.5, */*;q=0.8":         "json",
		"text/csv;q=0.9, application/*":     "json",
		"application/json;q=0.4, text/*":    "csv",
		"text/csv;q=0, text/*":              "json",
		"*/*, application/json;q=0":         "csv",
		"application/*;q=0.1, */*;q=0.2":    "csv",
		"text/csv;q=2, */*":                 "json",
		"text/csv;q=x":                      "json",
		"text/csv;q=NaN":                    "json",
		"text/html":                         "json",
		"text/csv;q=0.001, application/xml": "csv",
		",;,text/csv,,":                     "csv",
	} {
		for _, path := range []string{"/v1/journal", "/v1/statistics?by=employee", "/v1/lines/support/statistics"} {
			a := w.ask("carl", http.MethodGet, path, "", "Accept", accept)
			got := strings.TrimPrefix(strings.TrimPrefix(strings.SplitN(a.header.Get("Content-Type"), ";", 2)[0], "application/"), "text/")
			if a.status != 200 || got != want || a.header.Get("Vary") != "Accept" {
				t.Errorf("%s with %q: %d, %s and not %s; Vary: %q", path, accept, a.status, got, want, a.header.Get("Vary"))
			}
		}
	}
	if a := w.ask("carl", http.MethodGet, "/v1/me", "", "Accept", "text/csv"); a.status != 200 || a.header.Get("Vary") != "" || !json.Valid(a.body) {
		t.Errorf("what has one form alone: %d %v", a.status, a.header)
	}
	if a := w.ask("dora", http.MethodGet, "/v1/journal", "", "Accept", "text/csv"); a.status != 403 || a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Vary") != "Accept" {
		t.Errorf("a refusal: %d %v", a.status, a.header)
	}
}

// Both ways to CSV are one: the same bytes, the same record, the same refusals.
func TestCSVIsTheSameByItsPathAndByAccept(t *testing.T) {
	w := figured(t)
	for _, path := range []string{"/v1/journal%s?employee=anna", "/v1/statistics%s?by=employee", "/v1/lines/support/statistics%s?by=line"} {
		byPath := w.ask("carl", http.MethodGet, fmt.Sprintf(path, ".csv"), "")
		byAccept := w.ask("carl", http.MethodGet, fmt.Sprintf(path, ""), "", "Accept", "text/csv")
		if byPath.status != 200 || !bytes.Equal(byPath.body, byAccept.body) || byAccept.header.Get("Content-Disposition") != byPath.header.Get("Content-Disposition") {
			t.Errorf("%s:\n%d %s\n%d %s", path, byPath.status, byPath.body, byAccept.status, byAccept.body)
		}
	}
	n := len(w.book.All())
	if n != 2 {
		t.Errorf("%d entries were made of two exports", n)
	}
	for _, path := range []string{"/v1/journal?limit=1", "/v1/journal?cursor=x"} {
		if a := w.ask("carl", http.MethodGet, path, "", "Accept", "text/csv"); a.status != 400 {
			t.Errorf("a page as CSV, which is of everything: %d %s", a.status, a.body)
		}
	}
	w.book.Refuse(fmt.Errorf("disk full"))
	if a := w.ask("carl", http.MethodGet, "/v1/journal", "", "Accept", "text/csv"); a.status != 503 || strings.Contains(string(a.body), "anna") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestFiguresAreTheSameInBothForms(t *testing.T) {
	w := figured(t)
	from := start.Add(-time.Hour).Format("2006-01-02T15:04:05Z")
	for _, path := range []string{"/v1/statistics?by=employee", "/v1/statistics?by=department", "/v1/statistics?by=hour&from=" + from, "/v1/statistics?by=day&from=" + from} {
		var want httpapi.Statistics
		w.ask("carl", http.MethodGet, path, "").decode(t, &want)
		a := w.ask("carl", http.MethodGet, path, "", "Accept", "text/csv")
		rows, err := csv.NewReader(bytes.NewReader(a.body)).ReadAll()
		if err != nil || len(rows) != len(want.Figures)+1 || len(want.Figures) == 0 || strings.Join(rows[0], ",") != "employee,department,line,began,calls,answered,missed,abandoned,talk,wait" {
			t.Fatalf("%s: %q, %v", path, rows, err)
		}
		for i, f := range want.Figures {
			began := ""
			if f.Began != nil {
				began = f.Began.Format(time.RFC3339)
			}
			if got, want := strings.Join(rows[i+1], ","), fmt.Sprintf("%s,%s,%s,%s,%d,%d,%d,%d,%d,%d", f.Employee, f.Department, f.Line, began, f.Calls, f.Answered, f.Missed, f.Abandoned, f.Talk, f.Wait); got != want {
				t.Errorf("%s: %s, not %s", path, got, want)
			}
		}
	}
}

// endless is a journal of more calls than there is memory for.
type endless struct {
	gate.Journal
	of   past.Row
	read atomic.Int64
}

func (e *endless) Rows(ctx context.Context, f past.Filter) ([]past.Row, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	rows := make([]past.Row, f.Limit)
	for i := range rows {
		rows[i] = e.of
		rows[i].At = past.CursorAt(1, 1)
	}
	e.read.Add(int64(len(rows)))
	return rows, nil
}

func (*endless) Gaps(context.Context, time.Time, time.Time) ([]past.Gap, error) { return nil, nil }

func (*endless) Grades(context.Context, string) ([]past.Grade, error) { return nil, nil }

// sink takes an answer until it has had enough, and notes how far the journal was read beyond what has come.
type sink struct {
	http.ResponseWriter
	from         *endless
	lines, ahead int64
	leave        context.CancelFunc
}

func (*sink) SetWriteDeadline(time.Time) error { return nil }

func (k *sink) Write(p []byte) (int, error) {
	k.lines += int64(bytes.Count(p, []byte("\n")))
	k.ahead = max(k.ahead, k.from.read.Load()-k.lines)
	if k.lines > 100_000 {
		k.leave()
	}
	return len(p), nil
}

// An export is in memory a page at a time, and ends when who asked for it has gone.
func TestAnExportIsNeverInMemoryAsAWhole(t *testing.T) {
	all := &endless{of: past.Row{Call: &past.Call{ID: "x", Began: start, Ended: start, Legs: []past.Leg{{ID: "a", Endpoint: "PJSIP/101", Employee: "anna", Began: start, Ended: start, Outcome: past.Missed}}}}}
	all.of.Leg = &all.of.Call.Legs[0]
	w := newWorldOver(t, func(c *gate.Config) { c.Journal = all })
	w.gate.SetPolicy(w.policy(strings.NewReplacer("listen: true", "listen: true, journal: true").Replace(policyText)))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/v1/journal.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token["carl"])
	out := &sink{ResponseWriter: discarded{http.Header{}}, from: all, leave: leave}
	broken := func() (v any) {
		defer func() { v = recover() }()
		w.door.ServeHTTP(out, req)
		return nil
	}()
	if broken != http.ErrAbortHandler {
		t.Errorf("it ended with %v", broken)
	}
	if out.lines < 100_000 || out.lines > 101_000 || out.ahead > 1000 {
		t.Errorf("after %d lines it had ended, at most %d rows ahead", out.lines, out.ahead)
	}
}

type discarded struct{ h http.Header }

func (d discarded) Header() http.Header       { return d.h }
func (discarded) Write(p []byte) (int, error) { return len(p), nil }
func (discarded) WriteHeader(int)             {}
