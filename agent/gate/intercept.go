package gate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// Intercept rings the subject's own phone and, once he answers, gives him the call that rings at the target's. It returns as soon as the
// phone is being rung. The caller stays where he is until then: if the taker does not answer, or somebody else is quicker, nothing has moved.
func (g *Gate) Intercept(ctx context.Context, s auth.Subject, ask Ask) (mask.Intercept, error) {
	a := newAct(s, policy.Intercept, ask.Door)
	if err := g.begin(ctx, a, ask, g.pickFree); err != nil {
		return mask.Intercept{}, err
	}
	g.running.Add(1)
	go g.intercept(a)
	var v mask.Intercept
	g.locked(func(*call.Table) { v = a.interceptView() })
	return v, nil
}

// pickFree is pickRinging for a call that nobody is taking already, at this phone or at another that it rings.
func (g *Gate) pickFree(set *policy.Set, subject, target policy.Ref, e *entry, handle string) (*legFacts, *Problem) {
	f, p := g.pickRinging(set, subject, target, e, handle)
	if p != nil {
		return nil, p
	}
	for _, o := range g.acts {
		if o.supervision {
			continue
		}
		if o.leg == f.leg {
			return nil, beingTaken()
		}
		if slices.Contains(o.earshot, f.leg) {
			return nil, beingTaken()
		}
	}
	return f, nil
}

// intercept carries an intercept to its end. It is the act's goroutine.
func (g *Gate) intercept(a *act) {
	defer g.running.Done()
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.RingTimeout+5*time.Second)
	defer cancel()
	err := g.cfg.PBX.Take(ctx, pbx.Take{Leg: a.own, Endpoint: a.phone, Ringing: a.leg, Display: a.caller, Timeout: g.cfg.RingTimeout})
	if err == nil {
		select {
		case <-a.taken:
			g.met.intercepted.Observe(time.Since(a.asked).Seconds())
			if err := g.recordDone(a); err != nil {
				g.log.Error().Err(err).Str("id", a.id).Msg("a taken call was not recorded")
			}
			// The call is the taker's: an ordinary call from here on, which no ground can end.
			g.become(a, stateTaken)
			g.forget(a)
			close(a.done)
			return
		case <-a.over:
		case <-ctx.Done():
			g.locked(func(*call.Table) { a.finish(ending{reason: reasonNoAnswer}) })
		}
	}
	g.finishWith(a, err)
	g.drop("", a.own)
	g.conclude(a)
}

// settled looks whether the ringing call has found somebody: the taker, which ends the act well, or anybody else. It reports whether there is
// nothing more to decide. Caller holds the lock.
//
// PickupChan puts the taker's channel, unique id and all, in the place of the ringing one, which goes: so the taker's own leg is up and has the
// caller on its other side. The ringing leg may be gone a moment before that is seen.
func (g *Gate) settled(t *call.Table, a *act) bool {
	if own := t.Leg(a.own); own != nil && own.State() == call.StateUp {
		g.scratch.peers = t.Peers(g.scratch.peers[:0], own)
		if len(g.scratch.peers) > 0 {
			a.takenOnce.Do(func() { close(a.taken) })
			return true
		}
	}
	l := t.Leg(a.leg)
	switch {
	case l != nil && l.State() == call.StateUp:
		a.finish(ending{reason: reasonTakenByOther})
		return true
	case l != nil:
		return false
	}
	if a.leaving == nil {
		a.leaving = g.after(g.cfg.Grace, func(t *call.Table) {
			if !a.finished() && !g.settled(t, a) {
				a.finish(ending{reason: reasonCallEnded})
			}
		})
	}
	return true
}

// samePhone reports whether two endpoints are one. Asterisk takes the technology in any case and the resource as it is spelt.
func samePhone(a, b string) bool {
	ta, ra, _ := strings.Cut(a, "/")
	tb, rb, _ := strings.Cut(b, "/")
	return ra == rb && strings.EqualFold(ta, tb)
}
