package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// ownTime is how long the PBX may take for one of these orders. Digits take a fifth of a second each.
const ownTime = 10 * time.Second

// need is what there has to be of a call for something to be done with it.
type need uint8

const (
	needLeg     need = iota // the own leg
	needUp                  // the own leg, answered
	needOther               // and one other in its bridge
	needConsult             // an attended transfer of the own leg's that has come to a call
)

// deed is one thing that somebody does with a call of his own, from the asking to the record of what came of it.
type deed struct {
	*act
	ask      OwnAsk
	need     need
	leads    bool // to a number
	joins    bool // two calls
	mode     string
	one, two ownCall
	weighed  [2]ownCall // joins: the two as they were when it was decided whether either may be called; zero for what was none then
	to       Destination
	d        policy.Decision
}

// ownCall is a call of somebody's own as it was found, to be read without the lock.
type ownCall struct {
	leg            call.LegID // his
	mate           call.LegID // who is in its bridge with it: perhaps half of a Local channel
	other          call.LegID // the phone or trunk that he talks to
	bridge         call.BridgeID
	name, mateName string
	endpoint       string // of his leg
	number         string // by which who is on the other side is called, if that is known from elsewhere than himself
}

func (g *Gate) newDeed(s auth.Subject, word ownWord, ask OwnAsk) *deed {
	k := &deed{act: g.newAct(s, policy.Dial, ask.Door), ask: ask}
	k.stop() // its orders are few and have a time of their own
	k.word = word
	return k
}

// place is where a deed leads.
func (g *Gate) place(k *deed) pbx.Place {
	return pbx.Place{Context: g.cfg.Dialling.Context, Number: call.Number(k.to.dial)}
}

// deal decides about a deed, writes it down, looks whether the call is as it was, has it done and writes down what came of it.
func (g *Gate) deal(ctx context.Context, k *deed, do func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	reason, p := given(k.ask.Reason)
	if p != nil {
		return p
	}
	k.given = reason
	set, p := g.decideDeed(ctx, k)
	if _, ok := set.Employee(k.employee); ok && k.leads {
		g.secondDial(set, k.act, DialAsk{Number: k.ask.Number}, k.to, k.d)
	}
	e := k.entry(audit.Decided, set, k.d)
	e.Mode = k.mode
	if k.leads || k.joins {
		e.Detail = k.to.kind(k.d)
		if !k.to.Employee.IsZero() {
			e.Targets = []string{set.ID(k.to.Employee)}
		}
	} else if p == nil {
		e.Outcome, e.Reason, e.Rule = audit.Allow, ownCallCode, audit.Rule{}
	}
	if p != nil {
		return g.refuse(k.act, p, k.d, e)
	}
	defer g.running.Done()
	g.met.decision(k.doing(), string(e.Outcome), e.Reason)
	g.canonical(&e)
	noted := g.recordCame
	if k.callsForHelp() {
		noted = g.recordBeside(e)
	} else if err := g.record(e); err != nil {
		return notRecorded(err)
	}
	if p = g.still(k); p == nil {
		p = g.carryDeed(ctx, k, do)
	}
	e.Phase, e.Outcome, e.Reason, e.Rule = audit.Done, "", "", audit.Rule{}
	if p != nil {
		e.Phase, e.Reason = audit.Failed, p.Code
	}
	noted(e)
	if p != nil {
		return p
	}
	return nil
}

// callsForHelp reports whether the subject's own leg calls an emergency number, which waits for no record. Whom else he sends there has not asked for it.
func (k *deed) callsForHelp() bool {
	return k.d.Reason == policy.ReasonEmergency && k.word == wordRedirect && k.ask.Side == SideOwn
}

// carryDeed has it done. What has been written down is carried out, though ctx may have ended meanwhile.
func (g *Gate) carryDeed(ctx context.Context, k *deed, do func(context.Context) error) *Problem {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ownTime)
	defer cancel()
	err := do(ctx)
	if err == nil {
		return nil
	}
	g.locked(func(*call.Table) {
		g.transfers = slices.DeleteFunc(g.transfers, func(x transfer) bool { return slices.Contains(k.moved(), x.leg) })
	})
	if !errors.Is(err, pbx.ErrGone) && !errors.Is(err, pbx.ErrNoExtension) {
		g.log.Error().Err(err).Str("id", k.id).Msg("what was decided was not carried out")
	}
	return undone(k.id, err)
}

// decideDeed finds the call and decides. Where it gives no problem, running has been added to.
func (g *Gate) decideDeed(ctx context.Context, k *deed) (set *policy.Set, p *Problem) {
	// Deciding may wait for a directory. What is found to be another policy's decision then is decided again.
	for begun := false; !begun; {
		set = g.policy.Load()
		k.to, k.d = Destination{}, policy.Decision{}
		if subject, ok := set.Employee(k.employee); ok && k.leads {
			k.to, k.d = g.DecideDial(ctx, set, subject, k.ask.Number)
		} else if ok && k.joins {
			g.decideJoin(ctx, set, subject, k)
		}
		g.locked(func(t *call.Table) {
			if g.policy.Load() != set {
				return
			}
			begun = true
			if p = g.admitDeed(t, set, k); p == nil {
				g.running.Add(1)
			}
		})
	}
	return set, p
}

