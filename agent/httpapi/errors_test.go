package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/httpapi"
)

// TestEveryProblemHasOneForm goes through every error that the door can answer.
func TestEveryProblemHasOneForm(t *testing.T) {
	const good = `{"target":"anna","mode":"spy"}`
	sup, cept := "/v1/supervisions", "/v1/intercepts"
	talking := func(w *world) { w.talking(ivanov, "1", "PJSIP/101", "101") }
	for _, c := range []struct {
		name   string
		before func(*world)
		who    string
		method string
		path   string
		body   string
		header []string
		status int
		code   string
		rule   bool
		id     bool // an audit record was written
	}{
		{name: "no such path", who: "carl", method: "GET", path: "/v1/nothing", status: 404, code: "no_such_path"},
		{name: "the root", who: "carl", method: "GET", path: "/", status: 404, code: "no_such_path"},
		{name: "a path with a slash too many", who: "carl", method: "GET", path: "/v1/me/", status: 404, code: "no_such_path"},
		{name: "a path that is not clean", who: "carl", method: "GET", path: "/v1//me", status: 404, code: "no_such_path"},
		{name: "no documentation page", who: "carl", method: "GET", path: "/docs", status: 404, code: "no_such_path"},
		{name: "a method that is not taken", who: "carl", method: "PUT", path: sup, status: 405, code: "method_not_allowed"},
		{name: "a method that nobody knows", who: "carl", method: "BREW", path: "/v1/me", status: 405, code: "method_not_allowed"},
		{name: "OPTIONS", who: "carl", method: "OPTIONS", path: "/v1/me", status: 405, code: "method_not_allowed"},
		{name: "events without an upgrade", who: "carl", method: "GET", path: "/v1/events", status: 426, code: "websocket_required"},

		{name: "no body", who: "carl", method: "POST", path: sup, header: []string{"Content-Type", "application/json"}, status: 400, code: "no_body"},
		{name: "broken JSON", who: "carl", method: "POST", path: sup, body: `{"target":`, status: 400, code: "malformed_json"},
		{name: "broken JSON in a value", who: "carl", method: "POST", path: sup, body: `{"target":an}`, status: 400, code: "malformed_json"},
		{name: "an open object", who: "carl", method: "POST", path: sup, body: `{"target":"anna"`, status: 400, code: "malformed_json"},
		{name: "not an object", who: "carl", method: "POST", path: sup, body: `["anna"]`, status: 400, code: "malformed_json"},
		{name: "null", who: "carl", method: "POST", path: sup, body: `null`, status: 400, code: "malformed_json"},
		{name: "two objects", who: "carl", method: "POST", path: sup, body: good + good, status: 400, code: "malformed_json"},
		{name: "not UTF-8", who: "carl", method: "POST", path: sup, body: "{\"target\":\"\xff\",\"mode\":\"spy\"}", status: 400, code: "malformed_json"},
		{name: "an unknown member", who: "carl", method: "POST", path: sup, body: `{"target":"anna","mode":"spy","extra":1}`, status: 400, code: "unknown_member"},
		{name: "a member of the other request", who: "carl", method: "POST", path: cept, body: good, status: 400, code: "unknown_member"},
		{name: "a member in another case", who: "carl", method: "POST", path: sup, body: `{"Target":"anna","mode":"spy"}`, status: 400, code: "unknown_member"},
		{name: "a member twice", who: "carl", method: "POST", path: sup, body: `{"target":"anna","mode":"spy","target":"boris"}`, status: 400, code: "duplicate_member"},
		{name: "a number for a string", who: "carl", method: "POST", path: sup, body: `{"target":101,"mode":"spy"}`, status: 400, code: "wrong_type"},
		{name: "an object for a string", who: "carl", method: "POST", path: sup, body: `{"target":{"a":1},"mode":"spy"}`, status: 400, code: "wrong_type"},
		{name: "a body too large", who: "carl", method: "POST", path: sup, body: `{"target":"` + strings.Repeat("a", 64<<10) + `"}`, status: 413, code: "body_too_large"},
		{name: "a form", who: "carl", method: "POST", path: sup, body: "target=anna", header: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415, code: "unsupported_media_type"},
		{name: "JSON as text", who: "carl", method: "POST", path: sup, body: good, header: []string{"Content-Type", "text/plain"}, status: 415, code: "unsupported_media_type"},
		{name: "no media type", who: "carl", method: "POST", path: sup, body: good, header: []string{"Content-Type", ""}, status: 415, code: "unsupported_media_type"},
		{name: "another charset", who: "carl", method: "POST", path: sup, body: good, header: []string{"Content-Type", "application/json; charset=utf-16"}, status: 415, code: "unsupported_media_type"},
		{name: "compressed", who: "carl", method: "POST", path: sup, body: good, header: []string{"Content-Encoding", "gzip"}, status: 415, code: "unsupported_media_type"},
		{name: "a parameter", who: "carl", method: "GET", path: "/v1/me?verbose=1", status: 400, code: "unknown_parameter"},
		{name: "a broken query", who: "carl", method: "GET", path: "/v1/me?%zz", status: 400, code: "malformed_request"},

		{name: "no target", who: "carl", method: "POST", path: sup, body: `{"mode":"spy"}`, status: 422, code: "no_target"},
		{name: "a null target", who: "carl", method: "POST", path: cept, body: `{"target":null}`, status: 422, code: "no_target"},
		{name: "an unknown mode", who: "carl", method: "POST", path: sup, body: `{"target":"anna","mode":"intercept"}`, status: 422, code: "unknown_mode"},
		{name: "a reason of two lines", before: talking, who: "carl", method: "POST", path: sup, body: `{"target":"anna","mode":"spy","reason":"a\nb"}`, status: 422, code: "bad_reason"},
		{name: "another's phone", before: talking, who: "carl", method: "POST", path: sup, body: `{"target":"anna","mode":"spy","phone":"PJSIP/104"}`, status: 422, code: "not_your_phone", id: true},
		{name: "an employee whom the policy does not know", who: "ghost", method: "GET", path: "/v1/me", status: 403, code: "unknown_subject"},
		{name: "his board", who: "ghost", method: "GET", path: "/v1/employees", status: 403, code: "unknown_subject"},
		{name: "his stream", who: "ghost", method: "GET", path: "/v1/events", status: 403, code: "unknown_subject"},
		{name: "no right", before: talking, who: "boris", method: "POST", path: sup, body: good, status: 403, code: "no_right", id: true},
		{name: "a mode that is not granted", before: talking, who: "dora", method: "POST", path: sup, body: `{"target":"anna","mode":"barge"}`, status: 403, code: "no_right", id: true},
		{name: "an excluded target", who: "dora", method: "POST", path: sup, body: `{"target":"egor","mode":"spy"}`, status: 403, code: "excluded", rule: true, id: true},
		{name: "an excluded other party", before: func(w *world) { w.internal("1", "PJSIP/101", "101", "PJSIP/105", "105") },
			who: "dora", method: "POST", path: sup, body: good, status: 403, code: "not_for_this_call", id: true},
		{name: "no such employee", who: "carl", method: "POST", path: sup, body: `{"target":"nobody","mode":"spy"}`, status: 404, code: "no_such_employee", id: true},
		{name: "no such call", before: talking, who: "carl", method: "POST", path: sup, body: `{"target":"anna","mode":"spy","call":"cnone"}`, status: 404, code: "no_such_call", id: true},
		{name: "no such supervision", who: "carl", method: "GET", path: sup + "/none", status: 404, code: "no_such_supervision"},
		{name: "no such supervision to end", who: "carl", method: "DELETE", path: sup + "/none", status: 404, code: "no_such_supervision"},
		{name: "not talking", who: "carl", method: "POST", path: sup, body: good, status: 409, code: "not_talking", id: true},
		{name: "not ringing", who: "boris", method: "POST", path: cept, body: `{"target":"anna"}`, status: 409, code: "not_ringing", id: true},
		{name: "several calls", before: func(w *world) { talking(w); w.talking(smith, "2", "PJSIP/101", "101") },
			who: "carl", method: "POST", path: sup, body: good, status: 409, code: "several_calls", id: true},
		{name: "a second supervision", before: func(w *world) {
			talking(w)
			if a := w.ask("carl", "POST", sup, good); a.status != 201 {
				w.t.Fatalf("%d %s", a.status, a.body)
			}
		}, who: "carl", method: "POST", path: sup, body: good, status: 409, code: "already_supervising", id: true},
		{name: "the PBX is away", before: func(w *world) { talking(w); w.ingest(call.Event{Kind: call.LinkLost}) },
			who: "carl", method: "POST", path: sup, body: good, status: 503, code: "state_unknown", id: true},
		{name: "the record cannot be written", before: func(w *world) { talking(w); w.book.Refuse(errors.New("disk full")) },
			who: "carl", method: "POST", path: sup, body: good, status: 503, code: "not_recorded", id: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.before != nil {
				c.before(w)
			}
			a := w.ask(c.who, c.method, c.path, c.body, c.header...)
			if a.status != c.status {
				t.Fatalf("%d %s, want %d", a.status, a.body, c.status)
			}
			p := a.problem(t)
			if p.Code != c.code || p.Type != "urn:earshot:problem:"+c.code || p.Status != c.status || p.Title != http.StatusText(c.status) || p.Detail == "" {
				t.Fatalf("%s, want %s", a.body, c.code)
			}
			if (p.Rule != "") != c.rule || (p.ID != "") != c.id {
				t.Fatalf("rule and id: %s", a.body)
			}
			if c.id && c.status != 503 && !w.book.Has(p.ID) {
				t.Fatalf("the id names no record: %s", a.body)
			}
			if got := a.header.Get("Retry-After"); (got != "") != (c.status == 503) {
				t.Fatalf("Retry-After %q", got)
			}
			if c.status == 405 && a.header.Get("Allow") == "" {
				t.Fatal("no Allow")
			}
			checkHeaders(t, a)
		})
	}
}

