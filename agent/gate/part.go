package gate

import (
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// part is what the gate keeps of a leg that has a part in somebody's row, until the leg is gone or the board is made anew.
type part struct {
	rows []*entry // which rest on it
	row  *entry   // of the employee whose phone it is, if it is one's

	// What the policy and the directory made of it when it was as told here. Both stay as they are as long as the board does.
	seen    likeness
	company company
	second  company     // by the second policy, if there is one
	met     bool        // somebody is shown it as the other side, so that what follows has been made
	party   *mask.Party // as he is shown it
	outside call.Number // its number, if it calls from outside

	responsible string // who is responsible for the client that the directory takes it for

	last *lastPeer // who was on its other side last while it was on a row; nil for nobody
}

// likeness is all of a leg that company.add and introduce look at.
type likeness struct {
	kind              call.LegKind
	direction         call.Direction
	endpoint          string
	caller, connected call.Identity
	dialled           call.Number
	supervises        bool
}

// addNumbers appends what company.add looks at of it.
func (s *likeness) addNumbers(all []call.Number) []call.Number {
	if s.supervises {
		return all
	}
	for _, n := range [...]call.Number{s.caller.Number, s.connected.Number, s.dialled} {
		if n != "" && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

func (g *Gate) likenessOf(l *call.Leg) likeness {
	return likeness{l.Kind(), l.Direction(), l.Endpoint(), l.Caller(), l.Connected(), l.Dialled(), g.supervises(l.ID())}
}

// part is the part that a leg has, with what the policy makes of it now.
func (g *Gate) part(set *policy.Set, l *call.Leg) *part {
	p := g.parts[l.ID()]
	if p == nil {
		if n := len(g.scratch.parts); n > 0 {
			p, g.scratch.parts = g.scratch.parts[n-1], g.scratch.parts[:n-1]
		} else {
			p = &part{}
		}
		g.parts[l.ID()] = p
	} else if p.seen == g.likenessOf(l) {
		return p
	}
	p.seen = g.likenessOf(l)
	p.company.reset()
	p.company.add(set, l, p.seen.supervises)
	if shadow := g.beside(); shadow != nil {
		p.reread(shadow, l)
	}
	p.row = nil
	for _, ref := range p.company.present {
		p.row = g.board[ref]
	}
	p.met = false
	return p
}

// meet is who is on a leg, as it has just been looked at, and his number if he calls from outside.
func (p *part) meet(g *Gate, set *policy.Set, l *call.Leg) (*mask.Party, call.Number) {
	if !p.met {
		p.party, p.outside, p.responsible = g.introduce(set, l)
		p.met = true
	}
	return p.party, p.outside
}

// spare is how many parts of legs that are gone are kept to be used again.
const spare = 64

// forget drops the part of a leg that is gone.
func (g *Gate) forget(leg call.LegID) {
	p := g.parts[leg]
	if p == nil {
		return
	}
	delete(g.parts, leg)
	if len(g.scratch.parts) < spare {
		p.last = nil
		clear(p.rows)
		p.rows = p.rows[:0]
		g.scratch.parts = append(g.scratch.parts, p)
	}
}

// touch notes that a row rests on the leg.
func (p *part) touch(e *entry) {
	if !slices.Contains(p.rows, e) {
		p.rows = append(p.rows, e)
	}
}

// join counts who is on a leg beside who is on others of the call.
func (c *company) join(o *company) {
	for _, ref := range o.present {
		c.present = addRef(c.present, ref)
	}
	for _, ref := range o.claimed {
		c.claimed = addRef(c.claimed, ref)
	}
	c.protected, c.unknown = c.protected || o.protected, c.unknown || o.unknown
}
