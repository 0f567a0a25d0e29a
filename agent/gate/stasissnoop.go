package gate

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// stasisSnoop is a supervision that a Stasis has begun, from its decision until it is told to be over. It is guarded by the gate's lock.
type stasisSnoop struct {
	st     *Stasis
	act    *act
	bridge *stasisBridge // in which its client has put it; nil: in none
	leg    *stasisLeg    // by which he hears, lent; nil: it waits for one
	into   *stasisBridge // with leg, where both come as soon as he hears
	told   bool          // its client has been told of it

	lent  chan struct{} // closed when it has a leg
	apart chan struct{} // closed when the table has seen that leg by itself: from then on nobody may be together with it
	runs  chan struct{} // closed when he hears, and that is on record
}

// snoop is the snoop that has an id; nil: there is none. Caller holds the gate's lock.
func (st *Stasis) snoop(id string) *stasisSnoop {
	for _, s := range st.snoops {
		if s.act.id == id {
			return s
		}
	}
	return nil
}

// channel is what is told of a snoop: nothing of whom it is on.
func (s *stasisSnoop) channel() mask.Channel {
	return mask.Channel{ID: s.act.id, Linked: s.act.id, State: mask.ChannelUp}
}

// Snoop decides a supervision, and records the decision, as [Gate.Supervise] does, but rings no phone: it waits, at most Config.SnoopTimeout, until Add puts it
// into a bridge with one of the legs, and runs from then on with that leg as the supervisor's. Its ground is watched from the decision on. Ask.Phone, Ask.Leg
// and Ask.Door are not used. When it ends the leg stays. What becomes of it may be told before Snoop returns. The call has to be on this PBX, as the leg is.
// While it waits it counts as one of the subject's phones: all of them together are in no more supervisions than there are phones.
func (st *Stasis) Snoop(ctx context.Context, ask Ask) (mask.Supervision, error) {
	g := st.gate
	ask.Phone, ask.Leg, ask.Door = "", "", st.door
	a, p := g.newSupervision(st.subject, &ask)
	if p != nil {
		return mask.Supervision{}, p
	}
	a.state = stateWaiting
	a.steered = &stasisSnoop{st: st, act: a, lent: make(chan struct{}), apart: make(chan struct{}), runs: make(chan struct{})}
	err := g.beginAs(ctx, a, g.steer,
		func(t *call.Table, set *policy.Set, d *policy.Decision) *Problem {
			if st.ended {
				return stateUnknown()
			}
			return g.admit(t, set, a, ask, talks, d)
		},
		func(t *call.Table, set *policy.Set, d policy.Decision) { g.secondBegin(t, set, a, ask, talks, d) })
	if err != nil {
		return mask.Supervision{}, err
	}
	var v mask.Supervision
	g.locked(func(*call.Table) { v = a.view() })
	return v, nil
}

// spare says whether one more supervision may wait for a leg, which may come to be any of the subject's phones'. Caller holds the lock.
func (g *Gate) spare(a *act, phones []string) *Problem {
	busy := 0
	for _, o := range g.acts {
		if o != a && o.employee == a.employee && (o.waitsForEar() || slices.Contains(phones, o.phone)) {
			busy++
		}
	}
	if busy >= len(phones) {
		return alreadySupervising()
	}
	return nil
}

// waitsForEar reports whether it is a supervision of a Stasis that has no leg yet.
func (a *act) waitsForEar() bool { return a.steered != nil && a.steered.leg == nil }

// mingles reports whether the leg that a supervision has for its ear may still be together with others, out of whose bridge it has been told to come. Nobody is
// heard yet.
func (a *act) mingles() bool { return a.steered != nil && !closed(a.steered.apart) }

// steer carries a supervision of a Stasis from the decision to its end. It is the act's goroutine.
func (g *Gate) steer(a *act) {
	if err := g.lend(a); err != nil {
		g.finish(a, ending{reason: reasonPBX, err: err})
	}
	if closed(a.steered.lent) { // before that nothing was made
		g.leave(a)
	}
	g.conclude(a)
}

// earTime is how long the PBX may take to let the supervisor hear, from the moment that there is a leg: less than Add waits.
const earTime = ownTime * 4 / 5

