//go:build attacks

package agent_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/mutation"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
)

// web is a door that speaks HTTP.
type web struct {
	*siege
	addr string
}

// say sends bytes on a connection of its own, in one piece or in two between which Earshot does something else, and returns what is answered to the first
// request in it: 0 for none.
func (w *web) say(pieces ...string) (status int, body string) {
	w.Helper()
	conn, err := new(net.Dialer).DialContext(w.ctx, "tcp", w.addr)
	w.must(err)
	defer func() { _ = conn.Close() }()
	deadline, _ := w.ctx.Deadline()
	w.must(conn.SetDeadline(deadline))
	for i, piece := range pieces {
		if i > 0 {
			w.marks.orders(w.tap.count())
		}
		if _, err := io.WriteString(conn, piece); err != nil {
			break // it was answered before its end
		}
	}
	if !complete(strings.Join(pieces, "")) {
		_ = conn.(*net.TCPConn).CloseWrite() // or the door waits for what is missing
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = r.Body.Close() }()
	if r.StatusCode == http.StatusSwitchingProtocols {
		return r.StatusCode, ""
	}
	text, _ := io.ReadAll(r.Body) // what a HEAD announces does not come
	return r.StatusCode, string(text)
}

// complete reports whether a request has an end.
func complete(text string) bool {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}

// attacks sends what is refused, what it is otherwise spelled, and what is permitted, and looks at what Asterisk is asked for.
func (w *web) attacks(setup, who string, send []func() mutation.Request, twinBy, order string, twin func() mutation.Request) {
	w.Helper()
	for _, request := range send {
		text := request().Bytes()
		w.nothing(text, func() {
			if status, body := w.say(text); status < 400 && status != 0 || strings.Contains(body, stranger.number[1:]) {
				w.Errorf("%q is answered by %d %s", text, status, body)
			}
		})
		i := 1 + w.r.IntN(len(text)-1)
		w.nothing(text[:i]+"|"+text[i:], func() { w.say(text[:i], text[i:]) })
	}
	if len(send) > 0 {
		w.mutants(setup, who, send[w.r.IntN(len(send))], 0)
	}
	w.mutants(setup, twinBy, twin, 6)
	text := twin().Bytes()
	i := 1 + w.r.IntN(len(text)-1)
	w.does(order, twinBy, func() {
		w.until("the twin is done", func() error {
			status, body := w.say(text[:i], text[i:])
			if status == http.StatusConflict { // what a mutant began is not over yet
				return errors.New(body)
			}
			if status < 200 || status > 299 {
				w.Errorf("the twin %q is answered by %d %s", text, status, body)
			}
			return nil
		})
	})
}

func (w *web) mutants(setup, who string, request func() mutation.Request, few int) {
	w.Helper()
	w.phoneOf(who).SetReaction(phone.Reaction{Answer: true})
	defer func() { w.phoneOf(who).SetReaction(phone.Reaction{}) }()
	all := mutation.HTTP(request())
	for _, i := range w.places(all, few) {
		m := mutation.HTTP(request())[i]
		n := w.tap.count()
		done := false
		orders := w.attempt(func() {
			status, _ := w.say(m.Text)
			done = status >= 200 && status < 300 && !strings.HasPrefix(m.Text, "GET ") // and waits for something
		})
		if len(orders) > 0 || done {
			w.judge(n, who, m.Kind, m.Text)
			w.again(setup)
			w.phoneOf(who).SetReaction(phone.Reaction{Answer: true})
		}
	}
}

