package gate

import (
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/policy"
)

// ground decides an act over everybody within earshot of its leg as things stand, and notes on which legs that rests. Caller holds the lock.
func (g *Gate) ground(t *call.Table, set *policy.Set, a *act) policy.Decision {
	v := g.weigh(t, set, a)
	a.unsure = v.unsure
	if v.surveyed {
		g.rest(a, g.scratch.heard)
		a.with = a.with[:0]
		for _, ref := range g.scratch.company.present {
			a.with = append(a.with, set.ID(ref))
		}
		a.claim(&g.scratch.company)
	}
	return v.Decision
}

// verdict is what a policy says of an act.
type verdict struct {
	policy.Decision
	unsure   bool // it is refused, and would not be if the client were the subject's own, which the directory cannot say now
	surveyed bool // it has come to the question who is there, and the answer is in scratch.company and scratch.heard
}

// weigh decides an act by a policy over everybody within earshot of its leg as things stand. It changes nothing but the scratch. Caller holds
// the lock.
func (g *Gate) weigh(t *call.Table, set *policy.Set, a *act) (v verdict) {
	subject, ok := set.Employee(a.employee)
	if !ok {
		v.Decision = policy.Decision{Reason: policy.ReasonUnknownSubject, Pairwise: true}
		return v
	}
	target, ok := set.Employee(a.target)
	if !ok && !a.waits {
		v.Decision = policy.Decision{Reason: policy.ReasonUnknownTarget, Pairwise: true}
		return v
	}
	if ref, ok := set.Phone(a.phone); a.tape == nil && !a.waitsForEar() && (!ok || ref != subject) {
		v.Decision = policy.Decision{Reason: policy.ReasonUnknownSubject, Pairwise: true}
		return v
	}
	l := t.Leg(a.leg)
	if l == nil {
		v.Reason = policy.ReasonUnknownTarget
		return v
	}
	if ref, ok := set.Phone(l.Endpoint()); !a.waits && (!ok || ref != target) {
		v.Reason = policy.ReasonUnknownTarget // the policy took the phone away
		return v
	}
	r := policy.Request{Subject: subject, Action: a.action, Target: target, ReasonGiven: a.given != ""}
	g.scratch.legs = t.Call(g.scratch.legs[:0], l)
	r.Party = g.party(set, subject, a)
	v.surveyed = true
	if a.tape != nil {
		v.Decision = g.weighTape(t, set, a, l, &r)
		return v
	}
	if a.mode != modeNone {
		v.Decision, v.unsure = g.weighLine(t, set, a, l, &r)
		return v
	}
	if a.waits {
		v.Decision, v.unsure = g.weighWaiting(set, a, l, &r)
		return v
	}
	if !a.supervision {
		v.Decision, v.unsure = g.weighIntercept(t, set, a, l, &r)
		return v
	}
	g.scratch.set, g.scratch.listener = set, a
	g.scratch.legs = g.foresee(t, t.Earshot(g.scratch.legs[:0], l, g.scratch.reach))
	c := g.survey(set, a)
	r.Locked = g.beyond(set, subject, c) || g.isLocked(g.scratch.legs)
	g.scratch.refs = c.everyone(g.scratch.refs)
	r.With, r.ProtectedNumber, r.UnknownPhone = g.scratch.refs, c.protected, c.unknown
	v.Decision = set.Decide(&r)
	if v.Allowed && a.next != 0 {
		r.Action = a.next
		v.Decision = set.Decide(&r)
	}
	if v.Allowed && g.intruded(t, a) {
		v.Decision = policy.Decision{Reason: policy.ReasonUnknownParty}
	}
	return v
}

// weighIntercept decides an intercept over the call in scratch.legs.
func (g *Gate) weighIntercept(t *call.Table, set *policy.Set, a *act, l *call.Leg, r *policy.Request) (d policy.Decision, unsure bool) {
	g.survey(set, a)
	g.scratch.rung = g.rung(g.scratch.rung[:0], set, g.scratch.legs)
	r.With = g.scratch.rung
	g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
	var outside call.Number
	if o := g.foremost(g.scratch.peers); o != nil {
		outside = g.outside(set, o)
	}
	if outside != "" {
		r.Responsible = g.responsible(set, outside)
		_, answer := g.cfg.Clients.Find(outside.Digits())
		unsure = answer == clients.Unknown
	}
	return ofClient(r, unsure, func(r *policy.Request) policy.Decision {
		switch d := set.Decide(r); {
		case !d.Allowed:
			return d
		case r.Party:
			// He calls there himself, or his own phone rings too: there is nothing to take.
			return policy.Decision{Reason: policy.ReasonParty, Pairwise: true}
		case len(g.scratch.peers) == 0:
			// Nobody calls: Earshot or somebody's click rings the phone in order to make a call from there.
			return policy.Decision{Reason: policy.ReasonUnknownParty}
		default:
			return d
		}
	})
}

