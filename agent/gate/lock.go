package gate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// lock is a private lock: a call on which it lies is supervised by nobody.
//
// It lies on legs, since they and not calls have names on the PBX: on the locker's, on all that are tied to it when he locks, and on each that is
// tied to one of these later. A leg keeps it until it is gone. So it goes with the call by whatever road that goes, also one on which there is
// nobody for a while (parked, in a queue, half through a transfer) and one that leads on when the locker has hung up, and it has ended when nobody
// is left who ever was on that call. That is more rather than less: a leg that goes on to a quite different call takes the lock there.
type lock struct {
	*act  // of which the record is made; it carries nothing out
	since time.Time
	leg   call.LegID // the locker's
	legs  map[call.LegID]struct{}
	named []call.LegID // of them, those that the record names

	credential string // by which he proved himself
	begun      bool   // it is on record; before that it follows the call and bars nobody
	opening    bool   // it is being taken off, and the end that stands in the record is that, unless it cannot be written
	over       bool
	end        audit.Entry   // of one that was over before its beginning was on record, or while it was being taken off
	written    chan struct{} // closed when all is on record that was to be before; nil when nothing was
}

// LockAsk is a request to lock the call that one is on oneself against supervision.
type LockAsk struct {
	Call string // its handle on one's own row; empty: the only one that one talks on or dials, or, when there is none, the only one that one holds
	Door string
	leg  string // by which one of his phones has to be calling; empty: it is asked in no call
}

// SwitchLock is what a phone asks for by one code: it locks the subject's call, or, where a lock of his lies on it, takes that off. The
// leg that waits in the Stasis application is told which of the two was done, and hung up. Who has lost the right to lock has no lock left.
func (g *Gate) SwitchLock(ctx context.Context, s auth.Subject, leg string) error {
	ask, id := LockAsk{Door: DoorPhone, leg: leg}, ""
	g.locked(func(t *call.Table) {
		var d policy.Decision
		k := &lock{act: g.newAct(s, policy.Lock, ask.Door)}
		k.stop()
		if old, _ := g.admitLock(t, g.policy.Load(), k, ask, &d); old != nil {
			id = old.id
		}
	})
	if id != "" {
		if err := g.Unlock(ctx, s, id); err != nil {
			return err
		}
		g.tell(leg, ExtenUnlocked)
		return nil
	}
	if _, err := g.Lock(ctx, s, ask); err != nil {
		return err
	}
	g.tell(leg, ExtenLocked)
	return nil
}

// Lock locks a call of the subject's own: whoever supervises it is cut off before Lock returns, but for the time that it takes to hang up, and nobody can
// begin to until the call ends or the lock is taken off. A call that he has locked already stays as it is, under the same id. The right to lock is
// looked at again with each policy; when the credential ends the lock stays.
func (g *Gate) Lock(ctx context.Context, s auth.Subject, ask LockAsk) (mask.Lock, error) {
	v, _, err := g.lay(ctx, s, ask)
	return v, err
}

// lay is Lock, and tells whether there was no such lock before.
func (g *Gate) lay(ctx context.Context, s auth.Subject, ask LockAsk) (v mask.Lock, laid bool, err error) {
	if err := ctx.Err(); err != nil {
		return mask.Lock{}, false, err
	}
	k := &lock{act: g.newAct(s, policy.Lock, ask.Door), since: time.Now(), legs: map[call.LegID]struct{}{}, credential: s.Credential()}
	k.stop() // it has no orders
	var d policy.Decision
	var p *Problem
	var e audit.Entry
	was := false
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		var old *lock
		if old, p = g.admitLock(t, set, k, ask, &d); old != nil {
			v, was = g.lockView(t, old), true
			return
		}
		if p == nil && k.afar == nil {
			g.locks[k.id] = k
			g.seal(k, t.Call(g.scratch.legs[:0], t.Leg(k.leg)))
			k.named = k.names(t)
			k.with = g.onLock(t, set, k)
		}
		e = k.record(audit.Decided, set, d)
	})
	switch {
	case was:
		return v, false, nil
	case p != nil:
		return mask.Lock{}, false, g.refuse(k.act, p, d, e)
	case k.afar != nil:
		ask.Call = k.afar.call
		v, err = across[mask.Lock](ctx, g, s, k.afar, opLock, func(*afar) any { return ask })
		return v, false, err
	}
	g.met.decision(policy.Lock, string(e.Outcome), e.Reason)
	g.canonical(&e)
	if err := g.record(e); err != nil {
		g.locked(func(*call.Table) { g.unseal(k) })
		return mask.Lock{}, false, notRecorded(err)
	}
	g.locked(func(t *call.Table) {
		if k.over {
			p = callMoved(k.id)
			g.writeLock(k, k.end)
			return
		}
		k.begun = true
		g.relook(t, k.all())
		g.showLock(t, k)
		v = g.lockView(t, k)
	})
	if p != nil {
		return mask.Lock{}, false, p
	}
	return v, true, nil
}

