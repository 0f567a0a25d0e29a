package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/cache"
)

// shop is a store of sessions that can be away.
type shop struct {
	*cache.Memory
	away atomic.Bool
}

func (s *shop) err() error {
	if s.away.Load() {
		return &cache.WriteError{Op: "session", Err: cache.ErrAway}
	}
	return nil
}

func (s *shop) PutSession(ctx context.Context, v cache.Session, ttl time.Duration) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Memory.PutSession(ctx, v, ttl)
}

func (s *shop) DeleteSession(ctx context.Context, id string) error {
	return errors.Join(s.Memory.DeleteSession(ctx, id), s.err())
}

// sessionWorld is a world whose door makes sessions, with the token of a panel, crm, for anna and carl.
func sessionWorld(t *testing.T, options ...option) (*world, *shop) {
	t.Helper()
	store := &shop{Memory: cache.NewMemory(cache.Options{})}
	w := newWorld(t, append([]option{func(c *httpapi.Config) {
		tokens := c.Auth.(*auth.Tokens)
		c.Sessions = auth.NewSessions(auth.SessionOptions{Store: store, Tokens: tokens, MaxTTL: 2 * time.Hour})
		c.Auth = auth.Chain{tokens, c.Sessions}
	}}, options...)...)
	token, hash := auth.NewToken()
	w.token["crm"] = token
	if err := errors.Join(auth.AddToken(w.file, auth.Entry{Panel: "crm", ActsFor: []string{"anna", "carl"}, Hash: hash}), w.tokens.Reload()); err != nil {
		t.Fatal(err)
	}
	return w, store
}

// session makes a session and has it as who.
func (w *world) session(who, by, body string, header ...string) httpapi.Session {
	w.t.Helper()
	a := w.ask(by, http.MethodPost, "/v1/sessions", body, header...)
	var s httpapi.Session
	if err := json.Unmarshal(a.body, &s); err != nil || a.status != http.StatusCreated || a.header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	w.token[who] = s.Token
	return s
}

const named = "X-Earshot-Employee"