// Nothing that the ARI door refuses comes to Asterisk, however it is spelled; its twin does, as what it is, and Asterisk does it.
func TestTheARIDoorUnderAttack(t *testing.T) {
	s := besiege(t)
	addr, err := s.agent.ARIAddress(s.ctx)
	s.must(err)
	type ariCase struct {
		ID, As, Kind, Body, Twin, Order string
		Headers, Send, Unrecorded       []string
		Twinless                        bool
	}
	for _, tc := range stage.Attacks[ariCase](t, 17, "ariproxy", "testdata", "attacks.yaml") {
		s.scene(tc.ID, func(s *siege) {
			s.goesOn("own")
			w := &web{s, addr}
			client := &rest{s.office, "http://" + addr + "/ari", tc.As, s.tokens[tc.As]}
			s.follows(client.base, "x", client.user, client.password)
			fill := func(text string) string {
				if !strings.Contains(text, "{{U") {
					return stage.Repeated(here(text))
				}
				_, body, err := client.get(http.MethodGet, "/channels")
				s.must(err)
				var all []object
				s.must(json.Unmarshal([]byte(body), &all))
				return stage.Repeated(attackFill.ReplaceAllStringFunc(here(text), func(v string) string {
					for _, c := range all {
						if endpoint(c.at("name")) == "PJSIP/"+attackPhone(attackFill.FindStringSubmatch(v)[2]) {
							return c.at("id")
						}
					}
					s.Fatalf("%s is shown no %s: %s", tc.As, v, body)
					return ""
				}))
			}
			request := func(line string, plain bool) func() mutation.Request {
				return func() mutation.Request {
					method, target, _ := strings.Cut(fill(line), " ")
					by := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(tc.As+":"+s.tokens[tc.As]))
					q := mutation.Request{Method: method, Target: target, Headers: []string{by, "Connection: close"}}
					if !plain {
						if q.Headers, q.Body = append(q.Headers, tc.Headers...), fill(tc.Body); tc.Kind != "" {
							q.Headers = append(q.Headers, "Content-Type: "+tc.Kind)
						}
					}
					return q
				}
			}
			var send []func() mutation.Request
			for _, line := range append(tc.Send, tc.Unrecorded...) {
				send = append(send, request(line, false))
			}
			w.attacks("own", tc.As, send, tc.As, tc.Order, request(tc.Twin, tc.Twinless))
		})
	}
	s.Logf("%d requests", *s.tried)
}

type httpCase struct {
	ID, As, Setup string
	Headers       []string
	Send          []string
	Twin          struct{ As, Send, Order string }
}

// Nothing that the HTTP door refuses comes to Asterisk, however it is spelled; its twin does, as what it is, and Asterisk does it.
func TestTheHTTPDoorUnderAttack(t *testing.T) {
	s := besiege(t)
	for _, tc := range stage.Attacks[httpCase](t, 10, "httpapi", "testdata", "attacks.yaml") {
		s.scene(tc.ID, func(s *siege) {
			s.goesOn(tc.Setup)
			w := &web{s, s.HTTP}
			request := func(who, line string, headers []string) func() mutation.Request {
				return func() mutation.Request {
					line, body, _ := strings.Cut(s.calledByHandle(who, here(line)), "\n")
					method, target, _ := strings.Cut(line, " ")
					q := mutation.Request{Method: method, Target: target, Body: strings.TrimSpace(body), Headers: append([]string{"Authorization: Bearer " + s.tokens[who], "Connection: close"}, headers...)}
					if q.Body != "" {
						q.Headers = append(q.Headers, "Content-Type: application/json")
					}
					return q
				}
			}
			var send []func() mutation.Request
			for _, line := range tc.Send {
				send = append(send, request(tc.As, line, tc.Headers))
			}
			who := tc.As
			if tc.Twin.As != "" {
				who = tc.Twin.As
			}
			w.attacks(tc.Setup, tc.As, send, who, tc.Twin.Order, request(who, tc.Twin.Send, nil))
		})
	}
	s.Logf("%d requests", *s.tried)
}

// calledByHandle puts in the id under which somebody is shown the call of an employee.
func (s *siege) calledByHandle(who, text string) string {
	s.Helper()
	for whom := range attackPeople {
		if !strings.Contains(text, "{{C "+whom+"}}") {
			continue
		}
		var board struct {
			Employees []struct {
				ID    string
				Calls []struct{ ID string }
			}
		}
		s.must(s.as(who).Do(s.ctx, http.MethodGet, "/v1/employees", nil, &board))
		for _, e := range board.Employees {
			if e.ID == whom && len(e.Calls) == 1 {
				text = strings.ReplaceAll(text, "{{C "+whom+"}}", e.Calls[0].ID)
			}
		}
	}
	if strings.Contains(text, "{{") {
		s.Fatalf("not all is filled in: %q", text)
	}
	return text
}