// decideJoin decides whether the one of two calls could be transferred to the other. What the calls are is found once more when it has been decided, and
// has to be the same then.
func (g *Gate) decideJoin(ctx context.Context, set *policy.Set, subject policy.Ref, k *deed) {
	k.weighed = [2]ownCall{}
	g.locked(func(t *call.Table) {
		for i, handle := range [...]string{k.ask.Call, k.ask.Other} {
			if c, p := g.findOwn(t, set, subject, k, handle); p == nil {
				k.weighed[i] = c
			}
		}
	})
	for i := range k.weighed {
		if number := k.weighed[i].number; number != "" && !k.d.Allowed {
			k.to, k.d = g.DecideDial(ctx, set, subject, number)
		}
	}
}

// admitDeed decides what follows from who asks and from the calls. A call that is not his own is one that there is not. Caller holds the lock.
func (g *Gate) admitDeed(t *call.Table, set *policy.Set, k *deed) *Problem {
	subject, p := g.asker(set, k.act)
	if p != nil {
		return p
	}
	if p = g.findCalls(t, set, subject, k); p != nil {
		k.d = policy.Decision{} // that stands in the way, wherever it was to lead
		return p
	}
	k.with = g.onCalls(t, set, k)
	switch {
	case !g.isWith(t, set, subject, k.one.leg, k.ask.With), !g.isWith(t, set, subject, k.two.leg, k.ask.OtherWith):
		k.d = policy.Decision{}
		return callMoved(k.id)
	case k.joins && !(k.one.isStill(&k.weighed[0]) && k.two.isStill(&k.weighed[1])):
		k.d = policy.Decision{} // it is about others
		return callMoved(k.id)
	case k.joins && !k.d.Allowed && k.d.Reason == policy.ReasonNoPolicy:
		return notForThisCall(k.id) // both have called him, and neither is known to be somebody whom he may call
	case (k.leads || k.joins) && !k.d.Allowed:
		return g.dialRefusal(set, k.d, k.to, k.id)
	}
	return nil
}

// isWith reports whether a channel that the subject knows by a handle is on the other side of a leg. Without a handle anybody may be. Caller holds the lock.
func (g *Gate) isWith(t *call.Table, set *policy.Set, subject policy.Ref, own call.LegID, handle string) bool {
	if handle == "" {
		return true
	}
	l := t.Leg(own)
	if l == nil {
		return false
	}
	k, shots, r := g.screened(t, set, subject)
	for i, s := range shots {
		if s != nil && string(r.handle(&s.id)[:]) == handle {
			return slices.ContainsFunc(t.Peers(nil, l), func(o *call.Leg) bool { return o.ID() == k.roles[i].id && !o.Moving() }) // who is leaving counts as a peer for a moment
		}
	}
	return false
}

// findCalls finds what a deed is about. Caller holds the lock.
func (g *Gate) findCalls(t *call.Table, set *policy.Set, subject policy.Ref, k *deed) (p *Problem) {
	if k.one, p = g.findOwn(t, set, subject, k, k.ask.Call); p != nil || !k.joins {
		return p
	}
	if k.two, p = g.findOwn(t, set, subject, k, k.ask.Other); p == nil && (k.one.leg == k.two.leg || k.one.bridge == k.two.bridge) {
		return notTwoCalls()
	}
	return p
}

// findOwn finds a call of the subject's own by its handle. Caller holds the lock.
func (g *Gate) findOwn(t *call.Table, set *policy.Set, subject policy.Ref, k *deed, handle string) (c ownCall, p *Problem) {
	e := g.board[subject]
	if e == nil || handle == "" {
		return c, noSuchCall()
	}
	var l *call.Leg
	for i := range e.legs {
		f := &e.legs[i]
		if g.handle(k.employee, k.employee, f.leg, g.sight(set, subject, subject, f)) == handle {
			l, c.other = t.Leg(f.leg), f.other
		}
	}
	switch {
	case l == nil:
		return c, noSuchCall()
	case g.byLeg[l.ID()] != nil && k.need != needLeg:
		return c, notDoable() // it supervises, or is there to take a call and has none yet
	case g.consults[l.ID()] != nil && (k.leads || k.joins || k.word == wordPark), g.consults.holding(l.ID()) && k.need != needLeg:
		return c, transferring() // the include has plans for the two legs
	}
	c = ownCall{leg: l.ID(), name: l.Name(), bridge: l.Bridge(), endpoint: l.Endpoint(), other: c.other}
	if g.meet(t, set, l, &c); k.need == needConsult {
		x := g.consults[l.ID()]
		if x == nil || x.call == "" || t.Leg(x.call) == nil {
			return c, noTransfer()
		}
		c.mate = x.call
	}
	switch up := l.State() == call.StateUp; {
	case k.need == needUp && !up, k.need == needOther && (!up || c.mate == "" || c.other == ""):
		return c, notDoable()
	}
	return c, nil
}