// ofClient decides, and reports whether that hangs on whose client it is, where the directory cannot say that now: it is refused, by whatever reason, and
// would not be if he were the subject's own.
func ofClient(r *policy.Request, silent bool, decide func(*policy.Request) policy.Decision) (d policy.Decision, unsure bool) {
	if d = decide(r); d.Allowed || !silent {
		return d, false
	}
	his := *r
	his.Responsible = r.Subject
	return d, decide(&his).Allowed
}

// party reports whether the subject is on the call in scratch.legs. A supervisor is none.
func (g *Gate) party(set *policy.Set, subject policy.Ref, a *act) bool {
	return slices.ContainsFunc(g.scratch.legs, func(l *call.Leg) bool {
		if l.Kind() != call.KindPhone || g.supervises(l.ID()) || g.byLeg[l.ID()] != nil || g.wasEar(a, l) {
			return false
		}
		ref, ok := set.Phone(l.Endpoint())
		return ok && ref == subject
	})
}

// survey counts who is on the legs in scratch.legs, and which they are: those on which the act's ground rests. The subject's own supervising
// legs do not count: he knows of them, and hears nobody by them whom the walk has not come to.
func (g *Gate) survey(set *policy.Set, a *act) *company {
	c := &g.scratch.company
	c.reset()
	heard := append(g.scratch.heard[:0], a.own, a.snoop)
	if a.nextSnoop != "" {
		heard = append(heard, a.nextSnoop)
	}
	heard = a.tone.legs(heard)
	for _, o := range g.scratch.legs {
		if !a.isOwn(o.ID()) {
			heard = append(heard, o.ID())
		}
		if b := g.byLeg[o.ID()]; (b == nil || b.employee != a.employee) && !g.wasEar(a, o) {
			c.add(set, o, g.supervises(o.ID()))
		}
	}
	g.scratch.heard = heard
	return c
}

// wasEar reports whether a leg is the supervisor's that he steers himself, and in no ordinary call: it comes into another's call by his supervisions alone
// then, and the table has it there for a moment after one is over, while it goes back to where it was. In an ordinary call he talks by it like anybody.
func (g *Gate) wasEar(a *act, o *call.Leg) bool {
	l := g.stasis.legs[o.ID()]
	return a.supervision && l != nil && l.st.subject.Employee() == a.employee && !isOrdinary(o.Bridge())
}

// rest notes on which legs an act's ground rests.
func (g *Gate) rest(a *act, legs []call.LegID) {
	if slices.Equal(a.earshot, legs) {
		return
	}
	for _, id := range a.earshot {
		rest := g.hearing[id]
		if i := slices.Index(rest, a); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		}
		if len(rest) == 0 {
			delete(g.hearing, id)
		} else {
			g.hearing[id] = rest
		}
	}
	a.earshot = append(a.earshot[:0], legs...)
	for _, id := range a.earshot {
		g.hearing[id] = append(g.hearing[id], a)
	}
}

// isPhone and spyMode say how far the walk over everybody within earshot goes. What leads outside is no phone: two calls by it are two people's. A spy that Earshot did not start is taken to hear and to
// speak, since nothing is known of it; the listener's own snoop leads nowhere, or he would count as one of those he listens to.
func (g *Gate) isPhone(l *call.Leg) bool {
	a := g.scratch.listener
	return !g.scratch.set.Outside(l.Endpoint()) && (a == nil || g.byLeg[l.ID()] != a)
}

func (g *Gate) spyMode(l *call.Leg) call.SpyMode {
	a, o := g.scratch.listener, g.byLeg[l.ID()]
	switch {
	case a == nil || o == nil:
		return call.SpyMode{Hears: true, Speaks: true}
	case o == a:
		return call.SpyMode{}
	default:
		return o.spyMode(l.ID())
	}
}

