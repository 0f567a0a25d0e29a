package journal

import (
	"cmp"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// seen takes in which application a party is in. Of a queue that rings nobody the first thing that Asterisk tells may be that the caller has
// hung up; he is then taken to have been there since he was answered.
func (s *Scribe) seen(x *leg, l *call.Leg, ev *call.Event) {
	if app := l.App(); app == "ChanSpy" || app == "ExtenSpy" {
		s.spies(x)
		return
	}
	in := l.App() == "Queue" && l.Queue() != ""
	if x.visit == nil && !in {
		return
	}
	v := x.visit
	if v != nil && v.Ended.IsZero() && (in && v.Line != l.Queue() || !in && (l.App() != "" || ev.Kind == call.LegHungUp)) {
		v.Ended, v.dirty = ev.At, true
		s.mark(x.call)
	}
	if in && (v == nil || !v.Ended.IsZero()) {
		began := ev.At
		if ev.Kind == call.LegHungUp {
			began = cmp.Or(x.up, x.row.Began)
		}
		s.visits++
		x.visit = &visit{n: s.visits, leg: x, dirty: true, Visit: Visit{Line: l.Queue(), Leg: x.row.ID, Began: began}}
		x.call.visits = append(x.call.visits, x.visit)
		if x.dirty = true; x.row.Line == "" {
			x.row.Line = l.Queue()
		}
		s.mark(x.call)
	}
}

// refused takes in how a dial ended that was not answered.
func (s *Scribe) refused(ev *call.Event) {
	if ev.Answered {
		return
	}
	why := ev.Refusal
	if y := s.legs[ev.Peer.ID]; y != nil && y.up.IsZero() {
		if y.refusal == call.RefusalNone {
			y.refusal, y.dirty = why, true
		}
		if y.declined {
			why = call.RefusalBusy
		}
	}
	if x := s.legs[ev.Channel.ID]; x != nil {
		x.refused[why] = true
	}
}

// hungUp takes in that a phone has hung up, and what it did until then.
func (s *Scribe) hungUp(ev *call.Event) {
	x := s.legs[ev.Channel.ID]
	if x == nil || !x.hungUp.IsZero() {
		return
	}
	x.hungUp = ev.At
	if v := x.visit; v != nil && v.Ended.IsZero() {
		v.gaveUp = v.Answered.IsZero()
	}
	left := false // by somebody that it rings for
	for i := range x.peers {
		p := x.peers[i].leg
		left = left || !p.hungUp.IsZero() || p.ended
		if p.ringing && !x.ringing {
			x.gaveUp = true
		}
	}
	if x.ringing && !left {
		x.declined = true
	}
}

// gone ends a leg, and its call if it was the last one.
func (s *Scribe) gone(id call.LegID, x *leg, at time.Time) {
	delete(s.legs, id)
	x.ended, x.row.Ended = true, cmp.Or(x.hungUp, at)
	if x.ringing {
		x.ringing, x.rangTo = false, at
	}
	if v := x.visit; v != nil && v.Ended.IsZero() {
		v.Ended, v.dirty = x.row.Ended, true
	}
	c := x.call
	if x.party {
		s.markLeg(x)
	}
	if c.living--; c.living > 0 {
		return
	}
	c.over = true
	for _, v := range c.supervisions {
		if v.Ended.IsZero() {
			v.Ended, v.dirty = at, true
		}
		delete(s.running, v.ID)
	}
	if c.n == 0 {
		return // there was never a party on it
	}
	s.mark(c)
	if s.ended++; s.ended > s.cfg.MaxUnsaved {
		s.drop()
	}
}

// drop gives up the oldest call that has ended and of which nothing is saved, and reports whether there was one. (Those of which the store has the beginning are no more than ran
// when saving began to fail, and are to get their end.)
func (s *Scribe) drop() bool {
	for i, c := range s.unsaved {
		if !c.over || c.kept {
			continue
		}
		s.unsaved = append(s.unsaved[:i], s.unsaved[i+1:]...)
		s.ended--
		s.stats.Lost++
		r := c.record()
		s.lost.add(Gap{Began: r.began, Ended: r.ended, Lost: 1})
		return true
	}
	return false
}
