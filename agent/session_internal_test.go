package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redistest"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// neighbour is one of several Earshots that have the same tokens and share a Redis.
type neighbour struct {
	*Agent
	t    *testing.T
	dir  string
	base string // of its door
	log  lines
}

// tenants are the tokens of the neighbours: the panel crm for anna, and anna's own.
type tenants struct{ crm, anna, text string }

func newTenants() tenants {
	crm, crmHash := auth.NewToken()
	anna, annasHash := auth.NewToken()
	return tenants{crm, anna, fmt.Sprintf("- {panel: crm, acts_for: [anna], hash: %q}\n- {employee: anna, hash: %q}\n", crmHash, annasHash)}
}

// moveIn runs an Earshot with a Redis until the test ends.
func moveIn(t *testing.T, with tenants, more string) *neighbour {
	t.Helper()
	_, dir, _ := house(t)
	dir = elsewhere(t, dir)
	write(t, filepath.Join(dir, "tokens.yaml"), with.text)
	a, log := reopen(t, dir, "http: {listen: \"127.0.0.1:0\"}\n"+more)
	return &neighbour{Agent: a, t: t, dir: dir, base: "http://" + start(t, a), log: log}
}

func overRedis(s *redistest.Server) string {
	return fmt.Sprintf("cache: {redis: \"redis://%s?poll=50ms&timeout=300ms\"}\n", s.Addr)
}

// asks sends a request and returns what came back, and how long it took.
func (n *neighbour) asks(token, method, path, body string, header ...string) (status int, answer string, took time.Duration) {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.base+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	begun := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return resp.StatusCode, string(text), time.Since(begun)
}

func (n *neighbour) me(token string) int {
	n.t.Helper()
	status, _, _ := n.asks(token, http.MethodGet, "/v1/me", "")
	return status
}

// session has the panel make a session for anna.
func (n *neighbour) session(with tenants) string {
	n.t.Helper()
	status, text, _ := n.asks(with.crm, http.MethodPost, "/v1/sessions", `{}`, "X-Earshot-Employee", "anna")
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != http.StatusCreated {
		n.t.Fatalf("%d %s", status, text)
	}
	return made.Token
}