// intruded reports whether somebody else than the supervisor hears what the act lets him hear: his leg has become another phone's, or
// another leg has come to it, or the snoop has come to another leg; or that somebody speaks where the tone does. A transfer by the supervisor's own phone does that.
func (g *Gate) intruded(t *call.Table, a *act) bool {
	for _, id := range [...]call.LegID{a.snoop, a.nextSnoop, a.tone.leg, a.tone.next} {
		s := t.Leg(id)
		if s == nil {
			continue
		}
		if on := s.Spied(); on != nil && on.ID() != a.leg {
			return true
		}
		if g.strangers(t, a, s) {
			return true
		}
	}
	o := t.Leg(a.own)
	return o != nil && (o.Kind() == call.KindPhone && !samePhone(o.Endpoint(), a.phone) || !a.mingles() && g.strangers(t, a, o))
}

func (g *Gate) strangers(t *call.Table, a *act, l *call.Leg) bool {
	g.scratch.legs = t.Call(g.scratch.legs[:0], l)
	return slices.ContainsFunc(g.scratch.legs, func(o *call.Leg) bool {
		return !a.isOwn(o.ID()) && o.Kind() != call.KindInternal
	})
}

// reconsider looks at an act's ground after a change and ends the act when it is gone. While the state is not known nothing can be seen to
// be gone, and what the policy says is decided over the last that was known. Caller holds the lock.
func (g *Gate) reconsider(t *call.Table, a *act) {
	if g.known && g.isSettled(t, a) || a.ended {
		return
	}
	l := t.Leg(a.leg)
	if g.known {
		if l == nil || !samePhone(l.Endpoint(), a.targetPhone) {
			a.finish(ending{reason: reasonCallEnded})
			return
		}
		if g.ownGone(t, a) {
			return
		}
	}
	set := g.policy.Load()
	d := g.ground(t, set, a)
	if !d.Allowed && a.unsure && g.waits(a) {
		return
	}
	if !d.Allowed {
		reason := notForThisCall("").Code
		if told := g.told(set, a, d); told.Pairwise {
			reason = told.Reason.String()
		}
		a.finish(ending{reason: reason, revoked: true, ground: d, set: set, at: time.Now()})
		g.renewed(t, set, a, d)
		return
	}
	if a.doubt != nil {
		a.doubt.Stop()
		a.doubt = nil
	}
	switch {
	case a.tape != nil:
		g.note(set, a, d)
	case a.supervision, a.mode == modeJoin:
		g.note(set, a, d)
		g.retune(set, a)
		g.tellSupervised(set, a)
	}
	if (a.supervision || a.tape != nil) && g.known {
		g.alone(t, a, l)
	}
	g.renewed(t, set, a, d)
}

// waits reports whether an intercept goes on for a moment although nobody can say whose client it is: a directory that has forgotten what it
// knew, because it was told that something has changed, is being asked again. Caller holds the lock.
func (g *Gate) waits(a *act) bool {
	if a.doubt == nil {
		a.doubted = time.Now().Add(directoryTime)
		a.doubt = g.after(a, directoryTime, func(t *call.Table) { g.reconsider(t, a) })
	}
	return time.Now().Before(a.doubted)
}

// note writes down who has come within earshot of a supervision that goes on, since its record so far does not name him. It ends when that
// cannot be written. Caller holds the lock.
func (g *Gate) note(set *policy.Set, a *act, d policy.Decision) {
	if !a.begun || g.closed {
		return
	}
	joined := false
	for _, id := range a.with {
		if !slices.Contains(a.recorded, id) {
			a.recorded, joined = append(slices.Clip(a.recorded), id), true
		}
	}
	if !joined {
		return
	}
	e := a.entry(audit.Decided, set, d)
	g.running.Add(1)
	a.noting.Add(1)
	go func() {
		defer g.running.Done()
		defer a.noting.Done()
		if err := g.fact(e); err != nil {
			g.finish(a, ending{reason: reasonNotRecorded, err: err})
		}
	}()
}

// told is what of a refusal follows from subject and target alone, so that it may be told; nothing, if that is not Pairwise. Of an intercept
// of a call that is hidden from the subject it is what the policy says without the call, or he would learn whether it is his own client's.
func (g *Gate) told(set *policy.Set, a *act, d policy.Decision) policy.Decision {
	if a.supervision || a.tape != nil || a.mode != modeNone || a.sight.Peer() {
		return d
	}
	subject, _ := set.Employee(a.employee)
	target, _ := set.Employee(a.target)
	d = set.Decide(&policy.Request{Subject: subject, Action: a.action, Target: target, ReasonGiven: a.given != ""})
	d.Pairwise = d.Pairwise && !d.Allowed
	return d
}
