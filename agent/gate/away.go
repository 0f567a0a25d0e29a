package gate

import "github.com/earshot-pbx/earshot/agent/call"

// alone ends a supervision when the target's other side has been away for the grace: a transfer or an optimised Local channel leaves one
// bridge before it enters the next, so a moment without anybody is no end. Whether anybody comes while nothing is known only the next snapshot tells, and the
// grace begins anew with it.
func (g *Gate) alone(t *call.Table, a *act, l *call.Leg) {
	g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
	if len(g.scratch.peers) > 0 {
		a.hadPeer = true
		a.stopLeaving()
		return
	}
	if !a.hadPeer {
		return
	}
	g.leaves(a, func(t *call.Table) {
		if l := t.Leg(a.leg); l == nil || len(t.Peers(nil, l)) == 0 {
			a.finish(ending{reason: reasonCallEnded})
		}
		a.leaving = nil
	})
}

// ownGone ends an act whose own leg the table has seen and sees no more: the supervisor hung up, did not answer, or the PBX ended it.
func (g *Gate) ownGone(t *call.Table, a *act) bool {
	if a.tape != nil {
		g.tapeGone(t, a)
		return false
	}
	if own := t.Leg(a.own); own != nil {
		a.ownSeen = true
		g.parted(t, a, own)
		switch {
		case a.next != 0: // one snoop takes the place of the other
		case t.Leg(a.snoop) != nil:
			a.snoopSeen = true
		case a.snoopSeen && a.lost == nil:
			// The PBX ends a snoop with the leg it spies on, and may tell of that one later.
			a.lost = g.after(a, g.cfg.Grace, func(*call.Table) { a.finish(ending{reason: reasonLegGone}) })
		}
		if a.tone.leg != "" && t.Leg(a.tone.leg) == nil {
			g.toneGone(a)
		}
		return false
	}
	switch {
	case !a.ownSeen:
		return false
	case g.lapsed(a), a.supervision && a.answered() && !a.hungUp: // or the PBX's clock was set forth, by which the lease was over at once
		a.finish(ending{reason: reasonLegGone})
	case a.supervision && a.answered(), a.mode == modeJoin && a.isTaken(), a.seated:
		a.finish(ending{reason: reasonBySupervisor})
	default:
		a.finish(ending{reason: reasonNoAnswer})
	}
	return true
}

// hangsUp notes that whose leg it is hangs up, and not the PBX. Caller holds the lock.
func (g *Gate) hangsUp(leg call.LegID) {
	if a := g.byLeg[leg]; a != nil && a.own == leg {
		a.hungUp = true
	}
}
