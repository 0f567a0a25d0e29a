package gate

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// Estate is what an Earshot before this one has left: the acts whose end is not on record. The record and not the PBX says who asked for
// what, since whoever has an account there could write anything into a channel.
type Estate struct {
	Acts []audit.Act
	// Forwards are the acts by which calls were forwarded, of those whose end is on record.
	Forwards []string
	// Witnessed is what its watchdog saw begin and did not see end, as far as that is on record.
	Witnessed []audit.Entry
	// Resume returns the subject by the name of his credential, if that still holds.
	Resume func(credential, employee string) (auth.Subject, bool)
}

func (e *Estate) forwards() map[string]struct{} {
	ended := map[string]struct{}{}
	for _, act := range e.Forwards {
		ended[act] = struct{}{}
	}
	return ended
}

// inherit takes up the supervisions and the joinings that still run on the PBX as they are on record, to be decided anew, and has the end of everything else
// recorded. What it leaves is hung up as an orphan. It returns those that were taken up. Caller holds the lock.
func (g *Gate) inherit(t *call.Table) (adopted []*act) {
	if g.closed || len(g.cfg.Estate.Acts) == 0 {
		return nil
	}
	set := g.policy.Load()
	for i := range g.cfg.Estate.Acts {
		old := &g.cfg.Estate.Acts[i]
		a := g.revive(t, set, old)
		if a == nil {
			a = g.reviveJoin(t, set, old)
		}
		if a != nil {
			g.acts[a.id] = a
			g.byLeg[a.own], g.byLeg[a.snoop] = a, a
			g.expire(a)
			g.met.running.WithLabelValues(a.action.String()).Inc()
			adopted = append(adopted, a)
			continue
		}
		if old.Action == policy.Lock.String() {
			g.inheritLock(t, set, old)
			continue
		}
		e, notice := g.endLeft(t, set, old)
		g.running.Add(1)
		go func() {
			defer g.running.Done()
			g.canonical(&e)
			if err := g.fact(e); err != nil {
				g.log.Error().Err(err).Str("id", e.ID).Msg("the end of an act of the Earshot before was not recorded")
			}
			g.recordNotice(notice, e.ID)
		}()
	}
	g.cfg.Estate = Estate{}
	return adopted
}

// endLeft is what the record says of an act that is not taken up: what is certain of its end, and else that nobody knows. A supervision may have been heard though it is
// not on record that it was carried out: Earshot was killed before, or the log could not be written. Caller holds the lock.
func (g *Gate) endLeft(t *call.Table, set *policy.Set, old *audit.Act) (e audit.Entry, notice *audit.Entry) {
	e = old.Entry
	e.Phase, e.Outcome, e.Rule, e.Reason = audit.Failed, "", audit.Rule{}, reasonOutcome // a number may have been dialled, or the directory changed
	e.Generation, e.Happened = set.Generation(), time.Time{}                             // the decision may have been late
	if old.Changing {
		e.Detail = audit.DetailChangeUnknown
	}
	action, _ := policy.ParseAction(e.Action)
	own, carried := t.Leg(ownLeg(e.ID, e.Action)), !old.Carried.IsZero()
	together := own != nil && len(t.Peers(nil, own)) > 0
	switch {
	case action == policy.LineJoin && e.Mode == string(modeJoin) && (carried || together):
		// Nobody can say whether its ground holds. Who is alone with him keeps him.
		if e.Phase, e.Reason = audit.Ended, reasonRestarted; own != nil && len(t.Peers(nil, own)) > 1 {
			g.clear("", own.ID())
		}
	case (action == policy.LineJoin || action == policy.Intercept && old.Door != DoorPhone) && together && own.State() == call.StateUp:
		e.Phase, e.Reason = audit.Done, ""
	case action == policy.Record && carried:
		e.Phase, e.Reason = audit.Ended, reasonRestarted // its legs are hung up as orphans
	case action == policy.Play || action == policy.Download:
		e.Reason = reasonRestarted // that it is disclosed is on record before anything of it is
	case !action.Supervises() && action != policy.Intercept:
	case old.Door == DoorPhone && action == policy.Intercept: // his leg has no name of ours
	case carried:
		e.Phase, e.Reason, notice = audit.Ended, reasonRestarted, g.tellLate(set, old)
	case own != nil && own.State() != call.StateUp:
		e.Reason, e.Detail = reasonRestarted, audit.DetailRang // his phone was not answered yet
	case action.Supervises() && inBridge(t, e.ID):
		began := *old
		began.Carried = old.At() // or later
		e.Phase, e.Reason, notice = audit.Ended, reasonRestarted, g.tellLate(set, &began)
	}
	return e, notice
}

// inBridge reports whether a supervision's snoop is in its bridge with somebody.
func inBridge(t *call.Table, id string) bool {
	base := call.LegID(pbx.Prefix + id)
	legs := t.BridgeLegs(nil, call.BridgeID(base+bridgeSuffix))
	return len(legs) > 1 && slices.ContainsFunc(legs, func(l *call.Leg) bool { return strings.HasPrefix(string(l.ID()), string(base)+snoopSuffix) })
}

