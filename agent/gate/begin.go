package gate

import (
	"context"
	"slices"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// fit tells which legs a request can be about; named says that the subject has named this one.
type fit func(f *legFacts, named bool) bool

// begin decides a request, writes it down and lets run carry it out in a goroutine of its own. From the moment of the decision the act is
// among those whose ground is watched, so that no change can slip between the decision, the record and the deed. What has been written down
// is carried out, though ctx may have ended meanwhile. What is about a call on another PBX is not begun here: that is an *afar.
func (g *Gate) begin(ctx context.Context, a *act, ask Ask, fits fit, run func(*act)) error {
	return g.beginAs(ctx, a, run,
		func(t *call.Table, set *policy.Set, d *policy.Decision) *Problem {
			return g.admit(t, set, a, ask, fits, d)
		},
		func(t *call.Table, set *policy.Set, d policy.Decision) { g.secondBegin(t, set, a, ask, fits, d) })
}

// beginAs is begin for a request that admit decides, and second compares with what the second policy says.
func (g *Gate) beginAs(ctx context.Context, a *act, run func(*act),
	admit func(*call.Table, *policy.Set, *policy.Decision) *Problem, second func(*call.Table, *policy.Set, policy.Decision),
) error {
	if err := ctx.Err(); err != nil {
		a.stop()
		return err
	}
	var d policy.Decision
	var p *Problem
	var e audit.Entry
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		if p = admit(t, set, &d); p != nil || a.afar != nil {
			g.forgetLocked(a)
		} else {
			g.acts[a.id] = a
			g.byLeg[a.own], g.byLeg[a.snoop] = a, a
			g.running.Add(1)
			g.expire(a)
			a.recorded = slices.Clone(a.with)
		}
		if a.afar == nil {
			e = a.entry(audit.Decided, set, d)
			second(t, set, d)
		}
	})
	switch {
	case p != nil:
		return g.refuse(a, p, d, e)
	case a.afar != nil:
		return a.afar // it is decided and recorded there
	}
	g.met.decision(a.action, string(e.Outcome), e.Reason)
	g.canonical(&e)
	err := g.record(e)
	ended := false
	g.locked(func(*call.Table) {
		if ended = a.ended; err == nil && !ended {
			a.begun = true
			g.tellLocked(a)
		}
		if err != nil {
			g.forgetLocked(a)
		}
	})
	switch {
	case err != nil:
		g.running.Done()
		return notRecorded(err)
	case ended:
		// The record took its time on the disk, and the watch has seen that the call has moved meanwhile.
		g.conclude(a)
		g.running.Done()
		if a.end.set != nil {
			return g.refusal(a.end.set, g.told(a.end.set, a, a.end.ground), a.id)
		}
		return callMoved(a.id)
	}
	go func() {
		defer g.running.Done()
		run(a)
	}()
	return nil
}

// refuse writes a refusal down and returns it.
func (g *Gate) refuse(a *act, p *Problem, d policy.Decision, e audit.Entry) error {
	if p.Kind == Unavailable {
		g.met.decision(a.doing(), "error", p.Code)
		return p
	}
	e.Outcome = audit.Deny
	if d.Allowed || d.Reason == policy.ReasonNoPolicy {
		e.Reason, e.Rule = p.Code, audit.Rule{} // what stood in the way was not the policy
	}
	p.ID = a.id
	g.met.decision(a.doing(), string(e.Outcome), e.Reason)
	g.canonical(&e)
	if err := g.record(e); err != nil {
		return notRecorded(err)
	}
	return p
}

// asker is who asks, if anything can be decided for him now. It comes before all else that is looked at. Caller holds the lock.
func (g *Gate) asker(set *policy.Set, a *act) (policy.Ref, *Problem) {
	if !g.known {
		return policy.Ref{}, stateUnknown()
	}
	if p := g.asks(a); p != nil {
		return policy.Ref{}, p
	}
	subject, ok := set.Employee(a.employee)
	if !ok {
		return policy.Ref{}, refusedSubject()
	}
	return subject, nil
}

