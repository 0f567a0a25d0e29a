package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/mask"
)

// Ten thousand requests to the journal with guessed and foreign ids and cursors, dots, encodings, ranges and filters get nothing of a call that is another's,
// and grade none. Beside them, all along, who has the right is served.
func TestTenThousandGuessesAtTheJournalDiscloseNothing(t *testing.T) {
	w := newArchive(t)
	w.gate.SetPolicy(w.policy(strings.NewReplacer("listen: true", "listen: true, journal: true, statistics: true, grade: true, recordings: true",
		"department: sales, lock: true", "department: sales, lock: true, journal: own, statistics: own, recordings: own").Replace(policyText)))
	hidden := outside{"SECRET PERSON", "+79167654321"}
	w.ingest(hidden.rings("1", "PJSIP/102", "102", 10)...)
	w.ingest(ends("1", 12)...)
	w.talking(ivanov, "2", "PJSIP/101", "101")
	w.sync()
	page := func(who, query string) (p mask.JournalPage) {
		w.ask(who, http.MethodGet, "/v1/journal?"+query, "").decode(t, &p)
		return p
	}
	first := page("carl", "limit=1")
	foreign, cursor := page("carl", "employee=boris").Rows[0].ID, first.Next
	if own := page("anna", "").Rows; len(own) != 1 || own[0].Employee != "anna" {
		t.Fatalf("anna reads %+v", own)
	}
	r := guesses{rand.New(rand.NewPCG(8, 8))}
	ids := []func() string{
		func() string { return r.word(len(foreign)) }, func() string { return r.flip(foreign) }, func() string { return foreign }, func() string { return cursor },
		func() string {
			odd := []string{"1", "0", "-1", "*", "%00", "..", "../boris", "%2e%2e", "%252e%252e", "....//", "1763790000.12", strings.ToUpper(foreign), foreign + "%00", foreign + "%20", foreign + "/", foreign + "/..", foreign + "a", foreign[:25], "%e2%80%ae" + foreign, "journal.csv", url.PathEscape(hidden.number)}
			return odd[r.IntN(len(odd))]
		},
	}
	id := func() string { return ids[r.IntN(len(ids))]() }
	query := func() string {
		q := url.Values{}
		for range 1 + r.IntN(3) {
			of := [][2]string{{"employee", "boris"}, {"employee", "*"}, {"employee", "anna"}, {"department", "sales"}, {"department", "back"}, {"number", hidden.number}, {"number", "%"}, {"line", "' OR 1=1 --"}, {"cursor", id()}, {"limit", "200"}, {"outcome", "missed"}, {"direction", "in"}, {"from", "2026-10-01T09:00:00Z"}, {"to", "9999-01-01T00:00:00Z"}, {"x", "1"}}[r.IntN(15)]
			q.Set(of[0], of[1])
		}
		return "?" + q.Encode()
	}
	type ask struct{ method, path, body string }
	guess := func() ask {
		switch r.IntN(8) {
		case 0:
			return ask{"PUT", "/v1/journal/" + id() + "/grade", `{"value":1,"comment":"SECRET"}`}
		case 1:
			return ask{"GET", "/v1/journal" + query(), ""}
		case 2:
			return ask{"GET", "/v1/journal.csv" + query(), ""}
		case 3:
			return ask{"GET", []string{"/v1/statistics?by=employee&", "/v1/statistics.csv?by=employee&"}[r.IntN(2)] + query()[1:], ""}
		case 4:
			return ask{"GET", "/v1/recordings/" + id(), ""}
		case 5:
			return ask{"GET", "/v1/lines/" + id() + "/history", ""}
		}
		return ask{[]string{"GET", "HEAD"}[r.IntN(2)], "/v1/journal/" + id(), ""}
	}
	people := []string{"anna", "boris", "dora", "egor", "fred", ""}
	statuses := map[int]int{}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	for i := range 10_000 {
		if i%500 == 0 {
			if a := w.ask("carl", http.MethodGet, "/v1/journal/"+foreign, ""); a.status != 200 || !bytes.Contains(a.body, []byte(hidden.number)) {
				t.Fatalf("the control: %d %s", a.status, a.body)
			}
		}
		a, who := guess(), people[r.IntN(len(people))]
		var body io.Reader
		if a.body != "" {
			body = strings.NewReader(a.body)
		}
		req, err := http.NewRequestWithContext(t.Context(), a.method, w.web.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = "//" + req.URL.Host + a.path // as it is written, so that no client of Go's tidies it
		if a.body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		if who != "" {
			req.Header.Set("Authorization", "Bearer "+w.token[who])
		}
		if r.IntN(3) == 0 {
			req.Header.Set("Range", []string{"bytes=0-9", "bytes=-1", "bytes=0-0,2-3", "rows=0-1"}[r.IntN(4)])
		}
		if r.IntN(3) == 0 {
			req.Header.Set("Accept", []string{"text/csv", "text/*", "*/*;q=0", "application/xml"}[r.IntN(4)])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", a.method, a.path, err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		statuses[resp.StatusCode]++
		about := strings.Contains(a.path, "?") // the journal or its figures as a whole, of which anna may have her own
		if resp.StatusCode >= 500 || resp.StatusCode < 400 && (who != "anna" || !about) || resp.StatusCode == 206 {
			t.Fatalf("%s %s as %q: %d %q", a.method, a.path, who, resp.StatusCode, got)
		}
		for _, secret := range []string{"SECRET", hidden.number[1:], `"boris"`, "\nboris,"} {
			if bytes.Contains(got, []byte(secret)) {
				t.Fatalf("%s %s as %q: %d %q", a.method, a.path, who, resp.StatusCode, got)
			}
		}
		if resp.StatusCode == 404 && a.method == "GET" && strings.HasPrefix(a.path, "/v1/journal/") {
			var p struct{ Code string }
			if json.Unmarshal(got, &p) != nil || p.Code != "no_such_row" && p.Code != "no_such_path" {
				t.Fatalf("%s: not as every other: %s", a.path, got)
			}
		}
	}
	t.Logf("statuses: %v", statuses)
	if statuses[200] == 0 || statuses[404] == 0 || statuses[403] == 0 || statuses[401] == 0 || statuses[400] == 0 {
		t.Errorf("too little was tried: %v", statuses)
	}
	if g := page("carl", "employee=boris").Rows[0].Grades; len(g) != 0 {
		t.Errorf("a guess graded: %+v", g)
	}
}
