package agent_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// answer is what a client is sent, to the byte.
type answer struct {
	status int
	header http.Header
	body   []byte
}

var (
	recordID = regexp.MustCompile(`"id":"[a-z0-9]+"`)
	changing = []string{"Date", "X-Request-Id", "Content-Length"}
)

// like makes two answers comparable: what is different for each request by its nature is left out.
func (a answer) like() string {
	h := maps.Clone(a.header)
	for _, name := range changing {
		delete(h, name)
	}
	b, _ := json.Marshal(h)
	return string(b) + string(recordID.ReplaceAll(a.body, []byte(`"id":"…"`)))
}

// asks sends a request as an employee.
func (o *office) asks(employee, path string, body map[string]string) answer {
	o.Helper()
	b, err := json.Marshal(body)
	o.must(err)
	req, err := http.NewRequestWithContext(o.ctx, http.MethodPost, "http://"+o.HTTP+path, bytes.NewReader(b))
	o.must(err)
	req.Header.Set("Authorization", "Bearer "+o.tokens[employee])
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	o.must(err)
	defer func() { _ = resp.Body.Close() }()
	b, err = io.ReadAll(resp.Body)
	o.must(err)
	return answer{resp.StatusCode, resp.Header, b}
}

// denied asks and makes sure of what the answer is.
func (o *office) denied(employee, path string, body map[string]string, status int, code string) answer {
	o.Helper()
	a := o.asks(employee, path, body)
	var p site.Problem
	if err := json.Unmarshal(a.body, &p); err != nil || a.status != status || p.Code != code {
		o.Fatalf("%s asks %v and gets %d %s, not %d %s", employee, body, a.status, a.body, status, code)
	}
	return a
}

func spy(target string) map[string]string { return map[string]string{"target": target, "mode": "spy"} }

const (
	supervisions = "/v1/supervisions"
	intercepts   = "/v1/intercepts"
)

// ground is that of a refusal, as it stands in the audit log. One that was decided a moment before all of the call was known, and recorded, is a
// revocation there.
func (o *office) ground(a answer) string {
	o.Helper()
	var p struct{ ID string }
	o.must(json.Unmarshal(a.body, &p))
	ground := ""
	for _, e := range o.audited() {
		if e.ID == p.ID && e.Outcome == audit.Deny {
			ground = e.Reason
		}
	}
	return ground
}

// What follows from who asks and about whom is told with its reason and its rule, whoever is on the call.
func TestRefusalsThatFollowFromTheTwoAloneSayWhy(t *testing.T) {
	o := open(t)
	o.scene("supervision", func(o *office) {
		o.chat("irina", "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		for _, c := range []struct {
			who, target string
			status      int
			code        string
		}{
			{"nina", "anna", 403, "no_right"},
			{"pavel", "anna", 403, "no_right"},
			{"irina", "pavel", 403, "excluded"},
			{"irina", "maria", 403, "protected"},
			{"irina", "irina", 403, "self"},
			{"irina", "anna", 403, "party"},
			{"irina", "nobody", 404, "no_such_employee"},
			{"irina", "sergei", 409, "not_talking"},
		} {
			o.denied(c.who, supervisions, spy(c.target), c.status, c.code)
		}
		if a, b := o.denied("irina", supervisions, spy("nobody"), 404, "no_such_employee"), o.denied("nina", supervisions, spy("Anna"), 404, "no_such_employee"); a.like() != b.like() {
			o.Errorf("two employees that do not exist:\n%s\n%s", a.like(), b.like())
		}
		o.denied("olga", supervisions, map[string]string{"target": "anna", "mode": "barge"}, 403, "no_right")
		o.denied("olga", supervisions, map[string]string{"target": "anna", "mode": "record"}, 422, "unknown_mode")
		o.denied("olga", supervisions, map[string]string{"target": "anna", "mode": "spy", "phone": "PJSIP/103"}, 422, "not_your_phone")
		o.denied("olga", supervisions, map[string]string{"target": "anna", "mode": "spy", "call": "nonsense"}, 404, "no_such_call")
		if err := o.empty(o.ctx, "earshot-"); err != nil {
			o.Errorf("a refused request did something: %v", err)
		}
	})
}