// admit decides. It fills the act with what was found. The order of the checks is part of the contract: what follows from subject and target
// alone is said first, then what the board shows to everybody; what the call decides comes last, and what others do with it only to those who may do
// it too.
func (g *Gate) admit(t *call.Table, set *policy.Set, a *act, ask Ask, fits fit, d *policy.Decision) *Problem {
	subject, p := g.asker(set, a)
	if p != nil {
		return p
	}
	target, ok := whose(set, &ask)
	if !ok {
		return noSuchEmployee()
	}
	a.target = set.ID(target) // only now: what names no employee is a stranger's text and does not go into the record
	// Asked first without the call. For an intercept the most is granted that a call could bring, so that only a certain no is said here.
	*d = set.Decide(&policy.Request{Subject: subject, Action: a.action, Target: target, Responsible: subject, ReasonGiven: a.given != ""})
	if !d.Allowed {
		return g.refusal(set, *d, a.id)
	}
	if p := g.route(set, subject, a, ask, fits); p != nil || a.afar != nil {
		return p
	}
	if p := g.ownPhone(set, subject, a, ask.Phone); p != nil {
		return p
	}
	if p := g.sit(t, a, ask.Leg); p != nil {
		return p
	}
	e := g.board[target]
	f, p := g.pick(set, subject, a, e, ask.Call, fits)
	if p != nil {
		return p
	}
	l := t.Leg(f.leg)
	if l == nil {
		return callMoved(a.id)
	}
	a.leg, a.targetPhone, a.hadPeer = f.leg, l.Endpoint(), f.facts.Peer != nil
	a.sight = g.sight(set, subject, target, f)
	a.handle = g.handle(a.employee, a.target, f.leg, a.sight)
	a.caller = call.Identity{Name: g.display(set, a)}
	if p := f.facts.Peer; p != nil && a.sight.Peer() {
		a.caller = call.Identity{Name: p.Name, Number: call.Number(p.Number)}
	}
	*d = g.ground(t, set, a)
	if !d.Allowed {
		return g.refusal(set, g.told(set, a, *d), a.id)
	}
	if !a.supervision {
		for _, o := range g.hearing[a.leg] {
			if o != a && o.takes() {
				return beingTaken()
			}
		}
	}
	return nil
}

// ownPhone chooses the phone that is rung: one that the policy gives the subject, and that carries no act already. What a client steers is an ordinary call, and
// rings beside a supervision that has one of that client's legs for its ear as beside any call.
func (g *Gate) ownPhone(set *policy.Set, subject policy.Ref, a *act, asked string) *Problem {
	phones := set.Phones(subject)
	switch {
	case len(phones) == 0 && g.homeOf(set, subject) != "":
		return onOtherPBX()
	case len(phones) == 0:
		return noPhone()
	}
	if a.steered != nil {
		return g.spare(a, phones)
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
		if o.phone == a.phone && o.employee == a.employee && (o.steered == nil || a.word != wordOriginate) {
			return alreadySupervising()
		}
	}
	return nil
}

// refusalTexts say more than that the policy does not allow it.
var refusalTexts = map[policy.Reason]string{
	policy.ReasonRequired: "A reason must be given for this; ask again and say in reason why.",
	policy.ReasonNotNow:   "The policy does not allow it at this time.",
}

// refusal is what a subject is told of a decision against him: reason and rule only where they follow from him and the target alone.
func (g *Gate) refusal(set *policy.Set, d policy.Decision, id string) *Problem {
	if !d.Pairwise {
		return notForThisCall(id)
	}
	p := &Problem{Kind: Refused, Code: d.Reason.String(), Text: "The policy does not allow it.", ID: id}
	if text := refusalTexts[d.Reason]; text != "" {
		p.Text = text
	}
	p.Rule = set.Rule(d.Rule).String()
	return p
}

func refusedSubject() *Problem {
	return &Problem{Kind: Refused, Code: policy.ReasonUnknownSubject.String(), Text: "The policy does not know you; ask the administrator."}
}

// pick finds the leg that a request is about among the target's: the one that the subject names by the handle under which he knows it now, or
// the only one that fits. It goes by what everybody sees.
func (g *Gate) pick(set *policy.Set, subject policy.Ref, a *act, e *entry, handle string, fits fit) (found *legFacts, p *Problem) {
	none := notTalking
	switch {
	case a.mode != modeNone:
		none = notOnLine
	case !a.supervision && a.tape == nil:
		none = notRinging
	}
	for i := range e.legs {
		f := &e.legs[i]
		switch {
		case handle != "" && g.handle(a.employee, a.target, f.leg, g.sight(set, subject, e.ref, f)) != handle:
		case handle != "" && !fits(f, true):
			return nil, none()
		case handle != "":
			return f, nil
		case !fits(f, false):
		case found != nil:
			return nil, whichCall()
		default:
			found = f
		}
	}
	switch {
	case handle != "":
		return nil, noSuchCall()
	case found == nil:
		return nil, none()
	}
	return found, nil
}
