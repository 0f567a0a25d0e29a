package gate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// Applied is called by the feed, under its lock and in order, after each event: the grounds of what runs are looked at first, then the
// watchers are told, so that nobody is shown a state on which the gate has not acted yet.
func (g *Gate) Applied(t *call.Table, ev *call.Event, changes []call.Change) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch ev.Kind {
	case call.LinkLost:
		g.lost()
		return
	case call.Resynced:
		g.resynced(t)
		return
	}
	if !g.known {
		return
	}
	switch ev.Kind {
	case call.BridgeSeen:
		g.strayBridge(ev.Bridge.ID)
	case call.LegHungUp:
		g.hangsUp(ev.Channel.ID)
	default:
	}
	g.transferred(ev)
	g.noteParking(t, ev, changes)
	g.consulting(t, ev)
	g.guard(t, ev, changes)
	if len(changes) == 0 {
		g.tellQuiet(t, ev)
		g.followStasis(t, ev, nil)
		return
	}
	set := g.policy.Load()
	g.followClicks(t, changes)
	g.followLocks(t, set, changes)
	for _, a := range g.concerned(t, set, changes) {
		g.reconsider(t, a)
	}
	rows := g.affected(t, set, changes)
	g.followOutside(t, set, changes, ev.At)
	g.showRows(t, set, rows, ev.At)
	g.tellChannels(t, set, rows, ev, changes)
	g.showTold(t)
	for i := range changes {
		switch c := &changes[i]; {
		case c.Kind == call.LegCreated && g.owns(c.Leg) && g.byLeg[c.Leg] == nil:
			g.clear("", c.Leg)
		case c.Kind == call.LegGone:
			g.gone(c.Leg)
			g.queues.Forget(string(c.Leg))
		}
	}
	g.followStasis(t, ev, changes)
}

// showRows makes rows anew and shows them to all, in their order.
func (g *Gate) showRows(t *call.Table, set *policy.Set, rows []*entry, at time.Time) {
	for _, e := range rows {
		g.refresh(t, set, e, at)
	}
	for _, w := range g.watchers {
		for _, e := range rows {
			g.show(w, set, e)
		}
	}
	for _, e := range rows {
		g.rename(set, e)
	}
	g.offering(rows)
	g.offer(set, true)
	g.linesChanged()
}

// concerned lists the acts whose ground the changes may alter: those that rested on a leg that has changed, and those that rest on one that
// is tied to it now, by whatever tie.
func (g *Gate) concerned(t *call.Table, set *policy.Set, changes []call.Change) []*act {
	if len(g.acts) == 0 {
		return nil
	}
	acts := g.scratch.acts[:0]
	meet := func(id call.LegID) {
		for _, a := range g.hearing[id] {
			if !slices.Contains(acts, a) {
				acts = append(acts, a)
			}
		}
	}
	g.scratch.set, g.scratch.listener = set, nil
	var last call.LegID
	for i := range changes {
		for _, id := range [...]call.LegID{changes[i].Leg, changes[i].Other} {
			if id == "" || id == last {
				continue
			}
			last = id
			meet(id)
			if l := t.Leg(id); l != nil {
				g.scratch.legs = t.Earshot(g.scratch.legs[:0], l, g.scratch.reach)
				for _, o := range g.scratch.legs {
					meet(o.ID())
				}
			}
		}
	}
	g.scratch.acts = acts
	return acts
}

// resynced takes a table that has been built anew from the PBX: everything is decided again and shown afresh.
func (g *Gate) resynced(t *call.Table) {
	lost := !g.known
	g.known = true
	for id := range g.parked {
		if t.Leg(id) == nil {
			delete(g.parked, id)
		}
	}
	g.resyncClicks(t, lost)
	g.findLocks(t)
	maps.DeleteFunc(g.consults, func(leg call.LegID, x *consult) bool { return x.isOver(t.Leg(leg), t.Leg(x.waits), lost) })
	g.endWitnessed()
	adopted := g.inherit(t)
	for _, a := range g.acts {
		g.reconsider(t, a)
	}
	g.rebuild(t)
	g.enter(t, adopted)
	g.orphans(t)
	g.patrol(t, lost)
	g.resnap(t)
	g.retellChannels(t)
	g.resyncStasis(t, lost)
	clear(g.stale)
	g.reviewForwards(reviewSoon)
}

