package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/httpapi"
)

// hand is a clock that stands until it is moved.
type hand struct{ at atomic.Int64 }

func (h *hand) now() time.Time           { return start.Add(time.Duration(h.at.Load())) }
func (h *hand) forward(by time.Duration) { h.at.Add(int64(by)) }

// limited is a world with limits and a clock for them.
func limited(t *testing.T, l httpapi.Limits, options ...option) (*world, *hand) {
	h := &hand{}
	return newWorld(t, append([]option{func(c *httpapi.Config) { c.Limits, c.Clock = l, h.now }}, options...)...), h
}

func wantLimited(t *testing.T, a answer, code, retry string) {
	t.Helper()
	if a.status != 429 || a.problem(t).Code != code || a.header.Get("Retry-After") != retry {
		t.Fatalf("%d %s, Retry-After %q, want %s after %s", a.status, a.body, a.header.Get("Retry-After"), code, retry)
	}
	checkHeaders(t, a)
}

func TestCommandsOfOneEmployeeAreLimited(t *testing.T) {
	l := generous
	l.Commands = httpapi.Rate{PerMinute: 6, Burst: 3}
	w, clock := limited(t, l)
	post := func(who, path string) answer {
		return w.ask(who, http.MethodPost, path, `{"target":"egor","mode":"spy"}`)
	}
	for _, path := range []string{"/v1/supervisions", "/v1/supervisions", "/v1/intercepts"} {
		if a := post("carl", path); a.status == 429 {
			t.Fatalf("%s: %s", path, a.body)
		}
	}
	before := len(w.book.All())
	wantLimited(t, post("carl", "/v1/supervisions"), "too_many_requests", "10")
	wantLimited(t, post("carl", "/v1/intercepts"), "too_many_requests", "10")
	if len(w.book.All()) != before {
		t.Error("what was not looked at was decided")
	}
	// Others are not touched, neither is looking and ending.
	if a := post("dora", "/v1/supervisions"); a.status == 429 {
		t.Errorf("another: %s", a.body)
	}
	for _, m := range []string{http.MethodGet, http.MethodDelete} {
		if a := w.ask("carl", m, "/v1/supervisions/x", ""); a.status != 404 {
			t.Errorf("%s: %d %s", m, a.status, a.body)
		}
	}
	clock.forward(9 * time.Second)
	wantLimited(t, post("carl", "/v1/supervisions"), "too_many_requests", "1")
	clock.forward(time.Second)
	if a := post("carl", "/v1/supervisions"); a.status == 429 {
		t.Errorf("after the time that was told: %s", a.body)
	}
	wantLimited(t, post("carl", "/v1/supervisions"), "too_many_requests", "10")
	w.metric(t, `earshot_http_limited_total{limit="commands"}`, 4)
	w.metric(t, `earshot_http_limited_total{limit="reads"}`, 0)
}

func TestReadsOfOneEmployeeAreLimited(t *testing.T) {
	l := generous
	l.Reads = httpapi.Rate{PerMinute: 60, Burst: 2}
	w, clock := limited(t, l)
	s := w.watch("carl")
	s.next()
	if a := w.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	wantLimited(t, w.ask("carl", http.MethodGet, "/v1/employees", ""), "too_many_requests", "1")
	wantLimited(t, w.ask("carl", http.MethodGet, "/v1/events", ""), "too_many_requests", "1")
	if a := w.ask("dora", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Errorf("another: %d %s", a.status, a.body)
	}
	if a := w.ask("", http.MethodGet, "/openapi.json", ""); a.status != 200 {
		t.Errorf("the description: %d", a.status)
	}
	clock.forward(time.Second)
	if a := w.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Errorf("a second later: %d %s", a.status, a.body)
	}
	w.metric(t, `earshot_http_limited_total{limit="reads"}`, 2)
}

