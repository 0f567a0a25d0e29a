package agent_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// The responsible employee is told of her client's call wherever it rings, and takes it by what she is told; with the right off she is told of
// the client and no more; and nobody else is told anything.
func TestAClientsCallIsOfferedToWhoIsResponsible(t *testing.T) {
	o := open(t)
	o.scene("accepted", func(o *office) {
		w, others := o.watch("anna"), o.watch("sergei")
		outside := o.calls(vera, "100") // a queue
		o.rings("boris")
		ringing := o.rings("anna")
		if len(w.Offers) > 0 {
			t.Errorf("her own phone rings, and she is offered %+v", w.Offers)
		}
		o.must(ringing.Reject(o.ctx, 486))
		v, err := w.UntilOffer(o.ctx, func(i site.Incoming) bool { return i.CanAccept })
		o.must(err)
		if v.Client.Name != "Vera Client" || v.Target != "boris" || v.Call != w.Rows["boris"].Calls[0].ID {
			o.Errorf("she is told %+v", v)
		}
		o.Phones["anna"].SetReaction(phone.Reaction{Answer: true})
		s, err := o.as("anna").Intercept(o.ctx, v.Target)
		o.must(err)
		taken := o.rings("anna")
		_, err = w.UntilAct(o.ctx, s.ID, "taken")
		o.must(err)
		o.together(outside, taken)
		o.must(w.Until(o.ctx, "the offer is over", func(w *site.Stream) bool { return len(w.Offers) == 0 }))
		o.must(others.Until(o.ctx, "he sees the call talk", func(w *site.Stream) bool { return w.Rows["anna"].State == "talking" }))
		if len(others.Offers) > 0 {
			o.Errorf("sergei was offered %+v", others.Offers)
		}
	})
	o.must(o.Edit("policy.yaml", "seller: {intercept: true}", "seller: {intercept: false}"))
	o.reaches("earshot_policy_generation", 2)
	o.scene("with the right off", func(o *office) {
		w := o.watch("anna")
		o.calls(vera, "102")
		o.rings("boris")
		v, err := w.UntilOffer(o.ctx, func(site.Incoming) bool { return true })
		o.must(err)
		if v.Client.Name != "Vera Client" || v.CanAccept || v.Target+v.Call != "" {
			o.Errorf("she is told %+v", v)
		}
		if r := w.Rows["boris"]; len(r.Calls) != 1 || !r.Calls[0].Hidden || len(r.Can) > 0 {
			o.Errorf("boris's row is %+v", r)
		}
		o.denied("anna", intercepts, map[string]string{"target": "boris"}, 403, "no_right")
	})
}

// A CRM that is asked over HTTP is slow, lies or is down while calls ring and are made: nobody is responsible meanwhile, nothing waits for it,
// and what it says counts once it says so.
func TestADirectoryThatFailsGrantsNothing(t *testing.T) {
	var answer atomic.Pointer[http.HandlerFunc]
	set := func(h http.HandlerFunc) { answer.Store(&h) }
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*answer.Load())(w, r) }))
	defer crm.Close()
	says := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"found": true, "name": "Vera Client", "owner": "anna"}`)
	}
	set(says)
	o := open(t, func(c *agent.Config) {
		c.Clients, c.Directory.Region = "", "RU"
		c.Directory.Sources = []clients.SourceConfig{{Name: "crm", HTTP: clients.HTTP{
			URL: crm.URL + "/?phone={digits}", Fields: clients.Fields{Found: "found", Name: "name", Responsible: "owner"},
			Timeout: time.Second, TTL: time.Second, MissTTL: time.Second, Breaker: clients.Breaker{Failures: 100, Pause: time.Second},
		}}}
	})
	o.must(o.Edit("policy.yaml", "seller: {intercept: true}", "seller: {intercept: true, dial: {clients: own}}"))
	o.reaches("earshot_policy_generation", 2)
	number := func(i int) caller { c := vera; c.number = fmt.Sprintf("+7916555%04d", i); return c }
	n := 0
	for name, h := range map[string]http.HandlerFunc{
		"down": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"found": true, "owner": "anna", "name": "%s"}`, strings.Repeat("x", 1<<20))
		},
		"wrong types": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"found": "perhaps", "owner": {"id": "anna"}}`)
		},
		"a redirection": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
	} {
		o.scene(name, func(o *office) {
			n++
			set(h)
			who := number(n)
			w := o.watch("anna")
			_, err := w.UntilState(o.ctx, "boris", "idle") // the scene before is over for the PBX, of which Earshot may hear a moment later
			o.must(err)
			o.calls(who, "102")
			o.rings("boris")
			_, err = w.UntilState(o.ctx, "boris", "ringing")
			o.must(err)
			o.denied("anna", intercepts, map[string]string{"target": "boris"}, 403, "not_client")
			o.denied("anna", "/v1/calls", map[string]string{"number": who.number}, 503, "client_unknown")
			if len(w.Offers) > 0 {
				o.Errorf("she is offered %+v", w.Offers)
			}
		})
	}
	o.scene("slow", func(o *office) {
		release := make(chan struct{})
		set(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			says(w, r)
		})
		w := o.watch("anna")
		_, err := w.UntilState(o.ctx, "boris", "idle")
		o.must(err)
		o.calls(number(100), "102")
		o.rings("boris")
		_, err = w.UntilState(o.ctx, "boris", "ringing") // the board waits for nobody
		o.must(err)
		o.denied("anna", intercepts, map[string]string{"target": "boris"}, 403, "not_client")
		close(release)
		v, err := w.UntilOffer(o.ctx, func(i site.Incoming) bool { return i.CanAccept })
		o.must(err)
		if v.Client.Name != "Vera Client" {
			o.Errorf("she is told %+v", v)
		}
	})
}