// What rests on somebody else on the call is refused in one way only. The audit log has the real ground.
func TestRefusalsBecauseOfTheCallAreAllTheSame(t *testing.T) {
	o := open(t)
	var first answer
	for _, c := range []struct {
		name, ground string
		begin        func(o *office)
	}{
		{"a protected number calls", "protected_number", func(o *office) { o.talk(secret, "anna") }},
		{"a protected number is called", "protected_number", func(o *office) {
			inside := o.dials("anna", "8"+secret.number[2:])
			o.together(inside, o.called(secret))
		}},
		{"a protected colleague", "protected_other", func(o *office) { o.chat("maria", "anna") }},
		{"an excluded colleague", "excluded_other", func(o *office) { o.chat("anna", "pavel") }},
		{"an excluded colleague through Local", "excluded_other", func(o *office) {
			out := o.dials("anna", "*62203")
			o.together(out, o.answers("pavel"))
		}},
		{"a caller who claims a protected colleague's number", "protected_other", func(o *office) {
			o.talk(caller{"301", "SOMEBODY", 25}, "anna")
		}},
		{"a phone that the policy does not know", "unknown_phone", func(o *office) {
			out := o.dials("anna", unknownPhone)
			in, err := o.unknown.Incoming(o.ctx)
			o.must(err)
			o.must(in.Answer(o.ctx))
			o.together(out, in)
		}},
	} {
		o.scene(c.name, func(o *office) {
			c.begin(o)
			w := o.watch("irina")
			_, err := w.UntilState(o.ctx, "anna", "talking")
			o.must(err)
			a := o.denied("irina", supervisions, spy("anna"), 403, "not_for_this_call")
			if first.body == nil {
				first = a
			} else if a.like() != first.like() {
				o.Errorf("this refusal is told apart:\n%s\n%s", a.like(), first.like())
			}
			if ground := o.ground(a); ground != c.ground {
				o.Errorf("the audit log has %s as the ground, not %s", ground, c.ground)
			}
		})
	}
}

// With several calls one has to be named, by the id that stands on one's own board; an id of another's board names nothing.
func TestOneOfSeveralCallsIsNamed(t *testing.T) {
	o := open(t)
	o.scene("two calls, one held and taken back", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		o.must(target.Hold(o.ctx))
		o.must(w.Until(o.ctx, "anna holds", func(s *site.Stream) bool { return s.Rows["anna"].State == "held" }))
		o.denied("irina", supervisions, spy("anna"), 409, "not_talking")
		second := o.dials("anna", "201")
		other := o.answers("sergei")
		o.together(second, other)
		o.must(w.Until(o.ctx, "anna has two calls", func(s *site.Stream) bool { return states(s.Rows["anna"]) == "held talking" }))
		// The only one that is up and not held.
		s, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {second.Tone(), other.Tone()}})
		o.denied("irina", supervisions, spy("anna"), 409, "already_supervising")
		o.must(o.as("irina").End(o.ctx, s.ID))
		o.over(w, s.ID, sup, "ended_by_supervisor")
		o.must(target.Unhold(o.ctx))
		o.must(w.Until(o.ctx, "both are up", func(s *site.Stream) bool { return states(s.Rows["anna"]) == "talking talking" }))
		o.denied("irina", supervisions, spy("anna"), 409, "several_calls")
		if row, err := o.as("olga").Row(o.ctx, "anna"); err != nil {
			o.Error(err)
		} else {
			a := o.denied("irina", supervisions, map[string]string{"target": "anna", "mode": "spy", "call": row.Calls[0].ID}, 404, "no_such_call")
			b := o.denied("irina", supervisions, map[string]string{"target": "anna", "mode": "spy", "call": "cabcdefghijkmnpqrstuv"}, 404, "no_such_call")
			if a.like() != b.like() {
				o.Errorf("a call of another's board and none at all are told apart:\n%s\n%s", a.like(), b.like())
			}
		}
		// Both of anna's calls are within earshot of each other now; either may be named.
		for i := range w.Rows["anna"].Calls {
			c := w.Rows["anna"].Calls[i]
			o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
			var s site.Supervision
			o.must(o.as("irina").Do(o.ctx, http.MethodPost, supervisions, map[string]string{"target": "anna", "mode": "spy", "call": c.ID}, &s))
			if s.Call != c.ID {
				o.Errorf("the supervision names the call %q", s.Call)
			}
			sup := o.rings("irina")
			hears := phone.Tone(0)
			if c.Peer.Employee == "sergei" {
				hears = other.Tone()
			} else {
				hears = peer.Tone()
			}
			_, err := w.UntilAct(o.ctx, s.ID, "active")
			o.must(err)
			o.hear(0, map[*phone.Call][]phone.Tone{sup: {o.tone("anna"), hears}})
			o.must(o.as("irina").End(o.ctx, s.ID))
			o.over(w, s.ID, sup, "ended_by_supervisor")
		}
	})
}

// states are those of a row's calls, in no order.
func states(r site.Row) string {
	var s []string
	for _, c := range r.Calls {
		s = append(s, c.State)
	}
	slices.Sort(s)
	out := ""
	for i, x := range s {
		if i > 0 {
			out += " "
		}
		out += x
	}
	return out
}
