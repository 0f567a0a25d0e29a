package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// lineMode is what somebody does to a conversation of a line. Both are decided by line.join: who may join may also take over from who is away.
type lineMode string

const (
	modeNone     lineMode = ""
	modeJoin     lineMode = "join"     // he becomes a party, heard and seen by all
	modeTakeover lineMode = "takeover" // the customer becomes his, and the colleague's leg is let go
)

// LineAsk is a request about a colleague's conversation on a line.
type LineAsk struct {
	Line string // its id
	Ask         // whose, and by which of the subject's phones
}

// JoinLine rings the subject's own phone and, once he answers, puts him into a colleague's conversation: all three hear each other. A tone tells
// them, and the event stream the employees among them. It returns as soon as the phone is being rung. When he hangs up, or his ground is gone, the
// others go on without him; when the colleague hangs up, the customer is his.
func (g *Gate) JoinLine(ctx context.Context, s auth.Subject, ask LineAsk) (mask.Join, error) {
	return g.ofLine(ctx, s, ask, modeJoin)
}

// TakeOverLine rings the subject's own phone and, once he answers, gives him the customer of a colleague who is away: whose phone rings, who has the
// customer on hold, or who is paused on the line. It returns as soon as the phone is being rung. Until he answers nothing has moved, and when the
// colleague is there again meanwhile, nothing does. The customer is moved in one step; then the colleague's leg is let go.
func (g *Gate) TakeOverLine(ctx context.Context, s auth.Subject, ask LineAsk) (mask.Join, error) {
	return g.ofLine(ctx, s, ask, modeTakeover)
}

func (g *Gate) ofLine(ctx context.Context, s auth.Subject, ask LineAsk, mode lineMode) (mask.Join, error) {
	a := g.newAct(s, policy.LineJoin, ask.Door)
	a.mode = mode
	err := g.beginAs(ctx, a, g.putThrough,
		func(t *call.Table, set *policy.Set, d *policy.Decision) *Problem {
			return g.admitLine(t, set, a, ask, d)
		},
		func(t *call.Table, set *policy.Set, d policy.Decision) {
			if a.leg != "" {
				g.second(t, set, a, a.action, d)
			}
		})
	if err != nil {
		return mask.Join{}, err
	}
	var v mask.Join
	g.locked(func(*call.Table) { v = a.joinView() })
	return v, nil
}

// joinView is what is done on a line as the one who does it sees it.
func (a *act) joinView() mask.Join {
	return mask.Join{
		ID: a.id, Line: a.line, Target: a.target, Mode: string(a.mode), Call: a.handle, Phone: a.phone, State: a.state, Since: a.since.UTC(),
		Reason: a.reason, Text: reasonText(a.reason),
	}
}

// admitLine decides, and fills the act with what was found. What follows from subject, line and target alone is said first. Who has no right on the
// line learns nothing of its conversations, unless this one is his client's: he gets one answer whether there is one or not.
func (g *Gate) admitLine(t *call.Table, set *policy.Set, a *act, ask LineAsk, d *policy.Decision) *Problem {
	subject, p := g.asker(set, a)
	if p != nil {
		return p
	}
	line, ok := set.Line(ask.Line)
	if !ok {
		return noSuchLine()
	}
	a.line = set.LineID(line)
	target, ok := set.Employee(ask.Target)
	if !ok {
		if !g.mayView(set, subject, line) {
			return noSuchLine()
		}
		return noSuchEmployee()
	}
	a.target = set.ID(target)
	alone := set.Decide(&policy.Request{Subject: subject, Action: a.action, Line: line, Target: target})
	*d = alone
	if !alone.Allowed && !beyondAlone(alone) {
		return g.lineRefusal(set, subject, line, alone, a.id)
	}
	p = g.findConversation(t, set, subject, target, line, a, ask)
	if p == nil {
		if *d = g.ground(t, set, a); d.Allowed {
			return nil
		}
	}
	switch {
	case !alone.Allowed: // and that is all he learns
		if p != nil {
			*d = alone
		}
		return g.lineRefusal(set, subject, line, alone, a.id)
	case p != nil:
		return p
	default:
		return g.refusal(set, *d, a.id)
	}
}

