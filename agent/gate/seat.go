package gate

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// DoorPhone is the phone door's name in the record. What came in by it runs on a leg that Earshot did not make.
const DoorPhone = "phone"

// Where a leg goes on in the dialplan that has called in by the phone door. The include for extensions.conf has these contexts.
const (
	PhoneContext    = "earshot"          // what is said to a leg, and the taking of a call
	OutgoingContext = "earshot-outgoing" // where a number that may be dialled is

	ExtenRefused  = "refused"  // says that it is not permitted
	ExtenReason   = "reason"   // says that it is permitted only with a reason, which a phone cannot give
	ExtenNothing  = "nothing"  // says that there is nothing of the kind now
	ExtenAway     = "away"     // says that it does not work at the moment
	ExtenLocked   = "locked"   // says that the call is locked now
	ExtenUnlocked = "unlocked" // says that the lock is off
	ExtenPickup   = "pickup"   // takes the call that rings at the leg in RingingVariable

	RingingVariable = pbx.RingingVariable // the channel variable with the unique id of that leg

	// Where who has called is handed back to the phone at which somebody took his call.
	BackContext      = pbx.BackContext
	SettingsContext  = pbx.SettingsContext
	ExtenKeep        = pbx.ExtenKeep
	FamilyVariable   = pbx.FamilyVariable
	KeyVariable      = pbx.KeyVariable
	ValueVariable    = pbx.ValueVariable
	ExtenMove        = pbx.ExtenMove
	ExtenReturned    = pbx.ExtenReturned
	CallerVariable   = pbx.CallerVariable
	EndpointVariable = pbx.EndpointVariable

	// Where a caller whom no phone rings comes to who takes his call.
	ExtenFetch    = pbx.ExtenFetch
	ExtenFetched  = pbx.ExtenFetched
	TakerVariable = pbx.TakerVariable
	PlaceVariable = pbx.PlaceVariable

	// Where an attended transfer is.
	ExtenAsks       = pbx.ExtenAsks
	ExtenMeets      = pbx.ExtenMeets
	ExtenWaits      = pbx.ExtenWaits
	HereVariable    = pbx.HereVariable
	AsksVariable    = pbx.AsksVariable
	WaitsVariable   = pbx.WaitsVariable
	NumberVariable  = pbx.NumberVariable
	ContextVariable = pbx.ContextVariable
)

// seatedTime is how long the dialplan may take to take a ringing call.
const seatedTime = 5 * time.Second

// whose is about whom a request is.
func whose(set *policy.Set, ask *Ask) (policy.Ref, bool) {
	if ask.Target != "" || ask.Number == "" {
		return set.Employee(ask.Target)
	}
	var found policy.Ref
	for _, ref := range set.AppendByNumber(nil, ask.Number) { // reads numbers as people write them, and a beginning or an end may be a number too
		if slices.Contains(set.Numbers(ref), ask.Number) {
			if !found.IsZero() {
				return policy.Ref{}, false
			}
			found = ref
		}
	}
	return found, !found.IsZero()
}

// callsIn reports whether a leg is one by which that phone itself calls. It has not been answered, since the include asks before anything is: one
// that has been was put where it is by somebody else, who transferred it (REFER), and proves no more than whose phone that is.
func (g *Gate) callsIn(t *call.Table, leg, phone string) bool {
	l := t.Leg(call.LegID(leg))
	if l == nil || g.byLeg[l.ID()] != nil || l.Kind() != call.KindPhone || l.Bridged() || !samePhone(l.Endpoint(), phone) {
		return false
	}
	return l.State() != call.StateUp || g.rungToCall(l.ID())
}

// sit makes the leg that asks the act's own, if by that the subject's phone calls. Caller holds the lock.
func (g *Gate) sit(t *call.Table, a *act, leg string) *Problem {
	if leg == "" {
		return nil
	}
	if !g.callsIn(t, leg, a.phone) {
		return notYourPhone()
	}
	a.own, a.seated, a.ownSeen = call.LegID(leg), true, true
	a.enteredOnce.Do(func() { close(a.entered) })
	return nil
}

// sitToDial is sit for a leg that wants to go out. A call to an emergency number asks nothing of the leg, nor whether the PBX is known. Caller holds
// the lock.
func (g *Gate) sitToDial(t *call.Table, a *act, leg string, d policy.Decision) *Problem {
	switch {
	case d.Reason == policy.ReasonEmergency:
		a.own, a.seated = call.LegID(leg), true
		return nil
	case g.known:
		return g.sit(t, a, leg)
	default:
		return stateUnknown()
	}
}

// leave takes an act's legs apart. Who called in himself, and did not end it, is told why it ended.
func (g *Gate) leave(a *act) {
	legs, why := a.left, a.farewell() // without the lock, under which others are still being looked at
	if why != "" {
		legs = slices.DeleteFunc(slices.Clone(legs), func(id call.LegID) bool { return id == a.own })
	}
	var aside sync.WaitGroup
	if a.steered != nil {
		aside.Go(func() { g.deafen(a) })
	}
	g.drop(a.bridge, legs...)
	aside.Wait()
	if why != "" {
		g.dismiss(a.own, why)
	}
}

