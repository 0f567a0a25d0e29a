package journal

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// CallOf returns the id of the call that a live leg is on, and whether it is on one that is followed. The store has that call after [Scribe.Sync].
func (s *Scribe) CallOf(id call.LegID) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.legs[id]
	if x == nil || x.call.first() == nil {
		return "", false
	}
	if x.call.n == 0 {
		s.mark(x.call)
	}
	return x.call.id, true
}

// Supervised takes in that a supervision of the call of a leg has begun, or, with an id that runs, what has changed of it. It reports whether
// that call is followed.
func (s *Scribe) Supervised(target call.LegID, sv Supervision) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.supervision(sv.ID); v != nil {
		v.Mode, v.Told, v.dirty = sv.Mode, sv.Told, true
		s.mark(s.running[sv.ID])
		return true
	}
	x := s.legs[target]
	if x == nil || x.call.first() == nil {
		return false
	}
	x.call.supervisions = append(x.call.supervisions, &supervision{Supervision: sv, dirty: true})
	s.running[sv.ID] = x.call
	s.mark(x.call)
	return true
}

// SupervisionEnded takes in that a supervision has ended. One that does not run, as its call is over, stays as it is.
func (s *Scribe) SupervisionEnded(id string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.supervision(id); v != nil {
		v.Ended, v.dirty = at, true
		s.mark(s.running[id])
		delete(s.running, id)
	}
}

// supervision returns one that runs, having looked up of which call it is by now.
func (s *Scribe) supervision(id string) *supervision {
	c := s.running[id]
	if c == nil {
		return nil
	}
	for c.into != nil {
		c = c.into
	}
	s.running[id] = c
	for _, v := range c.supervisions {
		if v.ID == id {
			return v
		}
	}
	return nil
}
