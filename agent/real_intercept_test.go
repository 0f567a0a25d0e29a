package agent_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// offered waits until an employee is offered to take what rings at a colleague's.
func (o *office) offered(w *site.Stream, colleague string) {
	o.Helper()
	o.must(w.Until(o.ctx, "the call is offered", func(s *site.Stream) bool {
		return s.Rows[colleague].State == "ringing" && strings.Contains(strings.Join(s.Rows[colleague].Can, " "), "intercept")
	}))
}

func TestARingingCallIsIntercepted(t *testing.T) {
	o := open(t, func(c *agent.Config) { c.Supervision.RingTimeout = time.Second })

	o.scene("one's own client, from a direct call", func(o *office) {
		w := o.watch("anna")
		outside := o.calls(vera, "102")
		rings := o.rings("boris")
		o.offered(w, "boris")
		o.Phones["anna"].SetReaction(phone.Reaction{Answer: true})
		s, err := o.as("anna").Intercept(o.ctx, "boris")
		o.must(err)
		taken := o.rings("anna")
		if got := taken.Remote(); got.Number != vera.number || got.Name != "Vera Client" {
			o.Errorf("her phone shows %+v", got)
		}
		_, err = w.UntilAct(o.ctx, s.ID, "taken")
		o.must(err)
		o.together(outside, taken)
		o.must(rings.WaitEnded(o.ctx))
		o.must(w.Until(o.ctx, "the board shows it", func(s *site.Stream) bool {
			r := s.Rows["anna"]
			return r.State == "talking" && s.Rows["boris"].State == "idle" && len(r.Calls) == 1 && r.Calls[0].Peer != nil && r.Calls[0].Peer.Name == "Vera Client"
		}))
		// It is an ordinary call now: it may be supervised, and outlives the lease, which it has not.
		_, sup := o.supervises(o.watch("irina"), "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {taken.Tone(), outside.Tone()}})
	})

	o.scene("from a queue that rings two", func(o *office) {
		w := o.watch("sergei")
		outside := o.calls(oleg, "100")
		first, second := o.rings("anna"), o.rings("boris")
		o.offered(w, "boris")
		o.Phones["sergei"].SetReaction(phone.Reaction{Answer: true})
		s, err := o.as("sergei").Intercept(o.ctx, "boris")
		o.must(err)
		taken := o.rings("sergei")
		if got := taken.Remote(); got.Number != oleg.number || got.Name != "Oleg Customer" {
			o.Errorf("his phone shows %+v", got)
		}
		_, err = w.UntilAct(o.ctx, s.ID, "taken")
		o.must(err)
		o.together(outside, taken)
		o.must(first.WaitEnded(o.ctx))
		o.must(second.WaitEnded(o.ctx))
		o.must(w.Until(o.ctx, "the board shows it", func(s *site.Stream) bool {
			return s.Rows["sergei"].State == "talking" && s.Rows["anna"].State == "idle" && s.Rows["boris"].State == "idle"
		}))
	})

	o.scene("not answered by the taker", func(o *office) {
		w := o.watch("anna")
		outside := o.calls(vera, "102")
		rings := o.rings("boris")
		o.offered(w, "boris")
		s, err := o.as("anna").Intercept(o.ctx, "boris")
		o.must(err)
		mine := o.rings("anna")
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		if ended.Reason != "no_answer" {
			o.Errorf("it ended because of %s", ended.Reason)
		}
		o.must(mine.WaitEnded(o.ctx))
		if rings.State() != phone.Ringing || outside.State() == phone.Ended {
			o.Fatalf("the caller %v, the first phone %v", outside.State(), rings.State())
		}
		o.must(rings.Answer(o.ctx))
		o.together(outside, rings)
	})

	o.scene("answered by the called one first", func(o *office) {
		w := o.watch("anna")
		outside := o.calls(vera, "102")
		rings := o.rings("boris")
		o.offered(w, "boris")
		s, err := o.as("anna").Intercept(o.ctx, "boris")
		o.must(err)
		mine := o.rings("anna")
		o.must(rings.Answer(o.ctx))
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		if ended.Reason != "answered" {
			o.Errorf("it ended because of %s", ended.Reason)
		}
		o.must(mine.WaitEnded(o.ctx))
		o.together(outside, rings)
	})

	o.scene("the caller hangs up first", func(o *office) {
		w := o.watch("anna")
		outside := o.calls(vera, "102")
		rings := o.rings("boris")
		o.offered(w, "boris")
		s, err := o.as("anna").Intercept(o.ctx, "boris")
		o.must(err)
		mine := o.rings("anna")
		o.must(outside.Hangup(o.ctx))
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		if ended.Reason != "call_ended" {
			o.Errorf("it ended because of %s", ended.Reason)
		}
		o.must(mine.WaitEnded(o.ctx))
		o.must(rings.WaitEnded(o.ctx))
	})

	o.scene("by two at once", func(o *office) {
		w := o.watch("anna")
		outside := o.calls(vera, "102")
		rings := o.rings("boris")
		o.offered(w, "boris")
		takers := []string{"anna", "gleb"}
		answers := make([]answer, len(takers))
		var wg sync.WaitGroup
		for i, who := range takers {
			o.Phones[who].SetReaction(phone.Reaction{Answer: true})
			wg.Go(func() { answers[i] = o.asks(who, intercepts, map[string]string{"target": "boris"}) })
		}
		wg.Wait()
		winner, loser := 0, 1
		if answers[0].status != 201 {
			winner, loser = 1, 0
		}
		var p site.Problem
		if err := json.Unmarshal(answers[loser].body, &p); err != nil || answers[winner].status != 201 || p.Status != 409 || p.Code != "already_taken" {
			o.Fatalf("they get %s and %s", answers[0].body, answers[1].body)
		}
		taken := o.rings(takers[winner])
		o.together(outside, taken)
		o.must(rings.WaitEnded(o.ctx))
		if calls := o.Phones[takers[loser]].Calls(); len(calls) > 0 {
			o.Errorf("the other's phone has %d calls", len(calls))
		}
	})

	o.scene("refused", func(o *office) {
		w := o.watch("anna")
		o.denied("anna", intercepts, map[string]string{"target": "boris"}, 409, "not_ringing")
		outside := o.calls(vera, "102")
		rings := o.rings("boris")
		o.offered(w, "boris")
		o.denied("sergei", intercepts, map[string]string{"target": "boris"}, 403, "not_client")
		o.denied("nina", intercepts, map[string]string{"target": "boris"}, 403, "no_right")
		o.denied("gleb", intercepts, map[string]string{"target": "pavel"}, 403, "excluded")
		o.denied("gleb", intercepts, map[string]string{"target": "maria"}, 403, "protected")
		o.denied("boris", intercepts, map[string]string{"target": "boris"}, 403, "self")
		o.denied("anna", intercepts, map[string]string{"target": "nobody"}, 404, "no_such_employee")
		// Another client's call rings at another phone: it is not hers.
		other := o.calls(oleg, "201")
		o.rings("sergei")
		_, err := w.UntilState(o.ctx, "sergei", "ringing")
		o.must(err)
		o.denied("anna", intercepts, map[string]string{"target": "sergei"}, 403, "not_client")
		o.must(other.Hangup(o.ctx))
		if rings.State() != phone.Ringing {
			o.Errorf("the phone %v", rings.State())
		}
		o.must(rings.Answer(o.ctx))
		o.together(outside, rings)
		o.must(outside.Hangup(o.ctx))
		_, err = w.UntilState(o.ctx, "boris", "idle")
		o.must(err)
		// An internal call is nobody's client.
		o.dials("irina", "102")
		o.rings("boris")
		_, err = w.UntilState(o.ctx, "boris", "ringing")
		o.must(err)
		o.denied("anna", intercepts, map[string]string{"target": "boris"}, 403, "not_client")
	})

	o.scene("refused because of whom else it rings", func(o *office) {
		w := o.watch("gleb")
		o.calls(stranger, "200")
		for _, who := range []string{"sergei", "olga", "pavel"} {
			o.rings(who)
			_, err := w.UntilState(o.ctx, who, "ringing")
			o.must(err)
		}
		a := o.denied("gleb", intercepts, map[string]string{"target": "sergei"}, 403, "not_for_this_call")
		if ground := o.ground(a); ground != "excluded_other" {
			o.Errorf("the audit log has %s as the ground", ground)
		}
	})
}