// findConversation fills the act with the conversation that is meant, and the phone. Caller holds the lock.
func (g *Gate) findConversation(t *call.Table, set *policy.Set, subject, target policy.Ref, line policy.LineRef, a *act, ask LineAsk) *Problem {
	if subject == target {
		return notOnLine()
	}
	if p := g.ownPhone(set, subject, a, ask.Phone); p != nil {
		return p
	}
	e := g.board[target]
	f, p := g.pick(set, subject, a, e, ask.Call, g.onLine(a.mode, set.Queue(line)))
	if p != nil {
		return p
	}
	l := t.Leg(f.leg)
	if l == nil {
		return callMoved(a.id)
	}
	customer := g.customerOf(t, l, set.Queue(line))
	if customer == nil {
		return notOnLine()
	}
	if a.mode == modeTakeover && !g.isAway(set, line, target, l) {
		return notAway()
	}
	a.leg, a.targetPhone, a.hadPeer = f.leg, l.Endpoint(), true
	a.customer, a.channel = customer.ID(), l.Name()
	a.rings = l.Phase() == call.PhaseRinging
	if a.mode == modeTakeover {
		a.channel = customer.Name()
	}
	a.sight = g.sight(set, subject, target, f)
	a.handle = g.handle(a.employee, a.target, f.leg, a.sight)
	a.caller = call.Identity{Name: set.LineName(line) + ": " + set.Name(target)}
	if p := f.facts.Peer; p != nil && a.sight.Peer() {
		a.caller = call.Identity{Name: p.Name, Number: call.Number(p.Number)}
	}
	for _, o := range g.hearing[a.leg] {
		if a.mode == modeTakeover && o != a && o.takes() {
			return beingTaken()
		}
	}
	return nil
}

// onLine says which legs of a colleague's are meant by a join or a take-over on a line.
func (g *Gate) onLine(mode lineMode, queue string) fit {
	return func(f *legFacts, named bool) bool {
		phase, takes := f.facts.Phase, mode == modeTakeover
		return f.pbx == "" && f.queue == queue && f.other != "" && !g.supervises(f.leg) &&
			(phase == call.PhaseTalking || phase == call.PhaseHeld && (named || takes) || phase == call.PhaseRinging && takes)
	}
}

// customerOf is the leg on the other side of a colleague's that has come by the queue; nil if there is none.
func (g *Gate) customerOf(t *call.Table, l *call.Leg, queue string) *call.Leg {
	g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
	for _, o := range g.scratch.peers {
		if o.Queue() == queue && o.Kind() == call.KindPhone {
			return o
		}
	}
	return nil
}

// isAway reports whether a colleague is away from his conversation: the line rings and he does not answer, he has put the customer on hold, or he has
// been paused on the line, by which he or another has said so; he may have left his phone lying there.
func (g *Gate) isAway(set *policy.Set, line policy.LineRef, target policy.Ref, l *call.Leg) bool {
	if phase := l.Phase(); phase == call.PhaseRinging || phase == call.PhaseHeld {
		return true
	}
	m, ok := g.memberOf(set, line, target)
	return ok && m.Paused
}

// weighLine decides what is done on a line over everybody who is within earshot there, the subject's own leg for it not counted. Caller holds the lock.
func (g *Gate) weighLine(t *call.Table, set *policy.Set, a *act, l *call.Leg, r *policy.Request) (d policy.Decision, unsure bool) {
	line, ok := set.Line(a.line)
	if !ok {
		return policy.Decision{Reason: policy.ReasonUnknownLine, Pairwise: true}, false
	}
	party := r.Party
	r.Line, r.Party = line, false
	r.Responsible, r.Access, unsure = g.clientOf(set, g.scratch.legs)
	onLine := queueOf(g.scratch.legs) == set.Queue(line)
	g.scratch.set, g.scratch.listener = set, a
	g.scratch.legs = t.Earshot(g.scratch.legs[:0], l, g.scratch.reach)
	c := g.survey(set, a)
	sealed := g.beyond(set, r.Subject, c)
	g.scratch.refs = c.everyone(g.scratch.refs)
	r.With, r.ProtectedNumber = g.scratch.refs, c.protected
	// What only the policy's word on supervision has: a lock, a phone that nobody knows.
	locked, unknown := sealed || g.isLocked(g.scratch.legs), c.unknown && !set.UnknownPhonesOutside()
	return ofClient(r, unsure, func(r *policy.Request) policy.Decision {
		switch d := set.Decide(r); {
		case !d.Allowed:
			return d
		case !onLine:
			return policy.Decision{Reason: policy.ReasonUnknownTarget}
		case party:
			return policy.Decision{Reason: policy.ReasonParty, Pairwise: true}
		case locked:
			return policy.Decision{Reason: policy.ReasonLocked}
		case unknown:
			return policy.Decision{Reason: policy.ReasonUnknownPhone}
		case g.carriedOff(t, a):
			return policy.Decision{Reason: policy.ReasonUnknownParty}
		default:
			return d
		}
	})
}

