package gate

import (
	"context"
	"errors"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// finishWith ends an act because of what its goroutine met; nil and a reason that is there already change nothing.
func (g *Gate) finishWith(a *act, err error) {
	g.locked(func(*call.Table) {
		if err != nil {
			a.finish(ending{reason: reasonPBX, err: err})
		}
	})
}

// drop hangs up own legs at once and removes the bridge. What does not go now dies with its lease.
func (g *Gate) drop(bridge call.BridgeID, legs ...call.LegID) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := g.cfg.PBX.Drop(ctx, bridge, legs...); err != nil {
		g.log.Warn().Err(err).Msg("own legs were not hung up; their lease ends them")
	}
}

// conclude takes an act out of what runs, writes its end to the record and tells its subject.
func (g *Gate) conclude(a *act) {
	var e audit.Entry
	g.locked(func(*call.Table) {
		set := a.end.set
		if set == nil {
			set = g.policy.Load()
		}
		phase := audit.Ended
		switch {
		case a.end.revoked:
			phase = audit.Revoked
			if !a.end.at.IsZero() {
				g.met.revocation.Observe(time.Since(a.end.at).Seconds())
			}
		case a.state == stateRinging:
			phase = audit.Failed
		}
		e = a.entry(phase, set, a.end.ground)
		if !a.end.revoked {
			e.Reason = a.end.reason
		}
		if a.supervision && a.state == stateActive {
			g.met.running.WithLabelValues(a.action.String()).Dec()
		}
		if a.state != stateTaken {
			a.state, a.reason, a.since = stateEnded, a.end.reason, time.Now()
		}
		if a.leaving != nil {
			a.leaving.Stop()
		}
		g.forgetLocked(a)
		g.tellLocked(a)
	})
	if a.end.err != nil && !errors.Is(a.end.err, context.Canceled) {
		g.log.Error().Err(a.end.err).Str("id", a.id).Msg("the PBX did not carry out what was decided")
	}
	g.met.ended.WithLabelValues(a.action.String(), e.Reason).Inc()
	if err := g.record(e); err != nil {
		g.log.Error().Err(err).Str("id", a.id).Msg("the end of an act was not recorded")
	}
	g.canonical(&e)
	close(a.done)
}

func (g *Gate) forget(a *act) { g.locked(func(*call.Table) { g.forgetLocked(a) }) }

func (g *Gate) forgetLocked(a *act) {
	delete(g.acts, a.id)
	delete(g.byLeg, a.own)
	delete(g.byLeg, a.snoop)
	if a.leaving != nil {
		a.leaving.Stop()
	}
}

// recordDone writes down that what was decided has been carried out.
func (g *Gate) recordDone(a *act) error {
	var e audit.Entry
	g.locked(func(*call.Table) { e = a.entry(audit.Done, g.policy.Load(), policy.Decision{}) })
	return g.record(e)
}

// record appends to the audit log and counts what could not be written.
func (g *Gate) record(e audit.Entry) error {
	err := g.cfg.Audit.Append(context.Background(), e)
	if err != nil {
		g.met.auditErrors.Inc()
	}
	return err
}

// canonical writes the one log line of a decision or an end. It holds ids of the policy, never a number or an outside name.
func (g *Gate) canonical(e *audit.Entry) {
	g.log.Info().Str("id", e.ID).Str("phase", string(e.Phase)).Str("subject", e.Subject).Str("action", e.Action).
		Strs("targets", e.Targets).Str("outcome", string(e.Outcome)).Str("reason", e.Reason).Str("door", e.Door).
		Uint64("generation", e.Generation).Msg("gate")
}
