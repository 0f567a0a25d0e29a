package gate

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// company is everybody on a call, as the policy counts them.
type company struct {
	present   []policy.Ref // employees whose phones are on the call
	claimed   []policy.Ref // employees whom a number on the call claims: they may exclude and hide, never grant
	protected bool         // a protected number is on the call
	unknown   bool         // an endpoint that is neither a phone nor a trunk is on the call
}

func (c *company) reset() {
	c.present, c.claimed, c.protected, c.unknown = c.present[:0], c.claimed[:0], false, false
}

// everyone is who may exclude: present or claimed.
func (c *company) everyone(dst []policy.Ref) []policy.Ref {
	dst = append(dst[:0], c.present...)
	return append(dst, c.claimed...)
}

// add counts one leg. Numbers are looked at on every leg, because any of them may name a person who must not be heard or shown.
func (c *company) add(set *policy.Set, l *call.Leg) {
	if l.Kind() == call.KindPhone {
		if ref, ok := set.Phone(l.Endpoint()); ok {
			c.present = addRef(c.present, ref)
		} else if !set.Trunk(l.Endpoint()) {
			c.unknown = true
		}
	}
	for _, n := range [...]call.Number{l.Caller().Number, l.Connected().Number, l.Dialled()} {
		if n == "" {
			continue
		}
		if set.ProtectedNumber(n.Digits()) {
			c.protected = true
		}
		if ref, ok := set.ByNumber(n.Digits()); ok {
			c.claimed = addRef(c.claimed, ref)
		}
	}
}

func addRef(s []policy.Ref, r policy.Ref) []policy.Ref {
	for _, x := range s {
		if x == r {
			return s
		}
	}
	return append(s, r)
}

func hasRef(s []policy.Ref, r policy.Ref) bool {
	for _, x := range s {
		if x == r {
			return true
		}
	}
	return false
}

// legFacts is all that there is to know of one employee's leg. It stays inside the gate.
type legFacts struct {
	leg         call.LegID
	facts       mask.Facts
	company     company      // on the call, supervisors not counted
	rung        []policy.Ref // for a ringing leg: every employee whose phone this call rings
	responsible policy.Ref   // the ringing caller's responsible employee, if he calls in from outside
	act         *act         // the supervision or intercept that this leg carries, if it is Earshot's own
}

// entry is one employee's row before any sight is applied.
type entry struct {
	legs      []legFacts
	idleSince time.Time
}

// gather collects what there is to know of a leg.
func (g *Gate) gather(t *call.Table, set *policy.Set, l *call.Leg) legFacts {
	f := legFacts{leg: l.ID(), act: g.byLeg[l.ID()]}
	phase := l.Phase()
	f.facts = mask.Facts{Direction: l.Direction(), Phase: phase, Since: l.Since()}
	if f.act != nil && f.act.supervision {
		f.facts.Supervision = f.act.id
	}
	g.scratch.legs = t.Call(g.scratch.legs[:0], l)
	for _, o := range g.scratch.legs {
		f.company.add(set, o)
	}
	g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
	outside := g.peer(set, g.scratch.peers, &f.facts)
	if phase == call.PhaseRinging {
		f.rung = g.rung(set, g.scratch.legs)
		if outside != "" {
			f.responsible = g.responsible(set, outside)
		}
	}
	return f
}

// peer fills in who is on the other side and returns the claimed number of an outside caller, the only one whom the directory is asked about.
func (g *Gate) peer(set *policy.Set, peers []*call.Leg, f *mask.Facts) (outside call.Number) {
	var other *call.Leg
	for _, o := range peers {
		if g.byLeg[o.ID()] != nil {
			continue
		}
		// The first that talks speaks for the rest; while several ring, the first does.
		if other == nil || (other.State() != call.StateUp && o.State() == call.StateUp) {
			other = o
		}
	}
	if other == nil {
		return ""
	}
	f.HasPeer = true
	if ref, ok := set.Phone(other.Endpoint()); ok {
		f.Peer = mask.Party{Employee: set.ID(ref), Name: set.Name(ref)}
		if numbers := set.Numbers(ref); len(numbers) > 0 {
			f.Peer.Number = numbers[0]
		}
		return ""
	}
	number := other.Caller().Number
	if number == "" {
		number = other.Dialled()
	}
	f.Peer = mask.Party{Number: number.Digits(), Name: other.Caller().Name}
	if c, ok := g.cfg.Clients.Lookup(number.Digits()); ok {
		f.Peer.Name = c.Name
	}
	if set.Trunk(other.Endpoint()) && other.Direction() == call.Out {
		return number
	}
	return ""
}

// rung is every employee whose phone the call rings.
func (g *Gate) rung(set *policy.Set, legs []*call.Leg) []policy.Ref {
	var refs []policy.Ref
	for _, l := range legs {
		if l.Direction() != call.In || l.Phase() != call.PhaseRinging || g.byLeg[l.ID()] != nil {
			continue
		}
		if ref, ok := set.Phone(l.Endpoint()); ok {
			refs = addRef(refs, ref)
		}
	}
	return refs
}

func (g *Gate) responsible(set *policy.Set, number call.Number) policy.Ref {
	c, ok := g.cfg.Clients.Lookup(number.Digits())
	if !ok {
		return policy.Ref{}
	}
	ref, _ := set.Employee(c.Responsible)
	return ref
}

// scratch is memory that the gate uses again, under its lock.
type scratch struct {
	legs, peers, phone []*call.Leg
	refs               []policy.Ref
	rows               []policy.Ref
}
