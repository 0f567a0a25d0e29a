package gate

import (
	"context"
	"errors"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// finish says why an act has to end, unless that has been said.
func (g *Gate) finish(a *act, e ending) { g.locked(func(*call.Table) { a.finish(e) }) }

// drop hangs up own legs at once and removes the bridge. What a PBX keeps that does not answer goes as soon as it does; a leg dies with its lease at the latest.
// Caller does not hold the lock.
func (g *Gate) drop(bridge call.BridgeID, legs ...call.LegID) {
	err := g.dropOnce(bridge, legs)
	if err == nil {
		return
	}
	g.log.Warn().Err(err).Msg("own legs were not hung up; this is tried again, and their lease ends them")
	g.locked(func(*call.Table) {
		if g.closed {
			return // the next Earshot finds what is left
		}
		g.running.Add(1)
		go func() {
			defer g.running.Done()
			g.dropLate(bridge, legs)
		}()
	})
}

func (g *Gate) dropOnce(bridge call.BridgeID, legs []call.LegID) error {
	ctx, cancel := context.WithTimeout(g.ctx, 5*time.Second)
	defer cancel()
	return g.cfg.PBX.Drop(ctx, bridge, legs...)
}

// dropPause is between two tries to drop what a PBX did not let go of.
const dropPause = time.Second

// dropLate tries again, until the PBX has said twice that nothing is left: what it was asked for before, it may carry out behind the first. Two leases are
// enough for a PBX that answers at all: with another the link is lost, and when it comes back the snapshot tells of the legs and takes empty bridges away.
func (g *Gate) dropLate(bridge call.BridgeID, legs []call.LegID) {
	var err error
	for until, left := time.Now().Add(2*g.cfg.Lease), 2; left > 0; {
		select {
		case <-g.ctx.Done():
			return
		case <-time.After(dropPause):
		}
		closed := false
		g.locked(func(*call.Table) { closed = g.closed })
		switch err = g.dropOnce(bridge, legs); {
		case err == nil:
			left--
		case closed:
			return
		case time.Now().After(until):
			g.log.Error().Err(err).Msg("own legs or their bridge were left on the PBX")
			return
		default:
			left = 2
		}
	}
	g.log.Info().Int("legs", len(legs)).Msg("hung up own legs that the PBX had not let go of")
}

// conclude takes an act out of what runs, writes its end to the record and tells its subject.
func (g *Gate) conclude(a *act) {
	var e audit.Entry
	var notice *audit.Entry
	a.swapping.Wait()
	g.locked(func(t *call.Table) {
		set := a.end.set
		if set == nil {
			set = g.policy.Load()
		}
		phase := audit.Ended
		switch {
		case a.end.revoked:
			phase = audit.Revoked
			if a.supervision {
				g.met.revocation.Observe(time.Since(a.end.at).Seconds())
			}
		case !a.tapped:
			phase = audit.Failed
		}
		e = a.entry(phase, set, a.end.ground)
		if !a.end.revoked {
			e.Reason = a.end.reason
		}
		if a.state == stateActive {
			g.met.running.WithLabelValues(a.action.String()).Dec()
		}
		a.state, a.reason, a.since = stateEnded, a.end.reason, time.Now()
		notice = g.tellEnded(set, a)
		g.untape(t, a)
		g.forgetLocked(a)
		g.remember(t, a)
		if a.begun {
			g.tellLocked(a)
		}
		g.giveBack(t, a)
	})
	if a.end.err != nil && !errors.Is(a.end.err, context.Canceled) {
		g.log.Error().Err(a.end.err).Str("id", a.id).Msg("what was decided was not carried out")
	}
	g.met.ended.WithLabelValues(a.action.String(), e.Reason).Inc()
	a.noting.Wait()
	if err := g.fact(e); err != nil {
		g.log.Error().Err(err).Str("id", a.id).Msg("the end of an act was not recorded")
	}
	g.canonical(&e)
	g.recordNotice(notice, a.id)
	close(a.done)
}

// forgetLocked takes an act out of what runs. Caller holds the lock.
func (g *Gate) forgetLocked(a *act) {
	a.stop()
	g.rest(a, nil)
	delete(g.acts, a.id)
	for _, id := range [...]call.LegID{a.own, a.snoop, a.nextSnoop, a.lastSnoop, a.tone.leg, a.tone.next, a.tone.last} {
		g.disown(a, id)
	}
	for _, timer := range [...]*time.Timer{a.leaving, a.lost, a.expiry, a.verifying, a.doubt, a.tone.lost} {
		if timer != nil {
			timer.Stop()
		}
	}
}

// remember keeps the legs of an act that is over known for its own until the table has seen them go, which is a moment after they have been hung
// up: as strangers they would count as somebody who listens, and refuse or end the next supervision of the same call. Caller holds the lock.
func (g *Gate) remember(t *call.Table, a *act) {
	for _, id := range [...]call.LegID{a.own, a.snoop, a.lastSnoop, a.tone.leg, a.tone.last} {
		if id == a.own && a.mode == modeJoin && len(a.left) == 0 {
			g.remains(t, a) // he has the customer, and it is an ordinary call
			continue
		}
		if t.Leg(id) != nil {
			g.byLeg[id] = a
		}
	}
}

// remains notes that a call is the subject's now by the act's own leg, which is an ordinary one from here on. One that was joined with the customer of a line
// stays in the application that has joined the two, by which a look at the PBX would take him for one who has gone past the gate. Caller holds the lock.
func (g *Gate) remains(t *call.Table, a *act) {
	if t.Leg(a.own) == nil {
		return
	}
	if g.kept[a.own] = struct{}{}; a.mode != modeNone && !a.rings {
		g.dog.fetches(a.own)
	}
}

// gone forgets a leg of an act that is over. Caller holds the lock.
func (g *Gate) gone(id call.LegID) {
	delete(g.kept, id)
	if a := g.byLeg[id]; a != nil && (g.acts[a.id] != a || a.lastSnoop == id || a.tone.last == id) {
		delete(g.byLeg, id)
	}
}

// recordDone writes down that what was decided has been carried out.
func (g *Gate) recordDone(a *act) error {
	var e audit.Entry
	g.locked(func(*call.Table) { e = a.entry(audit.Done, g.policy.Load(), policy.Decision{}) })
	return g.fact(e)
}

// record appends to the audit log what is only to happen, which is refused when that fails.
func (g *Gate) record(e audit.Entry) error {
	err := g.write(e)
	if err != nil && !errors.Is(err, audit.ErrInvalid) && !errors.Is(err, audit.ErrClosed) {
		g.late.refused.Add(1)
	}
	return err
}

// write appends to the audit log and counts what could not be written.
func (g *Gate) write(e audit.Entry) error {
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

// become puts an act into a state and tells its subject. Caller holds the lock.
func (g *Gate) become(a *act, state string) {
	a.state, a.since = state, time.Now()
	g.tellLocked(a)
}

// tellLocked sends the act as it stands to its subject's watchers, and shows it to the other PBXs. Caller holds the lock.
func (g *Gate) tellLocked(a *act) {
	g.showAct(a)
	g.tellSteered(a)
	for _, w := range g.watchers {
		if w.subject.Employee() != a.employee {
			continue
		}
		if a.tape != nil {
			v := a.tapingView()
			g.send(w, Message{Type: MessageRecording, Recording: &v})
		} else if a.mode != modeNone {
			v := a.joinView()
			g.send(w, Message{Type: MessageJoin, Join: &v})
		} else if a.supervision {
			v := a.view()
			g.send(w, Message{Type: MessageSupervision, Supervision: &v})
		} else {
			v := a.interceptView()
			g.send(w, Message{Type: MessageIntercept, Intercept: &v})
		}
	}
}
