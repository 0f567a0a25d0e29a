package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
)

// serve has the door answer a request as somebody, without a network. Headers are lines. What is no request at all has no answer.
func (w *world) serve(t testing.TB, who, method, target, headers, body string) *httptest.ResponseRecorder {
	u, err := url.ParseRequestURI(target)
	if err != nil || u.Host != "" || !strings.HasPrefix(target, "/") {
		return nil
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://earshot.example.com/", strings.NewReader(body))
	if err != nil {
		return nil
	}
	r.URL, r.RequestURI, r.RemoteAddr = u, target, "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+w.token[who])
	r.Header.Set("Content-Type", "application/json")
	for line := range strings.SplitSeq(headers, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok && !strings.EqualFold(name, "Authorization") && !strings.EqualFold(name, "Cookie") && !strings.EqualFold(name, "Upgrade") {
			r.Header.Add(name, value)
		}
	}
	a := httptest.NewRecorder()
	w.door.ServeHTTP(a, r)
	return a
}

// Whatever somebody asks who has no right: it has an answer that is not the door's own fault, a problem where it is an error, that tells nothing of who is
// hidden; nothing is ordered of the PBX, and nothing but refusals comes into the record.
func FuzzRequest(f *testing.F) {
	for _, s := range []struct{ method, target, headers, body string }{
		{"GET", "/v1/me", "", ""}, {"GET", "/v1/employees", "If-None-Match: \"x\"", ""}, {"POST", "/v1/supervisions", "", `{"target":"anna","mode":"spy"}`},
		{"POST", "/v1/intercepts", "", `{"target":"boris"}`}, {"POST", "/v1/calls", "", `{"number":"8 (916) 123-45-67"}`}, {"POST", "/v1/calls", "", `{"employee":"boris","phone":"PJSIP/101"}`},
		{"POST", "/v1/locks", "", `{"call":"c"}`}, {"DELETE", "/v1/locks/x", "", ""}, {"GET", "/v1/lines", "", ""}, {"PUT", "/v1/lines/x/members/anna", "", `{"penalty":1}`},
		{"GET", "/v1/journal?employee=anna&from=2026-10-01T00:00:00Z&number=%2B7&limit=9&cursor=x&outcome=missed&direction=in", "Accept: text/csv;q=1, application/json;q=0.5", ""},
		{"GET", "/v1/journal.csv?from=x", "", ""}, {"GET", "/v1/statistics?by=hour", "", ""}, {"GET", "/v1/recordings/x", "Range: bytes=0-1,5-,-3\nIf-Range: \"x\"", ""},
		{"GET", "/v1/recordings/links/abc", "Range: bytes=9223372036854775807-", ""}, {"POST", "/v1/recordings", "", `{"target":"anna"}`}, {"PATCH", "/v1/recordings/x", "", `{"state":"paused"}`},
		{"PUT", "/v1/journal/x/grade", "", `{"grade":5,"note":"x"}`}, {"PUT", "/v1/policy/employees/anna", "If-Match: \"x\"", `{"rights":{"listen":true}}`}, {"GET", "/v1/policy/explain?subject=anna&action=spy&target=boris", "", ""},
		{"PUT", "/v1/employees/anna/settings", "", `{"forward":"112","do_not_disturb":true}`}, {"POST", "/access/v1/evaluation", "", `{"subject":{"type":"user","id":"carl"},"action":{"name":"spy"},"resource":{"type":"employee","id":"anna"}}`},
		{"POST", "/access/v1/evaluations", "", `{"evaluations":[{}]}`}, {"POST", "/access/v1/search/action", "", `{}`}, {"PUT", "/v1/clients", "", `{"clients":[]}`}, {"POST", "/v1/clients/hooks/x", "", `{}`},
		{"GET", "/v1/audit", "", ""}, {"GET", "/v1/me/supervised", "", ""}, {"GET", "/openapi.json", "Accept-Encoding: gzip", ""}, {"GET", "/", "Sec-Fetch-Site: cross-site\nOrigin: https://x.example", ""},
		{"PATCH", "/v1/supervisions/x", "X-Earshot-Employee: carl", `{"mode":"barge","reason":"x"}`}, {"POST", "/v1/lines/x/joins", "", `{"target":"anna"}`}, {"OPTIONS", "/v1/me", "Origin: null\nAccess-Control-Request-Method: GET", ""},
		{"GET", "/v1/employees/%2e%2e/settings", "", ""}, {"GET", "/v1//employees", "", ""}, {"HEAD", "/v1/events?x=%zz", "Connection: Upgrade", ""},
	} {
		f.Add(s.method, s.target, s.headers, s.body)
	}
	w := newWorldKept(f, true, func(*gate.Config) {})
	for i, phone := range []string{"PJSIP/101", "PJSIP/102", "PJSIP/106"} {
		w.hear(fmt.Sprint("h", i), "", "", phone, []byte{0, 1, 2})
	}
	if a := w.serve(f, "carl", "GET", "/v1/employees", "", ""); !stage.Tells(a.Body.String()) {
		f.Fatalf("nobody is hidden: %s", a.Body)
	}
	f.Fuzz(func(t *testing.T, method, target, headers, body string) {
		// What he may have for himself is asked for elsewhere: credentials, which would pile up here, and the calls of his own phones.
		if len(target)+len(body)+len(headers) > 64<<10 || strings.Contains(target, "sessions") {
			return
		}
		w.book.Forget()
		a := w.serve(t, "egor", method, target, headers, body)
		if a == nil {
			return
		}
		got := fmt.Sprint(a.Header()) + a.Body.String()
		if a.Code >= 500 && a.Code != http.StatusNotImplemented && a.Code != http.StatusServiceUnavailable {
			t.Fatalf("%s %q %q %q is answered by %d %s", method, target, headers, body, a.Code, got)
		}
		var p httpapi.Problem
		if a.Code >= 400 && method != http.MethodHead {
			if err := json.Unmarshal(a.Body.Bytes(), &p); err != nil || p.Code == "" || p.Status != a.Code {
				t.Fatalf("%s %q is answered by %d without a problem: %s", method, target, a.Code, got)
			}
		}
		if stage.Tells(got) && !stage.Tells(target+body+headers+method) {
			t.Fatalf("%s %q %q is told %s", method, target, body, got)
		}
		for _, orders := range []int{len(w.pbx.rung), len(w.pbx.tapped), len(w.pbx.taken), len(w.pbx.joined), len(w.pbx.fetched)} {
			if orders > 0 {
				t.Fatalf("for %s %q %q the PBX was asked for something", method, target, body)
			}
		}
		for _, e := range w.book.All() {
			if e.Outcome == "allow" || e.Subject != "egor" && e.Subject != "" {
				t.Fatalf("%s %q %q is recorded as %+v", method, target, body, e)
			}
		}
	})
}

// own is how the phone of a call is told of.
var own = call.Identity{Name: "Own", Number: "101"}

// hear plays a call. It returns the legs.
func (w *world) hear(id, before, behind, endpoint string, plot []byte) []call.Channel {
	events, legs := stage.Plot(id, endpoint, own, before, behind, plot)
	w.ingest(events...)
	return legs
}

// streams begins the event streams of some, as the door does. What it returns ends them and gives all that they were sent.
func (w *world) streams(t *testing.T, people ...string) func() string {
	t.Helper()
	var all []*gate.Watcher
	for _, who := range people {
		s, err := w.tokens.Authenticate(t.Context(), auth.Credential{Token: w.token[who]})
		if err != nil {
			t.Fatal(err)
		}
		watcher, err := w.gate.Watch(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, watcher)
	}
	return func() string {
		var b []byte
		for _, watcher := range all {
			for more := true; more; {
				b, more = watcher.Append(b)
			}
			watcher.Close()
		}
		return string(b)
	}
}

// Whatever Asterisk's events have in their fields of who is on the other side, and however the call goes: neither the board nor the event stream nor the journal
// tells it to who may not see it, and the one who may is told.
func FuzzHidden(f *testing.F) {
	f.Add("", "", []byte{0, 1, 2})
	f.Add("+", "", []byte{0, 1, 2, 3, 6, 7})
	f.Add("\r\nx: ", " \"<x>", []byte{4, 5, 8, 9})
	f.Add("Local/", "@ctx-1;2", []byte{8, 0, 1, 2, 10, 11})
	f.Add("PJSIP/101-", "&SIP/1", []byte{11, 9, 4, 0, 2, 1})
	f.Add("\",\"a\":\"", "\\", []byte{7, 0, 0, 2})
	w := newWorld(f)
	n := 0
	paths := []string{"/v1/employees", "/v1/supervisions", "/v1/lines", "/v1/me", "/v1/me/supervised"}
	f.Fuzz(func(t *testing.T, before, behind string, plot []byte) {
		if len(before)+len(behind) > 200 {
			return
		}
		n++
		ends := w.streams(t, "dora", "egor")
		legs := w.hear(fmt.Sprint("f", n), before, behind, "PJSIP/101", plot)
		var told, all string
		for _, path := range paths {
			for _, who := range []string{"dora", "egor"} {
				told += w.serve(t, who, "GET", path, "", "").Body.String()
			}
			all += w.serve(t, "carl", "GET", path, "", "").Body.String()
		}
		w.ingest(stage.Gone(legs)...)
		sent := ends()
		if !strings.Contains(sent, `"anna"`) {
			t.Fatalf("nothing is sent: %s", sent)
		}
		if told += sent; stage.Tells(told) {
			t.Fatalf("%q %q %v: who may not see it is told\n%s", before, behind, plot, told)
		}
		if !stage.Tells(all) && before == "" && behind == "" {
			t.Fatalf("%v: carl is not told\n%s", plot, all)
		}
	})
}