// carriedOff reports whether the own leg has become another phone's: a transfer by the subject's phone does that.
func (g *Gate) carriedOff(t *call.Table, a *act) bool {
	o := t.Leg(a.own)
	return o != nil && o.Kind() == call.KindPhone && !samePhone(o.Endpoint(), a.phone)
}

// isSettled reports whether there is nothing more to decide about an act, or not now. Caller holds the lock.
func (g *Gate) isSettled(t *call.Table, a *act) bool {
	switch {
	case a.supervision, a.tape != nil:
		return false
	case a.waits:
		return g.fetchSettled(t, a)
	case a.mode == modeNone, a.rings && a.mode == modeTakeover:
		return g.settled(t, a)
	case a.mode == modeJoin:
		return g.joinSettled(t, a)
	default:
		return g.takeoverSettled(t, a)
	}
}

// joinSettled looks whether the subject is in the conversation, and whether that is over. Caller holds the lock.
func (g *Gate) joinSettled(t *call.Table, a *act) bool {
	own, l := t.Leg(a.own), t.Leg(a.leg)
	if own != nil && own.State() == call.StateUp && l != nil && own.Bridge() != "" && own.Bridge() == l.Bridge() {
		a.takenOnce.Do(func() { close(a.taken) })
	}
	if !a.isTaken() || own == nil || a.ended {
		return false
	}
	if l != nil && slices.Contains(t.Call(g.scratch.legs[:0], l), own) {
		a.stopLeaving()
		return false
	}
	g.leaves(a, func(*call.Table) { a.finish(ending{reason: reasonCallEnded}) })
	return true
}

// takeoverSettled looks whether the customer is the subject's, or cannot be any more. Caller holds the lock.
func (g *Gate) takeoverSettled(t *call.Table, a *act) bool {
	own, l, customer := t.Leg(a.own), t.Leg(a.leg), t.Leg(a.customer)
	if own != nil && own.State() == call.StateUp && own.Bridge() != "" && customer != nil && own.Bridge() == customer.Bridge() {
		a.takenOnce.Do(func() { close(a.taken) })
		return true
	}
	if l != nil && customer != nil && slices.Contains(t.Call(g.scratch.legs[:0], l), customer) {
		a.stopLeaving()
		set := g.policy.Load()
		line, _ := set.Line(a.line)
		target, _ := set.Employee(a.target)
		if own == nil || own.State() != call.StateUp { // else the customer is on his way
			if !g.isAway(set, line, target, l) {
				a.finish(ending{reason: reasonBack})
				return true
			}
		}
		return false
	}
	g.leaves(a, func(t *call.Table) {
		if g.takeoverSettled(t, a) && !a.isTaken() {
			a.finish(ending{reason: reasonCallEnded})
		}
	})
	return true
}

// leaves has an act looked at again when somebody may have left its call, or is being moved. Caller holds the lock.
func (g *Gate) leaves(a *act, f func(*call.Table)) {
	if a.leaving != nil || a.ended {
		return
	}
	var timer *time.Timer
	timer = g.after(a, g.cfg.Grace, func(t *call.Table) {
		switch {
		case a.leaving != timer:
		case !g.known:
			a.leaving = nil // it begins anew with the next snapshot
		default:
			f(t)
		}
	})
	a.leaving = timer
}