// meet fills in who is in the bridge with the own leg, if that is one, and how who is on the other side is called. Caller holds the lock.
func (g *Gate) meet(t *call.Table, set *policy.Set, l *call.Leg, c *ownCall) {
	if l.Bridge() == "" {
		return
	}
	var mates []*call.Leg
	for _, o := range t.BridgeLegs(nil, l.Bridge()) {
		if o != l && o.Kind() != call.KindInternal {
			mates = append(mates, o)
		}
	}
	if len(mates) != 1 || mates[0].Kind() == call.KindSnoop {
		return
	}
	c.mate, c.mateName = mates[0].ID(), mates[0].Name()
	if o := t.Leg(c.other); o == nil {
		return
	} else if ref, ok := set.Phone(o.Endpoint()); ok {
		c.number = set.Number(ref)
	} else if set.Outside(o.Endpoint()) && o.Direction() == call.In {
		c.number = o.Dialled().Digits()
	}
}

// isStill reports whether who is on the other side of the same leg is who was, and is called by the same number.
func (c *ownCall) isStill(was *ownCall) bool {
	return c.leg == was.leg && c.other == was.other && c.number == was.number
}

// onCalls are the employees whose phones are on the calls. Caller holds the lock.
func (g *Gate) onCalls(t *call.Table, set *policy.Set, k *deed) (ids []string) {
	for _, id := range [...]call.LegID{k.one.leg, k.two.leg} {
		l := t.Leg(id)
		if l == nil {
			continue
		}
		for _, o := range t.Call(nil, l) {
			if ref, ok := set.Phone(o.Endpoint()); ok && !slices.Contains(ids, set.ID(ref)) {
				ids = append(ids, set.ID(ref))
			}
		}
	}
	return ids
}

// still looks whether the calls are what they were when it was decided, and makes ready for what is about to be seen of them.
func (g *Gate) still(k *deed) (p *Problem) {
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		subject, problem := g.asker(set, k.act)
		if problem != nil {
			p = problem
			return
		}
		for _, was := range [...]struct {
			handle string
			c      *ownCall
		}{{k.ask.Call, &k.one}, {k.ask.Other, &k.two}} {
			if was.c.leg == "" {
				continue
			}
			now, problem := g.findOwn(t, set, subject, k, was.handle)
			if problem != nil || !now.isStill(was.c) || now.mate != was.c.mate || now.bridge != was.c.bridge {
				p = callMoved(k.id)
				return
			}
		}
		g.expectDeed(k)
	})
	return p
}

// moved are the legs that a deed sends to its number.
func (k *deed) moved() []call.LegID {
	switch {
	case k.word != wordRedirect:
		return nil
	case k.ask.Side == SideOwn:
		return []call.LegID{k.one.leg}
	case k.ask.Side == SideOther:
		return []call.LegID{k.one.mate}
	}
	return []call.LegID{k.one.leg, k.one.mate}
}

// expectDeed has what is about to be seen taken for Earshot's own doing, and lets the phone door know for whom a leg asks that will come to it. Caller
// holds the lock.
func (g *Gate) expectDeed(k *deed) {
	switch k.word {
	case wordRedirect:
		g.dog.hand(k.one.bridge)
		for _, leg := range k.moved() {
			g.sendsTo(leg, k.one.endpoint, k.to.dial)
		}
	case wordAttended:
		g.dog.hand(k.one.bridge)
		g.dog.fetches(k.one.leg, k.one.mate)
		g.consults[k.one.leg] = &consult{waits: k.one.mate, endpoint: strings.Clone(k.one.endpoint), number: k.to.dial}
	case wordConnect:
		for _, c := range [...]*ownCall{&k.one, &k.two} {
			g.dog.hand(c.bridge)
			g.dog.fetches(c.mate)
		}
	case wordPark:
		g.dog.hand(k.one.bridge)
	case wordHangUp, wordTransfer, wordCancel, wordMute, wordPress:
	case wordOriginate, wordBridge, wordLeg, wordPlay: // are no deeds with a call on somebody's row
	}
}

// areDigits reports whether s can be pressed.
func areDigits(s string) bool {
	return s != "" && len(s) <= MaxDigits && strings.Trim(s, "0123456789ABCD*#") == ""
}

// supervisionOn is the subject's own supervision that a handle on his row is of; empty for none.
func (g *Gate) supervisionOn(s auth.Subject, handle string) (id string) {
	g.locked(func(*call.Table) {
		set := g.policy.Load()
		subject, ok := set.Employee(s.Employee())
		if !ok || g.board[subject] == nil || !g.known {
			return
		}
		for i := range g.board[subject].legs {
			f := &g.board[subject].legs[i]
			if f.facts.Supervision != "" && g.handle(s.Employee(), s.Employee(), f.leg, g.sight(set, subject, subject, f)) == handle {
				id = f.facts.Supervision
			}
		}
	})
	return id
}
