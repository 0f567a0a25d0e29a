package agent_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// A CRM says while a call rings whose client rings, and from then on, and no longer than it says so, she who is responsible may take it.
func TestACRMPushesAClientWhileHisCallRings(t *testing.T) {
	const token, next = "crm-t0ken-0123456789abcdef", "an0ther-t0ken-of-the-crm"
	dir := t.TempDir()
	secret := filepath.Join(dir, "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(secret, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(token)
	o := open(t, func(c *agent.Config) {
		c.Clients, c.Directory.Region = "", "RU"
		c.HTTP.Limits.Failures = agent.Rate{PerMinute: 1_000_000, Burst: 1_000_000} // it is asked until the new token is read
		c.Directory.Sources = []clients.SourceConfig{{Name: "pushed", Pushed: clients.PushedConfig{File: filepath.Join(dir, "pushed.jsonl"), TokenFile: secret}}}
	})
	body := map[string]any{"clients": []map[string]any{{"number": "8 (812) 555-01-01", "name": "Vera Client", "responsible": "anna"}}}
	numbers := map[string]any{"numbers": []string{stranger.number}}
	as := func(token string) *site.Client { return &site.Client{Base: "http://" + o.HTTP, Token: token} }

	o.scene("pushed, taken back and pushed again", func(o *office) {
		recorded := func() int {
			record, err := os.ReadFile(o.Path("audit.jsonl"))
			o.must(err)
			return strings.Count(string(record), `"credential":"crm:pushed","action":"clients.put"`)
		}
		before := recorded()
		w := o.watch("anna")
		outside := o.calls(stranger, "102")
		rings := o.rings("boris")
		_, err := w.UntilState(o.ctx, "boris", "ringing")
		o.must(err)
		o.denied("anna", intercepts, map[string]string{"target": "boris"}, 403, "not_client")
		o.must(as(token).Do(o.ctx, http.MethodPut, "/v1/clients", body, nil))
		o.offered(w, "boris")
		if r := w.Rows["boris"]; len(r.Calls) != 1 || r.Calls[0].Peer == nil || r.Calls[0].Peer.Name != "Vera Client" {
			o.Errorf("she is shown %+v", r)
		}
		o.must(as(token).Do(o.ctx, http.MethodDelete, "/v1/clients", numbers, nil))
		o.must(w.Until(o.ctx, "it is not offered any more", func(s *site.Stream) bool {
			r := s.Rows["boris"]
			return r.State == "ringing" && !strings.Contains(strings.Join(r.Can, " "), "intercept") && r.Calls[0].Peer == nil
		}))
		o.denied("anna", intercepts, map[string]string{"target": "boris"}, 403, "not_client")
		o.must(as(token).Do(o.ctx, http.MethodPut, "/v1/clients", body, nil))
		o.offered(w, "boris")
		o.Phones["anna"].SetReaction(phone.Reaction{Answer: true})
		s, err := o.as("anna").Intercept(o.ctx, "boris")
		o.must(err)
		taken := o.rings("anna")
		_, err = w.UntilAct(o.ctx, s.ID, "taken")
		o.must(err)
		o.together(outside, taken)
		o.must(rings.WaitEnded(o.ctx))
		if n := recorded() - before; n != 4 {
			o.Errorf("%d entries of the CRM's are on record, not two for each time", n)
		}
	})

	o.scene("by another token", func(o *office) {
		for _, other := range []string{next, o.tokens["maria"], ""} {
			_ = o.refused(as(other).Do(o.ctx, http.MethodPut, "/v1/clients", body, nil), 401, "unauthenticated")
		}
		_ = o.refused(as(token).Do(o.ctx, http.MethodGet, "/v1/me", nil, nil), 401, "unauthenticated")
		write(next) // read anew by itself
		o.until("the new token is good", func() error { return as(next).Do(o.ctx, http.MethodPut, "/v1/clients", body, nil) })
		_ = o.refused(as(token).Do(o.ctx, http.MethodPut, "/v1/clients", body, nil), 401, "unauthenticated")
	})
}