func (n *neighbour) watch(token string) *websocket.Conn {
	n.t.Helper()
	conn, _, err := websocket.Dial(n.t.Context(), n.base+"/v1/events", &websocket.DialOptions{Subprotocols: []string{"earshot.v1", "bearer." + token}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// closes waits until a stream is closed for its credential, which the next look at it after 20 s would do by itself.
func (n *neighbour) closes(what string, conn *websocket.Conn) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, _, err := conn.Read(ctx)
		if c := (websocket.CloseError{}); errors.As(err, &c) && c.Code == websocket.StatusPolicyViolation && strings.Contains(c.Reason, "credential") {
			return
		} else if err != nil {
			n.t.Errorf("%s: %v", what, err)
			return
		}
	}
}

// comes waits until something holds, woken by what the cache tells and, for what it tells nobody, now and then.
func (n *neighbour) comes(what string, holds func() bool) {
	n.t.Helper()
	w := n.cache.Watch()
	defer w.Close()
	limit, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	for !holds() {
		now, stop := context.WithTimeout(limit, 10*time.Millisecond)
		_, _ = w.Next(now)
		stop()
		if limit.Err() != nil {
			n.t.Fatalf("%s does not come: %+v", what, n.cache.Status())
		}
	}
}

func (n *neighbour) is(state cache.State) {
	n.t.Helper()
	n.comes(state.String(), func() bool { return n.cache.Status().State == state })
}

// tells holds what /readyz and /metrics say of the cache.
func (n *neighbour) tells(state string, degraded bool) {
	n.t.Helper()
	if _, body := ask(n.t, n.Agent, "GET", "/readyz"); strings.Contains(body, "\ndegraded:\ncache: the Redis is "+state) != degraded || strings.Contains(body, "degraded") != degraded {
		n.t.Errorf("readyz of one whose Redis is %s: %s", state, body)
	}
	if _, body := ask(n.t, n.Agent, "GET", "/metrics"); !strings.Contains(body, "\nearshot_cache_state{state=\""+state+"\"} 1\n") {
		n.t.Errorf("no gauge says %s", state)
	}
}

func TestASessionOfOneEarshotLetsInAtTheOtherAndEndsAtBoth(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("run", func(t *testing.T) {
		t.Cleanup(http.DefaultClient.CloseIdleConnections)
		s := redistest.Start(t)
		with := newTenants()
		a, b := moveIn(t, with, overRedis(s)), moveIn(t, with, overRedis(s))
		a.is(cache.Up)
		b.is(cache.Up)
		a.tells("up", false)

		token, other := a.session(with), a.session(with)
		b.comes("the session", func() bool { return b.me(token) == 200 && b.me(other) == 200 })
		here, there, stays := a.watch(token), b.watch(token), b.watch(other)
		if status, text, _ := b.asks(token, http.MethodDelete, "/v1/sessions/current", ""); status != http.StatusNoContent {
			t.Fatalf("%d %s", status, text)
		}
		b.closes("where it was ended", there)
		a.closes("at the other", here)
		if a.me(token) != 401 || b.me(token) != 401 || a.me(other) != 200 || b.me(other) != 200 {
			t.Error("it lets in, or another has ended with it")
		}
		if err := stays.Ping(pinging(t, stays)); err != nil {
			t.Errorf("another session's stream: %v", err)
		}

		// The panel's token is taken away at one: its sessions end there, and hold where it still holds.
		stream := a.watch(other)
		write(t, filepath.Join(a.dir, "tokens.yaml"), "[]\n")
		a.closes("the panel's token is gone", stream)
		if a.me(other) != 401 || b.me(other) != 200 {
			t.Errorf("where the token is gone: %d, where it is: %d", a.me(other), b.me(other))
		}
	})
}

func TestAnEarshotWhoseRedisIsAwayStartsAndSaysSoOnce(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	s := redistest.Start(t)
	s.Kill()
	with := newTenants()
	n := moveIn(t, with, overRedis(s))
	n.comes("the failure to connect", func() bool { return n.cache.Status().Reason == "unreachable" })
	const line = "cache: the Redis is away (unreachable)"
	n.log.wait(t, line)
	n.tells("away", true)
	status, text, took := n.asks(with.anna, http.MethodPost, "/v1/sessions", `{}`)
	if status != 503 || !strings.Contains(text, "sessions_unavailable") || took > 2*time.Second {
		t.Errorf("%d %s after %v", status, text, took)
	}
	if got := n.me(with.anna); got != 200 {
		t.Errorf("a token, for which no Redis is needed: %d", got)
	}
	if got := n.me("ears_" + strings.Repeat("A", 43)); got != 401 {
		t.Errorf("a session that is not known: %d", got)
	}
	// Another reason is no other state.
	plain := s.Args
	s.Args = append(slices.Clone(plain), "--requirepass", "hunter2")
	s.Run()
	n.comes("the refusal", func() bool { return n.cache.Status().Reason == "credentials refused" })
	n.tells("away", true)
	if _, body := ask(t, n.Agent, "GET", "/readyz"); !strings.Contains(body, "does the Redis know the account") {
		t.Errorf("what to do is not said: %s", body)
	}
	s.Kill()
	s.Args = plain
	s.Run()
	n.is(cache.Up)
	for {
		said := <-n.log
		if strings.Contains(said, "the Redis is back") {
			break
		}
		if strings.Contains(said, "the Redis is away") {
			t.Errorf("it is said twice: %s", said)
		}
	}
	n.tells("up", false)
	if n.me(n.session(with)) != 200 {
		t.Error("a session of the Redis that came does not let in")
	}
}

func TestAPausedRedisHoldsUpNoRequestAndEndsSessionsWhenTheyAreTooOld(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	s := redistest.Start(t)
	with := newTenants()
	n := moveIn(t, with, strings.Replace(overRedis(s), "timeout=300ms", "timeout=200ms", 1)+"auth: {sessions: {max_stale: 4s}}\n")
	n.is(cache.Up)
	token, ended := n.session(with), n.session(with)
	stream, own := n.watch(token), n.watch(with.anna)
	s.Pause()
	t.Cleanup(s.Resume)
	var slowest, all time.Duration
	for range 50 {
		status, text, took := n.asks(token, http.MethodGet, "/v1/me", "")
		if slowest, all = max(slowest, took), all+took; status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	t.Logf("50 requests by a session under a paused Redis took %v, the slowest %v", all, slowest)
	if all > 2*time.Second { // by one exchange each they would take 10 s
		t.Errorf("requests waited: %v", all)
	}
	for what, ask := range map[string]func() (int, string, time.Duration){
		"making one": func() (int, string, time.Duration) { return n.asks(with.anna, http.MethodPost, "/v1/sessions", `{}`) },
		"ending one": func() (int, string, time.Duration) {
			return n.asks(ended, http.MethodDelete, "/v1/sessions/current", "")
		},
	} {
		status, text, took := ask()
		t.Logf("%s under a paused Redis was answered after %v", what, took)
		if status != 503 || took > 1500*time.Millisecond {
			t.Errorf("%s: %d %s after %v", what, status, text, took)
		}
	}
	if n.me(ended) != 401 {
		t.Error("what was ended lets in")
	}
	n.is(cache.Away)
	n.tells("away", true)
	// What nobody confirms any more ends, and what does not rest on it goes on.
	n.closes("it is too old", stream)
	if status, text, _ := n.asks(token, http.MethodGet, "/v1/me", ""); status != 503 || !strings.Contains(text, "auth_unavailable") {
		t.Errorf("a session that is too old: %d %s", status, text)
	}
	if err := own.Ping(pinging(t, own)); err != nil || n.me(with.anna) != 200 {
		t.Errorf("a token's stream: %v", err)
	}
	s.Resume()
	n.is(cache.Up)
	n.comes("the session", func() bool { return n.me(token) == 200 })
	if n.me(ended) != 401 {
		t.Error("what was ended meanwhile came back")
	}

	// An emptied Redis ends what it held.
	stream = n.watch(token)
	s.Do("FLUSHALL")
	n.closes("the Redis was emptied", stream)
	if n.me(token) != 401 {
		t.Error("a session that the Redis has lost lets in")
	}
}

func TestSessionsInMemoryNeedNoRedis(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	with := newTenants()
	n := moveIn(t, with, "auth: {sessions: {ttl: 30m}}\n")
	n.tells("local", false)
	token := n.session(with)
	stream := n.watch(token)
	if n.me(token) != 200 {
		t.Fatal("it does not let in")
	}
	if status, text, _ := n.asks(with.crm, http.MethodDelete, "/v1/sessions", "", "X-Earshot-Employee", "anna"); status != http.StatusNoContent {
		t.Errorf("%d %s", status, text)
	}
	n.closes("all were ended", stream)
	if n.me(token) != 401 {
		t.Error("it lets in")
	}
}

// The files that the line names are read when Earshot starts, and by the check.
func TestTheRedisLineIsCheckedWithItsFiles(t *testing.T) {
	_, dir, _ := house(t)
	dir = elsewhere(t, dir)
	path := filepath.Join(dir, "earshot.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text)+"cache: {redis: \"rediss://redis.example.com?password_file=redis-password\"}\n")
	const want = "cache.redis: password_file: secret file: open "
	if _, err := Check(path); err == nil || !strings.Contains(err.Error(), "earshot.yaml:10:16: "+want+dir) {
		t.Errorf("%v", err)
	}
	cfg, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, zerolog.Nop(), "test"); err == nil || !strings.Contains(err.Error(), want+dir) {
		t.Errorf("%v", err)
	}
	write(t, filepath.Join(dir, "redis-password"), "hunter2\n")
	if _, err := Check(path); err != nil {
		t.Error(err)
	}
}
