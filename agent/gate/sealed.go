package gate

import (
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// isLocked reports whether a lock lies on one of the legs.
func (g *Gate) isLocked(legs []*call.Leg) bool {
	if len(g.sealed) == 0 {
		return false
	}
	return slices.ContainsFunc(legs, func(l *call.Leg) bool {
		return slices.ContainsFunc(g.sealed[l.ID()], func(k *lock) bool { return k.begun })
	})
}

// hasLocked reports whether the employee has locked the call of this leg himself.
func (g *Gate) hasLocked(employee string, leg call.LegID) bool {
	return slices.ContainsFunc(g.sealed[leg], func(k *lock) bool { return k.begun && k.employee == employee })
}

// seal lays a lock on legs.
func (g *Gate) seal(k *lock, legs []*call.Leg) {
	for _, l := range legs {
		if _, there := k.legs[l.ID()]; !there {
			k.legs[l.ID()] = struct{}{}
			g.sealed[l.ID()] = append(g.sealed[l.ID()], k)
		}
	}
}

// unseal takes a lock off all its legs and out of what there is.
func (g *Gate) unseal(k *lock) {
	k.over = true
	g.hideLock(k)
	delete(g.locks, k.id)
	for id := range k.legs {
		g.lift(k, id)
	}
}

func (g *Gate) lift(k *lock, leg call.LegID) {
	delete(k.legs, leg)
	rest := g.sealed[leg]
	if i := slices.Index(rest, k); i >= 0 {
		rest = slices.Delete(rest, i, i+1)
	}
	if g.sealed[leg] = rest; len(rest) == 0 {
		delete(g.sealed, leg)
	}
}

// followLocks lays the locks on whoever has come to a call on which they lie, and ends those of which no leg is left. Caller holds the lock.
func (g *Gate) followLocks(t *call.Table, set *policy.Set, changes []call.Change) {
	if len(g.locks) == 0 {
		return
	}
	for i := range changes {
		c := &changes[i]
		for _, id := range [...]call.LegID{c.Leg, c.Other} {
			if l := t.Leg(id); l != nil {
				g.spreadLocks(t, l)
			}
		}
		if c.Kind == call.LegGone {
			g.lose(t, set, c.Leg)
		}
	}
}

// spreadLocks lays the locks that lie on one leg of a call on all of it.
func (g *Gate) spreadLocks(t *call.Table, l *call.Leg) {
	g.scratch.legs = t.Call(g.scratch.legs[:0], l)
	for i := 0; i < len(g.scratch.legs); i++ {
		for _, k := range g.sealed[g.scratch.legs[i].ID()] {
			g.seal(k, g.scratch.legs)
		}
	}
}

// lose takes the locks off a leg that is gone. When the record would find the call by fewer legs than there are, it is told of the others.
func (g *Gate) lose(t *call.Table, set *policy.Set, leg call.LegID) {
	for _, k := range slices.Clone(g.sealed[leg]) {
		g.lift(k, leg)
		if leg == k.leg {
			g.showLock(t, k)
		}
		if len(k.legs) == 0 {
			g.endLock(k, set, audit.Ended, policy.Decision{})
			continue
		}
		if !slices.Contains(k.named, leg) {
			continue
		}
		names := k.names(t)
		if k.begun && slices.ContainsFunc(names, func(id call.LegID) bool { return !slices.Contains(k.named, id) }) {
			k.with = g.onLock(t, set, k)
			k.named = names
			if subject, ok := set.Employee(k.employee); ok {
				g.writeLock(k, k.record(audit.Decided, set, mayLock(set, subject)))
			}
		}
	}
}

// findLocks finds the calls again on which locks lie, in a table that has been built anew. Caller holds the lock.
func (g *Gate) findLocks(t *call.Table) {
	set := g.policy.Load()
	for _, k := range g.locks {
		for _, id := range k.all() {
			if l := t.Leg(id); l != nil {
				g.spreadLocks(t, l)
			} else {
				g.lose(t, set, id)
			}
		}
	}
}

// recheckLocks takes off what was locked by a right that the policy does not give any more. Those whose calls it opens are asked for by nobody
// yet, and the board is to be made anew.
func (g *Gate) recheckLocks(set *policy.Set) {
	for _, k := range g.locks {
		if d := k.holds(set); !d.Allowed {
			g.endLock(k, set, audit.Revoked, d)
		}
	}
}

// holds decides whether who has locked may still, by a policy that may not know him any more.
func (k *lock) holds(set *policy.Set) policy.Decision {
	subject, ok := set.Employee(k.employee)
	if !ok {
		return policy.Decision{Reason: policy.ReasonUnknownSubject}
	}
	return mayLock(set, subject)
}

// inheritLock lays a lock of the Earshot before this one on the call as far as the record tells where that is. Caller holds the lock.
func (g *Gate) inheritLock(t *call.Table, set *policy.Set, old *audit.Act) {
	k := &lock{
		act: g.newActAs(old.ID, auth.Subject{}, policy.Lock, old.Door), since: old.Time, legs: map[call.LegID]struct{}{},
		credential: old.Credential, begun: true,
	}
	k.stop()
	k.employee, k.target, k.with, k.asked = old.Subject, old.Subject, old.Employees, old.Time
	named := legsOf(old.Detail)
	if len(named) > 0 {
		k.leg = named[0]
	}
	g.locks[k.id] = k
	for _, id := range named {
		if l := t.Leg(id); l != nil {
			g.seal(k, t.Call(g.scratch.legs[:0], l))
		}
	}
	if len(k.legs) == 0 {
		g.endLock(k, set, audit.Ended, policy.Decision{})
		return
	}
	d := k.holds(set)
	if !d.Allowed {
		g.endLock(k, set, audit.Revoked, d)
		return
	}
	k.named = k.names(t)
	g.showLock(t, k)
	g.writeLock(k, k.record(audit.Decided, set, d))
}

// endLock ends a lock whose call has ended or whose right is gone. Caller holds the lock; the board is to be made anew, or does not change.
func (g *Gate) endLock(k *lock, set *policy.Set, phase audit.Phase, d policy.Decision) {
	g.unseal(k)
	e := k.record(phase, set, d)
	if phase == audit.Ended {
		e.Reason = reasonCallEnded
	}
	if !k.begun || k.opening {
		k.end = e
		return
	}
	g.writeLock(k, e)
}

// writeLock writes down what has become of a lock, behind what was written of it before, without waiting for it. While Earshot stops it writes
// nothing: what is on record then is found again by the next. Caller holds the lock.
func (g *Gate) writeLock(k *lock, e audit.Entry) {
	if g.closed {
		return
	}
	if e.Phase != audit.Decided {
		g.met.ended.WithLabelValues(e.Action, e.Reason).Inc()
	}
	before, done := k.written, make(chan struct{})
	k.written = done
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		defer close(done)
		if before != nil {
			<-before
		}
		g.canonical(&e)
		if err := g.fact(e); err != nil {
			g.log.Error().Err(err).Str("id", e.ID).Msg("what became of a lock was not recorded")
		}
	}()
}

// relook decides anew what runs on these legs, and shows the rows that rest on them, after a lock was laid on them or taken off. Caller holds the
// lock.
func (g *Gate) relook(t *call.Table, legs []call.LegID) {
	set := g.policy.Load()
	changes := make([]call.Change, 0, len(legs))
	for _, id := range legs {
		changes = append(changes, call.Change{Leg: id})
	}
	for _, a := range g.concerned(t, set, changes) {
		g.reconsider(t, a)
	}
	g.showRows(t, set, g.affected(t, set, changes), time.Time{})
}

// onLock are the employees on the legs on which a lock lies.
func (g *Gate) onLock(t *call.Table, set *policy.Set, k *lock) (ids []string) {
	for _, id := range k.all() {
		if l := t.Leg(id); l != nil {
			if ref, ok := set.Phone(l.Endpoint()); ok && !slices.Contains(ids, set.ID(ref)) {
				ids = append(ids, set.ID(ref))
			}
		}
	}
	return ids
}
