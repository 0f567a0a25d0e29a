package gate

import (
	"context"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// Intercept rings the subject's own phone and, once he answers, gives him the call that rings at the target's. It returns as soon as the
// phone is being rung. Without a target ask.Call is the id of an offer, whose caller may wait where no phone rings him. The caller stays where he is until then: if the taker does not answer, or somebody else is quicker, nothing has moved.
func (g *Gate) Intercept(ctx context.Context, s auth.Subject, ask Ask) (mask.Intercept, error) {
	if ask.Target == "" && ask.Number == "" && ask.Call != "" {
		return g.accept(ctx, s, ask)
	}
	a := g.newAct(s, policy.Intercept, ask.Door)
	if err := g.begin(ctx, a, ask, rings, g.intercept); err != nil {
		return across[mask.Intercept](ctx, g, s, err, opIntercept, ask.at)
	}
	var v mask.Intercept
	g.locked(func(*call.Table) { v = a.interceptView() })
	return v, nil
}

// intercept carries an intercept to its end. It is the act's goroutine.
func (g *Gate) intercept(a *act) {
	patience := g.cfg.RingTimeout + 5*time.Second
	if a.seated {
		patience = seatedTime
	}
	ctx, cancel := context.WithTimeout(a.ctx, patience)
	defer cancel()
	g.expectPickup(a)
	if err := g.take(ctx, a); err != nil {
		g.finish(a, ending{reason: reasonPBX, err: err})
	} else {
		g.awaitTaker(ctx, a)
	}
	if a.seated {
		g.awaitSeated(a)
	} else {
		g.await(a)
	}
	if a.isTaken() {
		g.took(a)
	} else {
		g.expectNoPickup(a)
		g.conclude(a)
	}
}

// expectPickup has it taken for Earshot's own doing that the act's own leg picks up the ringing one, whenever AMI tells of it: also when the act is over.
func (g *Gate) expectPickup(a *act) {
	g.locked(func(*call.Table) {
		if g.dog.cfg != nil {
			g.dog.takes[a.own] = a.leg
		}
	})
}

// expectNoPickup takes that back, as the call has not been taken.
func (g *Gate) expectNoPickup(a *act) {
	g.locked(func(*call.Table) { delete(g.dog.takes, a.own) })
}

// take rings the taker's phone, or lets his leg go on where the call is taken, when he has called in himself.
func (g *Gate) take(ctx context.Context, a *act) error {
	if a.seated {
		return g.cfg.PBX.Send(ctx, pbx.Send{Leg: a.own, Context: PhoneContext, Extension: ExtenPickup, Ringing: a.leg})
	}
	return g.cfg.PBX.Take(ctx, pbx.Take{Leg: a.own, Endpoint: a.phone, Ringing: a.leg, Display: a.caller, Timeout: g.cfg.RingTimeout})
}

// ringTime is how long Asterisk may take to begin ringing the taker's phone. It answers the order before it has tried.
const ringTime = 3 * time.Second

// awaitTaker waits until the call is the taker's, or cannot be.
func (g *Gate) awaitTaker(ctx context.Context, a *act) {
	begun := time.NewTimer(ringTime)
	defer begun.Stop()
	for {
		select {
		case <-a.taken:
			return
		case <-begun.C:
			g.locked(func(t *call.Table) {
				if g.known && !a.ownSeen && t.Leg(a.own) == nil {
					a.finish(ending{reason: reasonUnreachable})
				}
			})
		case <-ctx.Done():
			g.finish(a, ending{reason: reasonNoAnswer})
			return
		}
	}
}

// await ends a taker's leg, unless the call is his, or it may be the caller's only one by now: a phone that has been answered is about to have the call, and is
// given time to get it; and what is not known to be without a caller is left alone. If the phone still rings, it does not for long.
func (g *Gate) await(a *act) {
	if a.isTaken() {
		return
	}
	up, known := false, false
	g.locked(func(t *call.Table) {
		l := t.Leg(a.own)
		up, known = l != nil && l.State() == call.StateUp, g.known
	})
	if up && known {
		timer := time.NewTimer(4 * g.cfg.Grace)
		defer timer.Stop()
		select {
		case <-a.taken:
		case <-timer.C:
		}
		g.locked(func(*call.Table) { known = g.known })
	}
	if known && !a.isTaken() {
		g.drop("", a.own)
	}
}

// took ends an intercept well. The call is the taker's: an ordinary call from here on, which no ground can end.
func (g *Gate) took(a *act) {
	g.met.intercepted.Observe(time.Since(a.asked).Seconds())
	if err := g.recordDone(a); err != nil {
		g.log.Error().Err(err).Str("id", a.id).Msg("a taken call was not recorded")
	}
	g.locked(func(t *call.Table) {
		g.become(a, stateTaken)
		g.forgetLocked(a)
		g.remains(t, a)
	})
	close(a.done)
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
		g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
		if len(g.scratch.peers) > 0 {
			a.stopLeaving()
			return false
		}
		// The caller has gone, and the phone that he rang is about to be told; or he is being moved.
	}
	g.leaves(a, func(t *call.Table) {
		if g.settled(t, a) && !a.isTaken() {
			a.finish(ending{reason: reasonCallEnded})
		}
	})
	return true
}

// samePhone reports whether two endpoints are one. Asterisk takes the technology in any case and the resource as it is spelt.
func samePhone(a, b string) bool {
	ta, ra, _ := strings.Cut(a, "/")
	tb, rb, _ := strings.Cut(b, "/")
	return ra == rb && strings.EqualFold(ta, tb)
}
