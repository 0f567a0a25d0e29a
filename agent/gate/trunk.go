package gate

import (
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// What is known of a call's other half, where that is on another PBX: a trunk between two PBXs makes two calls of what is one for those who talk. The
// halves are found by numbers, so what is found may exclude and never grant.

// nobody listens: what is within earshot of a leg for whoever listens to it, each supervision counted for what it does.
var nobody = &act{}

// overhear collects who is heard by who listens to a leg beside those on its call: who speaks into it without being a party, and who is on another call
// that is heard there. With them it shows the others what they cannot see.
func (g *Gate) overhear(t *call.Table, set *policy.Set, e *entry, l *call.Leg, f *legFacts) {
	g.scratch.set, g.scratch.listener = set, nobody
	g.scratch.legs = t.Earshot(g.scratch.legs[:0], l, g.scratch.reach)
	for _, o := range g.scratch.legs {
		p := g.part(set, o)
		p.touch(e)
		for _, refs := range [...][]policy.Ref{p.company.present, p.company.claimed} {
			for _, ref := range refs {
				if !slices.Contains(f.company.present, ref) && !slices.Contains(f.company.claimed, ref) {
					f.heard = addRef(f.heard, ref)
				}
			}
		}
	}
}

// halves is memory to find the other halves of a call in.
type halves struct {
	found   []*farLeg
	met     []policy.Ref // who is present on the halves, this one too
	facts   legFacts
	numbers []call.Number // on the call that nobody of the policy has
	refs    []policy.Ref
}

// beyond adds to the company of scratch.legs whoever is on the call's other halves, and is heard there by others than the subject, and reports whether one
// of them is locked: of each employee whom a number claims his calls on other PBXs, as far as they are known. Whoever is found may claim others. It
// changes nothing but the company and the scratch.
func (g *Gate) beyond(set *policy.Set, subject policy.Ref, c *company) (locked bool) {
	if len(g.others) == 0 || len(c.claimed) == 0 {
		return false
	}
	h := &g.scratch.halves
	h.found, h.met = h.found[:0], append(h.met[:0], c.present...)
	h.numbers = g.strangeNumbers(set, h.numbers[:0])
	for n := -1; n < len(h.found); { // each that is found may make others its halves
		n = len(h.found)
		for i := 0; i < len(c.claimed); i++ {
			for _, f := range g.farOf(set, c.claimed[i]) {
				if slices.Contains(h.found, f) || !h.isHalf(set, c.claimed[i], f) {
					continue
				}
				h.found = append(h.found, f)
				locked = locked || f.form.Locked
				h.tell(set, subject, f, c)
			}
		}
	}
	return locked
}

// farOf are an employee's legs on other PBXs, by a policy that may not be the one in force.
func (g *Gate) farOf(set *policy.Set, ref policy.Ref) []*farLeg {
	if e := g.board[g.policy.Load().Foreign(set, ref)]; e != nil {
		return e.far
	}
	return nil
}

// isHalf reports whether a leg of an employee whom the call claims is its other half: if a number on that one claims somebody who is present on this one,
// and not there, it is; also where a colleague there is on it too, as in a conference. If no number there claims anybody who is not there, as where a
// trunk shows or is sent another number, it is where somebody outside is on the other side and both calls have such a number: the same, or with what a
// route puts before it. His other calls have neither.
func (h *halves) isHalf(set *policy.Set, ref policy.Ref, f *farLeg) bool {
	if f.unread || !f.on.standing().counts || len(set.PhonesOn(ref, f.on.name)) == 0 {
		return false
	}
	f.gather(set, ref, &h.facts)
	there, told := &h.facts.company, false
	for _, o := range there.claimed {
		if o == ref || slices.Contains(there.present, o) {
			continue
		}
		if slices.Contains(h.met, o) {
			return true
		}
		told = true
	}
	if p := f.form.Peer; told || p == nil || p.Employee != "" {
		return false
	}
	return slices.ContainsFunc(f.numbers, func(n call.Number) bool {
		if h.refs = set.AppendByNumber(h.refs[:0], bare(n)); len(h.refs) > 0 {
			return false
		}
		return slices.ContainsFunc(h.numbers, func(o call.Number) bool { return sameRoute(bare(n), bare(o)) })
	})
}

// tell counts who is on the half that was looked at last.
func (h *halves) tell(set *policy.Set, subject policy.Ref, f *farLeg, c *company) {
	there := &h.facts.company
	for _, ref := range there.present {
		h.met, c.claimed = addRef(h.met, ref), addRef(c.claimed, ref)
	}
	for _, ref := range there.claimed {
		c.claimed = addRef(c.claimed, ref)
	}
	for _, id := range f.form.Heard {
		switch ref, ok := set.Employee(id); {
		case !ok:
			c.protected = true // he may be one whom the subject must not hear
		case ref != subject: // who supervises both halves knows of that
			c.claimed = addRef(c.claimed, ref)
		}
	}
	c.protected, c.unknown = c.protected || there.protected, c.unknown || there.unknown
}

// strangeNumbers are the numbers on scratch.legs that nobody of the policy has.
func (g *Gate) strangeNumbers(set *policy.Set, all []call.Number) []call.Number {
	h := &g.scratch.halves
	for _, l := range g.scratch.legs {
		if g.supervises(l.ID()) {
			continue
		}
		for _, n := range [...]call.Number{l.Caller().Number, l.Connected().Number, l.Dialled()} {
			if h.refs = set.AppendByNumber(h.refs[:0], bare(n)); len(h.refs) == 0 {
				all = addNumber(all, n)
			}
		}
	}
	return all
}

// sameRoute reports whether two numbers may be one, with what a route puts before it: one of at least three digits is the other's end.
func sameRoute(a, b string) bool {
	const least = 3
	if len(a) > len(b) {
		a, b = b, a
	}
	return len(a) >= least && strings.HasSuffix(b, a)
}

// claim notes which employees a number claims on an act's ground, so that it is decided anew when their calls on other PBXs change.
func (a *act) claim(c *company) { a.claims = append(a.claims[:0], c.claimed...) }

// reconsiderBeyond decides anew the acts whose ground rests on calls of these rows' employees on other PBXs. Caller holds the lock.
func (g *Gate) reconsiderBeyond(t *call.Table, rows []*entry) {
	for _, a := range g.acts {
		if slices.ContainsFunc(rows, func(e *entry) bool { return slices.Contains(a.claims, e.ref) }) {
			g.reconsider(t, a)
		}
	}
}