// mayLock decides whether an employee may lock his calls.
func mayLock(set *policy.Set, subject policy.Ref) policy.Decision {
	return set.Decide(&policy.Request{Subject: subject, Action: policy.Lock, Target: subject})
}

// admitLock decides and finds the leg. It returns the subject's lock that lies on it already, if there is one.
func (g *Gate) admitLock(t *call.Table, set *policy.Set, k *lock, ask LockAsk, d *policy.Decision) (*lock, *Problem) {
	if !g.known || g.closed {
		return nil, stateUnknown()
	}
	if !g.holds(k.subject) {
		return nil, credentialEnded()
	}
	subject, ok := set.Employee(k.employee)
	if !ok {
		return nil, refusedSubject()
	}
	k.target = k.employee
	if *d = mayLock(set, subject); !d.Allowed {
		return nil, g.refusal(set, *d, k.id)
	}
	if ask.leg != "" && !slices.ContainsFunc(set.Phones(subject), func(phone string) bool { return g.callsIn(t, ask.leg, phone) }) {
		return nil, notYourPhone()
	}
	f, p := g.pickOwn(set, subject, g.board[subject], ask.Call, ask.leg == "" && g.crosses(k.subject))
	switch {
	case p != nil:
		return nil, p
	case f.pbx != "":
		k.afar = &afar{pbx: f.pbx, target: k.target, call: g.handle(k.target, k.target, f.leg, g.sight(set, subject, subject, f))}
		return nil, nil
	}
	for _, old := range g.sealed[f.leg] {
		if old.employee == k.employee && old.begun {
			return old, nil
		}
	}
	if k.leg = f.leg; t.Leg(f.leg) == nil {
		return nil, callMoved(k.id)
	}
	return nil, nil
}

// pickOwn finds the leg of an employee's own that he means, on another PBX too if afar. Somebody has to be on the other side, or there is no call.
func (g *Gate) pickOwn(set *policy.Set, subject policy.Ref, e *entry, handle string, afar bool) (*legFacts, *Problem) {
	if e == nil {
		return nil, notOnCall() // a panel is on none
	}
	var up, held []*legFacts
	for i := range e.legs {
		f := &e.legs[i]
		is := handle == "" || g.handle(set.ID(subject), set.ID(subject), f.leg, g.sight(set, subject, subject, f)) == handle
		switch {
		case !is, f.pbx != "" && !afar:
		case f.other == "" || f.facts.Supervision != "" || g.supervises(f.leg):
			if handle != "" {
				return nil, notOnCall()
			}
		case f.facts.Phase == call.PhaseTalking, f.facts.Phase == call.PhaseDialling:
			up = append(up, f)
		case f.facts.Phase == call.PhaseHeld:
			held = append(held, f)
		case handle != "":
			return nil, notOnCall()
		}
	}
	if len(up) == 0 {
		up = held
	}
	switch {
	case len(up) == 1:
		return up[0], nil
	case len(up) > 1:
		return nil, whichOwnCall()
	case handle != "":
		return nil, noSuchCall()
	}
	return nil, notOnCall()
}

// Locks lists the subject's own locks, on whichever PBX, oldest first.
func (g *Gate) Locks(s auth.Subject) ([]mask.Lock, error) {
	out := []mask.Lock{}
	g.locked(func(t *call.Table) {
		var mine []*lock
		for _, k := range g.locks {
			if k.begun && k.employee == s.Employee() {
				mine = append(mine, k)
			}
		}
		slices.SortFunc(mine, func(a, b *lock) int { return byAge(a.act, b.act) })
		for _, k := range mine {
			out = append(out, g.lockView(t, k))
		}
		for _, k := range g.cross.locks {
			if k.form.Employee == s.Employee() && !k.lost {
				out = append(out, k.form.Lock)
			}
		}
		slices.SortStableFunc(out, func(a, b mask.Lock) int { return a.Since.Compare(b.Since) })
	})
	return out, nil
}

