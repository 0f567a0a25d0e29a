package gate

import (
	"maps"

	"github.com/earshot-pbx/earshot/agent/call"
)

// forgets takes out of what the watchdog knows of legs and bridges what a table that has been built anew no more has. Where facts have been lost, it takes out
// too what rests on there having been none in between: where a leg was when it came into its bridge or in which application it was before, who has been transferred a
// moment ago, and whom a leg that is gone rang for. What Earshot itself has begun holds all the same, for as long as the leg is there. Caller holds the lock.
func (g *Gate) forgets(t *call.Table, lost bool) {
	d := &g.dog
	if lost {
		d.losses++
		d.rang, d.handed = nil, nil
		clear(d.placed)
		clear(d.steps)
		clear(d.rings)
	}
	dropGone(t, d.placed)
	dropGone(t, d.steps)
	dropGone(t, d.rings)
	dropGone(t, d.returned)
	dropGone(t, d.fetched)
	maps.DeleteFunc(d.takes, func(leg, _ call.LegID) bool { return t.Leg(leg) == nil && g.byLeg[leg] == nil }) // its phone may not be rung yet
}

func dropGone[V any](t *call.Table, of map[call.LegID]V) {
	maps.DeleteFunc(of, func(leg call.LegID, _ V) bool { return t.Leg(leg) == nil })
}
