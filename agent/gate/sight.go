package gate

import (
	"hash/maphash"
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// sight is what the subject may see of one leg on an employee's row. A leg of Earshot's own is nothing special: there is nobody on it but its
// owner, so it looks like any other on which nobody is met.
func (g *Gate) sight(set *policy.Set, subject, employee policy.Ref, f *legFacts) mask.Sight {
	if subject == employee {
		return mask.Own
	}
	if !f.responsible.IsZero() && f.responsible == subject && !f.company.protected && set.Decide(&policy.Request{
		Subject: subject, Action: policy.Intercept, Target: employee, With: f.rung, Responsible: f.responsible,
	}).Allowed {
		return mask.Seen // offered his client's ringing call
	}
	g.scratch.refs = f.company.everyone(g.scratch.refs)
	if set.Decide(&policy.Request{
		Subject: subject, Action: policy.Observe, Target: employee,
		With: g.scratch.refs, ProtectedNumber: f.company.protected, Party: slices.Contains(f.company.present, subject),
	}).Allowed {
		return mask.Seen
	}
	return mask.Hidden
}

var supervising = [...]policy.Action{policy.Spy, policy.Whisper, policy.Barge}

// deeds is a set of what may be done to a colleague: a bit for each of supervising, and one for intercept.
type deeds uint8

const interceptDeed deeds = 1 << len(supervising)

// canLists has the list for each set of deeds. Rows share them; nobody writes them.
var canLists = func() (lists [2 * interceptDeed][]string) {
	for set := range lists {
		lists[set] = []string{}
		for i, action := range supervising {
			if set&(1<<i) != 0 {
				lists[set] = append(lists[set], action.String())
			}
		}
		if deeds(set)&interceptDeed != 0 {
			lists[set] = append(lists[set], policy.Intercept.String())
		}
	}
	return lists
}()

// can tells what the subject may do to an employee now. Of a leg that is hidden from him it uses subject, target and visible state only, so
// that the answer never tells who is on the other side.
func (g *Gate) can(set *policy.Set, subject, employee policy.Ref, e *entry, sights []mask.Sight) (out deeds) {
	if subject == employee {
		return 0
	}
	for i := range e.legs {
		f := &e.legs[i]
		if slices.Contains(f.company.present, subject) {
			continue // he is on the call himself, and knows it
		}
		r := policy.Request{Subject: subject, Target: employee}
		switch {
		case f.facts.Phase == call.PhaseTalking, f.facts.Phase == call.PhaseHeld:
			if sights[i] != mask.Hidden {
				g.scratch.refs = f.company.everyone(g.scratch.refs)
				r.With, r.ProtectedNumber, r.UnknownPhone = g.scratch.refs, f.company.protected, f.company.unknown
			}
			for n, action := range supervising {
				if out&(1<<n) != 0 {
					continue
				}
				if r.Action = action; set.Decide(&r).Allowed {
					out |= 1 << n
				}
			}
		case rings(f, false) && out&interceptDeed == 0:
			r.Action = policy.Intercept
			if sights[i] != mask.Hidden {
				r.With, r.Responsible = f.rung, f.responsible
			}
			if set.Decide(&r).Allowed {
				out |= interceptDeed
			}
		}
	}
	return out
}

// rings reports whether an incoming call rings on the leg.
func rings(f *legFacts, _ bool) bool {
	return f.facts.Phase == call.PhaseRinging && f.facts.Direction == call.In
}

// look works out what the subject may see of a row and do to its employee, and a sum over all that he would be shown. The sights are valid
// until the next look.
func (g *Gate) look(set *policy.Set, subject policy.Ref, e *entry) (sights []mask.Sight, can deeds, sum uint64) {
	sights = g.scratch.sights[:0]
	sum = uint64(e.idleSince.Unix())
	for i := range e.legs {
		f := &e.legs[i]
		s := g.sight(set, subject, e.ref, f)
		sights = append(sights, s)
		sum = mix(sum, f.sums[s])
	}
	g.scratch.sights = sights
	can = g.can(set, subject, e.ref, e, sights)
	return sights, can, mix(sum, uint64(can))
}

func mix(sum, x uint64) uint64 { return (sum ^ x) * 0x9e3779b97f4a7c15 }

// write writes one employee's row for one subject.
func (g *Gate) write(set *policy.Set, subject policy.Ref, e *entry, sights []mask.Sight, can deeds) mask.Row {
	who, id := set.ID(subject), set.ID(e.ref)
	r := mask.Row{
		ID: id, Name: set.Name(e.ref), Department: set.DepartmentOf(e.ref).ID,
		Calls: make([]mask.View, len(e.legs)), Can: canLists[can],
	}
	for i := range e.legs {
		f := &e.legs[i]
		r.Calls[i] = mask.Of(&f.facts, sights[i], g.handle(who, id, f.leg, sights[i]))
	}
	r.Sum(e.idleSince)
	return r
}

var seed = maphash.MakeSeed()

// sum makes for each sight a sum over all that a view of the leg shows, so that a row need not be written to see that it is the same.
func (f *legFacts) sum() {
	for s := range f.sums {
		v := mask.Of(&f.facts, mask.Sight(s), "")
		var h maphash.Hash
		h.SetSeed(seed)
		put := func(text string) {
			h.WriteString(text)
			h.WriteByte(0)
		}
		put(string(f.leg))
		put(v.Direction)
		put(v.State)
		put(v.Supervision)
		if v.Peer != nil {
			h.WriteByte(1)
			put(v.Peer.Employee)
			put(v.Peer.Name)
			put(v.Peer.Number)
		}
		h.WriteByte(byte(s))
		f.sums[s] = mix(h.Sum64(), uint64(v.Since.Unix()))
	}
}
