package gate

import (
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// offer is a client's call that rings at others than the employee who is responsible for him, or nowhere, who is told of it: with what he needs to
// take it when he may, and without when he may not. It stays the same while the call rings, waits and rings again. Of a client on another PBX he is told
// as long as he rings there; who waits is offered beside his own PBX only.
type offer struct {
	to     policy.Ref
	caller call.LegID
	at     []bell    // where it rings; nowhere: he waits
	since  time.Time // of who waits
	shown  mask.Incoming
}

// bell is a leg at which an offered call rings.
type bell struct {
	entry *entry
	facts *legFacts // of the entry, as they are now
}

// offering notes which rows have to be looked at for offers: those at which a client's call rings.
func (g *Gate) offering(rows []*entry) {
	for _, e := range rows {
		if slices.ContainsFunc(e.legs, func(f legFacts) bool { return !f.responsible.IsZero() }) {
			g.bells[e] = struct{}{}
		} else {
			delete(g.bells, e)
		}
	}
}

// offer works out what is offered now. It tells whom it concerns of what has changed, unless all are about to be sent a new board.
func (g *Gate) offer(set *policy.Set, tell bool) {
	if len(g.bells) == 0 && len(g.offers) == 0 && !g.someWait() {
		return
	}
	was := g.offers
	g.offers = map[call.LegID]*offer{}
	rows := make([]*entry, 0, len(g.bells))
	for e := range g.bells {
		rows = append(rows, e)
	}
	slices.SortFunc(rows, byPlace)
	for _, e := range rows {
		for i := range e.legs {
			f := &e.legs[i]
			// Whose own phone rings needs no banner; a protected number is shown to the parties alone.
			if f.responsible.IsZero() || f.company.protected || slices.Contains(f.company.present, f.responsible) {
				continue
			}
			o := g.offers[f.other]
			if o != nil && o.to != f.responsible {
				continue // as another PBX's rows may be for a moment while they change
			}
			if o == nil {
				o = &offer{to: f.responsible, caller: f.other}
				g.offers[f.other] = o
			}
			o.at = append(o.at, bell{e, f})
		}
	}
	g.waitingOffers()
	for _, caller := range callers(g.offers) {
		o := g.offers[caller]
		o.shown = g.incoming(set, o)
		if old := was[caller]; tell && (old == nil || old.to != o.to || old.shown != o.shown) {
			if old != nil && old.to != o.to {
				g.withdraw(old)
			}
			g.announce(o.to, o.shown)
		}
	}
	for _, caller := range callers(was) {
		if tell && g.offers[caller] == nil {
			g.withdraw(was[caller])
		}
	}
}

// callers are those of some offers, in an order that does not change.
func callers(offers map[call.LegID]*offer) []call.LegID {
	ids := make([]call.LegID, 0, len(offers))
	for id := range offers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// incoming is the offer as the one to whom it is made is shown it. Where it rings is told with the right to take it only: without that, whose phone
// it is that rings is hidden from him as everybody's peer is.
func (g *Gate) incoming(set *policy.Set, o *offer) mask.Incoming {
	if len(o.at) == 0 {
		return g.waitingFor(set, o)
	}
	me := set.ID(o.to)
	first := o.at[0].facts
	v := mask.Incoming{ID: g.handle(me, me, o.caller, mask.Seen), State: mask.Ringing, Since: mask.Moment(first.facts.Since)}
	if p := first.facts.Peer; p != nil {
		v.Client = mask.Party{Name: p.Name, Number: p.Number}
	}
	for _, b := range o.at {
		if !reaches(set, o.to, b.facts) {
			continue
		}
		d := set.Decide(&policy.Request{Subject: o.to, Action: policy.Intercept, Target: b.entry.ref, With: b.facts.rung, Responsible: o.to})
		if d.Allowed {
			target := set.ID(b.entry.ref)
			v.CanAccept, v.Target = true, target
			v.Call = g.handle(me, target, b.facts.leg, g.sight(set, o.to, b.entry.ref, b.facts))
			break
		}
	}
	return v
}

// waitingFor is the offer of a caller whom no phone rings.
func (g *Gate) waitingFor(set *policy.Set, o *offer) mask.Incoming {
	me := set.ID(o.to)
	v := mask.Incoming{ID: g.handle(me, me, o.caller, mask.Seen), State: mask.Waiting, Since: mask.Moment(o.since)}
	if p := g.parts[o.caller]; p != nil && p.party != nil {
		v.Client = mask.Party{Name: p.party.Name, Number: p.party.Number}
	}
	if len(set.Phones(o.to)) > 0 && set.Decide(&policy.Request{Subject: o.to, Action: policy.Intercept, Unrung: true, Responsible: o.to}).Allowed {
		v.CanAccept, v.Call = true, v.ID
	}
	return v
}

// withdraw tells that an offer is over.
func (g *Gate) withdraw(o *offer) {
	g.announce(o.to, mask.Incoming{ID: o.shown.ID, State: stateEnded, Since: o.shown.Since, Client: o.shown.Client})
}

func (g *Gate) announce(to policy.Ref, v mask.Incoming) {
	for _, w := range g.watchers {
		if w.me == to {
			g.send(w, Message{Type: MessageIncoming, Incoming: &v})
		}
	}
}

// offered lists what is offered to an employee.
func (g *Gate) offered(to policy.Ref) []mask.Incoming {
	list := []mask.Incoming{}
	for _, caller := range callers(g.offers) {
		if o := g.offers[caller]; o.to == to {
			list = append(list, o.shown)
		}
	}
	return list
}
