package gate

import (
	"context"
	"time"

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
	Door   string // which door it came in by, for the record
}

// Supervise rings the subject's own phone and, once he answers, lets him hear the target's call. It returns as soon as the phone is being
// rung; what becomes of it is told on the event stream and by Supervision.
func (g *Gate) Supervise(ctx context.Context, s auth.Subject, ask Ask) (mask.Supervision, error) {
	action, ok := policy.ParseAction(ask.Mode)
	if !ok || action != policy.Spy && action != policy.Whisper && action != policy.Barge {
		return mask.Supervision{}, &Problem{Kind: Invalid, Code: "unknown_mode", Text: "mode is one of spy, whisper, barge."}
	}
	a := newAct(s, action, ask.Door)
	if err := g.begin(ctx, a, ask, g.pickTalking); err != nil {
		return mask.Supervision{}, err
	}
	g.running.Add(1)
	go g.supervise(a)
	return g.show1(a), nil
}

// show1 is the act's view, taken under the lock.
func (g *Gate) show1(a *act) (v mask.Supervision) {
	g.locked(func(*call.Table) { v = a.view() })
	return v
}

// supervise carries a supervision from the ringing phone to its end. It is the act's goroutine.
func (g *Gate) supervise(a *act) {
	defer g.running.Done()
	err := g.connect(a)
	if err == nil {
		g.met.audio.Observe(time.Since(a.asked).Seconds())
		if err = g.recordDone(a); err == nil {
			g.become(a, stateActive)
			g.hold(a)
		}
	}
	g.finishWith(a, err)
	g.drop(a.bridge, a.snoop, a.own)
	g.conclude(a)
}

// connect rings the supervisor's phone and joins it with a snoop on the target's leg.
func (g *Gate) connect(a *act) error {
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.RingTimeout+5*time.Second)
	defer cancel()
	err := g.cfg.PBX.Ring(ctx, pbx.Ring{
		Leg: a.own, Bridge: a.bridge, Endpoint: a.phone, Display: g.display(a), Timeout: g.cfg.RingTimeout, Lease: g.cfg.Lease,
	})
	if err != nil {
		return err
	}
	select {
	case <-a.entered:
	case <-a.over:
		return nil
	case <-ctx.Done():
		g.locked(func(*call.Table) { a.finish(ending{reason: reasonNoAnswer}) })
		return nil
	}
	// The phone may have rung for long: what was decided is decided again, under the same lock that every change of ground takes.
	g.locked(func(t *call.Table) { g.reconsider(t, a) })
	if a.finished() {
		return nil
	}
	return g.cfg.PBX.Tap(ctx, pbx.Tap{
		Snoop: a.snoop, Target: a.leg, Supervisor: a.own, Bridge: a.bridge, Voice: voice(a.action), Lease: g.cfg.Lease,
	})
}

// hold renews the lease until the supervision has to end. A renewal that fails is tried again; if none succeeds the PBX ends the legs.
func (g *Gate) hold(a *act) {
	tick := time.NewTicker(g.cfg.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-a.over:
			return
		case <-tick.C:
			ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Lease/3)
			if err := g.cfg.PBX.Renew(ctx, g.cfg.Lease, a.own, a.snoop); err != nil {
				g.log.Warn().Err(err).Str("id", a.id).Msg("the lease of a supervision was not renewed")
			}
			cancel()
		}
	}
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

// display is what the supervisor's phone shows while it rings: whom it is about, by the name that the board shows him anyway.
func (g *Gate) display(a *act) string {
	set := g.policy.Load()
	ref, ok := set.Employee(a.target)
	if !ok {
		return a.action.String()
	}
	return a.action.String() + ": " + set.Name(ref)
}

// Entered is called by the PBX link when an own leg has entered the Stasis application, which is when its phone has been answered.
func (g *Gate) Entered(leg call.LegID) {
	g.locked(func(*call.Table) {
		if a := g.byLeg[leg]; a != nil && a.own == leg {
			a.enteredOnce.Do(func() { close(a.entered) })
		}
	})
}

// Supervisions lists the subject's own that run.
func (g *Gate) Supervisions(s auth.Subject) ([]mask.Supervision, error) {
	out := []mask.Supervision{}
	g.locked(func(*call.Table) {
		for _, a := range g.acts {
			if a.supervision && a.employee == s.Employee() {
				out = append(out, a.view())
			}
		}
	})
	return out, nil
}

// Supervision is one of the subject's own. Another's and one that never was get the same answer.
func (g *Gate) Supervision(s auth.Subject, id string) (mask.Supervision, error) {
	var v mask.Supervision
	err := error(noSuchSupervision())
	g.locked(func(*call.Table) {
		if a := g.mine(s, id); a != nil {
			v, err = a.view(), nil
		}
	})
	return v, err
}

// EndSupervision ends one of the subject's own and returns when its legs are hung up.
func (g *Gate) EndSupervision(ctx context.Context, s auth.Subject, id string) error {
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
	if a := g.acts[id]; a != nil && a.supervision && a.employee == s.Employee() {
		return a
	}
	return nil
}
