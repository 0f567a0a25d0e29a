package gate

import (
	"context"
	"errors"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// Ask is a request about a colleague's call.
type Ask struct {
	Target string // employee id
	Mode   string // spy, whisper or barge; for Supervise only
	Call   string // handle of the call; empty for the only one that fits
	Phone  string // the own phone to ring; empty for the first
	// Number is one of the target's own, as the policy has it, where Target is empty. It has to be exactly that number.
	Number string
	// Leg is the unique id of a leg of Phone that waits in the Stasis application: no phone is rung, it is the subject's leg. Empty for none.
	Leg    string `json:"-"`
	Reason string // why he asks, in his own words, for the record; for Supervise only. The policy may require one
	Door   string // which door it came in by, for the record
}

// Supervise rings the subject's own phone and, once he answers, lets him hear the target's call. It returns as soon as the phone is being
// rung; what becomes of it is told on the event stream and by Supervision.
func (g *Gate) Supervise(ctx context.Context, s auth.Subject, ask Ask) (mask.Supervision, error) {
	a, p := g.newSupervision(s, &ask)
	if p != nil {
		return mask.Supervision{}, p
	}
	if err := g.begin(ctx, a, ask, talks, g.supervise); err != nil {
		return across[mask.Supervision](ctx, g, s, err, opSupervise, ask.at)
	}
	var v mask.Supervision
	g.locked(func(*call.Table) { v = a.view() })
	return v, nil
}

// newSupervision makes the act of a request for one.
func (g *Gate) newSupervision(s auth.Subject, ask *Ask) (*act, *Problem) {
	action, ok := policy.ParseAction(ask.Mode)
	if !ok || !action.Supervises() {
		return nil, unknownMode()
	}
	reason, p := given(ask.Reason)
	if p != nil {
		return nil, p
	}
	a := g.newAct(s, action, ask.Door)
	a.given = reason
	return a, nil
}

// talks reports whether a leg is up; one that is held has to be named.
func talks(f *legFacts, named bool) bool {
	return f.facts.Phase == call.PhaseTalking || named && f.facts.Phase == call.PhaseHeld
}

// supervise carries a supervision from the ringing phone to its end. It is the act's goroutine.
func (g *Gate) supervise(a *act) {
	if err := g.connect(a); errors.Is(err, pbx.ErrUnreachable) {
		g.finish(a, ending{reason: reasonUnreachable, err: err})
	} else if err != nil {
		g.finish(a, ending{reason: reasonPBX, err: err})
	}
	g.leave(a)
	g.conclude(a)
}

// connect rings the supervisor's phone, joins it with a snoop on the target's leg, and holds that until the act has to end. It returns nil
// when the act has ended.
func (g *Gate) connect(a *act) error {
	ctx, cancel := context.WithTimeout(a.ctx, g.cfg.RingTimeout+5*time.Second)
	defer cancel()
	if err := g.summon(ctx, a); err != nil {
		return err
	}
	select {
	case <-a.entered:
	case <-ctx.Done():
		g.finish(a, ending{reason: reasonNoAnswer})
		return nil
	}
	// The phone may have rung for long: what was decided is decided again, under the same lock that every change of ground takes.
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
	return g.listenIn(ctx, a, a.asked)
}

// listenIn lets a supervisor hear whose leg waits for that, and holds it until the act has to end. It returns nil when the act has ended. It has been asked for,
// as far as one can wait for it, at since.
func (g *Gate) listenIn(ctx context.Context, a *act, since time.Time) error {
	if err := g.tune(ctx, a); err != nil {
		g.finish(a, ending{reason: reasonUntold, err: err})
		return nil
	}
	err := g.cfg.PBX.Tap(ctx, pbx.Tap{
		Snoop: a.snoop, Target: a.leg, Supervisor: a.own, Bridge: a.bridge, Voice: voice(a.action), Lease: g.cfg.Lease,
	})
	if err != nil {
		return err
	}
	g.met.audio.Observe(time.Since(since).Seconds())
	// From here on he is heard, whatever becomes of it: those who are to be told are told now.
	g.locked(func(*call.Table) {
		a.tapped, a.told.since = true, time.Now()
		g.tellSupervised(g.policy.Load(), a)
	})
	if !g.awaitDone(a) {
		return nil
	}
	ended := false
	g.locked(func(t *call.Table) {
		g.reconsider(t, a)
		if ended = a.ended; !ended {
			g.met.running.WithLabelValues(a.action.String()).Inc()
			g.become(a, stateActive)
		}
	})
	if !ended {
		g.hold(a, g.cfg.Lease/3)
	}
	return nil
}

// awaitDone waits until it is on record that the supervision runs, and reports whether it is to go on. It does not wait where the supervision has to
// end meanwhile, which is then recorded behind it; and the tone follows the policy already.
func (g *Gate) awaitDone(a *act) bool {
	var e audit.Entry
	g.locked(func(*call.Table) { e = a.entry(audit.Done, g.policy.Load(), policy.Decision{}) })
	written := make(chan struct{})
	a.noting.Add(1)
	go func() {
		defer a.noting.Done()
		defer close(written)
		if err := g.fact(e); err != nil {
			g.finish(a, ending{reason: reasonNotRecorded, err: err})
		}
	}()
	for {
		select {
		case <-a.ctx.Done():
			return false
		case <-a.tone.wanted:
			g.keepTone(a)
		case <-written:
			return a.ctx.Err() == nil
		}
	}
}

// summon rings the supervisor's phone, or answers it where he has called in himself.
func (g *Gate) summon(ctx context.Context, a *act) error {
	if a.seated {
		return g.cfg.PBX.Seat(ctx, pbx.Seat{Leg: a.own, Bridge: a.bridge, Lease: g.cfg.Lease})
	}
	return g.cfg.PBX.Ring(ctx, pbx.Ring{
		Leg: a.own, Bridge: a.bridge, Endpoint: a.phone, Display: a.caller.Name, Timeout: g.cfg.RingTimeout, Lease: g.cfg.Lease,
	})
}

// hold renews the lease until the supervision has to end. It is not renewed while the state is not known, since nobody can say then that the
// ground holds; a renewal that fails is tried again. If none succeeds in time the PBX has ended the legs. Between renewals it listens whether
// the other side sends audio.
func (g *Gate) hold(a *act, first time.Duration) {
	every, again := g.cfg.Lease/3, g.cfg.Lease/30
	timer := time.NewTimer(first)
	defer timer.Stop()
	listen := time.NewTicker(g.cfg.Listening)
	defer listen.Stop()
	if a.tape != nil {
		listen.Stop() // nobody whispers
	}
	var ear listener
	g.leaseSet(a, time.Now())
	for until := time.Now().Add(g.cfg.Lease); ; {
		select {
		case <-a.ctx.Done():
			return
		case <-listen.C:
			g.listen(a, &ear)
			continue
		case <-a.tone.wanted:
			g.keepTone(a)
			continue
		case <-timer.C:
		}
		asked := time.Now()
		switch {
		case g.renew(a):
			until = asked.Add(g.cfg.Lease)
			g.leaseSet(a, asked)
			timer.Reset(every)
		case !asked.Before(until):
			g.finish(a, ending{reason: reasonLegGone})
		default:
			timer.Reset(again)
		}
	}
}

// leaseSet notes when a lease was set, or later than that.
func (g *Gate) leaseSet(a *act, at time.Time) { g.locked(func(*call.Table) { a.renewed = at }) }

// lapsed reports whether the lease must be over on the PBX, as far as anybody knows here: what is gone then is its work, and nobody has hung up. Caller holds the lock.
func (g *Gate) lapsed(a *act) bool {
	return !a.renewed.IsZero() && time.Since(a.renewed) >= g.cfg.Lease
}

func (g *Gate) renew(a *act) bool {
	known := false
	var legs []call.LegID
	g.locked(func(*call.Table) { known, legs = g.known, a.leased() })
	if !known {
		return false
	}
	ctx, cancel := context.WithTimeout(a.ctx, g.cfg.Lease/3)
	defer cancel()
	err := errors.Join(g.cfg.PBX.Renew(ctx, g.cfg.Lease, legs...), g.renewTone(ctx, a))
	if err != nil && a.ctx.Err() == nil {
		g.log.Warn().Err(err).Str("id", a.id).Msg("the lease of a supervision was not renewed")
	}
	return err == nil
}

func voice(action policy.Action) pbx.Voice {
	switch action {
	case policy.Whisper:
		return pbx.VoiceTarget
	case policy.Barge:
		return pbx.VoiceBoth
	default:
		return pbx.VoiceNobody
	}
}

// display is what the subject's phone shows while it rings, unless it may show who calls: whom it is about, by the name that the board shows
// him anyway.
func (g *Gate) display(set *policy.Set, a *act) string {
	ref, ok := set.Employee(a.target)
	if !ok {
		return a.action.String()
	}
	return a.action.String() + ": " + set.Name(ref)
}

// Entered is called by the PBX link when a leg with an id as own ones have has entered the Stasis application, which is when its phone has been answered.
// A phone's leg of which Earshot knows nothing is told that there is nothing to be had.
func (g *Gate) Entered(leg call.LegID) {
	foreign := false
	g.locked(func(t *call.Table) {
		if g.enteredStasis(t, leg) {
			return
		}
		if a := g.byLeg[leg]; a != nil && a.own == leg {
			a.enteredOnce.Do(func() { close(a.entered) })
		}
		l := t.Leg(leg)
		if foreign = g.known && !g.closed && l != nil && l.Kind() == call.KindPhone && !g.owns(leg); foreign {
			leg = l.ID()
			g.running.Add(1)
		}
	})
	if foreign {
		go func() {
			defer g.running.Done()
			g.dismiss(leg, ExtenAway)
		}()
	}
}

// Supervisions lists the subject's own that run, on whichever PBX.
func (g *Gate) Supervisions(s auth.Subject) ([]mask.Supervision, error) {
	var out []mask.Supervision
	g.locked(func(*call.Table) { out, _ = g.theirs(s.Employee()) })
	return out, nil
}

// theirs lists an employee's acts here and on other PBXs, oldest first.
func (g *Gate) theirs(employee string) (s []mask.Supervision, i []mask.Intercept) {
	s, i = []mask.Supervision{}, []mask.Intercept{}
	for _, f := range g.actsOf(employee) {
		if f.Supervision != nil {
			s = append(s, *f.Supervision)
		} else if f.Intercept != nil {
			i = append(i, *f.Intercept)
		}
	}
	return s, i
}

// Supervision is one of the subject's own. Another's and one that never was get the same answer.
func (g *Gate) Supervision(s auth.Subject, id string) (mask.Supervision, error) {
	var v mask.Supervision
	err := error(noSuchSupervision())
	g.locked(func(*call.Table) {
		if a := g.mine(s, id); a != nil {
			v, err = a.view(), nil
		} else if f := g.farActOf(s, id); f != nil && f.Supervision != nil {
			v, err = *f.Supervision, nil
		}
	})
	return v, err
}

// EndSupervision ends one of the subject's own and returns when its legs are hung up.
func (g *Gate) EndSupervision(ctx context.Context, s auth.Subject, id string) error {
	if pbx := g.supervisesAfar(s, id); pbx != "" {
		_, err := sendEnd[noAnswer](ctx, g, s, pbx, opEnd, id, idAsk{id})
		return err
	}
	var a *act
	g.locked(func(*call.Table) {
		if a = g.mine(s, id); a != nil {
			a.finish(ending{reason: reasonBySupervisor})
		}
	})
	if a == nil {
		return noSuchSupervision()
	}
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Gate) mine(s auth.Subject, id string) *act {
	if a := g.acts[id]; a != nil && a.begun && a.supervision && a.employee == s.Employee() {
		return a
	}
	return nil
}
