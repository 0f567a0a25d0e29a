package gate

import (
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// remembers is of how many legs that rang and are gone it is known whom they rang for. AMI's word that a call was picked up may come after
// ARI has told that the leg is gone.
const remembers = 64

// rangOut notes whom a leg rang for that goes. Its row has not been made anew yet. Caller holds the lock.
func (g *Gate) rangOut(leg call.LegID) {
	f, e := g.ringing(leg)
	if f == nil {
		return
	}
	if len(g.dog.rang) == remembers {
		g.dog.rang = slices.Delete(g.dog.rang, 0, 1)
	}
	g.dog.rang = append(g.dog.rang, rangOf(f, e))
}

func rangOf(f *legFacts, e *entry) rang {
	return rang{leg: f.leg, caller: f.other, endpoint: f.endpoint, owner: e.ref, rung: slices.Clone(f.rung), responsible: f.responsible}
}

// ringing finds on the board the leg of an employee's phone that rings.
func (g *Gate) ringing(leg call.LegID) (*legFacts, *entry) {
	for _, e := range g.board {
		for i := range e.legs {
			if f := &e.legs[i]; f.leg == leg && f.facts.Phase == call.PhaseRinging && len(f.rung) > 0 {
				return f, e
			}
		}
	}
	return nil, nil
}

// pickedUp looks at who has taken a call that rang elsewhere. Caller holds the lock.
func (g *Gate) pickedUp(t *call.Table, ev *call.Event, at time.Time) {
	l := t.Leg(ev.Channel.ID)
	if l == nil || g.owns(l.ID()) || l.Name() != ev.Channel.Name || g.dog.takes[l.ID()] == ev.Peer.ID {
		return
	}
	x := &trespass{kind: trespassPickup, leg: l.ID(), on: ev.Peer.ID, at: at}
	if f, e := g.ringing(ev.Peer.ID); f != nil {
		r := rangOf(f, e)
		x.stolen = &r
	} else if i := slices.IndexFunc(g.dog.rang, func(r rang) bool { return r.leg == ev.Peer.ID }); i >= 0 {
		r := g.dog.rang[i] // whose place another may take
		x.stolen = &r
	}
	g.trespasses(t, x)
}

// redirectTime is how long a leg that has left a call for another place in the dialplan may turn out to have been transferred there.
const redirectTime = call.MoveTime

// departures looks for legs that are redirected: one leaves a bridge with another extension of the dialplan than it had when it came, alive and
// without a transfer. Asterisk tells of a redirection in no other way. Caller holds the lock.
func (g *Gate) departures(t *call.Table, ev *call.Event) {
	d := &g.dog
	switch ev.Kind {
	case call.BlindTransferred:
		d.hand(ev.Bridge.ID)
	case call.AttendedTransferred:
		for _, id := range [...]call.LegID{ev.Channel.ID, ev.Peer.ID, ev.Transferee} {
			if l := t.Leg(id); l != nil {
				d.hand(l.Bridge())
				d.hand(d.placed[id].bridge)
			}
		}
	case call.BridgesMerged:
		d.hand(ev.Bridge.ID)
		d.hand(ev.From)
	case call.LegGone:
		delete(d.placed, ev.Channel.ID)
		delete(d.returned, ev.Channel.ID)
		delete(d.fetched, ev.Channel.ID)
	case call.BridgeLeft:
		l, was := t.Leg(ev.Channel.ID), d.placed[ev.Channel.ID]
		if l != nil && was.bridge == ev.Bridge.ID {
			was.left = time.Now()
			d.placed[l.ID()] = was
		}
		if l == nil || g.owns(l.ID()) || was.bridge != ev.Bridge.ID || l.Exten() == "" || l.Exten() == was.exten || d.sentBack(l) {
			return
		}
		at, id, losses := time.Now(), l.ID(), d.losses
		time.AfterFunc(redirectTime, func() {
			g.locked(func(t *call.Table) {
				if g.dog.losses == losses { // or that he was transferred may not have been told
					g.departed(t, id, was.bridge, at)
				}
			})
		})
	}
}

// departed takes a leg for redirected that has not turned out to be transferred. Caller holds the lock.
func (g *Gate) departed(t *call.Table, leg call.LegID, from call.BridgeID, at time.Time) {
	if l := t.Leg(leg); l == nil || g.closed || !g.known || g.dog.isHanded(from) {
		return
	}
	g.over(at, func(x *trespass) bool { return x.kind == trespassRedirect && x.leg == leg }) // once more
	g.trespasses(t, &trespass{kind: trespassRedirect, leg: leg, at: at})
}

// place is where in the dialplan a leg was when it came into a bridge.
type place struct {
	bridge call.BridgeID
	exten  call.Number
	put    bool // it came out of no application: somebody has put it there
	left   time.Time
}

// hand notes that who was in a bridge is being transferred.
func (d *watchdog) hand(bridge call.BridgeID) {
	if bridge == "" {
		return
	}
	if len(d.handed) == remembers {
		d.handed = slices.Delete(d.handed, 0, 1)
	}
	d.handed = append(d.handed, handed{bridge, time.Now()})
}

// handed is a bridge from which somebody was transferred, or is to be.
type handed struct {
	from call.BridgeID
	at   time.Time
}

// isHanded reports whether somebody was transferred from a bridge of late. Who is left there may be in it for long yet.
func (d *watchdog) isHanded(bridge call.BridgeID) bool {
	return slices.ContainsFunc(d.handed, func(h handed) bool { return h.from == bridge && time.Since(h.at) <= movesTime })
}

// movesTime is how long what was told of a leg that is on its way, or was ordered, may bear on where it turns up. Most comes at once.
const movesTime = 10 * time.Second
