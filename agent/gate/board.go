package gate

import (
	"cmp"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// entry is one employee's row before any sight is applied.
type entry struct {
	ref       policy.Ref
	place     int // among the employees of the policy
	legs      []legFacts
	idleSince time.Time
}

// rebuild makes every row anew, after a resync or a change of policy. While the state is not known there are no calls on them.
func (g *Gate) rebuild(t *call.Table) {
	set, was := g.policy.Load(), g.board
	g.board = make(map[policy.Ref]*entry, set.Len())
	clear(g.touching)
	for ref := range set.Employees() {
		e := &entry{ref: ref, place: len(g.board)}
		g.board[ref] = e
		if !g.known {
			continue
		}
		if old := was[ref]; old != nil {
			e.idleSince = old.idleSince
		}
		g.refresh(t, set, e, time.Time{})
		g.rename(set, e)
	}
}

// refresh makes one employee's row anew and notes which legs it rests on.
func (g *Gate) refresh(t *call.Table, set *policy.Set, e *entry, at time.Time) {
	was := len(e.legs)
	e.legs = e.legs[:0]
	for _, phone := range set.Phones(e.ref) {
		g.scratch.phone = t.LegsOf(g.scratch.phone[:0], phone)
		for _, l := range g.scratch.phone {
			g.touch(l.ID(), e)
			if l.Phase() == call.PhaseNone {
				continue // created and not dialled yet, or given up: nothing that anybody does
			}
			if len(e.legs) < cap(e.legs) {
				e.legs = e.legs[:len(e.legs)+1]
			} else {
				e.legs = append(e.legs, legFacts{})
			}
			g.gather(t, set, l, &e.legs[len(e.legs)-1])
			for _, part := range g.scratch.legs {
				g.touch(part.ID(), e)
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

func (g *Gate) touch(leg call.LegID, e *entry) {
	if rows := g.touching[leg]; !slices.Contains(rows, e) {
		g.touching[leg] = append(rows, e)
	}
}

// affected lists the rows that the changes may alter: those that rested on a changed leg, and those of who is tied to it now. They come in
// the order of the policy, so that the order in which they are told says nothing about the call.
func (g *Gate) affected(t *call.Table, set *policy.Set, changes []call.Change) []*entry {
	rows := g.scratch.rows[:0]
	add := func(e *entry) {
		if e != nil && !slices.Contains(rows, e) {
			rows = append(rows, e)
		}
	}
	phone := func(endpoint string) {
		if ref, ok := set.Phone(endpoint); ok {
			add(g.board[ref])
		}
	}
	tied := func(id call.LegID) {
		for _, e := range g.touching[id] {
			add(e)
		}
		if l := t.Leg(id); l != nil {
			g.scratch.legs = t.Call(g.scratch.legs[:0], l)
			for _, part := range g.scratch.legs {
				phone(part.Endpoint())
			}
		}
	}
	var last call.LegID
	for i := range changes {
		c := &changes[i]
		if c.Leg != "" && c.Leg != last {
			tied(c.Leg)
			last = c.Leg
		}
		if c.Other != "" {
			tied(c.Other)
		}
		g.scratch.phone = t.BridgeLegs(g.scratch.phone[:0], c.Bridge)
		if len(g.scratch.phone) > 0 {
			tied(g.scratch.phone[0].ID()) // and with it all who are in there
		}
		if c.Was != "" {
			phone(c.Was)
		}
		if c.Kind == call.LegGone {
			delete(g.touching, c.Leg)
		}
	}
	slices.SortFunc(rows, func(a, b *entry) int { return cmp.Compare(a.place, b.place) })
	g.scratch.rows = rows
	return rows
}

// rename gives the acts on a row's legs the handles by which their subjects know these now, as their sight may have changed, and tells them.
func (g *Gate) rename(set *policy.Set, e *entry) {
	for i := range e.legs {
		f := &e.legs[i]
		for _, a := range g.hearing[f.leg] {
			if a.leg != f.leg || !a.begun || a.ended {
				continue
			}
			subject, ok := set.Employee(a.employee)
			if !ok || set.ID(e.ref) != a.target {
				continue
			}
			if s := g.sight(set, subject, e.ref, f); s != a.sight {
				a.sight, a.handle = s, g.handle(a.employee, a.target, f.leg, s)
				g.tellLocked(a)
			}
		}
	}
}
