package gate

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// tape is what a recording that Earshot makes has beside what every act has. It is of one leg, as a supervision is, and of whoever talks there: its
// ground is everybody within earshot of that leg, decided again with every change. It is guarded by the gate's lock.
type tape struct {
	name     string // of the file below the PBX's folder of recordings: random, so that it tells nothing and nobody can have made one of it
	paused   bool
	changing bool
	shown    *mask.Taped // on the rows of who may know; made anew with each change, since forms share it
	begun    chan struct{}
}

// tapeSuffix and what comes behind it are how the ids of a recording's legs go on after its base.
const tapeSuffix = "-tape"

// tapeTime is how long the PBX may take to begin, pause or go on.
const tapeTime = 5 * time.Second

func (g *Gate) newTaping(s auth.Subject, door string) *act {
	a := g.newAct(s, policy.Record, door)
	a.own, a.snoop, a.bridge = a.base+tapeSuffix, a.base+tapeSuffix+snoopSuffix, ""
	a.tape = &tape{name: pbx.Prefix + rand.Text(), begun: make(chan struct{})}
	return a
}

// decideRecord decides a recording of the target's call over everybody on it. The target alone comes first, since he has to be in the scope of a right
// whoever he talks to.
func decideRecord(set *policy.Set, r policy.Request) policy.Decision {
	d := set.Decide(&policy.Request{Subject: r.Subject, Action: policy.Record, Target: r.Target})
	if !d.Allowed {
		return d
	}
	switch d = set.Decide(&r); {
	case !d.Allowed:
		d.Pairwise = false
	case r.UnknownPhone && !set.UnknownPhonesOutside():
		d = policy.Decision{Reason: policy.ReasonUnknownPhone}
	case r.Locked:
		d = policy.Decision{Reason: policy.ReasonLocked}
	}
	return d
}

// weighTape decides a recording over everybody within earshot of its leg, and over whether anybody has come to hear by what it is made with.
func (g *Gate) weighTape(t *call.Table, set *policy.Set, a *act, l *call.Leg, r *policy.Request) policy.Decision {
	g.scratch.set, g.scratch.listener = set, a
	g.scratch.legs = g.foresee(t, t.Earshot(g.scratch.legs[:0], l, g.scratch.reach))
	c := g.survey(set, a)
	r.Locked = g.beyond(set, r.Subject, c) || g.isLockedTo(g.scratch.legs, a.employee)
	g.scratch.refs = c.everyone(g.scratch.refs)
	r.With, r.ProtectedNumber, r.UnknownPhone = g.scratch.refs, c.protected, c.unknown
	d := decideRecord(set, *r)
	if d.Allowed && (g.tapped(t, a) || g.supervises(a.leg)) { // who supervises hears another call there
		d = policy.Decision{Reason: policy.ReasonUnknownParty}
	}
	return d
}

// isLockedTo reports whether somebody else has locked the call of these legs: his own lock does not keep anybody from recording.
func (g *Gate) isLockedTo(legs []*call.Leg, employee string) bool {
	return slices.ContainsFunc(legs, func(l *call.Leg) bool {
		return slices.ContainsFunc(g.sealed[l.ID()], func(k *lock) bool { return k.begun && k.employee != employee })
	})
}

// tapped reports whether one of the legs that a recording is made with has come together with another, or spies on what it should not.
func (g *Gate) tapped(t *call.Table, a *act) bool {
	for id, of := range map[call.LegID]call.LegID{a.own: a.leg, a.snoop: a.own} {
		s := t.Leg(id)
		if s == nil {
			continue
		}
		if on := s.Spied(); on != nil && on.ID() != of || g.strangers(t, a, s) {
			return true
		}
	}
	return false
}

// tapeGone ends a recording one of whose legs the table has seen and sees no more. The PBX ends them with the leg that is recorded, and may tell of that one later.
func (g *Gate) tapeGone(t *call.Table, a *act) {
	own, snoop := t.Leg(a.own) != nil, t.Leg(a.snoop) != nil
	if (a.ownSeen && !own || a.snoopSeen && !snoop) && a.lost == nil {
		a.lost = g.after(a, g.cfg.Grace, func(*call.Table) { a.finish(ending{reason: reasonLegGone}) })
	}
	a.ownSeen, a.snoopSeen = a.ownSeen || own, a.snoopSeen || snoop
}

