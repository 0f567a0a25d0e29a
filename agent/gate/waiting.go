package gate

import (
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// outsider is a client with a responsible employee who has called in, wherever he is now. He counts as waiting when he has been with nobody for a
// while: a call comes in a moment before a phone is rung for it, and goes on a moment after somebody has talked to him. One who has been offered
// already counts at once: a queue rings, pauses and rings again.
type outsider struct {
	to    policy.Ref  // who is responsible for him
	alone time.Time   // since when nobody is on the other side, by Asterisk's clock; zero: somebody is
	timer *time.Timer // runs until he counts as waiting
	waits bool
}

// followOutside notes who of the clients comes and goes, and who is with nobody. Caller holds the lock.
func (g *Gate) followOutside(t *call.Table, set *policy.Set, changes []call.Change, at time.Time) {
	for i := range changes {
		switch c := &changes[i]; c.Kind {
		case call.LegCreated, call.PartyChanged, call.LegRenamed:
			g.meetOutsider(t, set, c.Leg)
		case call.LegGone:
			g.dropOutsider(c.Leg)
		default:
		}
	}
	g.lookOutside(t, at)
}

// findOutside looks for all of them, in a table or by a policy that is new. Caller holds the lock.
func (g *Gate) findOutside(t *call.Table, set *policy.Set) {
	for id := range g.outsiders {
		if t.Leg(id) == nil {
			g.dropOutsider(id)
		}
	}
	for _, l := range t.All(nil) {
		g.meetOutsider(t, set, l.ID())
	}
	g.lookOutside(t, time.Time{})
}

// meetOutsider looks whose client a leg is, if it is one. A protected number is shown to the parties alone.
func (g *Gate) meetOutsider(t *call.Table, set *policy.Set, id call.LegID) {
	l := t.Leg(id)
	if l == nil || l.Kind() != call.KindPhone || l.Direction() != call.Out || !set.Outside(l.Endpoint()) {
		g.dropOutsider(id)
		return
	}
	p := g.part(set, l)
	_, number := p.meet(g, set, l)
	to, ok := set.Employee(p.responsible)
	if number == "" || !ok || p.company.protected {
		g.dropOutsider(id)
		return
	}
	x := g.outsiders[l.ID()]
	if x == nil {
		x = &outsider{}
		g.outsiders[l.ID()] = x
	}
	x.to = to
}

func (g *Gate) dropOutsider(id call.LegID) {
	if x := g.outsiders[id]; x != nil {
		x.meets()
		delete(g.outsiders, id)
	}
}

// meets takes in that somebody is with him.
func (x *outsider) meets() {
	x.alone, x.waits = time.Time{}, false
	if x.timer != nil {
		x.timer.Stop()
		x.timer = nil
	}
}

// lookOutside looks who of them is with nobody. The zero time says that it is not known when that has begun.
func (g *Gate) lookOutside(t *call.Table, at time.Time) {
	for id, x := range g.outsiders {
		l := t.Leg(id)
		switch {
		case l == nil || !g.withNobody(t, l):
			x.meets()
		case x.alone.IsZero():
			if x.alone = at; at.IsZero() {
				x.alone = l.Since()
			}
			if x.alone.IsZero() {
				x.alone = time.Now()
			}
			if g.offers[id] != nil {
				x.waits = true
				continue
			}
			var timer *time.Timer
			timer = time.AfterFunc(g.cfg.WaitsAfter, func() {
				g.locked(func(*call.Table) {
					if x.timer == timer && g.known && !g.closed {
						x.waits, x.timer = true, nil
						g.offer(g.policy.Load(), true)
					}
				})
			})
			x.timer = timer
		}
	}
}

// withNobody reports whether no phone rings a leg and nobody talks to it. Who is in a bridge, be it alone, parked or in a conference, or waits while
// somebody who transfers him asks, is somebody's or somewhere where only who has put him there should take him from.
func (g *Gate) withNobody(t *call.Table, l *call.Leg) bool {
	if l.Direction() != call.Out || l.Bridge() != "" || l.Moving() || l.HungUp() || g.byLeg[l.ID()] != nil || g.consults.holding(l.ID()) {
		return false
	}
	g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
	return len(g.scratch.peers) == 0
}

func (g *Gate) someWait() bool {
	for _, x := range g.outsiders {
		if x.waits {
			return true
		}
	}
	return false
}

// waitingOffers adds to the offers those who wait.
func (g *Gate) waitingOffers() {
	for id, x := range g.outsiders {
		if x.waits && g.offers[id] == nil {
			g.offers[id] = &offer{to: x.to, caller: id, since: x.alone}
		}
	}
}

// relearnOutside looks again at who may have the number. Caller holds the lock.
func (g *Gate) relearnOutside(t *call.Table, set *policy.Set, number string) {
	for _, l := range t.All(nil) {
		if l.Direction() != call.Out || !sameEnd(l.Caller().Number.Digits(), number) {
			continue
		}
		if p := g.parts[l.ID()]; p != nil {
			p.met = false
		}
		g.meetOutsider(t, set, l.ID())
		for _, a := range slices.Clone(g.hearing[l.ID()]) {
			if a.leg == l.ID() {
				g.reconsider(t, a)
			}
		}
	}
	g.lookOutside(t, time.Time{})
}
