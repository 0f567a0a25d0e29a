package gate

import (
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// reviveJoin makes the act of a joining that goes on as it is on record: a leg of the subject's phone, by the unique id that it was given, in the
// bridge in which the colleague talks to a customer of the line. Nil: it does not, or nobody can say any more by what right it was begun.
func (g *Gate) reviveJoin(t *call.Table, set *policy.Set, old *audit.Act) *act {
	if old.Action != policy.LineJoin.String() || old.Mode != string(modeJoin) || old.Carried.IsZero() || len(old.Targets) != 1 {
		return nil
	}
	s, ok := g.cfg.Estate.Resume(old.Credential, old.Subject)
	line, found := lineOfCode(set, old.Detail)
	own := t.Leg(ownLeg(old.ID, old.Action))
	if !ok || !found || own == nil || own.Kind() != call.KindPhone || own.State() != call.StateUp || own.Bridge() == "" {
		return nil
	}
	target, _ := set.Employee(old.Targets[0])
	on, customer := g.conversation(t, set, own, target, set.Queue(line))
	subject, _ := set.Employee(s.Employee())
	phone := ""
	for _, p := range set.Phones(subject) {
		if samePhone(p, own.Endpoint()) {
			phone = p
		}
	}
	if on == nil || phone == "" {
		return nil
	}
	a := g.newActAs(old.ID, s, policy.LineJoin, old.Door)
	a.mode, a.line, a.target, a.phone = modeJoin, set.LineID(line), old.Targets[0], phone
	a.leg, a.targetPhone, a.channel, a.customer, a.hadPeer = on.ID(), on.Endpoint(), on.Name(), customer.ID(), true
	a.state, a.asked, a.since, a.told.since = stateActive, old.Time, old.Carried, old.Carried
	a.begun, a.tapped, a.ownSeen, a.announced = true, true, true, true
	a.recorded = old.Employees
	a.takenOnce.Do(func() { close(a.taken) })
	return a
}

// conversation is the leg of a colleague's phone that is in a bridge with the own one and talks there to somebody who has come by the queue.
func (g *Gate) conversation(t *call.Table, set *policy.Set, own *call.Leg, target policy.Ref, queue string) (on, customer *call.Leg) {
	for _, l := range t.BridgeLegs(nil, own.Bridge()) {
		if ref, ok := set.Phone(l.Endpoint()); !ok || ref != target || l == own {
			continue
		}
		if c := g.customerOf(t, l, queue); c != nil && c != own {
			return l, c
		}
	}
	return nil, nil
}

// lineOfCode is the line that a record names; one whose name another has too in the record is none.
func lineOfCode(set *policy.Set, code string) (line policy.LineRef, ok bool) {
	for ref := range set.Lines() {
		if lineCode(set.LineID(ref)) != code {
			continue
		}
		if ok {
			return line, false
		}
		line, ok = ref, true
	}
	return line, ok
}