// tapeOn carries a recording from the decision to its end. It is the act's goroutine.
func (g *Gate) tapeOn(a *act) {
	if err := g.roll(a); err != nil {
		g.finish(a, ending{reason: reasonPBX, err: err})
	} else if a.ctx.Err() == nil {
		g.hold(a, g.cfg.Lease/3)
	}
	g.leave(a)
	g.conclude(a)
}

// roll has the PBX begin, and writes down and shows that it has.
func (g *Gate) roll(a *act) error {
	ctx, cancel := context.WithTimeout(a.ctx, tapeTime)
	defer cancel()
	err := g.cfg.PBX.Record(ctx, pbx.Record{Holder: a.own, Snoop: a.snoop, Target: a.leg, Name: a.tape.name, Lease: g.cfg.Lease})
	if err != nil {
		return err
	}
	// From here on there is a recording, whatever becomes of it.
	g.archive.remember(a.tape.name, a.id, a.employee)
	if g.archive.Taped != nil {
		g.archive.Taped(a.leg, a.tape.name, time.Now())
	}
	g.locked(func(t *call.Table) {
		a.tapped = true
		if !a.ended {
			g.showTape(t, a)
		}
	})
	if err := g.recordDone(a); err != nil {
		g.finish(a, ending{reason: reasonNotRecorded, err: err})
		return nil
	}
	g.locked(func(t *call.Table) {
		if g.reconsider(t, a); !a.ended {
			g.met.running.WithLabelValues(a.action.String()).Inc()
			g.become(a, stateActive)
			close(a.tape.begun)
		}
	})
	return nil
}

// showTape puts a recording on the rows of who may know of it as it is now. Caller holds the lock.
func (g *Gate) showTape(t *call.Table, a *act) {
	a.tape.shown = &mask.Taped{ID: a.id, State: mask.TapeRecording}
	if a.tape.paused {
		a.tape.shown.State = mask.TapePaused
	}
	g.taped[a.leg] = a
	g.relook(t, []call.LegID{a.leg})
}

// untape takes it off again. Caller holds the lock.
func (g *Gate) untape(t *call.Table, a *act) {
	if g.taped[a.leg] != a {
		return
	}
	delete(g.taped, a.leg)
	if g.known {
		g.relook(t, []call.LegID{a.leg})
	}
}

// tapedOn is the recording that Earshot makes of a call; of several one that is not paused.
func (g *Gate) tapedOn(legs []*call.Leg) (found *mask.Taped) {
	if len(g.taped) == 0 {
		return nil
	}
	for _, l := range legs {
		if a := g.taped[l.ID()]; a != nil && (found == nil || found.State == mask.TapePaused) {
			found = a.tape.shown
		}
	}
	return found
}

// knowsTapes reports whether the subject may know of the recordings on a colleague's row: he sees with whom that one talks, and might record it
// himself. It is recordDeed, or nothing. Where the other side is hidden it is never told: who begins a recording of one row would see on which other it shows.
func (g *Gate) knowsTapes(set *policy.Set, subject policy.Ref, e *entry, sights []mask.Sight) (out deeds) {
	for i := range e.legs {
		f := &e.legs[i]
		if f.facts.Taped == nil || sights[i] != mask.Seen {
			continue
		}
		r := between(subject, e.ref, policy.Record, true)
		if g.shown(&r, f); !decideRecord(set, r).Allowed {
			return 0
		}
		out = recordDeed
	}
	return out
}

// tapedFor is the recording on a leg that is shown beside what its sight shows.
func (f *legFacts) tapedFor(s mask.Sight, can deeds) *mask.Taped {
	if s != mask.Seen || can&recordDeed == 0 {
		return nil
	}
	return f.facts.Taped
}

// tapingView is the recording as the one sees it who has begun it.
func (a *act) tapingView() mask.Taping {
	v := mask.Taping{ID: a.id, Target: a.target, Call: a.handle, State: mask.TapeStarting, Since: a.since.UTC(), Reason: a.reason, Text: reasonText(a.reason)}
	switch {
	case a.state == stateEnded:
		v.State = mask.TapeStopped
	case a.state == stateActive && a.tape.paused:
		v.State = mask.TapePaused
	case a.state == stateActive:
		v.State = mask.TapeRecording
	}
	return v
}

// tapeEntry is the record of a phase of a change that somebody makes to a recording, to a state of mask.Taping's.
func (g *Gate) tapeEntry(a *act, s auth.Subject, phase audit.Phase, state, door string, d policy.Decision) audit.Entry {
	e := a.entry(phase, g.policy.Load(), d)
	e.Subject, e.Credential, e.Mode, e.Door = s.Employee(), s.Credential(), state, door
	return e
}
