package journal

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// join makes one call of those of two legs.
func (s *Scribe) join(x, y *leg) {
	if x.call == y.call {
		return
	}
	if c := s.merge(x.call, y.call); c.first() != nil {
		s.mark(c)
	}
}

func (s *Scribe) touchBoth(t *call.Table, c *call.Change, at time.Time) {
	for _, id := range [...]call.LegID{c.Leg, c.Other} {
		if l := t.Leg(id); l != nil {
			s.touch(t, l, at)
		}
	}
}

// touch looks who is with a leg now: with it, if it is a party, or else with those that it ties.
func (s *Scribe) touch(t *call.Table, l *call.Leg, at time.Time) {
	x := s.legs[l.ID()]
	if x == nil {
		return
	}
	if l.Kind() == call.KindPhone {
		s.tie(t, x, l, at)
		return
	}
	s.near = t.Peers(s.near[:0], l)
	for _, p := range s.near {
		if y := s.legs[p.ID()]; y != nil {
			s.tie(t, y, p, at)
		}
	}
}

func talking(l *call.Leg) bool { return l.Phase() == call.PhaseTalking || l.Phase() == call.PhaseHeld }

// tie notes who is on the other side of a party, and whether they talk. A zero time means that they may have talked since both were up.
func (s *Scribe) tie(t *call.Table, x *leg, l *call.Leg, at time.Time) {
	s.refresh(x, l)
	s.far = t.Peers(s.far[:0], l)
	for _, p := range s.far {
		y := s.legs[p.ID()]
		if y == nil {
			continue
		}
		s.join(x, y)
		if !x.party || !y.party {
			continue
		}
		a, fresh := x.with(y)
		b, _ := y.with(x)
		if fresh {
			x.dirty, y.dirty = true, true
			s.line(x, y)
			s.line(y, x)
			s.mark(x.call)
		}
		if a.talked.IsZero() && talking(l) && talking(p) {
			since := at
			if since.IsZero() {
				if since = x.up; y.up.After(since) {
					since = y.up
				}
			}
			a.talked, b.talked = since, since
			s.talked(x, since)
			s.talked(y, since)
		}
	}
}

// line notes the queue that rings a leg.
func (s *Scribe) line(x, by *leg) {
	if x.row.Line == "" && x.row.Direction == call.In && by.visit != nil && by.visit.Ended.IsZero() {
		x.row.Line = by.visit.Line
	}
}

// talked takes in that a leg talks to another one for the first time.
func (s *Scribe) talked(x *leg, at time.Time) {
	x.dirty = true
	// Who was taken out of the queue's music to somebody else's phone has left the queue by that, in the same moment.
	if v := x.visit; v != nil && v.Answered.IsZero() && !v.gaveUp && (v.Ended.IsZero() || at.Sub(v.Ended) <= sameMoment) {
		v.Answered, v.dirty = at, true
	}
	c := x.call
	if c.answered.IsZero() || at.Before(c.answered) {
		c.answered = at
	}
	for _, l := range c.legs {
		if l.ended && !l.rang.IsZero() && at.Sub(l.rangTo) <= sameMoment {
			l.dirty = true // it may be this that it rang for
		}
	}
	s.mark(c)
}

// entered ties a leg to those in the bridge. Those in a holding bridge are on their own, each with the music.
func (s *Scribe) entered(t *call.Table, c *call.Change, at time.Time) {
	x, l := s.legs[c.Leg], t.Leg(c.Leg)
	if x == nil || l == nil || l.Bridge() != c.Bridge {
		return
	}
	x.hungUp = time.Time{}
	if s.cfg.Supervises(c.Leg) { // he has called in for it, and was a party to nothing
		s.spies(x)
	}
	if typ, _ := t.BridgeType(c.Bridge); typ != "holding" {
		s.near = t.BridgeLegs(s.near[:0], c.Bridge)
		for _, o := range s.near {
			if y := s.legs[o.ID()]; y != nil && y != x {
				s.join(x, y)
				break // who is in it is tied already
			}
		}
	}
	s.touch(t, l, at)
}

// spies takes a leg that listens to others, and has talked to nobody, for no party.
func (s *Scribe) spies(x *leg) {
	if x.party && len(x.peers) == 0 {
		x.party, x.listener = false, true
		if x.call.n != 0 {
			s.mark(x.call)
		}
	}
}

func (s *Scribe) transferred(ev *call.Event, c *call.Change) {
	by := s.legs[c.Leg]
	if by == nil {
		return
	}
	for _, id := range [...]call.LegID{c.Other, ev.Transferee} {
		if y := s.legs[id]; y != nil {
			s.join(by, y)
		}
	}
	if by.party {
		by.call.transfers = append(by.call.transfers, transferRow{at: ev.At, by: by.n, attended: ev.Kind == call.AttendedTransferred})
		s.mark(by.call)
	}
}
