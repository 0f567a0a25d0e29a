package gate

import (
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// SameChannel is the handle that a subject has, as the id of a channel, for the one for which another, from whom he has it, has this handle. It is empty
// where either of the two is not shown it now. It permits nothing: what is asked with the handle is decided as that of who asks.
func (g *Gate) SameChannel(from auth.Subject, handle string, to auth.Subject) (same string) {
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		one, ok := set.Employee(from.Employee())
		other, is := set.Employee(to.Employee())
		if !ok || !is || !g.known || handle == "" {
			return
		}
		var leg call.LegID
		k, shots, r := g.screened(t, set, one)
		for i, s := range shots {
			if s != nil && string(r.handle(&s.id)[:]) == handle {
				leg = k.roles[i].id
			}
		}
		same = g.handleOn(t, set, other, leg)
	})
	return same
}

// RungChannel is the handle, as the id of a channel, of the subject's own leg by which he is in what he has begun under this id (of a Supervision, an
// Intercept or a Dialled). It is empty while that is not on his row, and of what is not his.
func (g *Gate) RungChannel(s auth.Subject, id string) (handle string) {
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		me, ok := set.Employee(s.Employee())
		if !ok || !g.known {
			return
		}
		if a := g.acts[id]; a != nil && a.employee == s.Employee() {
			handle = g.handleOn(t, set, me, a.own)
		} else if leg := ownLeg(id, policy.Dial.String()); g.clicked[leg].act != nil && g.clicked[leg].act.employee == s.Employee() {
			handle = g.handleOn(t, set, me, leg)
		}
	})
	return handle
}

// handleOn is the handle that a subject has for a leg as a channel; empty where he is shown none. Caller holds the lock.
func (g *Gate) handleOn(t *call.Table, set *policy.Set, me policy.Ref, leg call.LegID) string {
	if leg == "" {
		return ""
	}
	k, shots, r := g.screened(t, set, me)
	for i, s := range shots {
		if s != nil && k.roles[i].id == leg {
			return string(r.handle(&s.id)[:])
		}
	}
	return ""
}
