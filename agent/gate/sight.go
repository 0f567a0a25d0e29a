package gate

import (
	"hash/maphash"
	"math/bits"
	"slices"

	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// sight is what the subject may see of one leg on an employee's row. A leg of Earshot's own is nothing special: there is nobody on it but its
// owner, so it looks like any other on which nobody is met.
func (g *Gate) sight(set *policy.Set, subject, employee policy.Ref, f *legFacts) mask.Sight {
	sight, _, _ := f.sight(set, subject, employee, &g.scratch.refs)
	return sight
}

// sight is what a policy lets the subject see of the employee's leg, with the decisions that it rests on: whether he sees who is on the other
// side, and, when he does not, whether he sees of which kind that is. Refs is memory to use.
func (r *reading) sight(set *policy.Set, subject, employee policy.Ref, refs *[]policy.Ref) (sight mask.Sight, peer, kind policy.Decision) {
	if !r.responsible.IsZero() && r.responsible == subject && subject != employee && !r.company.protected {
		if peer = set.Decide(&policy.Request{
			Subject: subject, Action: policy.Intercept, Target: employee, With: r.rung, Responsible: r.responsible,
		}); peer.Allowed {
			return mask.Seen, peer, kind // offered his client's ringing call
		}
	}
	*refs = r.company.everyone(*refs)
	peer = set.Decide(&policy.Request{
		Subject: subject, Action: policy.Observe, Target: employee,
		With: *refs, ProtectedNumber: r.company.protected, Party: slices.Contains(r.company.present, subject),
	})
	switch {
	case peer.Allowed && subject == employee:
		return mask.Own, peer, kind
	case peer.Allowed:
		return mask.Seen, peer, kind
	}
	if kind = set.Decide(&policy.Request{Subject: subject, Action: policy.ObserveKind, Target: employee, With: *refs}); kind.Allowed {
		return mask.Kind, peer, kind
	}
	return mask.Hidden, peer, kind
}

// judge works out what the subject may see of each leg on a row and what he may do to its employee now, given what is between the two of them
// alone and whether he gives a reason. It gives what sight would give for each leg, and asks the policy only where others have a part. The sights are valid until the next judge.
func (g *Gate) judge(set *policy.Set, subject policy.Ref, e *entry, pair deeds, reason bool) (sights []mask.Sight, can deeds) {
	sights = g.scratch.sights[:0]
	for i := range e.legs {
		f := &e.legs[i]
		s := mask.Hidden
		switch {
		case subject == e.ref, f.responsible == subject, slices.Contains(f.company.present, subject):
			s = g.sight(set, subject, e.ref, f)
		case pair&(observeDeed|kindDeed) == 0:
		case f.alone && !f.company.protected && pair&observeDeed != 0:
			s = mask.Seen
		case f.alone && pair&observeDeed == 0:
			s = mask.Kind
		default:
			s = g.sight(set, subject, e.ref, f)
		}
		sights = append(sights, s)
	}
	g.scratch.sights = sights
	return sights, g.can(set, subject, e, sights, pair, reason)
}

// sameGround reports whether everybody's sight of the leg, and what he may do to it, must be what it was: f and was agree in all that sight
// and can look at.
func (f *legFacts) sameGround(was *legFacts) bool {
	return f.leg == was.leg && f.may() == was.may() && f.locked == was.locked && (f.facts.Taped == nil) == (was.facts.Taped == nil) && f.reading.same(&was.reading)
}

// same reports whether the readings agree.
func (r *reading) same(was *reading) bool {
	a, b := &r.company, &was.company
	return r.responsible == was.responsible && a.protected == b.protected && a.unknown == b.unknown &&
		slices.Equal(a.present, b.present) && slices.Equal(a.claimed, b.claimed) && slices.Equal(r.rung, was.rung)
}

func mix(sum, x uint64) uint64 { return (sum ^ x) * 0x9e3779b97f4a7c15 }

var seed = maphash.MakeSeed()

// sum is a sum over all that a view of the leg shows for a sight, so that a row need not be written to see that it is the same.
func (f *legFacts) sum(s mask.Sight) uint64 {
	if f.sums[s] != 0 {
		return f.sums[s]
	}
	v := mask.Of(&f.facts, s, "")
	sum := mix(f.tag[0], uint64(s))
	put := func(text string) { sum = mix(bits.RotateLeft64(sum, 29), maphash.String(seed, text)) }
	put(v.Direction)
	put(v.State)
	put(v.Supervision)
	put(v.Kind)
	if v.Locked {
		put("locked")
	}
	if v.Supervised {
		put("supervised")
	}
	if v.Taped != nil {
		put(v.Taped.ID)
		put(v.Taped.State)
	}
	if v.Peer != nil {
		put(v.Peer.Employee)
		put(v.Peer.Name)
		put(v.Peer.Number)
	}
	f.sums[s] = mix(sum, uint64(v.Since.Unix())) | 1
	return f.sums[s]
}
