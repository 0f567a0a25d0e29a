package gate

import (
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// lastPeer is who was on the other side of a leg that is alone now, with all on which everybody's sight of him rested. Asterisk keeps him as the
// channel's connected line; the board does not show him.
type lastPeer struct {
	party *mask.Party
	reading
}

// keepLast keeps of who is on a row no more, or has nobody on the other side any more, who was there, and of who has nobody who was. It stays with the leg
// until that is gone, also while it is on no row; a board that is made anew knows nobody.
func (g *Gate) keepLast(e *entry) {
	for i := range e.was {
		was := &e.was[i]
		p := g.parts[was.leg]
		if p == nil || was.facts.Peer == nil || was.facts.Supervision != "" || e.withPeer(was.leg) {
			continue
		}
		r := was.reading // into memory of its own: the row's is used again
		r.company.present, r.company.claimed, r.rung = slices.Clone(r.company.present), slices.Clone(r.company.claimed), slices.Clone(r.rung)
		p.last = &lastPeer{was.facts.Peer, r}
	}
	for i := range e.legs {
		f := &e.legs[i]
		if p := g.parts[f.leg]; p != nil && f.facts.Peer == nil && f.facts.Supervision == "" {
			f.last = p.last
		}
	}
}

// withPeer reports whether a leg is on the row, with somebody on the other side.
func (e *entry) withPeer(leg call.LegID) bool {
	for i := range e.legs {
		if e.legs[i].leg == leg {
			return e.legs[i].facts.Peer != nil
		}
	}
	return false
}

// sawLast is in the eyes of who has the sight of a leg that he had while the last one was on its other side.
const sawLast = 0x80

// sawLast reports whether a subject with this sight of a leg is shown who was on its other side last: only if it is the sight that he has of that call
// too, or somebody would be told of one from whom he was kept.
func (g *Gate) sawLast(set *policy.Set, me policy.Ref, r *role, s mask.Sight) bool {
	if r.f.last == nil || !s.Peer() {
		return false
	}
	then, _, _ := r.f.last.sight(set, me, r.e.ref, &g.scratch.refs)
	return then == s
}
