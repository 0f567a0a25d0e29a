package gate

import (
	"context"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// picker finds the leg that a request is about among the target's.
type picker func(set *policy.Set, subject, target policy.Ref, e *entry, handle string) (*legFacts, *Problem)

// begin decides a request, writes it down and registers the act. From the moment of the decision the act is among those whose ground is
// watched, so that no change can slip between the decision, the record and the deed.
func (g *Gate) begin(ctx context.Context, a *act, ask Ask, pick picker) error {
	var d policy.Decision
	var p *Problem
	var set *policy.Set
	var e audit.Entry
	g.locked(func(t *call.Table) {
		set = g.policy.Load()
		if p = g.admit(t, set, a, ask, pick, &d); p == nil {
			g.acts[a.id] = a
			g.byLeg[a.own], g.byLeg[a.snoop] = a, a
		}
		e = a.entry(audit.Decided, set, d)
	})
	if p != nil && p.Kind == Unavailable {
		g.met.decision(a.action, "error", p.Code)
		return p
	}
	if p != nil {
		e.Outcome = audit.Deny
		if d.Allowed || d.Reason == policy.ReasonNoPolicy {
			e.Reason = p.Code // what stood in the way was not the policy
		}
		p.ID = a.id
	}
	g.met.decision(a.action, string(e.Outcome), e.Reason)
	g.canonical(&e)
	if err := g.record(e); err != nil {
		g.forget(a)
		return notRecorded(err)
	}
	if p != nil {
		return p
	}
	// The record took its time on the disk. If the call has moved meanwhile, the watch has seen it.
	if a.finished() {
		g.conclude(a)
		if a.end.revoked {
			return g.refusal(a.end.set, a.end.ground, a.id)
		}
		return callMoved()
	}
	g.tell(a)
	return ctx.Err()
}

// admit decides. It fills the act with what was found. The order of the checks is part of the contract: what follows from subject and target
// alone is said before anything that the call decides.
func (g *Gate) admit(t *call.Table, set *policy.Set, a *act, ask Ask, pick picker, d *policy.Decision) *Problem {
	if !g.known || g.closed {
		return stateUnknown()
	}
	subject, ok := set.Employee(a.employee)
	if !ok {
		return refusedSubject()
	}
	target, ok := set.Employee(ask.Target)
	if !ok {
		return noSuchEmployee()
	}
	a.target = ask.Target // only now: what names no employee is a stranger's text and does not go into the record
	// Asked first without the call. For an intercept the most is granted that a call could bring, so that only a certain no is said here.
	*d = set.Decide(&policy.Request{Subject: subject, Action: a.action, Target: target, Responsible: subject})
	if !d.Allowed {
		return g.refusal(set, *d, a.id)
	}
	if p := g.ownPhone(set, subject, a, ask.Phone); p != nil {
		return p
	}
	e := g.board[target]
	if e == nil {
		e = &entry{}
	}
	f, p := pick(set, subject, target, e, ask.Call)
	if p != nil {
		return p
	}
	l := t.Leg(f.leg)
	if l == nil {
		return callMoved()
	}
	a.leg, a.targetPhone, a.caller = f.leg, l.Endpoint(), call.Identity{Name: f.facts.Peer.Name, Number: call.Number(f.facts.Peer.Number)}
	a.handle = g.handle(a.employee, a.target, f.leg, sight(set, subject, target, f, &g.scratch.refs))
	a.hadPeer = f.facts.HasPeer
	*d = g.ground(t, set, a)
	if !d.Allowed {
		return g.refusal(set, *d, a.id)
	}
	return nil
}

// ownPhone chooses the phone that is rung: one that the policy gives the subject, and that carries no act already.
func (g *Gate) ownPhone(set *policy.Set, subject policy.Ref, a *act, asked string) *Problem {
	phones := set.Phones(subject)
	if len(phones) == 0 {
		return noPhone()
	}
	a.phone = phones[0]
	if asked != "" {
		ref, ok := set.Phone(asked)
		if !ok || ref != subject {
			return notYourPhone()
		}
		for _, phone := range phones {
			if samePhone(phone, asked) {
				a.phone = phone
			}
		}
	}
	for _, o := range g.acts {
		if o.phone == a.phone && o.employee == a.employee {
			return alreadySupervising()
		}
	}
	return nil
}

// refusal is what a subject is told of a decision against him: reason and rule only where they follow from him and the target alone.
func (g *Gate) refusal(set *policy.Set, d policy.Decision, id string) *Problem {
	if !d.Pairwise {
		return notForThisCall(id)
	}
	p := &Problem{Kind: Refused, Code: d.Reason.String(), Text: "The policy does not allow it.", ID: id}
	p.Rule = set.Rule(d.Rule).String()
	return p
}

func refusedSubject() *Problem {
	return &Problem{Kind: Refused, Code: policy.ReasonUnknownSubject.String(), Text: "The policy does not know you; ask the administrator."}
}

// pickTalking finds the call to supervise: the one named, or the only one that is up and not held.
func (g *Gate) pickTalking(set *policy.Set, subject, target policy.Ref, e *entry, handle string) (*legFacts, *Problem) {
	if handle != "" {
		f := g.named(set, subject, target, e, handle)
		if f == nil {
			return nil, noSuchCall()
		}
		if f.facts.Phase != call.PhaseTalking && f.facts.Phase != call.PhaseHeld {
			return nil, notTalking()
		}
		return f, nil
	}
	return only(e, notTalking, func(f *legFacts) bool { return f.facts.Phase == call.PhaseTalking })
}

// pickRinging finds the call to take: the one named, or the only one that rings there.
func (g *Gate) pickRinging(set *policy.Set, subject, target policy.Ref, e *entry, handle string) (*legFacts, *Problem) {
	rings := func(f *legFacts) bool {
		return f.facts.Phase == call.PhaseRinging && f.facts.Direction == call.In && f.act == nil
	}
	if handle != "" {
		f := g.named(set, subject, target, e, handle)
		if f == nil {
			return nil, noSuchCall()
		}
		if !rings(f) {
			return nil, notRinging()
		}
		return f, nil
	}
	return only(e, notRinging, rings)
}

func only(e *entry, none func() *Problem, fits func(*legFacts) bool) (*legFacts, *Problem) {
	var found *legFacts
	for i := range e.legs {
		if f := &e.legs[i]; fits(f) {
			if found != nil {
				return nil, whichCall()
			}
			found = f
		}
	}
	if found == nil {
		return nil, none()
	}
	return found, nil
}

// named maps a handle back to the leg, as the subject sees it now.
func (g *Gate) named(set *policy.Set, subject, target policy.Ref, e *entry, handle string) *legFacts {
	who, whose := set.ID(subject), set.ID(target)
	for i := range e.legs {
		f := &e.legs[i]
		if g.handle(who, whose, f.leg, sight(set, subject, target, f, &g.scratch.refs)) == handle {
			return f
		}
	}
	return nil
}

// become puts an act into a state and tells its subject.
func (g *Gate) become(a *act, state string) {
	g.locked(func(*call.Table) {
		if a.supervision && state == stateActive {
			g.met.running.WithLabelValues(a.action.String()).Inc()
		}
		a.state, a.since = state, time.Now()
		g.tellLocked(a)
	})
}

// tell sends the act as it stands to its subject's watchers.
func (g *Gate) tell(a *act) { g.locked(func(*call.Table) { g.tellLocked(a) }) }

func (g *Gate) tellLocked(a *act) {
	for w := range g.watchers {
		if w.subject.Employee() != a.employee {
			continue
		}
		if a.supervision {
			v := a.view()
			g.send(w, Message{Type: MessageSupervision, Supervision: &v})
		} else {
			v := a.interceptView()
			g.send(w, Message{Type: MessageIntercept, Intercept: &v})
		}
	}
}