func TestGuessingIsSlowAndKeepsNobodyOutWhoIsKnown(t *testing.T) {
	l := generous
	l.Failures = httpapi.Rate{PerMinute: 6, Burst: 3}
	w, clock := limited(t, l)
	known, _ := w.ask("carl", http.MethodGet, "/v1/me", ""), w.ask("", http.MethodGet, "/v1/me", "") // no credential is no guess
	if known.status != 200 {
		t.Fatal(known.status)
	}
	guess := func() answer {
		token, _ := auth.NewToken()
		return w.ask("", http.MethodGet, "/v1/me", "", "Authorization", "Bearer "+token)
	}
	for range 3 {
		if a := guess(); a.status != 401 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	wantLimited(t, guess(), "too_many_failures", "10")
	wantLimited(t, w.ask("", http.MethodGet, "/v1/events", "", "Authorization", "Bearer x"), "too_many_failures", "10")
	// A credential that was never seen is not looked at, or a guess would be as good as before.
	wantLimited(t, w.ask("dora", http.MethodGet, "/v1/me", ""), "too_many_failures", "10")
	for range 5 {
		if a := w.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 200 {
			t.Fatalf("who has proven himself before: %d %s", a.status, a.body)
		}
	}
	if a := w.ask("", http.MethodGet, "/v1/me", ""); a.status != 401 {
		t.Errorf("no credential: %d", a.status)
	}
	clock.forward(10 * time.Second)
	if a := w.ask("dora", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Errorf("after the time that was told: %d %s", a.status, a.body)
	}
	if a := guess(); a.status != 401 {
		t.Errorf("a guess after that time: %d", a.status)
	}
	wantLimited(t, guess(), "too_many_failures", "10")
	w.metric(t, `earshot_http_limited_total{limit="failures"}`, 4)

	// A token that was taken away is refused, and that is no guess either.
	clock.forward(time.Minute)
	w.revoke("carl")
	for range 10 {
		if a := w.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 401 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := guess(); a.status != 401 {
		t.Errorf("a guess beside it: %d", a.status)
	}
}

func TestAddressesAreCountedEachForItself(t *testing.T) {
	l := generous
	l.Failures = httpapi.Rate{PerMinute: 6, Burst: 1}
	w, _ := limited(t, l, func(c *httpapi.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	guess := func(from string) int {
		return w.ask("", http.MethodGet, "/v1/me", "", "Authorization", "Bearer x", "X-Forwarded-For", from).status
	}
	for _, c := range []struct {
		from string
		want int
	}{
		{"203.0.113.1", 401}, {"203.0.113.1", 429}, {"203.0.113.2", 401}, {"9.9.9.9, 203.0.113.2", 429}, {"203.0.113.2, 127.0.0.3", 429},
		{"2001:db8::1", 401}, {"2001:db8::2", 429}, {"2001:db8:0:1::1", 401},
	} {
		if got := guess(c.from); got != c.want {
			t.Errorf("from %s: %d, want %d", c.from, got, c.want)
		}
	}
	w.logged(t, `"remote":"2001:db8:0:1::1"`)
}

func TestWhomAProxySpeaksForIsBelievedFromProxiesAlone(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		remote string
		header []string
		want   string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1"},
		{"10.0.0.1:5", nil, "10.0.0.1"},
		{"10.0.0.1:5", []string{""}, "10.0.0.1"},
		{"10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		{"[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"1.1.1.1", "198.51.100.1 , 10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:5", []string{"1.1.1.1, nonsense"}, "10.0.0.1"},
		{"10.0.0.1:5", []string{"198.51.100.1:1234"}, "198.51.100.1"},
		{"[fd00::1]:5", []string{"[2001:db8::1]:1234"}, "2001:db8::1"},
		{"[fd00::1%eth0]:5", nil, "fd00::1"},
		{"pipe", []string{"198.51.100.1"}, "pipe"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		r.Header["X-Forwarded-For"] = c.header
		if got := httpapi.Address(httpapi.Config{Proxies: proxies}, r); got != c.want {
			t.Errorf("%s for %q: %s, want %s", c.remote, c.header, got, c.want)
		}
	}
	for address, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1:2:3:4": "2001:db8::/64", "pipe": "pipe"} {
		if got := httpapi.Guesser(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestALimiterIsBounded(t *testing.T) {
	h := &hand{}
	b := httpapi.NewBucket(httpapi.Rate{PerMinute: 60, Burst: 1}, h.now)
	for i := range 3 * httpapi.Remembered {
		b.Charge(fmt.Sprint(i))
		b.Charge("kept")
	}
	if n := b.Size(); n != 2*httpapi.Remembered {
		t.Errorf("%d keys and places", n)
	}
	if b.Owes("kept") == 0 {
		t.Error("who asked all the time is forgotten")
	}
	if b.Owes("0") != 0 || b.Size() != 2*httpapi.Remembered {
		t.Error("who was not seen for longest is not forgotten, or asking made a bucket")
	}
}

func TestWhatManyDidAtOnceIsPaidForUpToABurst(t *testing.T) {
	h := &hand{}
	b := httpapi.NewBucket(httpapi.Rate{PerMinute: 60, Burst: 10}, h.now)
	for range 1000 {
		b.Charge("x")
	}
	if wait := b.Owes("x"); wait != 11*time.Second {
		t.Errorf("to wait %v", wait)
	}
	h.forward(11 * time.Second)
	if b.Owes("x") != 0 || b.Take("x") != 0 || b.Take("x") != time.Second || b.Take("x") != time.Second {
		t.Error("after that time there is one, and what is refused costs nothing")
	}
	var wg sync.WaitGroup
	var got atomic.Int64
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if b.Take("y") == 0 {
					got.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got.Load() != 10 {
		t.Errorf("%d were let through of a burst of 10", got.Load())
	}
}

// TestAPanelAsksForAnEmployee goes through all that a panel's back end may do and what it may not, by the header.
func TestAPanelAsksForAnEmployee(t *testing.T) {
	w := newWorld(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	for panel, actsFor := range map[string][]string{"crm": {"carl", "anna"}, "wall": {auth.Everyone}} {
		token, hash := auth.NewToken()
		w.token[panel] = token
		if err := auth.AddToken(w.file, auth.Entry{Panel: panel, ActsFor: actsFor, Hash: hash}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.tokens.Reload(); err != nil {
		t.Fatal(err)
	}
	const named = "X-Earshot-Employee"
	for _, who := range []string{"carl", "anna"} {
		own, asked := w.ask(who, http.MethodGet, "/v1/me", ""), w.ask("crm", http.MethodGet, "/v1/me", "", named, who)
		if asked.status != 200 || string(asked.body) != string(own.body) {
			t.Errorf("for %s: %d %s, he himself gets %s", who, asked.status, asked.body, own.body)
		}
	}
	w.logged(t, `"subject":"carl","panel":"crm"`)

	unknown := w.ask("", http.MethodGet, "/v1/me", "", "Authorization", "Bearer x")
	for name, a := range map[string]answer{
		"nobody is named":                     w.ask("crm", http.MethodGet, "/v1/me", ""),
		"one for whom it may not ask":         w.ask("crm", http.MethodGet, "/v1/me", "", named, "dora"),
		"an ordinary token":                   w.ask("carl", http.MethodGet, "/v1/me", "", named, "anna"),
		"an ordinary token and himself":       w.ask("carl", http.MethodGet, "/v1/me", "", named, "carl"),
		"no token":                            w.ask("", http.MethodGet, "/v1/me", "", named, "carl"),
		"a stream for whom it may not ask":    w.ask("crm", http.MethodGet, "/v1/events", "", named, "dora"),
		"a command for whom it may not ask":   w.ask("crm", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`, named, "dora"),
		"two":                                 w.askWith("crm", http.Header{named: {"carl", "anna"}}),
		"an empty one":                        w.askWith("crm", http.Header{named: {""}}),
		"an empty one beside another":         w.askWith("crm", http.Header{named: {"", "carl"}}),
		"an empty one with an ordinary token": w.askWith("carl", http.Header{named: {""}}),
	} {
		if a.status != 401 || string(a.body) != string(unknown.body) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}

	// A command is the employee's in all but the credential that the record names.
	a := w.ask("crm", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`, named, "carl")
	if a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	e := w.book.All()[0]
	if e.Subject != "carl" || !strings.HasPrefix(e.Credential, "panel:crm:") {
		t.Errorf("recorded as %s by %s", e.Subject, e.Credential)
	}
	if a := w.ask("crm", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`, named, "anna"); a.status != 403 {
		t.Errorf("anna has no such right: %d %s", a.status, a.body)
	}

	// So is a stream, which ends with the panel's right to it.
	conn, _, err := websocket.Dial(t.Context(), w.web.URL+"/v1/events", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token["wall"]}, named: {"carl"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	s := &watcher{t: t, conn: conn}
	if m := s.next(); m.Type != "snapshot" {
		t.Fatalf("%+v", m)
	}
	w.retoken("wall", auth.Entry{Panel: "wall", ActsFor: []string{"dora"}})
	if c := s.end(); c.Code != websocket.StatusPolicyViolation || !strings.Contains(c.Reason, "credential") {
		t.Errorf("%d %s", c.Code, c.Reason)
	}
}

// askWith is ask with headers as they are.
func (w *world) askWith(who string, h http.Header) answer {
	w.t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/v1/me", nil)
	for k, v := range h {
		req.Header[k] = v
	}
	req.Header.Set("Authorization", "Bearer "+w.token[who])
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, req)
	return answer{rec.Code, rec.Header(), rec.Body.Bytes()}
}

// retoken writes the tokens file anew with another entry for one token.
func (w *world) retoken(who string, e auth.Entry) {
	w.t.Helper()
	e.Hash = auth.Hash(w.token[who])
	if err := os.Remove(w.file); err != nil {
		w.t.Fatal(err)
	}
	if err := auth.AddToken(w.file, e); err != nil {
		w.t.Fatal(err)
	}
	if err := w.tokens.Reload(); err != nil {
		w.t.Fatal(err)
	}
	w.door.Recheck()
}
