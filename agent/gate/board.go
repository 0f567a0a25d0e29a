package gate

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// rebuild makes every row anew, after a resync or a change of policy.
func (g *Gate) rebuild(t *call.Table) {
	set := g.policy.Load()
	clear(g.board)
	clear(g.touching)
	for ref := range set.Employees() {
		g.refresh(t, set, ref, time.Time{})
	}
}

// refresh makes one employee's row anew and notes which legs it rests on.
func (g *Gate) refresh(t *call.Table, set *policy.Set, ref policy.Ref, at time.Time) {
	e := g.board[ref]
	if e == nil {
		e = &entry{}
		g.board[ref] = e
	}
	was := len(e.legs)
	e.legs = e.legs[:0]
	for _, phone := range set.Phones(ref) {
		g.scratch.phone = t.LegsOf(g.scratch.phone[:0], phone)
		for _, l := range g.scratch.phone {
			g.touch(l.ID(), ref)
			if l.Phase() == call.PhaseNone {
				continue // created and not dialled yet, or given up: nothing that anybody does
			}
			e.legs = append(e.legs, g.gather(t, set, l))
			for _, part := range g.scratch.legs {
				g.touch(part.ID(), ref)
			}
		}
	}
	switch {
	case len(e.legs) > 0:
		e.idleSince = time.Time{}
	case was > 0:
		e.idleSince = at
	}
}

func (g *Gate) touch(leg call.LegID, ref policy.Ref) {
	rows := g.touching[leg]
	if rows == nil {
		rows = make(map[policy.Ref]struct{}, 2)
		g.touching[leg] = rows
	}
	rows[ref] = struct{}{}
}

// affected lists the employees whose rows the changes may alter: those whose rows rested on a changed leg, and those who are tied to it now.
func (g *Gate) affected(t *call.Table, set *policy.Set, changes []call.Change) []policy.Ref {
	rows := g.scratch.rows[:0]
	tied := func(id call.LegID) {
		if id == "" {
			return
		}
		for ref := range g.touching[id] {
			rows = addRef(rows, ref)
		}
		l := t.Leg(id)
		if l == nil {
			return
		}
		g.scratch.legs = t.Call(g.scratch.legs[:0], l)
		for _, part := range g.scratch.legs {
			if ref, ok := set.Phone(part.Endpoint()); ok {
				rows = addRef(rows, ref)
			}
		}
	}
	for i := range changes {
		c := &changes[i]
		tied(c.Leg)
		tied(c.Other)
		g.scratch.phone = t.BridgeLegs(g.scratch.phone[:0], c.Bridge)
		for _, l := range g.scratch.phone {
			tied(l.ID())
		}
		if ref, ok := set.Phone(c.Was); ok {
			rows = addRef(rows, ref)
		}
		if c.Kind == call.LegGone {
			delete(g.touching, c.Leg)
		}
	}
	g.scratch.rows = rows
	return rows
}

// sight is what the subject may see of one leg on an employee's row.
func sight(set *policy.Set, subject, employee policy.Ref, f *legFacts, refs *[]policy.Ref) mask.Sight {
	switch {
	case f.act != nil:
		// Who supervises whom, or is about to take what, is told to him alone.
		if f.act.supervision && subject == employee {
			return mask.Seen
		}
		return mask.Hidden
	case !f.responsible.IsZero() && f.responsible == subject && mayIntercept(set, subject, employee, f):
		return mask.Seen // offered his client's ringing call
	}
	*refs = f.company.everyone(*refs)
	d := set.Decide(&policy.Request{
		Subject: subject, Action: policy.Observe, Target: employee,
		With: *refs, ProtectedNumber: f.company.protected, Party: hasRef(f.company.present, subject),
	})
	if d.Allowed {
		return mask.Seen
	}
	return mask.Hidden
}

func mayIntercept(set *policy.Set, subject, employee policy.Ref, f *legFacts) bool {
	return set.Decide(&policy.Request{
		Subject: subject, Action: policy.Intercept, Target: employee,
		With: f.rung, Responsible: f.responsible,
	}).Allowed
}

var supervising = [...]policy.Action{policy.Spy, policy.Whisper, policy.Barge}

// can lists what the subject may do to an employee now. Of a leg that is hidden from him it uses subject, target and visible state only, so
// that the list never tells who is on the other side.
func (g *Gate) can(set *policy.Set, subject, employee policy.Ref, e *entry, sights []mask.Sight) []string {
	out := []string{}
	if subject == employee {
		return out
	}
	for _, action := range supervising {
		for i := range e.legs {
			f := &e.legs[i]
			if f.facts.Phase != call.PhaseTalking && f.facts.Phase != call.PhaseHeld || hasRef(f.company.present, subject) || f.act != nil && sights[i] == mask.Seen {
				continue
			}
			r := policy.Request{Subject: subject, Action: action, Target: employee}
			if sights[i] == mask.Seen {
				g.scratch.refs = f.company.everyone(g.scratch.refs)
				r.With, r.ProtectedNumber, r.UnknownPhone = g.scratch.refs, f.company.protected, f.company.unknown
			}
			if set.Decide(&r).Allowed {
				out = append(out, action.String())
				break
			}
		}
	}
	for i := range e.legs {
		f := &e.legs[i]
		if f.facts.Phase != call.PhaseRinging || f.facts.Direction != call.In || f.act != nil && sights[i] == mask.Seen {
			continue
		}
		r := policy.Request{Subject: subject, Action: policy.Intercept, Target: employee}
		if sights[i] == mask.Seen {
			r.With, r.Responsible = f.rung, f.responsible
		}
		if set.Decide(&r).Allowed {
			out = append(out, policy.Intercept.String())
			break
		}
	}
	return out
}

// row writes one employee's row for one subject.
func (g *Gate) row(set *policy.Set, subject, employee policy.Ref) mask.Row {
	id := set.ID(employee)
	r := mask.Row{ID: id, Name: set.Name(employee), Department: set.DepartmentOf(employee).ID, Calls: []mask.View{}}
	e := g.board[employee]
	if e == nil {
		r.Can = []string{}
		r.Sum(time.Time{})
		return r
	}
	sights := make([]mask.Sight, len(e.legs))
	who := set.ID(subject)
	for i := range e.legs {
		f := &e.legs[i]
		sights[i] = sight(set, subject, employee, f, &g.scratch.refs)
		r.Calls = append(r.Calls, mask.Of(&f.facts, sights[i], g.handle(who, id, f.leg, sights[i])))
	}
	r.Can = g.can(set, subject, employee, e, sights)
	r.Sum(e.idleSince)
	return r
}
