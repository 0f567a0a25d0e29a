package gate

import (
	"cmp"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// entry is one employee's row before any sight is applied.
type entry struct {
	ref       policy.Ref
	place     int // among the employees of the policy
	tag       tag
	about     mask.Row             // what a row says of him whatever he does: id, name, department
	number    []policy.Destination // what his number is when somebody calls it, in every reading; none if he has none
	legs      []legFacts
	was       []legFacts // as they were before, and memory for what comes next
	idleSince time.Time
	far       []*farLeg // his legs on other PBXs, in the order in which they are shown
	unknown   bool      // there may be calls of his that are not here
	touched   uint64    // the number of the last arrival that has touched the row

	ground  uint64  // another number whenever what the subjects' sights rest on has changed; of no other row ever
	classes []class // of the subjects who have looked since then
	scene   *scene  // of the row as it is, for the second policy; nil until it is wanted
}

// rebuild makes every row anew, after a resync or a change of policy. While the state is not known there are no calls on them.
func (g *Gate) rebuild(t *call.Table) {
	set, was := g.policy.Load(), g.board
	g.board = make(map[policy.Ref]*entry, set.Len())
	clear(g.parts)
	clear(g.bells)
	for ref := range set.Employees() {
		department := set.DepartmentOf(ref)
		e := &entry{
			ref: ref, place: len(g.board), ground: g.number(), tag: g.secret.tag(tagRow, set.ID(ref)), number: g.callable(set, ref),
			about: mask.Row{ID: set.ID(ref), Name: set.Name(ref), Department: department.ID, DepartmentName: department.Name},
		}
		g.board[ref] = e
		if old := was[ref]; old != nil && g.known {
			e.idleSince = old.idleSince
		}
	}
	g.placeFar(set)
	if !g.known {
		g.offers = nil
		for id := range g.outsiders {
			g.dropOutsider(id)
		}
		g.showAll(set)
		return
	}
	for ref := range set.Employees() {
		e := g.board[ref]
		g.refresh(t, set, e, time.Time{})
		g.rename(set, e)
		g.offering([]*entry{e})
	}
	g.findOutside(t, set)
	g.offer(set, false)
	g.showAll(set)
}

// refresh makes one employee's row anew and notes which legs it rests on.
func (g *Gate) refresh(t *call.Table, set *policy.Set, e *entry, at time.Time) {
	e.legs, e.was = e.was[:0], e.legs
	for _, phone := range set.Phones(e.ref) {
		g.scratch.phone = t.LegsOf(g.scratch.phone[:0], phone)
		for _, l := range g.scratch.phone {
			if isFar(l.ID()) {
				continue
			}
			if l.Phase() == call.PhaseNone {
				g.part(set, l).touch(e)
				continue // created and not dialled yet, or given up: nothing that anybody does
			}
			g.gather(t, set, e, l, e.another())
		}
	}
	if g.cfg.Cluster != nil {
		g.gatherFar(set, e)
	}
	switch {
	case len(e.legs) > 0, e.unknown:
		e.idleSince = time.Time{}
	case len(e.was) > 0:
		e.idleSince = at
	}
	g.compare(e)
	if g.cfg.Cluster != nil && g.known {
		g.showLegs(set, e)
	}
}

// another is room for one more leg on the row; there may be another's facts in it.
func (e *entry) another() *legFacts {
	if len(e.legs) < cap(e.legs) {
		e.legs = e.legs[:len(e.legs)+1]
	} else {
		e.legs = append(e.legs, legFacts{})
	}
	return &e.legs[len(e.legs)-1]
}

// compare sees what has become of a row: a leg that was there keeps its tag, and the subjects keep their classes unless the ground of one
// of them may be another. What was written of the row is out of date in any case.
func (g *Gate) compare(e *entry) {
	same := len(e.legs) == len(e.was)
	second := same
	for i := range e.legs {
		f := &e.legs[i]
		second = second && f.second.same(e.was[i].second)
		same = same && f.sameGround(&e.was[i])
		for k := range e.was {
			if e.was[k].leg == f.leg {
				f.tag = e.was[k].tag
			}
		}
		if f.tag == (tag{}) {
			f.tag = g.legTag(f.leg)
		}
	}
	g.keepLast(e)
	if !same {
		e.ground, e.classes = g.number(), e.classes[:0]
	}
	for i := range e.classes {
		e.classes[i].form = nil
		e.classes[i].sum = e.sum(&e.classes[i])
	}
	if g.cfg.Shadow != nil && (!same || !second) {
		g.stage(e)
	}
}

// byPlace orders rows as the policy does.
func byPlace(a, b *entry) int { return cmp.Compare(a.place, b.place) }

// number gives out each number once.
func (g *Gate) number() uint64 {
	g.scratch.number++
	return g.scratch.number
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
	g.scratch.legs = g.scratch.legs[:0]
	tied := func(id call.LegID) {
		if p := g.parts[id]; p != nil {
			for _, e := range p.rows {
				add(e)
			}
		}
		if l := t.Leg(id); l != nil && !slices.Contains(g.scratch.legs, l) { // or it is tied to those whom it was last
			g.scratch.legs = t.Call(g.scratch.legs[:0], l)
			for _, o := range g.scratch.legs {
				add(g.part(set, o).row)
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
			if ref, ok := set.Phone(c.Was); ok {
				add(g.board[ref])
			}
		}
		if c.Kind == call.LegGone {
			g.forget(c.Leg)
		}
	}
	slices.SortFunc(rows, byPlace)
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