func (a *act) stopLeaving() {
	if a.leaving != nil {
		a.leaving.Stop()
		a.leaving = nil
	}
}

// putThrough carries out what was decided on a line. It is the act's goroutine.
func (g *Gate) putThrough(a *act) {
	ctx, cancel := context.WithTimeout(a.ctx, g.cfg.RingTimeout+5*time.Second)
	defer cancel()
	order := func() error {
		if a.rings {
			g.expectPickup(a)
			return g.cfg.PBX.Take(ctx, pbx.Take{Leg: a.own, Endpoint: a.phone, Ringing: a.leg, Display: a.caller, Timeout: g.cfg.RingTimeout})
		}
		return g.cfg.PBX.Join(ctx, pbx.Join{
			Leg: a.own, Endpoint: a.phone, With: a.channel, Alone: a.mode == modeTakeover, Display: a.caller, Timeout: g.cfg.RingTimeout,
		})
	}
	if err := order(); errors.Is(err, pbx.ErrUnreachable) {
		g.finish(a, ending{reason: reasonUnreachable, err: err})
	} else if err != nil {
		g.finish(a, ending{reason: reasonPBX, err: err})
	} else {
		g.awaitTaker(ctx, a)
	}
	switch {
	case a.mode == modeTakeover:
		g.await(a)
		if a.isTaken() {
			g.took(a)
			return
		}
		g.expectNoPickup(a)
	case a.isTaken():
		g.attend(a)
		fallthrough
	default:
		g.leaveLine(a)
	}
	g.conclude(a)
}

// attend tells everybody that the subject has joined, and returns when the act has to end.
func (g *Gate) attend(a *act) {
	g.locked(func(*call.Table) { a.tapped, a.told.since = true, time.Now() })
	if err := g.recordDone(a); err != nil {
		g.finish(a, ending{reason: reasonNotRecorded, err: err})
		return
	}
	g.locked(func(t *call.Table) {
		if a.ended {
			return
		}
		g.met.running.WithLabelValues(a.action.String()).Inc()
		g.become(a, stateActive)
		g.reconsider(t, a)
		if !a.ended {
			g.tellSupervised(g.policy.Load(), a)
		}
	})
	if err := g.tune(a.ctx, a); err != nil {
		// The PBX may say that the colleague's leg has gone before it tells of that, and the customer is not to be hung up on with it.
		g.after(a, g.cfg.Grace, func(t *call.Table) {
			if !a.outlived(t) {
				a.finish(ending{reason: reasonUntold, err: err})
			}
		})
	} else {
		heard := time.NewTimer(announceTime)
		select {
		case <-heard.C:
		case <-a.ctx.Done():
			heard.Stop()
		}
		g.locked(func(*call.Table) { a.announced = true })
		_ = g.tune(a.ctx, a) // takes it away
	}
	<-a.ctx.Done()
}

// outlived reports whether the colleague has gone from a conversation that the subject has joined, and with him the tone that was on his leg: then it
// is looked whether somebody is left to the subject. Caller holds the lock.
func (a *act) outlived(t *call.Table) bool {
	return a.mode == modeJoin && a.isTaken() && t.Leg(a.leg) == nil
}

// announceTime is how long the leg is kept that plays the tone by which a joining is told, which is shorter.
const announceTime = 600 * time.Millisecond

// leaveLine hangs up the own legs of one who joined, or whose phone was rung for nothing. Whoever is left to him when the colleague has gone is left to
// him, for whatever reason it ends: an ordinary call, in which nobody is hung up on.
func (g *Gate) leaveLine(a *act) {
	var legs []call.LegID
	g.locked(func(t *call.Table) {
		if own := t.Leg(a.own); a.mode == modeJoin && a.isTaken() && own != nil && len(t.Peers(nil, own)) > 0 {
			if l := t.Leg(a.leg); l == nil || !slices.Contains(t.Call(nil, l), own) {
				a.left = nil
			}
		}
		for _, id := range a.left {
			if !strings.HasSuffix(string(id), snoopSuffix) {
				legs = append(legs, id)
			}
		}
		legs = a.tone.legs(legs)
	})
	if len(legs) > 0 {
		g.drop("", legs...)
	}
}
