package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// tuneTime is how long the PBX may take until it plays a tone.
const tuneTime = 5 * time.Second

// hearers are who is to hear that somebody listens. The zero value is nobody.
type hearers uint8

const (
	nobodyHears hearers = iota
	targetHears
	everybodyHears // who is on the call, on either side
)

// tone is what is played to the supervised. What changes it holds tuning, and the gate's lock for each look at the rest.
type tone struct {
	leg  call.LegID // that plays it; empty: none does
	to   hearers
	as   pbx.Tone   // the order for it
	next call.LegID // while another is put up
	last call.LegID // one that is not needed any more, which the table may show for a moment: no stranger

	hushed call.LegID    // the last of which the PBX said that it plays no more
	lost   *time.Timer   // runs when none is played though one should be, and that may have a good reason
	tuning chan struct{} // holds one thing while somebody changes it; no mutex, since the PBX is waited for
	wanted chan struct{} // tells the act's goroutine that another is wanted
}

func newTone() tone { return tone{tuning: make(chan struct{}, 1), wanted: make(chan struct{}, 1)} }

// take waits until nobody else changes the tone, and leave lets others.
func (o *tone) take(ctx context.Context) error {
	select {
	case o.tuning <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *tone) leave() { <-o.tuning }

// has reports whether a leg is there to play the tone.
func (o *tone) has(id call.LegID) bool {
	return id != "" && (id == o.leg || id == o.next || id == o.last)
}

// legs appends those that the PBX may have.
func (o *tone) legs(ids []call.LegID) []call.LegID {
	for _, id := range [...]call.LegID{o.leg, o.next} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// hears is who is to hear the tone of a supervision by a policy; while a change of mode is under way it is enough that one of the two modes
// wants it.
func hears(set *policy.Set, a *act) (to hearers) {
	subject, _ := set.Employee(a.employee)
	target, ok := set.Employee(a.target)
	if !ok {
		return nobodyHears // and so its ground is gone
	}
	if a.mode == modeJoin && !a.announced {
		return everybodyHears
	}
	for _, action := range [...]policy.Action{a.action, a.next} {
		if !action.Supervises() {
			continue // no change of mode is under way
		}
		switch n := set.Notice(&policy.Request{Subject: subject, Action: action, Target: target}); {
		case n.Tone() && n.ToneToBoth():
			to = everybodyHears
		case n.Tone():
			to = max(to, targetHears)
		}
	}
	return to
}

// hearTone are the employees who hear the tone now.
func (a *act) hearTone() []string {
	switch a.tone.to {
	case nobodyHears:
	case targetHears:
		return []string{a.target}
	case everybodyHears:
		ids := []string{a.target}
		for _, id := range a.with {
			if id != a.employee {
				ids = appendNew(ids, id)
			}
		}
		return ids
	}
	return nil
}

// tune has the PBX play to those who are to hear it, and returns when it does, or when nobody is to. Another tone is put up before the one that
// there is goes. An error says that who should hear it may not.
func (g *Gate) tune(ctx context.Context, a *act) error {
	ctx, cancel := context.WithTimeout(ctx, tuneTime)
	defer cancel()
	if err := a.tone.take(ctx); err != nil {
		return err
	}
	defer a.tone.leave()
	for {
		o, done := g.tuning(a)
		if done {
			return nil
		}
		var err error
		if o.Leg != "" {
			err = g.cfg.PBX.Tone(ctx, o)
		}
		spare, err := g.tuned(a, o, err)
		if spare != "" {
			g.drop("", spare)
		}
		if err != nil {
			return err
		}
	}
}

// tuning is the order for the tone that is to be heard; one without a leg means that nobody is to hear any, and done that it is so already.
func (g *Gate) tuning(a *act) (o pbx.Tone, done bool) {
	g.locked(func(*call.Table) {
		to := hears(g.policy.Load(), a)
		if done = a.ended || to == a.tone.to; done || to == nobodyHears {
			return
		}
		a.tone.next = a.base + call.LegID(toneSuffix+newID())
		g.byLeg[a.tone.next] = a
		o = pbx.Tone{Leg: a.tone.next, Target: a.leg, Both: to == everybodyHears, Every: g.cfg.ToneEvery, Lease: g.cfg.Lease}
	})
	return o, done
}

// tuned takes up what came of an order, and returns the leg that is not needed any more.
func (g *Gate) tuned(a *act, o pbx.Tone, failed error) (spare call.LegID, err error) {
	g.locked(func(t *call.Table) {
		now := tone{}
		if o.Leg != "" {
			now.leg, now.to, now.as = o.Leg, targetHears, o
			now.as.Begun = time.Now()
			if o.Both {
				now.to = everybodyHears
			}
		}
		if err = failed; err == nil && o.Leg != "" && (a.tone.hushed == o.Leg || g.known && t.Leg(o.Leg) == nil) {
			err = fmt.Errorf("%w: it has ended already", pbx.ErrNotPlayed)
		}
		a.tone.next = ""
		if err != nil || a.ended {
			spare = o.Leg
		} else {
			spare = a.tone.leg
			a.tone.leg, a.tone.to, a.tone.as = now.leg, now.to, now.as
		}
		g.hush(t, a, spare)
		if err == nil {
			g.reconsider(t, a)
		}
	})
	return spare, err
}

// hush takes leave of a tone's leg, as retire does of a snoop. Caller holds the lock.
func (g *Gate) hush(t *call.Table, a *act, leg call.LegID) {
	if leg == "" {
		return
	}
	if a.tone.last != "" && a.tone.last != leg {
		g.disown(a, a.tone.last)
	}
	if a.tone.last = leg; t.Leg(leg) == nil {
		g.disown(a, leg)
	}
}

// retune has the act's goroutine look at its tone, if another is wanted than there is. Caller holds the lock.
func (g *Gate) retune(set *policy.Set, a *act) {
	if hears(set, a) == a.tone.to {
		return
	}
	select {
	case a.tone.wanted <- struct{}{}:
	default:
	}
}

// keepTone has what is played follow the policy while the supervision runs, and ends it when the tone cannot be put up.
func (g *Gate) keepTone(a *act) {
	if err := g.tune(a.ctx, a); err != nil {
		g.finish(a, ending{reason: reasonUntold, err: err})
	}
}

// renewTone renews the lease of what is played; one that is played no more ends the supervision.
func (g *Gate) renewTone(ctx context.Context, a *act) error {
	if err := a.tone.take(ctx); err != nil {
		return err
	}
	defer a.tone.leave()
	var o pbx.Tone
	g.locked(func(*call.Table) { o = a.tone.as })
	if o.Leg == "" {
		return nil
	}
	err := g.cfg.PBX.KeepTone(ctx, o)
	if errors.Is(err, pbx.ErrNotPlayed) {
		g.locked(func(*call.Table) { g.toneGone(a) })
	}
	return err
}

// toneGone ends a supervision whose tone is played no more, unless within the grace the call turns out to be over, with which the PBX ends it
// too. Caller holds the lock.
func (g *Gate) toneGone(a *act) {
	leg := a.tone.leg
	if a.tone.lost != nil {
		return
	}
	a.tone.lost = g.after(a, g.cfg.Grace, func(t *call.Table) {
		if a.tone.lost = nil; a.tone.leg == leg && !a.outlived(t) {
			a.finish(ending{reason: reasonUntold, err: pbx.ErrNotPlayed})
		}
	})
}

// Silenced is called by the PBX link when a tone is played no more, whatever has ended it.
func (g *Gate) Silenced(leg call.LegID) {
	g.locked(func(*call.Table) {
		a := g.byLeg[leg]
		if a == nil || a.ended {
			return
		}
		if a.tone.hushed = leg; leg == a.tone.leg {
			g.toneGone(a)
		}
	})
}
