package httpapi_test

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/cache"
)

// The CRM's token opens its own routes alone, and nothing else opens them.
func TestTheCRMsTokenOpensItsRoutesAndNoOther(t *testing.T) {
	w := newCRMWorld(t, "", func(c *httpapi.Config) {
		tokens := c.Auth.(*auth.Tokens)
		c.Sessions = auth.NewSessions(auth.SessionOptions{Store: cache.NewMemory(cache.Options{}), Tokens: tokens, MaxTTL: time.Hour})
		c.Auth = auth.Chain{tokens, c.Sessions}
	})
	w.token["panel"] = panelToken(t, w.world)
	w.session("session", "carl", `{}`)
	uniform := string(w.ask("", http.MethodGet, "/v1/me", "").body)
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		for name, header := range map[string][]string{
			"nobody": {}, "an employee": {"Authorization", "Bearer " + w.token["carl"]}, "a session": {"Authorization", "Bearer " + w.token["session"]},
			"a panel": {"Authorization", "Bearer " + w.token["panel"], "X-Earshot-Employee", "anna"}, "a panel alone": {"Authorization", "Bearer " + w.token["panel"]},
			"a webhook": {"Authorization", "Bearer " + hookToken}, "the CRM as an employee": {"Authorization", "Bearer " + crmToken, "X-Earshot-Employee", "anna"},
			"almost": {"Authorization", "Bearer " + crmToken[1:]}, "another scheme": {"Authorization", "Basic " + crmToken}, "in a cookie": {"Cookie", "token=" + crmToken},
			"as a subprotocol": {"Sec-WebSocket-Protocol", "earshot.v1, bearer." + crmToken}, "nothing": {"Authorization", "Bearer "},
		} {
			// A stranger learns nothing of what he sends either.
			for _, body := range []string{ivanovsClient, `{"clients":`, `{"numbers":["+79161234567"]}`} {
				a := w.ask("", method, "/v1/clients", body, header...)
				if a.status != 401 || string(a.body) != uniform || a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s: %d %s", name, method, a.status, a.body)
				}
			}
		}
	}
	if a := w.ask("", http.MethodPut, "/v1/clients?token="+crmToken, ivanovsClient); a.status != 401 {
		t.Errorf("in the address: %d", a.status)
	}
	if w.sources.Pushed().Len() != 0 || len(w.recorded()) != 0 {
		t.Error("something was done")
	}
	for _, path := range []string{"/v1/me", "/v1/employees", "/v1/supervisions", "/v1/events"} {
		for _, named := range []string{"", "anna", "pushed", "crm"} {
			if a := w.ask("crm", http.MethodGet, path, "", "X-Earshot-Employee", named); a.status != 401 {
				t.Errorf("the CRM at %s as %q: %d", path, named, a.status)
			}
		}
	}
	for _, path := range []string{"/v1/supervisions", "/v1/intercepts", "/v1/calls", "/v1/sessions"} {
		if a := w.ask("crm", http.MethodPost, path, `{"target":"anna"}`); a.status != 401 {
			t.Errorf("the CRM at %s: %d", path, a.status)
		}
	}
	if a := w.ask("crm", http.MethodPost, "/v1/clients/hooks/office", `{"token":"`+crmToken+`","all":true}`); a.status != 401 {
		t.Errorf("the CRM as a webhook: %d", a.status)
	}
	// The controls: each is good for its own.
	if n := w.put(t, ivanovsClient); n.Added != 1 {
		t.Errorf("%+v", n)
	}
	for _, who := range []string{"carl", "session"} {
		if a := w.ask(who, http.MethodGet, "/v1/me", ""); a.status != 200 {
			t.Errorf("%s: %d", who, a.status)
		}
	}
	if a := w.ask("panel", http.MethodGet, "/v1/me", "", "X-Earshot-Employee", "anna"); a.status != 200 {
		t.Errorf("the panel: %d", a.status)
	}
	// Another token is taken up without a restart, and then the old one is none.
	const second = "an0ther-t0ken-of-the-crm"
	if err := os.WriteFile(w.secret, []byte(second+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.sources.Reload(); err != nil {
		t.Fatal(err)
	}
	if a := w.ask("crm", http.MethodPut, "/v1/clients", ivanovsClient); a.status != 401 {
		t.Errorf("the old token: %d", a.status)
	}
	w.token["crm"] = second
	w.put(t, ivanovsClient)
}

func TestGuessingTheCRMsTokensIsSlow(t *testing.T) {
	limits := generous
	limits.Failures = httpapi.Rate{PerMinute: 6, Burst: 4}
	h := &hand{}
	c := newCRMWorld(t, "", func(cfg *httpapi.Config) { cfg.Limits, cfg.Clock = limits, h.now })
	hook := func(source, token string) answer {
		return c.ask("", http.MethodPost, "/v1/clients/hooks/"+source, `{"token":"`+token+`","all":true}`)
	}
	guess := func(n int) answer {
		return c.ask("", http.MethodPut, "/v1/clients", ivanovsClient, "Authorization", fmt.Sprintf("Bearer %s%d", crmToken, n))
	}
	c.put(t, ivanovsClient)
	if a := hook("office", hookToken); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := c.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	// What presents no credential guesses nothing.
	for range 5 {
		c.ask("", http.MethodPut, "/v1/clients", ivanovsClient)
		c.ask("", http.MethodPost, "/v1/clients/hooks/office", `{}`)
	}
	for i := range 2 {
		if a := guess(i); a.status != 401 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := hook("office", fmt.Sprint(hookToken, i)); a.status != 401 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	wantLimited(t, guess(9), "too_many_failures", "10")
	wantLimited(t, hook("office", "x"), "too_many_failures", "10")
	wantLimited(t, hook("nowhere", hookToken), "too_many_failures", "10") // good elsewhere is not good here
	wantLimited(t, c.ask("carl", http.MethodPut, "/v1/clients", ivanovsClient), "too_many_failures", "10")
	wantLimited(t, c.ask("dora", http.MethodGet, "/v1/me", ""), "too_many_failures", "10")
	// Those who have proven themselves go on.
	c.put(t, ivanovsClient)
	if a := hook("office", hookToken); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	h.forward(10 * time.Second)
	if a := hook("nowhere", hookToken); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	wantLimited(t, guess(9), "too_many_failures", "10")
}

// panelToken adds a token of a panel that asks for everybody.
func panelToken(t *testing.T, w *world) string {
	t.Helper()
	token, hash := auth.NewToken()
	if err := auth.AddToken(w.file, auth.Entry{Panel: "crm", ActsFor: []string{auth.Everyone}, Hash: hash}); err != nil {
		t.Fatal(err)
	}
	if err := w.tokens.Reload(); err != nil {
		t.Fatal(err)
	}
	return token
}