func TestASessionAsksAsTheEmployeeForWhomItWasMade(t *testing.T) {
	w, _ := sessionWorld(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	begun := time.Now()
	s := w.session("browser", "crm", `{"ttl": 60}`, named, "carl")
	if left := s.Expires.Sub(begun); s.Employee != "carl" || left < 60*time.Second || left > 75*time.Second {
		t.Errorf("%s, until %v after it was asked for", s.Employee, left)
	}
	own, asked := w.ask("carl", http.MethodGet, "/v1/me", ""), w.ask("browser", http.MethodGet, "/v1/me", "")
	if asked.status != 200 || string(asked.body) != string(own.body) {
		t.Errorf("%d %s, he himself gets %s", asked.status, asked.body, own.body)
	}
	w.logged(t, `"subject":"carl","panel":"crm"`)
	if a := w.ask("browser", http.MethodGet, "/v1/me", "", named, "carl"); a.status != 401 {
		t.Errorf("a session that names its employee: %d", a.status)
	}

	// What it does is recorded as done by it, with what made it.
	a := w.ask("browser", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`)
	var v mask.Supervision
	a.decode(t, &v)
	e := w.book.All()[0]
	if want := "session:" + auth.Hash(s.Token)[7:15] + ":panel:crm:" + auth.Hash(w.token["crm"])[7:19]; a.status != 201 || e.Subject != "carl" || e.Credential != want {
		t.Errorf("%d, recorded as %s by %s, not %s", a.status, e.Subject, e.Credential, want)
	}
	for _, long := range []string{`{}`, `{"ttl": 9223372037}`, `{"ttl": 7201}`} {
		s := w.session("x", "carl", long)
		want := 2 * time.Hour
		if long == `{}` {
			want = time.Hour
		}
		if left := time.Until(s.Expires); left > want+time.Second || left < want-15*time.Second {
			t.Errorf("%s lasts %v", long, left)
		}
	}
	if log := w.log.String(); strings.Contains(log, s.Token[5:]) || strings.Contains(w.series(t), s.Token[5:]) {
		t.Error("the log or a metric has the session's credential")
	}
}

func TestABrowserOffersItsSessionAsASubprotocolAndIsCutOffWithIt(t *testing.T) {
	w, _ := sessionWorld(t)
	dial := func(token string) *watcher {
		t.Helper()
		conn, resp, err := websocket.Dial(t.Context(), w.web.URL+"/v1/events", &websocket.DialOptions{Subprotocols: []string{"earshot.v1", "bearer." + token}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != "earshot.v1" {
			t.Errorf("answered with %q", got)
		}
		return &watcher{t: t, conn: conn}
	}
	for name, tc := range map[string]struct {
		body string
		end  func()
	}{
		"it is ended":               {`{}`, func() { w.ends(t, "browser", "/v1/sessions/current"); w.door.Recheck() }},
		"its maker ends all":        {`{}`, func() { w.ends(t, "crm", "/v1/sessions", named, "carl"); w.door.Recheck() }},
		"the panel's rights change": {`{}`, func() { w.retoken("crm", auth.Entry{Panel: "crm", ActsFor: []string{"dora"}}) }},
		"its time is over":          {`{"ttl": 1}`, func() {}},
	} {
		crm := auth.Entry{Panel: "crm", ActsFor: []string{"anna", "carl"}}
		w.retoken("crm", crm)
		s := w.session("browser", "crm", tc.body, named, "carl")
		stream := dial(s.Token)
		if m := stream.next(); m.Type != gate.MessageSnapshot || m.Board.Me.ID != "carl" {
			t.Fatalf("%s: %+v", name, m)
		}
		tc.end()
		if c := stream.end(); c.Code != websocket.StatusPolicyViolation || !strings.Contains(c.Reason, "credential") {
			t.Errorf("%s: %d %s", name, c.Code, c.Reason)
		}
		if a := w.ask("browser", http.MethodGet, "/v1/me", ""); a.status != 401 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

// ends sends a DELETE that succeeds.
func (w *world) ends(t *testing.T, who, path string, header ...string) {
	t.Helper()
	if a := w.ask(who, http.MethodDelete, path, "", header...); a.status != http.StatusNoContent || len(a.body) > 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestWhatSessionsMayNotAndWhatIsWrongIsSaid(t *testing.T) {
	w, store := sessionWorld(t)
	w.session("browser", "crm", `{}`, named, "carl")
	w.session("other", "crm", `{}`, named, "anna")
	for name, tc := range map[string]struct {
		who, method, path, body string
		named                   string
		status                  int
		code                    string
	}{
		"a session makes none":         {"browser", "POST", "/v1/sessions", `{}`, "", 403, "is_session"},
		"a session ends no other":      {"browser", "DELETE", "/v1/sessions", ``, "", 403, "is_session"},
		"a token is no session":        {"crm", "DELETE", "/v1/sessions/current", ``, "carl", 404, "no_such_session"},
		"no time":                      {"carl", "POST", "/v1/sessions", `{"ttl": 0}`, "", 422, "no_time"},
		"negative time":                {"carl", "POST", "/v1/sessions", `{"ttl": -1}`, "", 422, "no_time"},
		"time by words":                {"carl", "POST", "/v1/sessions", `{"ttl": "1h"}`, "", 400, "wrong_type"},
		"a part of a second":           {"carl", "POST", "/v1/sessions", `{"ttl": 1.5}`, "", 400, "wrong_type"},
		"for somebody":                 {"carl", "POST", "/v1/sessions", `{"employee": "anna"}`, "", 400, "unknown_member"},
		"no body":                      {"carl", "POST", "/v1/sessions", ``, "", 415, "unsupported_media_type"},
		"nobody":                       {"", "POST", "/v1/sessions", `{}`, "", 401, "unauthenticated"},
		"a panel that names nobody":    {"crm", "POST", "/v1/sessions", `{}`, "", 401, "unauthenticated"},
		"one for whom it may not ask":  {"crm", "POST", "/v1/sessions", `{}`, "dora", 401, "unauthenticated"},
		"an employee that names other": {"carl", "POST", "/v1/sessions", `{}`, "anna", 401, "unauthenticated"},
		"an end by address":            {"carl", "DELETE", "/v1/sessions?id=x", ``, "", 400, "unknown_parameter"},
	} {
		var header []string
		if tc.named != "" {
			header = []string{named, tc.named}
		}
		a := w.ask(tc.who, tc.method, tc.path, tc.body, header...)
		if p := a.problem(t); a.status != tc.status || p.Code != tc.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for _, who := range []string{"browser", "other"} {
		if a := w.ask(who, http.MethodGet, "/v1/me", ""); a.status != 200 {
			t.Errorf("%s was ended by what was refused: %d", who, a.status)
		}
	}
	w.ends(t, "crm", "/v1/sessions", named, "carl")
	if a, b := w.ask("browser", http.MethodGet, "/v1/me", "").status, w.ask("other", http.MethodGet, "/v1/me", "").status; a != 401 || b != 200 {
		t.Errorf("carl's session: %d, anna's: %d", a, b)
	}
	for range 99 { // beside the other
		w.session("x", "anna", `{}`)
	}
	if a := w.ask("crm", http.MethodPost, "/v1/sessions", `{}`, named, "anna"); a.status != 409 || a.problem(t).Code != "too_many_sessions" {
		t.Errorf("%d %s", a.status, a.body)
	}

	// The store is away: nothing is made, what is known goes on, and an end holds here.
	store.away.Store(true)
	a := w.ask("carl", http.MethodPost, "/v1/sessions", `{}`)
	if p := a.problem(t); a.status != 503 || p.Code != "sessions_unavailable" || a.header.Get("Retry-After") == "" || p.ID == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.logged(t, "the shared cache is away")
	if a := w.ask("other", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.ask("other", http.MethodDelete, "/v1/sessions/current", ""); a.status != 503 {
		t.Errorf("that the others were not told is not said: %d %s", a.status, a.body)
	}
	if a := w.ask("other", http.MethodGet, "/v1/me", ""); a.status != 401 {
		t.Errorf("it did not end here: %d", a.status)
	}
}

func TestSessionsAreCountedWithTheirEmployeesRequests(t *testing.T) {
	l := generous
	l.Commands = httpapi.Rate{PerMinute: 60, Burst: 3}
	w, _ := sessionWorld(t, func(c *httpapi.Config) { c.Limits = l })
	w.session("browser", "carl", `{}`)
	w.session("other", "crm", `{}`, named, "carl")
	w.ask("browser", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`)
	if a := w.ask("carl", http.MethodPost, "/v1/sessions", `{}`); a.status != 429 || a.problem(t).Code != "too_many_requests" {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.session("annas", "crm", `{}`, named, "anna")
	w.ends(t, "browser", "/v1/sessions/current")
}

func TestADoorWithoutSessionsHasNoRoutesForThem(t *testing.T) {
	w := newWorld(t)
	if a := w.ask("carl", http.MethodPost, "/v1/sessions", `{}`); a.status != 404 || strings.Contains(string(w.door.OpenAPI()), "sessions") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
