package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// swapTime is how long a change of mode may take.
const swapTime = 5 * time.Second

// ChangeMode puts one of the subject's own that is active into another mode. It is a decision of its own, recorded under the supervision's id;
// a refusal leaves the supervision as it is. It returns when the new mode is in force. While it is under way the ground is watched for both
// modes, and what neither allows is heard by nobody.
//
// A reason, which the policy may require for the new mode, takes the place of the one that was given before as long as the change is not refused
// and does not fail; without one that stands.
func (g *Gate) ChangeMode(ctx context.Context, s auth.Subject, id, mode, reason string) (mask.Supervision, error) {
	action, ok := policy.ParseAction(mode)
	if !ok || !action.Supervises() {
		return mask.Supervision{}, unknownMode()
	}
	reason, p := given(reason)
	if p != nil {
		return mask.Supervision{}, p
	}
	if pbx := g.supervisesAfar(s, id); pbx != "" {
		return send[mask.Supervision](ctx, g, s, pbx, opMode, modeAsk{id, mode, reason})
	}
	a, e, p := g.admitMode(s, id, action, reason)
	if p != nil && e == nil {
		return mask.Supervision{}, p
	}
	if e != nil {
		g.met.decision(action, string(e.Outcome), e.Reason)
		g.canonical(e)
		if err := g.record(*e); err != nil {
			if p == nil { // a refusal has nothing under way, and another change may have begun since
				g.settleMode(a, false)
			}
			return mask.Supervision{}, notRecorded(err)
		}
		if p != nil {
			return mask.Supervision{}, p
		}
		if err := g.swap(a); err != nil {
			return mask.Supervision{}, err
		}
	}
	return g.Supervision(s, id)
}

// admitMode decides a change of mode. An entry without a problem is permitted and under way; neither means that the mode is in force already.
func (g *Gate) admitMode(s auth.Subject, id string, action policy.Action, reason string) (a *act, e *audit.Entry, p *Problem) {
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		a = g.mine(s, id)
		switch {
		case a == nil || a.ended:
			p = noSuchSupervision()
			return
		case !g.known || g.closed:
			p = stateUnknown()
			return
		case !g.holds(s):
			p = credentialEnded()
			return
		case a.state != stateActive:
			p = notActive()
			return
		case a.next != 0:
			p = changing()
			return
		case a.action == action:
			return
		}
		a.next, a.givenBefore = action, a.given
		a.given = cmp.Or(reason, a.given)
		d := g.ground(t, set, a)
		entry := a.entry(audit.Decided, set, d)
		entry.Action, entry.Mode = action.String(), action.String()
		e = &entry
		g.second(t, set, a, action, d)
		if !d.Allowed {
			a.next, a.given = 0, a.givenBefore
			p = g.refusal(set, d, a.id)
			return
		}
		a.changes++
		a.nextSnoop = call.LegID(fmt.Sprintf("%s%s%d", a.base, snoopSuffix, a.changes))
		g.byLeg[a.nextSnoop] = a
	})
	return a, e, p
}

// swap has the PBX change to the mode that has been decided, and writes down what came of it.
func (g *Gate) swap(a *act) error {
	var o pbx.Swap
	ended := false
	g.locked(func(*call.Table) {
		if ended = a.ended; !ended {
			a.swapping.Add(1)
		}
		o = pbx.Swap{Old: a.snoop, New: a.nextSnoop, Target: a.leg, Bridge: a.bridge, Voice: voice(a.next), Lease: g.cfg.Lease}
	})
	if ended {
		if err := g.fact(g.settleMode(a, false)); err != nil {
			return notRecorded(err)
		}
		return noSuchSupervision()
	}
	ctx, cancel := context.WithTimeout(a.ctx, swapTime)
	defer cancel()
	err := g.tune(ctx, a) // before anybody is supervised in the new mode
	if err == nil {
		err = g.cfg.PBX.Swap(ctx, o)
	}
	if errors.Is(err, pbx.ErrBetweenModes) {
		g.finish(a, ending{reason: reasonPBX, err: err}) // and what is left of it dies with its lease
	}
	e := g.settleMode(a, err == nil)
	a.swapping.Done()
	if rec := g.fact(e); rec != nil {
		g.finish(a, ending{reason: reasonNotRecorded, err: rec})
		return notRecorded(rec)
	}
	if err != nil {
		if a.ctx.Err() != nil {
			return noSuchSupervision() // it ended meanwhile
		}
		return pbxFailed(err)
	}
	return nil
}

// settleMode ends a change of mode, done or not, and makes its audit entry.
func (g *Gate) settleMode(a *act, done bool) (e audit.Entry) {
	g.locked(func(t *call.Table) {
		phase, next := audit.Failed, a.next
		gone := a.nextSnoop
		if done {
			phase, gone = audit.Done, a.snoop
			if a.state == stateActive {
				g.met.running.WithLabelValues(a.action.String()).Dec()
				g.met.running.WithLabelValues(next.String()).Inc()
			}
			a.action, a.snoop = next, a.nextSnoop
		}
		e = a.entry(phase, g.policy.Load(), policy.Decision{})
		e.Action, e.Mode = next.String(), next.String()
		if !done {
			e.Reason, a.given = reasonPBX, a.givenBefore
		}
		a.next, a.nextSnoop = 0, ""
		g.retire(t, a, gone)
		if a.ended {
			if done {
				g.tellSupervised(g.policy.Load(), a) // it was in force until the end
			}
			return
		}
		g.reconsider(t, a)
		if g.cfg.Cluster != nil && g.known { // whether he is heard there is shown to the others
			set, on := g.policy.Load(), []call.Change{{Leg: a.leg}}
			g.showRows(t, set, g.affected(t, set, on), time.Time{})
		}
		if done && !a.ended {
			g.tellLocked(a)
		}
	})
	return e
}

// retire takes leave of a snoop that the PBX has hung up. The table is told of that later, and until then the snoop is the act's as before: as
// a stranger it would end the supervision. Caller holds the lock.
func (g *Gate) retire(t *call.Table, a *act, snoop call.LegID) {
	if a.lastSnoop != "" && a.lastSnoop != snoop {
		g.disown(a, a.lastSnoop)
	}
	if a.lastSnoop = snoop; t.Leg(snoop) == nil {
		g.disown(a, snoop)
	}
}

// leased are the act's own that have a lease, but for the tone's.
func (a *act) leased() []call.LegID {
	if a.tape != nil {
		return []call.LegID{a.own}
	}
	if a.steered != nil {
		return []call.LegID{a.snoop} // the other is its Stasis's
	}
	return []call.LegID{a.own, a.snoop}
}

// legs are the act's own that the PBX may have. One that was lent is not hung up with them.
func (a *act) legs() []call.LegID {
	ids := []call.LegID{a.snoop}
	if a.steered == nil {
		ids = append(ids, a.own)
	}
	if a.nextSnoop != "" {
		ids = append(ids, a.nextSnoop)
	}
	return a.tone.legs(ids)
}