// farewell is the extension that says why the act has ended; empty where nothing is said. It may be asked without the lock once the act's ctx is over.
func (a *act) farewell() string {
	if !a.seated {
		return ""
	}
	switch a.end.reason {
	case reasonPBX, reasonNotRecorded, reasonUnknown, reasonShutdown, reasonUnreachable, reasonUntold:
		return ExtenAway
	}
	if a.end.revoked {
		return ExtenRefused
	}
	return ""
}

// dismiss lets a leg go on in the include, or hangs it up where that fails.
func (g *Gate) dismiss(leg call.LegID, exten string) {
	ctx, cancel := context.WithTimeout(g.ctx, 5*time.Second)
	defer cancel()
	if err := g.cfg.PBX.Send(ctx, pbx.Send{Leg: leg, Context: PhoneContext, Extension: exten}); err != nil {
		g.drop("", leg)
	}
}

// TurnAway has a leg that waits in the Stasis application told that what it asked for is not done, and hung up. It tells no more of err than
// whether it is not permitted, not without a reason, there is nothing of the kind, or it does not work.
func (g *Gate) TurnAway(leg string, err error) {
	exten, p := ExtenAway, AsProblem(err)
	switch p.Kind {
	case Refused, NotFound, Invalid:
		exten = ExtenRefused
		if p.Code == policy.ReasonRequired.String() {
			exten = ExtenReason
		}
	case Conflict:
		exten = ExtenNothing
	case Unavailable, Internal, Outdated, Unconditional: // the last two come of no phone
	}
	g.tell(leg, exten)
}

// tell has a leg that waits in the Stasis application told something, and hung up. Once the gate is closed it tells nothing.
func (g *Gate) tell(leg, exten string) {
	closed := false
	g.locked(func(*call.Table) {
		if closed = g.closed; !closed {
			g.running.Add(1)
		}
	})
	if closed {
		return // the dialplan says so when it has waited long enough
	}
	defer g.running.Done()
	g.dismiss(call.LegID(leg), exten)
}

// awaitSeated sees that a leg which has called in and did not get the call does not stay. Where the dialplan has it, that tells it so.
func (g *Gate) awaitSeated(a *act) {
	var e ending
	g.locked(func(*call.Table) { e = a.end })
	switch {
	case a.isTaken():
	case e.err != nil:
		g.dismiss(a.own, ExtenAway)
	case e.revoked:
		g.await(a)
	}
}

// InterceptOldest takes, of all calls that ring, the oldest that the subject may take. It is Intercept in all else.
func (g *Gate) InterceptOldest(ctx context.Context, s auth.Subject, ask Ask) (mask.Intercept, error) {
	var e *audit.Entry
	a := g.newAct(s, policy.Intercept, ask.Door)
	defer a.stop()
	known := false
	g.locked(func(t *call.Table) {
		if known = g.known && !g.closed; !known {
			return // whether anything rings is not to be said
		}
		set := g.policy.Load()
		if ask.Target, ask.Call = g.oldest(t, set, s, ask); ask.Target == "" {
			none := a.entry(audit.Decided, set, policy.Decision{})
			e = &none
		}
	})
	if !known {
		return mask.Intercept{}, stateUnknown()
	}
	if e != nil {
		return mask.Intercept{}, g.refuse(a, notRinging(), policy.Decision{}, *e)
	}
	return g.Intercept(ctx, s, ask)
}

// oldest finds the oldest ringing call that the subject may take, or else the oldest that he may not. Caller holds the lock.
func (g *Gate) oldest(t *call.Table, set *policy.Set, s auth.Subject, ask Ask) (target, handle string) {
	subject, ok := set.Employee(s.Employee())
	if !ok {
		return "", ""
	}
	type ringing struct {
		target, handle string
		since          time.Time
	}
	var all []ringing
	for _, e := range g.board {
		for i := range e.legs {
			if f := &e.legs[i]; f.pbx == "" && e.ref != subject && rings(f, false) {
				id := set.ID(e.ref)
				all = append(all, ringing{id, g.handle(s.Employee(), id, f.leg, g.sight(set, subject, e.ref, f)), f.facts.Since})
			}
		}
	}
	slices.SortFunc(all, func(a, b ringing) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.target, b.target)) })
	for _, r := range all {
		ask.Target, ask.Call = r.target, r.handle
		a := g.newAct(s, policy.Intercept, ask.Door)
		var d policy.Decision
		p := g.admit(t, set, a, ask, rings, &d)
		g.forgetLocked(a)
		if p == nil {
			return r.target, r.handle
		}
	}
	if len(all) == 0 {
		return "", ""
	}
	return all[0].target, all[0].handle
}

// ChangeModeOn is ChangeMode for whoever supervises on a leg, which proves who he is: his phone was rung for it, or he called in on it. On
// one that a client steers a key is that client's to know.
// may is asked before anything is decided.
func (g *Gate) ChangeModeOn(ctx context.Context, leg, mode string, may func(auth.Subject) error) error {
	var s auth.Subject
	id := ""
	g.locked(func(*call.Table) {
		if a := g.byLeg[call.LegID(leg)]; a != nil && a.own == call.LegID(leg) && g.acts[a.id] == a && a.supervision && g.stasis.legs[a.own] == nil {
			s, id = a.subject, a.id
		}
	})
	if id == "" {
		return noSuchSupervision()
	}
	if err := may(s); err != nil {
		return err
	}
	_, err := g.ChangeMode(ctx, s, id, mode, "") // a key gives no reason; the one that was given stands
	return err
}