// revive makes the act of a supervision that runs on the PBX exactly as it is on record: its own leg and one snoop, alone in its own bridge,
// the snoop on a leg of the target's phone. Nil: it does not, or nobody can say any more by what right it was begun.
func (g *Gate) revive(t *call.Table, set *policy.Set, old *audit.Act) (revived *act) {
	action, ok := policy.ParseAction(old.Action)
	if !ok || !action.Supervises() || old.Carried.IsZero() || old.Changing || len(old.Targets) != 1 {
		return nil
	}
	s, ok := g.resumed(old.Credential, old.Subject)
	if !ok {
		return nil
	}
	a := g.newActAs(old.ID, s, action, old.Door)
	a.proven = s.Origin() == ""
	defer func() {
		if revived == nil {
			a.stop()
		}
	}()
	if old.Door == DoorPhone {
		a.own, a.seated = seated(t, a.bridge), true
	}
	own, snoop := t.Leg(a.own), g.snoopOf(t, a)
	if own == nil || snoop == nil || own.Kind() != call.KindPhone || own.State() != call.StateUp {
		return nil
	}
	if own.Bridge() != a.bridge || snoop.Bridge() != a.bridge || len(t.BridgeLegs(nil, a.bridge)) != 2 {
		return nil
	}
	on := snoop.Spied()
	if on == nil {
		return nil
	}
	subject, _ := set.Employee(a.employee)
	target, known := set.Employee(old.Targets[0])
	if ref, ok := set.Phone(on.Endpoint()); !ok || !known || ref != target {
		return nil
	}
	for _, phone := range set.Phones(subject) {
		if samePhone(phone, own.Endpoint()) {
			a.phone = phone
		}
	}
	if a.phone == "" {
		return nil
	}
	a.snoop, a.leg, a.target, a.targetPhone = snoop.ID(), on.ID(), old.Targets[0], on.Endpoint()
	a.changes, _ = strconv.Atoi(strings.TrimPrefix(string(a.snoop), string(a.base)+snoopSuffix)) // none: 0
	a.hadPeer = len(t.Peers(nil, on)) > 0
	a.state, a.asked, a.since = stateActive, old.Time, old.Carried
	a.begun, a.tapped, a.ownSeen, a.snoopSeen = true, true, true, true
	a.recorded, a.given = old.Employees, old.Given
	a.told = lately(set, old)
	a.enteredOnce.Do(func() { close(a.entered) })
	return a
}

// seated returns the leg that sits in an own bridge.
func seated(t *call.Table, bridge call.BridgeID) call.LegID {
	for _, l := range t.BridgeLegs(nil, bridge) {
		if seat(l) {
			return l.ID()
		}
	}
	return ""
}

// snoopOf returns the one snoop that carries an act; nil if there is none, or more than one.
func (g *Gate) snoopOf(t *call.Table, a *act) (snoop *call.Leg) {
	for _, l := range t.All(nil) {
		if l.Kind() != call.KindSnoop || !strings.HasPrefix(string(l.ID()), string(a.base)+snoopSuffix) {
			continue
		}
		if snoop != nil {
			return nil
		}
		snoop = l
	}
	return snoop
}

// enter gives those that were taken up their handles, once the board is there to be seen by, and sets them going: their decision is recorded
// and their lease renewed, or they are ended. Caller holds the lock.
func (g *Gate) enter(t *call.Table, adopted []*act) {
	set := g.policy.Load()
	for _, a := range adopted {
		subject, _ := set.Employee(a.employee)
		target, _ := set.Employee(a.target)
		if e := g.board[target]; e != nil {
			for i := range e.legs {
				if f := &e.legs[i]; f.leg == a.leg {
					a.sight = g.sight(set, subject, target, f)
				}
			}
		}
		a.handle = g.handle(a.employee, a.target, a.leg, a.sight)
		g.showAct(a)
		d := policy.Decision{}
		if !a.ended {
			d = g.ground(t, set, a)
		}
		e := a.entry(audit.Decided, set, d)
		g.running.Add(1)
		go func() {
			defer g.running.Done()
			g.resume(a, e)
		}()
	}
}

// resume carries what was taken up to its end. It is the act's goroutine.
func (g *Gate) resume(a *act, decided audit.Entry) {
	leave, carry := g.leave, func(a *act) {
		g.keepTone(a) // that of the Earshot before is hung up as an orphan
		g.hold(a, 0)
	}
	if a.mode == modeJoin {
		leave, carry = g.leaveLine, func(a *act) { <-a.ctx.Done() }
	}
	ended := false
	g.locked(func(*call.Table) { ended = a.ended })
	if !ended {
		g.met.decision(a.action, string(decided.Outcome), decided.Reason)
		g.canonical(&decided)
		if err := g.fact(decided); err != nil {
			g.finish(a, ending{reason: reasonNotRecorded, err: err})
		}
		carry(a)
	}
	leave(a)
	g.conclude(a)
}

// expire ends an act when its credential does.
func (g *Gate) expire(a *act) {
	g.verify(a)
	if at := a.subject.Expires(); !at.IsZero() {
		g.expireIn(a, time.Until(at))
	}
}

// laterEnd is how often a credential is looked at that holds beyond the end that it had when it proved somebody: it was given a later one.
const laterEnd = 10 * time.Second

func (g *Gate) expireIn(a *act, d time.Duration) {
	a.expiry = g.after(a, d, func(*call.Table) {
		if g.holds(a.subject) {
			g.expireIn(a, laterEnd)
			return
		}
		a.finish(ending{reason: reasonCredential, revoked: true, at: time.Now()})
	})
}