func checkHeaders(t *testing.T, a answer) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("pages of other hosts are let in")
	}
}

// TestWhateverIsWrongWithACredentialTheAnswerIsTheSame covers each way in which one can be no good, on each path that asks for one.
func TestWhateverIsWrongWithACredentialTheAnswerIsTheSame(t *testing.T) {
	w := newWorld(t)
	good, other := w.token["carl"], w.token["dora"]
	stranger, _ := auth.NewToken()
	revoked := w.token["egor"]
	w.revoke("egor")
	for _, path := range []string{"/v1/me", "/v1/employees", "/v1/supervisions", "/v1/supervisions/x", "/v1/events"} {
		var first string
		for _, c := range []struct {
			name, query string
			header      http.Header
		}{
			{name: "none"},
			{name: "empty", header: http.Header{"Authorization": {"Bearer "}}},
			{name: "no scheme", header: http.Header{"Authorization": {good}}},
			{name: "another scheme", header: http.Header{"Authorization": {"Basic " + good}}},
			{name: "malformed", header: http.Header{"Authorization": {"Bearer ear_short"}}},
			{name: "unknown", header: http.Header{"Authorization": {"Bearer " + stranger}}},
			{name: "expired", header: http.Header{"Authorization": {"Bearer " + w.token["expired"]}}},
			{name: "revoked", header: http.Header{"Authorization": {"Bearer " + revoked}}},
			{name: "two", header: http.Header{"Authorization": {"Bearer " + good, "Bearer " + other}}},
			{name: "in the address", query: "?token=" + good},
			{name: "in the address as access_token", query: "?access_token=" + good},
			{name: "in a cookie", header: http.Header{"Cookie": {"token=" + good}}},
			{name: "as a subprotocol that is none", header: http.Header{"Sec-Websocket-Protocol": {"earshot.v1, bearer." + stranger}}},
			{name: "as a subprotocol and as a header", header: http.Header{"Sec-Websocket-Protocol": {"earshot.v1, bearer." + good}, "Authorization": {"Bearer " + other}}},
		} {
			if strings.HasPrefix(c.name, "as a subprotocol and") && path != "/v1/events" {
				continue // elsewhere a subprotocol is no credential and means nothing
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.web.URL+path+c.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range c.header {
				req.Header[k] = v
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != `Bearer realm="earshot"` {
				t.Errorf("%s %s: %d %v %s", path, c.name, resp.StatusCode, resp.Header, body)
			}
			if first == "" {
				first = string(body)
			}
			if string(body) != first {
				t.Errorf("%s %s: %s, but %s", path, c.name, body, first)
			}
		}
		// The control: the same way with a good one.
		if a := w.ask("carl", http.MethodGet, path, ""); a.status == 401 {
			t.Errorf("%s: a good token is refused", path)
		}
		if a := w.ask("carl", http.MethodGet, path+"?token="+good, ""); a.status != 400 || strings.Contains(string(a.body), good) {
			t.Errorf("%s: a token in the address beside a good one: %d %s", path, a.status, a.body)
		}
	}
}

// faulty is an authenticator that cannot do its work.
type faulty struct {
	err error
	bug bool
}

func (f faulty) Authenticate(context.Context, auth.Credential) (auth.Subject, error) {
	if f.bug {
		var none []string
		_ = none[len(f.err.Error())]
	}
	return auth.Subject{}, f.err
}
func (faulty) Holds(auth.Subject) bool { return false }

func TestWhereNobodyCanBeAskedNobodyIsLetIn(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.Auth = faulty{err: errors.New("the key server is away")} })
	a := w.ask("carl", http.MethodGet, "/v1/me", "")
	if p := a.problem(t); a.status != 503 || p.Code != "auth_unavailable" || p.ID == "" || strings.Contains(string(a.body), "key server") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.logged(t, "the key server is away")
	nobody := newWorld(t, func(c *httpapi.Config) { c.Auth = faulty{} }) // no error, and nobody all the same
	if a := nobody.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 401 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

func TestAFaultOfOursIsA500AndIsCounted(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.Auth = faulty{err: errors.New("xyz"), bug: true} })
	for _, path := range []string{"/v1/me", "/v1/events"} {
		a := w.ask("carl", http.MethodGet, path, "")
		p := a.problem(t)
		if a.status != 500 || p.Code != "internal" || p.ID == "" || strings.Contains(string(a.body), "index") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		w.logged(t, p.ID)
		checkHeaders(t, a)
	}
	w.logged(t, "index out of range")
	w.metric(t, `earshot_http_panics_total`, 2)
	w.metric(t, `earshot_http_requests_total{code="500",method="GET",route="/v1/me"}`, 1)
}

// TestABodyThatDoesNotComeIsNotWaitedFor holds a request open and breaks it off.
func TestABodyThatBreaksOffIsTheClientsFault(t *testing.T) {
	w := newWorld(t)
	c, err := net.Dial("tcp", w.web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = io.WriteString(c, "POST /v1/supervisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+w.token["carl"]+
		"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"target\"")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Fatal(resp.Status)
	}
}
