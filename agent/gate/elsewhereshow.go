package gate

import (
	"encoding/json"
	"hash/maphash"
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// showing is what is shown to the sidecars beside other PBXs.
type showing struct {
	state uint64 // a sum of it; 0 while nothing is shown
	legs  map[call.LegID]shownLeg
	round uint64
}

// shownLeg is what is shown of a leg.
type shownLeg struct {
	row   string // the employee on whose row it is
	sum   uint64 // over the value
	round uint64 // of showAll in which it was looked at last
}

// showLegs shows the others what has changed of a row's legs here. Caller holds the lock.
func (g *Gate) showLegs(set *policy.Set, e *entry) {
	here := e.here()
	for i := range here {
		f := &here[i]
		if i < len(e.was) && f.shownAs(&e.was[i]) && g.showing.legs[f.leg].row == e.about.ID {
			continue // nothing has changed that anybody is shown
		}
		g.showLeg(set, e, i)
	}
	for i := range e.was {
		was := &e.was[i]
		if was.pbx == "" && g.showing.legs[was.leg].row == e.about.ID && !slices.ContainsFunc(here, func(f legFacts) bool { return f.leg == was.leg }) {
			g.hideLeg(was.leg)
		}
	}
}

func (g *Gate) showLeg(set *policy.Set, e *entry, i int) {
	f := &e.legs[i]
	value := f.form(set, e, i)
	is := shownLeg{e.about.ID, maphash.Bytes(seed, value), g.showing.round}
	was, there := g.showing.legs[f.leg]
	if g.showing.legs[f.leg] = is; !there || was.sum != is.sum {
		g.cfg.Cluster.Show(legKey+string(f.leg), value)
	}
}

func (g *Gate) hideLeg(leg call.LegID) {
	delete(g.showing.legs, leg)
	g.cfg.Cluster.Hide(legKey + string(leg))
}

// showAll shows the others a board that has been made anew, as far as it is not what they were shown; of one that is not known there is nothing but that.
// Each leg on it is shown when its row is made, so what is left is to take back the others.
func (g *Gate) showAll(set *policy.Set) {
	if g.cfg.Cluster == nil {
		return
	}
	if !g.known {
		g.showState()
		for leg := range g.showing.legs {
			g.hideLeg(leg)
		}
		return
	}
	g.showing.round++
	for ref := range set.Employees() {
		for _, f := range g.board[ref].here() {
			if is, ok := g.showing.legs[f.leg]; ok {
				is.round = g.showing.round
				g.showing.legs[f.leg] = is
			}
		}
	}
	for leg, is := range g.showing.legs {
		if is.round != g.showing.round {
			g.hideLeg(leg)
		}
	}
	g.showState()
}

// showState shows whether the state of the PBX is known.
func (g *Gate) showState() {
	value, _ := json.Marshal(stateForm{Version: stateVersion, Known: g.known}) // nothing in it fails
	if sum := maphash.Bytes(seed, value); sum != g.showing.state {
		g.showing.state = sum
		g.cfg.Cluster.Show(stateKey, value)
	}
}

// shownAs reports whether the leg's form must be what it was, in the same place.
func (f *legFacts) shownAs(was *legFacts) bool {
	a, b := &f.facts, &was.facts
	return was.pbx == "" && f.leg == was.leg && f.other == was.other && f.locked == was.locked && a.Direction == b.Direction && a.Phase == b.Phase && a.Since.Equal(b.Since) &&
		a.Kind == b.Kind && same(a.Peer, b.Peer) && a.Supervision == b.Supervision && a.Supervised == b.Supervised && a.Locked == b.Locked && same(a.Taped, b.Taped) &&
		f.responsible == was.responsible && f.company.unknown == was.company.unknown && slices.Equal(f.company.present, was.company.present) &&
		slices.Equal(f.rung, was.rung) && slices.Equal(f.numbers, was.numbers) && slices.Equal(f.heard, was.heard)
}

// same reports whether two things that may be missing are the same.
func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// form is the leg as the others are shown it.
func (f *legFacts) form(set *policy.Set, e *entry, place int) []byte {
	ids := func(refs []policy.Ref) (ids []string) {
		for _, ref := range refs {
			ids = append(ids, set.ID(ref))
		}
		return ids
	}
	m := legForm{
		Version: legVersion, Employee: e.about.ID, Edition: set.Edition(), Place: place, Direction: f.facts.Direction.String(), Phase: f.facts.Phase.String(), Other: string(f.other), Kind: f.facts.Kind,
		Supervision: f.facts.Supervision, Supervised: f.facts.Supervised, Locked: f.locked, OwnLock: f.facts.Locked,
		Present: ids(f.company.present), Rung: ids(f.rung), Stranger: f.company.unknown, Heard: ids(f.heard),
	}
	if !f.facts.Since.IsZero() {
		m.Since = f.facts.Since.UnixNano()
	}
	if p := f.facts.Peer; p != nil {
		m.Peer = &peerForm{Number: p.Number, Name: p.Name, Employee: p.Employee}
	}
	if t := f.facts.Taped; t != nil {
		m.Tape = &tapeForm{ID: t.ID, State: t.State}
	}
	if !f.responsible.IsZero() {
		m.Responsible = set.ID(f.responsible)
	}
	for _, n := range f.numbers {
		m.Numbers = append(m.Numbers, n.Digits())
	}
	value, _ := json.Marshal(&m) // nothing in it fails
	return value
}
