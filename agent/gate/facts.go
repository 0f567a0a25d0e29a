package gate

import (
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
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

// only reports whether nobody but this employee is there or claimed to be.
func (c *company) only(who policy.Ref) bool {
	for _, refs := range [...][]policy.Ref{c.present, c.claimed} {
		for _, ref := range refs {
			if ref != who {
				return false
			}
		}
	}
	return true
}

// add counts one leg. Numbers are looked at on every leg, because any of them may name a person who must not be heard or shown; but not on
// those of a supervision, whose numbers are its own making or those of a call that is another.
func (c *company) add(set *policy.Set, l *call.Leg, supervises bool) {
	if l.Kind() == call.KindPhone {
		if ref, ok := set.Phone(l.Endpoint()); ok {
			c.present = addRef(c.present, ref)
		} else if !set.Trunk(l.Endpoint()) {
			c.unknown = true
		}
	}
	if supervises {
		return
	}
	numbers := [...]call.Number{l.Caller().Number, l.Connected().Number, l.Dialled()}
	for i, n := range numbers {
		if n == "" || slices.Contains(numbers[:i], n) {
			continue
		}
		if set.ProtectedNumber(n.Digits()) {
			c.protected = true
		}
		c.claimed = set.AppendByNumber(c.claimed, bare(n))
	}
}

// bare takes from what was dialled what is not number: "sip:" and a technology before it, host, context and options after it.
func bare(n call.Number) string {
	s := n.Digits()
	if i := strings.IndexAny(s, "@;,&"); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexAny(s, "/:"); i >= 0 {
		s = s[i+1:]
	}
	return s
}

func addRef(s []policy.Ref, r policy.Ref) []policy.Ref {
	if slices.Contains(s, r) {
		return s
	}
	return append(s, r)
}

// reading is what a policy makes of an employee's leg: all of a call on which everybody's sight of it rests.
type reading struct {
	company     company      // on the call, supervisors not counted
	rung        []policy.Ref // for a ringing leg: every employee whose phone this call rings
	responsible policy.Ref   // the ringing caller's responsible employee, if he calls in from outside
}

// legFacts is all that there is to know of one employee's leg. It stays inside the gate, and as a legForm inside the cluster.
type legFacts struct {
	leg call.LegID // of one that is on another PBX see farLeg: the table knows none by it
	// pbx is the name of the PBX that the leg is on; empty: the one that this Earshot is beside. Of another's leg there is here what its sidecar shows:
	// it has a sight, buttons and offers as those here, but nothing can be done to it from here, neither the table nor an act knows it, and it has no
	// second reading, endpoint, queue or last peer.
	pbx      string
	facts    mask.Facts
	reading                // by the policy in force
	second   *second       // by the second; nil when there is none
	other    call.LegID    // the leg on the other side; empty when there is none
	endpoint string        // that the leg belongs to
	locked   bool          // somebody has locked the call
	queue    string        // by which whoever is on the other side has come; empty for none
	alone    bool          // nobody of the policy but the leg's own employee is in the company
	last     *lastPeer     // who was on the other side; nil while somebody is, and where nobody was
	numbers  []call.Number // on the call, each once; only with a Cluster, and of a leg here
	heard    []policy.Ref  // the same: who is within earshot beside those on the call
	tag      tag
	sums     [mask.Own + 1]uint64
}

// gather collects what there is to know of an employee's leg for his row, into memory that may have been used for another leg.
func (g *Gate) gather(t *call.Table, set *policy.Set, e *entry, l *call.Leg, f *legFacts) {
	f.leg, f.endpoint, f.other, f.responsible, f.rung, f.tag = l.ID(), l.Endpoint(), "", policy.Ref{}, f.rung[:0], tag{}
	f.last, f.pbx, f.numbers, f.heard = nil, "", f.numbers[:0], f.heard[:0]
	clear(f.sums[:])
	f.company.reset()
	phase := l.Phase()
	f.facts = mask.Facts{Direction: direction(l), Phase: phase, Since: l.Since()}
	if a := g.byLeg[l.ID()]; a != nil && a.supervision {
		f.facts.Supervision = a.id
	}
	g.scratch.legs = t.Call(g.scratch.legs[:0], l)
	for _, o := range g.scratch.legs {
		p := g.part(set, o)
		p.touch(e)
		f.company.join(&p.company)
		if g.cfg.Cluster != nil {
			f.numbers = p.seen.addNumbers(f.numbers)
		}
	}
	f.alone = f.company.only(e.ref)
	f.facts.Supervised = g.isTold(set.ID(e.ref), l.ID())
	f.facts.Taped = g.tapedOn(g.scratch.legs)
	f.queue = queueOf(g.scratch.legs)
	f.locked, f.facts.Locked = g.isLocked(g.scratch.legs), g.hasLocked(set.ID(e.ref), l.ID())
	g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
	var outside call.Number
	responsible := ""
	if o := g.foremost(g.scratch.peers); o != nil {
		p := g.part(set, o)
		f.facts.Peer, outside = p.meet(g, set, o)
		responsible = p.responsible
		f.facts.Kind = kind(set, o, g.scratch.legs)
		f.other = o.ID()
	}
	if phase == call.PhaseRinging {
		f.rung = g.rung(f.rung, set, g.scratch.legs)
		if outside != "" {
			f.responsible, _ = set.Employee(responsible)
		}
	}
	if g.cfg.Shadow != nil {
		g.reread(set, e, l, f)
	}
	if g.cfg.Cluster != nil {
		g.overhear(t, set, e, l, f)
	}
}

// kind says of which kind the other side of a call is: by what the endpoint proves, and whether a queue has brought the two together.
func kind(set *policy.Set, other *call.Leg, legs []*call.Leg) string {
	for _, l := range legs {
		if app := l.App(); app == "Queue" || app == "AppQueue" {
			return mask.Queue
		}
	}
	if _, ok := set.Phone(other.Endpoint()); ok {
		return mask.Internal
	}
	if set.Outside(other.Endpoint()) {
		return mask.External
	}
	return ""
}

// foremost is the peer that counts as the other side; nil if there is none.
func (g *Gate) foremost(peers []*call.Leg) (other *call.Leg) {
	for _, o := range peers {
		if g.supervises(o.ID()) {
			continue
		}
		// The first that talks speaks for the rest; while several ring, the first does.
		if other == nil || (other.State() != call.StateUp && o.State() == call.StateUp) {
			other = o
		}
	}
	return other
}

// introduce tells who is on a leg, and, if he calls from outside, his claimed number: with that only the directory is asked whose client he is.
// Responsible is the employee's id of whom the same answer of the directory says so; what it calls him and whose he is change together.
func (g *Gate) introduce(set *policy.Set, other *call.Leg) (p *mask.Party, outside call.Number, responsible string) {
	if ref, ok := set.Phone(other.Endpoint()); ok {
		return &mask.Party{Employee: set.ID(ref), Name: set.Name(ref), Number: set.Number(ref)}, "", ""
	}
	number := other.Caller().Number
	if number == "" && other.Direction() == call.In {
		number = other.Dialled() // of one who calls it would be whom he called, not who he is
	}
	p = &mask.Party{Number: number.Digits(), Name: other.Caller().Name}
	c, answer := g.cfg.Clients.Find(number.Digits())
	if answer == clients.Found {
		p.Name, responsible = c.Name, c.Responsible
	}
	return p, g.outside(set, other), responsible
}

// outside is the number that somebody claims who calls from outside; empty of anybody else. Of who has a phone in the policy in force it is
// empty by every policy: the directory may have to ask others, and is not asked about colleagues.
func (g *Gate) outside(set *policy.Set, other *call.Leg) call.Number {
	if !set.Outside(other.Endpoint()) || other.Direction() != call.Out {
		return ""
	}
	if _, ok := g.policy.Load().Phone(other.Endpoint()); ok {
		return ""
	}
	return other.Caller().Number
}

// direction is which way a call goes for its owner.
func direction(l *call.Leg) call.Direction {
	if clicked(l.ID()) {
		return call.Out
	}
	return l.Direction()
}

// rung appends every employee whose phone the call rings.
func (g *Gate) rung(refs []policy.Ref, set *policy.Set, legs []*call.Leg) []policy.Ref {
	for _, l := range legs {
		if direction(l) != call.In || l.Phase() != call.PhaseRinging {
			continue
		}
		if ref, ok := set.Phone(l.Endpoint()); ok {
			refs = addRef(refs, ref)
		}
	}
	return refs
}

func (g *Gate) responsible(set *policy.Set, number call.Number) policy.Ref {
	c, answer := g.cfg.Clients.Find(number.Digits())
	if answer != clients.Found {
		return policy.Ref{}
	}
	ref, _ := set.Employee(c.Responsible)
	return ref
}

// scratch is memory that the gate uses again, under its lock.
type scratch struct {
	legs, peers, phone []*call.Leg
	refs, rung         []policy.Ref
	company            company
	rows               []*entry
	parts              []*part // of legs that are gone
	acts               []*act
	heard              []call.LegID
	sights             []mask.Sight
	cast               cast         // of channels
	shots              slab         // the same
	mates              map[mark]int // the same: how many are in a bridge
	number             uint64       // the last that was given out
	reach              call.Reach   // made of isPhone and spyMode, which go by what follows
	halves             halves
	set                *policy.Set // by which it is known what is a phone
	listener           *act        // whose own legs lead nowhere; nil when ties of every sort are followed
}
