package gate

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// ground decides an act over everybody within earshot of its leg as things stand. Caller holds the lock.
func (g *Gate) ground(t *call.Table, set *policy.Set, a *act) policy.Decision {
	subject, ok := set.Employee(a.employee)
	if !ok {
		return policy.Decision{Reason: policy.ReasonUnknownSubject, Pairwise: true}
	}
	target, ok := set.Employee(a.target)
	if !ok {
		return policy.Decision{Reason: policy.ReasonUnknownTarget, Pairwise: true}
	}
	l := t.Leg(a.leg)
	if l == nil {
		return policy.Decision{Reason: policy.ReasonUnknownTarget}
	}
	if ref, ok := set.Phone(l.Endpoint()); !ok || ref != target {
		return policy.Decision{Reason: policy.ReasonUnknownTarget} // the leg is another's now, or the policy took the phone away
	}
	if ref, ok := set.Phone(a.phone); !ok || ref != subject {
		return policy.Decision{Reason: policy.ReasonUnknownSubject, Pairwise: true}
	}
	var c company
	r := policy.Request{Subject: subject, Action: a.action, Target: target}
	if a.supervision {
		g.scratch.legs = t.Earshot(g.scratch.legs[:0], l, g.reach(set, a))
	} else {
		g.scratch.legs = t.Call(g.scratch.legs[:0], l)
	}
	a.earshot = a.earshot[:0]
	for _, o := range g.scratch.legs {
		a.earshot = append(a.earshot, o.ID())
		if g.byLeg[o.ID()] != a {
			c.add(set, o)
		}
	}
	a.with = a.with[:0]
	for _, ref := range c.present {
		a.with = append(a.with, set.ID(ref))
	}
	r.Party = hasRef(c.present, subject)
	if a.supervision {
		g.scratch.refs = c.everyone(g.scratch.refs)
		r.With, r.ProtectedNumber, r.UnknownPhone = g.scratch.refs, c.protected, c.unknown
		return set.Decide(&r)
	}
	var f legFacts
	g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
	if outside := g.peer(set, g.scratch.peers, &f.facts); outside != "" {
		r.Responsible = g.responsible(set, outside)
	}
	r.With = g.rung(set, g.scratch.legs)
	return set.Decide(&r)
}

// reach says how far the walk over everybody within earshot of a's leg goes. A spy that Earshot did not start is taken to hear and to speak,
// since nothing is known of it; a's own snoop leads nowhere, or the supervisor would count as one of those he listens to.
func (g *Gate) reach(set *policy.Set, a *act) call.Reach {
	return call.Reach{
		Phone: func(l *call.Leg) bool {
			return !set.Trunk(l.Endpoint()) && (g.byLeg[l.ID()] == nil || g.byLeg[l.ID()] != a)
		},
		Spy: func(l *call.Leg) call.SpyMode {
			switch o := g.byLeg[l.ID()]; o {
			case nil:
				return call.SpyMode{Hears: true, Speaks: true}
			case a:
				return call.SpyMode{}
			default:
				return call.SpyMode{Hears: true, Speaks: o.action != policy.Spy}
			}
		},
	}
}

// reconsider looks at an act's ground after a change and ends the act when it is gone. Caller holds the lock.
func (g *Gate) reconsider(t *call.Table, a *act) {
	if a.finished() || !g.known {
		return
	}
	if !a.supervision && g.settled(t, a) {
		return
	}
	l := t.Leg(a.leg)
	if l == nil {
		a.finish(ending{reason: reasonCallEnded})
		return
	}
	if g.ownGone(t, a) {
		return
	}
	set := g.policy.Load()
	if d := g.ground(t, set, a); !d.Allowed {
		reason := "not_for_this_call"
		if d.Pairwise {
			reason = d.Reason.String()
		}
		a.finish(ending{reason: reason, revoked: true, ground: d, set: set, at: time.Now()})
		return
	}
	if a.supervision {
		g.alone(t, a, l)
	}
}

// alone ends a supervision when the target's other side has been away for the grace: a transfer or an optimised Local channel leaves one
// bridge before it enters the next, so a moment without anybody is no end.
func (g *Gate) alone(t *call.Table, a *act, l *call.Leg) {
	g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
	if len(g.scratch.peers) > 0 {
		a.hadPeer = true
		if a.leaving != nil {
			a.leaving.Stop()
			a.leaving = nil
		}
		return
	}
	if !a.hadPeer || a.leaving != nil {
		return
	}
	a.leaving = g.after(g.cfg.Grace, func(t *call.Table) {
		if l := t.Leg(a.leg); l == nil || len(t.Peers(nil, l)) == 0 {
			a.finish(ending{reason: reasonCallEnded})
		}
		a.leaving = nil
	})
}

// ownGone ends an act whose own leg the table has seen and sees no more: the supervisor hung up, did not answer, or the PBX ended it.
func (g *Gate) ownGone(t *call.Table, a *act) bool {
	if t.Leg(a.own) != nil {
		a.ownSeen = true
		if a.state == stateActive && a.snoopSeen && t.Leg(a.snoop) == nil {
			a.finish(ending{reason: reasonLegGone})
			return true
		}
		a.snoopSeen = a.snoopSeen || t.Leg(a.snoop) != nil
		return false
	}
	if !a.ownSeen || a.leaving != nil {
		return false
	}
	reason := reasonNoAnswer
	if a.supervision && a.state == stateActive {
		reason = reasonBySupervisor
	}
	a.finish(ending{reason: reason})
	return true
}
