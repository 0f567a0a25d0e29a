package gate

import (
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// moment is what a subject may do to an employee, or to one call of his, as things stand and as far as he is shown them.
type moment struct {
	refusal         string // code of why nothing can be said; empty otherwise
	set             *policy.Set
	subject, target policy.Ref
	reason          bool // he gives one
	can             deeds
	phoneless       bool // he has no phone at all
	legs            []glimpse
	offer           *mask.Incoming // what was asked about is the id of an offer, and of no call on a row
}

// glimpse is one leg as the subject is shown it.
type glimpse struct {
	opening opening
	sight   mask.Sight
	party   bool // he is on the call himself
	client  bool // a client of his own rings, and he is shown that
	reached bool // he has a phone on the PBX that it is on
}

// look takes the moment of an employee's row, or of the one call that a handle names.
func (g *Gate) look(employee string, on *Resource, reason bool) (m moment) {
	g.locked(func(*call.Table) {
		set := g.policy.Load()
		m = moment{set: set, reason: reason}
		ok := false
		if m.subject, ok = set.Employee(employee); !ok {
			m.refusal = policy.ReasonUnknownSubject.String()
			return
		}
		m.phoneless = len(g.phones(set, m.subject)) == 0
		var e *entry
		one := -1
		if on.Type == ResourceCall {
			e, one = g.find(set, m.subject, on.ID)
		} else if m.target, ok = set.Employee(on.ID); ok {
			e = g.board[m.target]
		}
		switch {
		case !g.known || g.closed:
			m.refusal = stateUnknown().Code
		case e == nil && on.Type == ResourceCall:
			if m.refusal = noSuchCall().Code; len(on.ID) == mask.HandleLen {
				if o := g.offerOf(m.subject, on.ID); o != nil {
					shown := o.shown
					m.offer = &shown
				}
			}
		case e == nil:
			m.refusal = policy.ReasonUnknownTarget.String()
		}
		if m.refusal != "" {
			return
		}
		m.target = e.ref
		pair := pairwise(set, m.subject, e.ref, reason)
		sights, can := g.judge(set, m.subject, e, pair, reason)
		for i, s := range sights {
			f := &e.legs[i]
			if one < 0 || one == i {
				m.legs = append(m.legs, glimpse{f.may(), s, slices.Contains(f.company.present, m.subject), f.responsible == m.subject && s.Peer(), reaches(set, m.subject, f)})
			}
		}
		m.can = can
		if one >= 0 {
			m.can = g.canOn(set, m.subject, e, &e.legs[one], m.legs[0].sight, pair, reason, 0)
		}
	})
	return m
}

// find is the row and the leg that the subject knows by this handle; no row when he knows none by it. It makes the handles of all legs that
// there are, as who asks names no row.
func (g *Gate) find(set *policy.Set, subject policy.Ref, handle string) (*entry, int) {
	if len(handle) != mask.HandleLen {
		return nil, 0
	}
	r := reader{gate: g, tag: g.secret.tag(tagSubject, set.ID(subject))}
	for _, e := range g.board {
		for i := range e.legs {
			f := &e.legs[i]
			if string(r.handle(&mark{e.tag.with(f.tag), g.sight(set, subject, e.ref, f)})[:]) == handle {
				return e, i
			}
		}
	}
	return nil, 0
}

// answer is the answer about one action. What follows from subject and target alone is said first, then what the board shows to everybody.
func (m *moment) answer(action policy.Action) Answer {
	switch {
	case m.offer != nil && action == policy.Intercept:
		return m.accept()
	case m.refusal != "":
		return Answer{Reason: m.refusal}
	case deedOf(action) != 0:
		return m.button(action)
	}
	r := between(m.subject, m.target, action, m.reason)
	switch action {
	case policy.Observe, policy.ObserveKind:
		if s := m.legs[0].sight; s.Peer() || action == policy.ObserveKind && s >= mask.Kind {
			return Answer{Allowed: true}
		}
		if d := m.set.Decide(&r); !d.Allowed {
			return told(m.set, d)
		}
		return refused(notForThisCall(""))
	case policy.Lock:
		return told(m.set, m.set.Decide(&r))
	default:
		return Answer{Reason: reasonMismatch}
	}
}

// accept is the answer about taking the client who is offered: as the banner says.
func (m *moment) accept() Answer {
	if m.offer.CanAccept {
		return Answer{Allowed: true}
	}
	if d := m.set.Decide(&policy.Request{Subject: m.subject, Action: policy.Intercept, Unrung: true, Responsible: m.subject}); !d.Allowed {
		return told(m.set, d)
	}
	if m.phoneless {
		return refused(noPhone())
	}
	return refused(notForThisCall(""))
}

// button is the answer about one of the buttons.
func (m *moment) button(action policy.Action) Answer {
	if m.can&deedOf(action) != 0 {
		return Answer{Allowed: true}
	}
	most := utmost(m.subject, m.target, action, m.reason)
	if d := m.set.Decide(&most); !d.Allowed {
		return told(m.set, d)
	}
	wants, none := supervision, notTalking()
	if action == policy.Intercept {
		wants, none = interception, notRinging()
	}
	var party, others, client, reached bool
	for _, l := range m.legs {
		if l.opening == wants {
			party, others, client, reached = party || l.party, others || !l.party, client || l.client, reached || !l.party && l.reached
		}
	}
	switch {
	case !party && !others:
		return refused(none)
	case !others:
		return Answer{Reason: policy.ReasonParty.String()}
	case m.phoneless:
		return refused(noPhone())
	case !reached:
		return refused(onOtherPBX())
	case action == policy.Intercept && !client:
		// What the policy says without the call, or he would learn whether it is his own client's.
		r := between(m.subject, m.target, action, m.reason)
		if d := m.set.Decide(&r); !d.Allowed {
			return told(m.set, d)
		}
	}
	return refused(notForThisCall(""))
}