// lost takes note that the PBX is out of reach: nothing is known from now on, and nothing is decided until a resync.
func (g *Gate) lost() {
	if !g.known {
		return
	}
	g.known = false
	g.rebuild(nil)
	for _, w := range g.watchers {
		g.send(w, Message{Type: MessageUnknown})
	}
}

// orphans finds own legs of an Earshot before this one, or of an act that is over, which nobody answers for, and has them hung up and the
// bridge that they are in removed; but not one that has taken a call.
func (g *Gate) orphans(t *call.Table) {
	for id := range g.byLeg {
		if t.Leg(id) == nil {
			g.gone(id)
		}
	}
	maps.DeleteFunc(g.kept, func(leg call.LegID, _ struct{}) bool { return t.Leg(leg) == nil })
	left := map[call.BridgeID][]call.LegID{}
	for _, l := range t.All(nil) {
		a := g.byLeg[l.ID()]
		if g.stasis.legs[l.ID()] != nil {
			continue
		}
		lost := steered(l.ID())
		_, kept := g.kept[l.ID()]
		if a != nil && g.acts[a.id] == a || !own(l.ID()) && !(a == nil && seat(l)) && !lost || kept {
			continue
		}
		g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
		if !g.supervises(l.ID()) && !seat(l) && !(lost && l.App() == "Stasis") && len(g.scratch.peers) > 0 {
			if hasTake(l.ID()) {
				g.kept[l.ID()] = struct{}{} // an Earshot before has let it take the call
			}
			continue
		}
		in := l.Bridge()
		if !ownBridge(in) && !g.isStray(in) {
			in = ""
		}
		left[in] = append(left[in], l.ID())
	}
	for bridge, legs := range left {
		g.clear(bridge, legs...)
	}
	for bridge := range t.Bridges() {
		if len(t.BridgeLegs(g.scratch.peers[:0], bridge)) == 0 {
			g.strayBridge(bridge) // the order for it came to the PBX behind the death of who had given it
		}
	}
}

// seat reports whether a leg sits where only one that came by the phone door does, and is there for a supervision. What else may have been
// brought into an own bridge, by a transfer, has come out of another application.
func seat(l *call.Leg) bool {
	return l.Kind() == call.KindPhone && l.App() == "Stasis" && ownBridge(l.Bridge())
}

func ownBridge(id call.BridgeID) bool {
	return strings.HasPrefix(string(id), pbx.Prefix) && strings.HasSuffix(string(id), bridgeSuffix)
}

// strayBridge has an own bridge removed that was made for an act that is over: the order for it had been called off, and came through.
func (g *Gate) strayBridge(id call.BridgeID) {
	if g.isStray(id) {
		g.clear(id)
		return
	}
	if !ownBridge(id) {
		return
	}
	for _, a := range g.acts {
		if a.bridge == id {
			return
		}
	}
	g.clear(id)
}

// clear has what nobody answers for removed from the PBX, without waiting for it. Caller holds the lock.
func (g *Gate) clear(bridge call.BridgeID, legs ...call.LegID) {
	if g.closed {
		return
	}
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		g.drop(bridge, legs...)
		g.log.Info().Int("legs", len(legs)).Msg("hung up own legs that belong to nothing that runs")
	}()
}

// after runs f under the lock once d has passed, unless the act has ended by then.
func (g *Gate) after(a *act, d time.Duration, f func(t *call.Table)) *time.Timer {
	return time.AfterFunc(d, func() {
		g.locked(func(t *call.Table) {
			if !a.ended {
				f(t)
			}
		})
	})
}
