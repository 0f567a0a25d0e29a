//go:build attacks

package agent_test

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// milestones has Earshot do something harmless at each socket of Asterisk's, so that what it has done before is known to be all: an order is not there when the
// one is there that was asked for after it was answered.
type milestones struct {
	*office
	tap    *wiretap
	ami    *session
	stasis *stasis
	made   *made
}

// made is which marks there were.
type made struct {
	n  int
	of map[string]bool // bridges by their ids, actions by their text
}

func (s *siege) marksOf(who string) *milestones {
	s.Helper()
	return &milestones{office: s.office, tap: s.tap, ami: s.office.session(who), stasis: s.applies(who), made: &made{of: map[string]bool{}}}
}

// in is the same for a scene.
func (m *milestones) in(o *office) *milestones {
	of := *m
	of.office = o
	of.ami = &session{office: o, who: m.ami.who, conn: m.ami.conn, in: m.ami.in, mark: m.ami.mark}
	of.stasis = &stasis{&rest{o, m.stasis.base, m.stasis.user, m.stasis.password}, m.stasis.told}
	return &of
}

// orders are those behind the first n things sent, up to marks that are made for it, without the marks.
func (m *milestones) orders(n int) []sent {
	m.Helper()
	m.made.n++
	// Of a leg whose number is no UTF-8 Asterisk tells by events without the leg. Earshot knows nothing then, and lets nobody do anything, until it has looked anew.
	m.until("Earshot sees the PBX", func() error {
		if status, body := m.get(http.MethodGet, "/readyz"); status != http.StatusOK {
			return errors.New(body)
		}
		return nil
	})
	penalty, since := strconv.Itoa(m.made.n%900+1), m.tap.count()
	if got := m.ami.say("Action: QueuePenalty\r\nQueue: support\r\nInterface: PJSIP/201\r\nPenalty: " + penalty + "\r\n\r\n"); len(got) != 1 || got[0].Get("Response") != "Success" {
		m.Fatalf("the mark at AMI is answered by %v", got)
	}
	bridge := m.stasis.does(http.MethodPost, "/bridges", "type", "mixing")
	m.stasis.does(http.MethodDelete, "/bridges/"+bridge)
	for {
		told, more := m.tap.since(since)
		mark := slices.IndexFunc(told, func(s sent) bool { return s.field("Action") == "QueuePenalty" && s.field("Penalty") == penalty })
		if id := bridgeOf(told); mark >= 0 && id != "" {
			m.made.of[id], m.made.of[told[mark].what] = true, true
			return m.without(n)
		}
		select {
		case <-more:
		case <-m.ctx.Done():
			m.Fatalf("the marks do not come to Asterisk: %q", told)
		}
	}
}

// without are the orders so far that are no marks.
func (m *milestones) without(n int) []sent {
	return slices.DeleteFunc(m.tap.orders(n), func(s sent) bool {
		if s.to == toAMI {
			return m.made.of[s.what]
		}
		id := strings.TrimPrefix(s.what, "DELETE /ari/bridges/") // more than once, while the bridge is not known to be gone
		if body, ok := strings.CutPrefix(s.what, `POST /ari/bridges`+"\n"+`{"bridgeId":"`); ok {
			id, _, _ = strings.Cut(body, `"`)
		}
		return m.made.of[id]
	})
}

// bridgeOf is the bridge that was made and removed last, but for those by which a snapshot knows how far it has come.
func bridgeOf(told []sent) (id string) {
	made := map[string]bool{}
	for _, s := range told {
		if !s.acts() {
			continue
		}
		if body, ok := strings.CutPrefix(s.what, "POST /ari/bridges\n"+`{"bridgeId":"`); ok {
			id, _, _ := strings.Cut(body, `"`)
			made[id] = true
		}
		if gone, ok := strings.CutPrefix(s.what, "DELETE /ari/bridges/"); ok && made[gone] {
			id = gone
		}
	}
	return id
}