// lend waits for a leg, takes it out of the bridge in which it is, joins it with a snoop on the target's, and holds that until the act has to end. It returns
// nil when the act has ended.
func (g *Gate) lend(a *act) error {
	s := a.steered
	if !g.awaitEar(a) {
		return nil
	}
	since := time.Now()
	ctx, cancel := context.WithTimeout(a.ctx, earTime)
	defer cancel()
	var room call.BridgeID
	var over []*act
	g.locked(func(t *call.Table) {
		if s.leg.bridge != nil {
			room = s.leg.bridge.room
		}
		for _, o := range g.hearing[a.own] {
			if o.ended && o != a {
				over = append(over, o)
			}
		}
	})
	if err := g.cfg.PBX.CreateBridge(ctx, a.bridge); err != nil {
		return err
	}
	if room != "" {
		if err := g.separate(ctx, a, room); err != nil {
			return err
		}
	}
	// Whoever listens to him, or records him, and may not hear what he is about to hear, has to be gone before.
	for _, o := range over {
		select {
		case <-o.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-s.apart:
	case <-ctx.Done():
		return ctx.Err()
	}
	ended := false
	g.locked(func(t *call.Table) {
		if !g.known {
			a.finish(ending{reason: reasonUnknown})
		}
		g.reconsider(t, a)
		ended = a.ended
	})
	if ended {
		return nil
	}
	return g.listenIn(ctx, a, since)
}

// separate takes the leg that a supervision has for its ear out of the bridge where its client has it. It need not be there: the table may not have been told yet
// that it has come, and after a supervision before it may not have come back.
func (g *Gate) separate(ctx context.Context, a *act, room call.BridgeID) error {
	l, m := a.steered.leg, stasisMove{room, false}
	g.locked(func(*call.Table) { l.moves = append(l.moves, m) })
	err := g.cfg.PBX.Leave(ctx, pbx.Enter{Bridge: room, Legs: []call.LegID{a.own}})
	if !errors.Is(err, pbx.ErrGone) {
		return err
	}
	g.locked(func(t *call.Table) {
		l.follows(m) // nothing will be told of it
		g.reconsider(t, a)
	})
	return nil
}

// awaitEar waits until there is a leg, and reports whether there is.
func (g *Gate) awaitEar(a *act) bool {
	timer := time.NewTimer(g.cfg.SnoopTimeout)
	defer timer.Stop()
	select {
	case <-a.steered.lent:
	case <-timer.C:
		g.locked(func(*call.Table) {
			if a.waitsForEar() {
				a.finish(ending{reason: reasonNoEar})
			}
		})
	case <-a.ctx.Done():
	}
	return closed(a.steered.lent)
}

// parted takes note of where the table has the leg that a supervision has for its ear: with whom it was together it is for a moment after it has left their
// bridge, and what the table has yet to tell of it may bring it there still. Caller holds the lock.
func (g *Gate) parted(t *call.Table, a *act, own *call.Leg) {
	if a.mingles() && !a.steered.leg.enters() && own.Bridge() == "" && !g.strangers(t, a, own) {
		close(a.steered.apart)
	}
}

// deafen takes the leg that a supervision has had for its ear out of its bridge. The leg is not hung up, so a PBX that is slow over the snoop would let him
// hear on otherwise. It is in order that it is not there, or that its bridge is gone before.
func (g *Gate) deafen(a *act) {
	ctx, cancel := context.WithTimeout(g.ctx, 5*time.Second)
	defer cancel()
	if err := g.cfg.PBX.Leave(ctx, pbx.Enter{Bridge: a.bridge, Legs: []call.LegID{a.own}}); err != nil && !errors.Is(err, pbx.ErrGone) {
		g.log.Warn().Err(err).Str("id", a.id).Msg("a leg that a client steers was not taken out of a supervision's bridge; the bridge's end does that")
	}
}

// tellSteered tells a supervision's Stasis that it is there, that it runs or that it is over. Caller holds the lock, which it has held since the act has come
// into that state.
func (g *Gate) tellSteered(a *act) {
	s := a.steered
	if s == nil {
		return
	}
	st, m := s.st, stasisMember{snoop: s}
	switch {
	case a.state == stateEnded && s.told:
		st.put(m, nil)
		st.snoops = slices.DeleteFunc(st.snoops, func(o *stasisSnoop) bool { return o == s })
		st.say(StasisEvent{Kind: StasisEnded, Reason: a.reason}.of(m))
	case a.state == stateEnded:
	case !s.told && st.ended: // while its decision was being recorded
		a.finish(ending{reason: reasonBySupervisor})
	case !s.told:
		s.told = true
		st.snoops = append(st.snoops, s)
		st.say(StasisEvent{Kind: StasisBegan}.of(m))
	case a.state == stateActive && !closed(s.runs):
		st.put(stasisMember{leg: s.leg}, s.into)
		st.put(m, s.into)
		close(s.runs)
	}
}

// giveBack gives the leg of a supervision that is over back to its Stasis. Caller holds the lock, which it has held since the act has been forgotten.
func (g *Gate) giveBack(t *call.Table, a *act) {
	if a.steered == nil || a.steered.leg == nil {
		return
	}
	a.steered.st.restore(a.steered.leg, a)
	if g.known {
		g.relook(t, []call.LegID{a.own})
	}
}

// foresee appends whom those legs hear that have been lent to a supervision, from the moment that it has been decided: whoever listens to them now will hear
// them too, and the table will show it only when he does. Caller holds the lock.
func (g *Gate) foresee(t *call.Table, legs []*call.Leg) []*call.Leg {
	for i := 0; i < len(legs); i++ {
		a := g.byLeg[legs[i].ID()]
		if a == nil || a == g.scratch.listener || a.steered == nil || a.ended || a.own != legs[i].ID() {
			continue
		}
		if l := t.Leg(a.leg); l != nil {
			for _, o := range t.Earshot(nil, l, g.scratch.reach) {
				if !slices.Contains(legs, o) {
					legs = append(legs, o)
				}
			}
		}
	}
	return legs
}
