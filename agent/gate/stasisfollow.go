package gate

import (
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
)

// The model of who is in which bridge is made by the orders that are done, since the table may be told of them later. What the table tells that no order
// has caused changes the model too: a phone that transfers, somebody who destroys a bridge.

// expect notes what the table is about to tell of legs that are put into a bridge, or with nil taken out of theirs. Caller holds the gate's lock, and the
// turn.
func expect(legs []*stasisLeg, to *stasisBridge) {
	for _, l := range legs {
		if l.bridge != nil {
			l.moves = append(l.moves, stasisMove{l.bridge.room, false})
		}
		if to != nil {
			l.moves = append(l.moves, stasisMove{to.room, true})
		}
		if len(l.moves) > maxMoves {
			l.moves = slices.Delete(l.moves, 0, len(l.moves)-maxMoves)
		}
	}
}

// follows takes one of the moves that are expected of a leg, with those before it, which will not be told any more, and reports whether it was one.
func (l *stasisLeg) follows(m stasisMove) bool {
	at := slices.Index(l.moves, m)
	if at >= 0 {
		l.moves = slices.Delete(l.moves, 0, at+1)
	}
	return at >= 0
}

// enters reports whether the table is about to tell that the leg enters a bridge. It need not be told that it leaves one: it may not have been there.
func (l *stasisLeg) enters() bool {
	return l != nil && slices.ContainsFunc(l.moves, func(m stasisMove) bool { return m.in })
}

// correct takes the table's word for where legs are, after an order that has failed. Caller holds the lock.
func (g *Gate) correct(t *call.Table, legs []*stasisLeg) {
	for _, l := range legs {
		l.moves = nil
		if o := t.Leg(l.id); g.known && o != nil && !l.gone && l.act == nil {
			l.look(t)
			l.st.put(stasisMember{leg: l}, l.st.room(o.Bridge()))
		}
	}
}

// room is the bridge of a Stasis that is a bridge of the PBX; nil: none is.
func (st *Stasis) room(id call.BridgeID) *stasisBridge {
	if b := st.gate.stasis.rooms[id]; b != nil && b.st == st && b.made {
		return b
	}
	return nil
}

// followStasis takes up what has become of legs and bridges that clients steer. Caller holds the lock.
func (g *Gate) followStasis(t *call.Table, ev *call.Event, changes []call.Change) {
	if len(g.stasis.open) == 0 && len(g.past) == 0 {
		return
	}
	for i := range changes {
		c := &changes[i]
		l := g.stasis.legs[c.Leg]
		if l == nil {
			if c.Kind == call.LegCreated && g.buried(c.Leg) {
				g.clear("", c.Leg)
			}
			continue
		}
		switch c.Kind {
		case call.LegCreated:
			l.seen = true
		case call.LegGone:
			l.lose()
		case call.BridgeEntered, call.BridgeLeft:
			l.moved(t, c)
		default:
		}
	}
	switch b := g.stasis.rooms[ev.Bridge.ID]; {
	case b == nil:
	case ev.Kind == call.BridgeSeen:
		b.seen = true
	case ev.Kind == call.BridgeGone && b.made:
		b.st.raze(b)
	}
}

// moved takes up that the table tells of a leg that it enters a bridge or leaves it. Caller holds the gate's lock.
func (l *stasisLeg) moved(t *call.Table, c *call.Change) {
	m := stasisMove{c.Bridge, c.Kind == call.BridgeEntered}
	switch {
	case l.follows(m):
		if l.act != nil {
			l.st.gate.reconsider(t, l.act) // it may have waited for that
		}
	case l.act != nil:
	case m.in:
		if b := l.st.room(m.bridge); b != nil {
			l.look(t)
			l.st.put(stasisMember{leg: l}, b)
		}
	case l.bridge != nil && l.bridge.room == m.bridge:
		l.look(t)
		l.st.put(stasisMember{leg: l}, nil)
	}
}

// resyncStasis takes a table that has been built anew: which legs and bridges are there still, and where. When events were lost before it, nobody knows
// what played, so that is over. When none were, what an order has done and the table has not is about to be told. Caller holds the lock.
func (g *Gate) resyncStasis(t *call.Table, lost bool) {
	for _, st := range g.stasis.open {
		if lost {
			for _, p := range slices.Clone(st.playbacks) {
				st.played(p, playFailed)
				st.silence(p.name)
			}
		}
		for _, l := range slices.Clone(st.legs) {
			o := t.Leg(l.id)
			switch {
			case o == nil && (l.seen || lost && l.rung):
				l.lose()
			case o != nil:
				l.seen = true
				if o.State() == call.StateUp && o.App() == "Stasis" && !l.up {
					l.up = true // it has been answered while nobody looked
					l.begin(t)
				}
				if lost || len(l.moves) == 0 {
					g.correct(t, []*stasisLeg{l})
				}
			}
		}
		for _, b := range slices.Clone(st.bridges) {
			switch _, there := t.BridgeType(b.room); {
			case there:
				b.seen = true
			case b.made && (lost || b.seen):
				st.raze(b)
			}
		}
		nudge(st.renews)
		nudge(st.settles)
	}
}

// enforceStasis ends what the policy in force, or a credential, does not let go on: what is somebody's who is in it no more, and legs of phones that are
// no more his. Caller holds the lock.
func (g *Gate) enforceStasis() {
	set := g.policy.Load()
	for _, st := range slices.Clone(g.stasis.open) {
		subject, ok := set.Employee(st.subject.Employee())
		if !ok || !g.holds(st.subject) {
			st.end()
			continue
		}
		for _, l := range slices.Clone(st.legs) {
			if ref, ok := set.Phone(l.phone); !ok || ref != subject {
				st.forget(l)
				g.clear("", l.id)
			}
		}
	}
}
