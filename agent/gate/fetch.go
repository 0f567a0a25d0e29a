package gate

import (
	"context"
	"errors"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// waitingDetail is in the record of an intercept of a caller whom no phone rings.
const waitingDetail = "waiting"

// accept takes the call of an offer by the offer's id. Where it rings it is Intercept there. A caller whom no phone rings stays where he is until the
// subject's phone is answered; only then the PBX's dialplan has him come to it. It returns once the phone is being rung, or cannot be.
func (g *Gate) accept(ctx context.Context, s auth.Subject, ask Ask) (mask.Intercept, error) {
	a := g.newAct(s, policy.Intercept, ask.Door)
	ordered := make(chan struct{})
	err := g.beginAs(ctx, a,
		func(a *act) {
			if a.waits {
				g.bring(a, ordered)
				return
			}
			close(ordered)
			g.intercept(a)
		},
		func(t *call.Table, set *policy.Set, d *policy.Decision) *Problem {
			return g.admitOffer(t, set, a, ask, d)
		},
		func(t *call.Table, set *policy.Set, d policy.Decision) { g.secondOffer(t, set, a, ask, d) })
	if err != nil {
		return across[mask.Intercept](ctx, g, s, err, opIntercept, ask.at)
	}
	<-ordered
	var v mask.Intercept
	var p *Problem
	g.locked(func(*call.Table) {
		v = a.interceptView()
		if !a.ended || !a.waits {
			return
		}
		switch a.end.reason {
		case reasonNoInclude:
			p = noInclude(a.id)
		case reasonUnreachable:
			p = phoneUnreachable(a.id, a.end.err)
		case reasonPBX:
			p = notCalled(a.id, a.end.err)
		case reasonCallEnded:
			p = callMoved(a.id)
		}
	})
	if p != nil {
		return mask.Intercept{}, p
	}
	return v, nil
}

// admitOffer decides about an offer. What follows from the subject alone is said first; an offer that is another's, is over or never was has one
// answer.
func (g *Gate) admitOffer(t *call.Table, set *policy.Set, a *act, ask Ask, d *policy.Decision) *Problem {
	subject, p := g.asker(set, a)
	if p != nil {
		return p
	}
	*d = set.Decide(&policy.Request{Subject: subject, Action: a.action, Unrung: true, Responsible: subject})
	if !d.Allowed {
		return g.refusal(set, *d, a.id)
	}
	o := g.offerOf(subject, ask.Call)
	if o == nil {
		return noSuchOffer()
	}
	if o.shown.Target != "" {
		ask.Target, ask.Call = o.shown.Target, o.shown.Call
		return g.admit(t, set, a, ask, rings, d)
	}
	if p := g.ownPhone(set, subject, a, ask.Phone); p != nil {
		return p
	}
	l := t.Leg(o.caller)
	if l == nil {
		return callMoved(a.id)
	}
	a.waits, a.leg, a.targetPhone = true, l.ID(), l.Endpoint()
	a.sight, a.handle = mask.Seen, o.shown.ID
	a.caller = call.Identity{Name: o.shown.Client.Name, Number: call.Number(o.shown.Client.Number)}
	if *d = g.ground(t, set, a); !d.Allowed {
		return g.refusal(set, *d, a.id)
	}
	for _, o := range g.hearing[a.leg] {
		if o != a && !o.supervision && o.mode != modeJoin {
			return beingTaken()
		}
	}
	return nil
}

// offerOf is the offer to an employee that has the id; nil if there is none.
func (g *Gate) offerOf(to policy.Ref, id string) *offer {
	for _, o := range g.offers {
		if o.to == to && o.shown.ID == id {
			return o
		}
	}
	return nil
}

// weighWaiting decides about a caller whom no phone rings, or rings meanwhile, over the call in scratch.legs.
func (g *Gate) weighWaiting(set *policy.Set, a *act, l *call.Leg, r *policy.Request) (d policy.Decision, unsure bool) {
	g.survey(set, a)
	g.scratch.rung = g.rung(g.scratch.rung[:0], set, g.scratch.legs)
	r.Unrung, r.With = true, g.scratch.rung
	if number := g.outside(set, l); number != "" {
		r.Responsible = g.responsible(set, number)
		_, answer := g.cfg.Clients.Find(number.Digits())
		unsure = answer == clients.Unknown
	}
	return ofClient(r, unsure, func(r *policy.Request) policy.Decision {
		d := set.Decide(r)
		if d.Allowed && r.Party {
			d = policy.Decision{Reason: policy.ReasonParty, Pairwise: true} // his own phone rings for the caller
		}
		return d
	})
}

// bring rings the subject's phone for a caller whom no phone rings, and sees who gets him. Ordered is closed once the phone is being rung, or cannot
// be. It is the act's goroutine.
func (g *Gate) bring(a *act, ordered chan<- struct{}) {
	ctx, cancel := context.WithTimeout(a.ctx, g.cfg.RingTimeout+5*time.Second)
	defer cancel()
	err := g.cfg.PBX.Fetch(ctx, pbx.Fetch{Leg: a.own, Endpoint: a.phone, Caller: a.leg, Display: a.caller, Timeout: g.cfg.RingTimeout})
	switch {
	case errors.Is(err, pbx.ErrNoInclude):
		g.finish(a, ending{reason: reasonNoInclude})
		g.log.Warn().Msg("a waiting caller cannot be taken, since the PBX's dialplan has no place for it: install what `earshot setup asterisk` prints")
	case errors.Is(err, pbx.ErrGone):
		g.finish(a, ending{reason: reasonCallEnded})
	case errors.Is(err, pbx.ErrUnreachable):
		g.finish(a, ending{reason: reasonUnreachable, err: err})
	case err != nil:
		g.finish(a, ending{reason: reasonPBX, err: err})
	}
	close(ordered)
	if err == nil {
		g.awaitTaker(ctx, a)
	}
	g.await(a)
	if a.isTaken() {
		g.took(a)
	} else {
		g.conclude(a)
	}
}

// fetchSettled looks whether a caller who waited has found somebody: the subject, which ends the act well, or anybody else. It reports whether there is
// nothing more to decide. Caller holds the lock.
func (g *Gate) fetchSettled(t *call.Table, a *act) bool {
	own, caller := t.Leg(a.own), t.Leg(a.leg)
	if caller == nil {
		return false
	}
	up := own != nil && own.State() == call.StateUp
	if up && g.dog.cfg != nil {
		g.dog.fetched[a.leg] = struct{}{} // from now on he may be moved
	}
	switch in := caller.Bridge(); {
	case in == "":
		a.stopLeaving()
		return false
	case up && own.Bridge() == in:
		a.takenOnce.Do(func() { close(a.taken) })
	case !up:
		a.finish(ending{reason: reasonTakenByOther})
	default: // one of the two has come there before the other
		g.leaves(a, func(t *call.Table) {
			a.leaving = nil
			if c := t.Leg(a.leg); c != nil && c.Bridge() != "" && !a.isTaken() {
				a.finish(ending{reason: reasonTakenByOther})
			}
		})
	}
	return true
}