// Unlock takes one of the subject's own locks off. It is off when its end is on record. Another's and one that is over get the same answer.
func (g *Gate) Unlock(ctx context.Context, s auth.Subject, id string) error {
	if pbx := g.locksAfar(s, id); pbx != "" {
		_, err := send[noAnswer](ctx, g, s, pbx, opUnlock, idAsk{id})
		return err
	}
	return g.takeOff(s, id, reasonUnlocked)
}

// takeOff is Unlock of one that lies on a call here, for a reason.
func (g *Gate) takeOff(s auth.Subject, id, reason string) error {
	var k *lock
	var e audit.Entry
	var written chan struct{}
	g.locked(func(*call.Table) {
		if k = g.locks[id]; k == nil || !k.begun || k.opening || k.employee != s.Employee() {
			k = nil
			return
		}
		k.opening, written = true, k.written
		e = k.record(audit.Ended, g.policy.Load(), policy.Decision{})
		e.Reason, e.Credential = reason, s.Credential()
	})
	if k == nil {
		return noSuchLock()
	}
	if written != nil {
		<-written
	}
	err := g.record(e)
	g.locked(func(t *call.Table) {
		k.opening = false
		switch {
		case k.over && err != nil: // the call has ended meanwhile, and that is the end
			g.writeLock(k, k.end)
		case k.over:
		case err == nil:
			legs := k.all()
			g.unseal(k)
			g.relook(t, legs)
		}
	})
	if err != nil {
		return notRecorded(err)
	}
	g.canonical(&e)
	g.met.ended.WithLabelValues(e.Action, e.Reason).Inc()
	return nil
}

// lockView is the lock as the locker sees it.
func (g *Gate) lockView(t *call.Table, k *lock) mask.Lock {
	v := mask.Lock{ID: k.id, Since: k.since.UTC()}
	if t.Leg(k.leg) != nil {
		v.Call = g.handle(k.employee, k.employee, k.leg, mask.Own)
	}
	return v
}

// record is the lock's entry for a phase. In Detail it names the legs by which the call can be found again after a restart.
func (k *lock) record(phase audit.Phase, set *policy.Set, d policy.Decision) audit.Entry {
	e := k.entry(phase, set, d)
	e.Credential = k.credential
	if phase == audit.Decided && d.Allowed {
		e.Detail = detailOf(k.named)
	}
	return e
}

// What a record says of legs. Ids that are no codes cannot be said, and no more than fit into one.
const (
	legsDetail  = "legs:"
	legsBetween = "+"
	maxNamed    = 4
	maxNaming   = 120
)

func detailOf(legs []call.LegID) string {
	detail := legsDetail
	for i, id := range legs {
		if i > 0 {
			detail += legsBetween
		}
		detail += string(id)
	}
	if len(legs) == 0 {
		return ""
	}
	return detail
}

func legsOf(detail string) (legs []call.LegID) {
	ids, ok := strings.CutPrefix(detail, legsDetail)
	if !ok {
		return nil
	}
	for id := range strings.SplitSeq(ids, legsBetween) {
		legs = append(legs, call.LegID(id))
	}
	return legs
}

// names chooses the legs that the record is to name: the locker's, and then those of the others on the call, who may outlast it.
func (k *lock) names(t *call.Table) (legs []call.LegID) {
	length := len(legsDetail)
	for _, id := range append([]call.LegID{k.leg}, k.all()...) {
		l := t.Leg(id)
		if l == nil || l.Kind() != call.KindPhone || slices.Contains(legs, id) || len(legs) == maxNamed {
			continue
		}
		if length += len(id) + len(legsBetween); length > maxNaming || !audit.IsCode(string(id)) || strings.Contains(string(id), legsBetween) {
			continue
		}
		legs = append(legs, id)
	}
	return legs
}

// all are the legs on which the lock lies, in a fixed order.
func (k *lock) all() []call.LegID {
	legs := make([]call.LegID, 0, len(k.legs))
	for id := range k.legs {
		legs = append(legs, id)
	}
	slices.Sort(legs)
	return legs
}
