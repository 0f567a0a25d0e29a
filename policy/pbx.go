package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// keyPBX says on which PBX of a company that has several an employee's phones are.
const keyPBX = "pbx"

// maxPBX is how many letters the name of a PBX has at most.
const maxPBX = 64

// PBXName reports whether this may be the name of a PBX: letters of the English alphabet, digits, hyphens and underscores, at most 64 of them,
// of which the first is a letter or a digit. Capitals count: Moscow and moscow are two.
func PBXName(name string) bool {
	return name != "" && len(name) <= maxPBX && !strings.ContainsAny(name[:1], "-_") &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// pbxMention is where the name of a PBX stands first in a policy.
type pbxMention struct {
	name string
	file int
	at   position
}

// pbx reads the name of a PBX. One that is wrong is a PBX all the same, so that his phones are not said to be on any.
func (r *reader) pbx(n *yaml.Node, p place) word {
	w, ok := r.text(n, p)
	if ok && !PBXName(w.text) {
		r.errorf(w.at, `as in "moscow" or "pbx-2"`, "%s: the name of a PBX is letters a to z, digits, hyphens and underscores, at most %d, and begins with a letter or digit", p, maxPBX)
	}
	return w
}

// exchanges finds out who is on which PBX.
func (c *compiler) exchanges() {
	numbers := map[string]uint32{}
	owner := 0
	for file, f := range c.sources {
		for i := range f.employees {
			if w := f.employees[i].pbx; w.text != "" {
				if c.pbxOf == nil {
					c.pbxOf = make([]uint32, len(c.people))
				}
				if numbers[w.text] == 0 {
					c.pbxs = append(c.pbxs, pbxMention{w.text, file, w.at})
					numbers[w.text] = uint32(len(c.pbxs))
				}
				c.pbxOf[owner] = numbers[w.text]
			}
			owner++
		}
	}
}

// exchange warns of a PBX that is said of nothing, and of names that are surely mistyped.
func (w *warner) exchange() {
	if len(w.pbxs) == 0 {
		return
	}
	w.mistyped()
	for file, f := range w.sources {
		for i := range f.employees {
			if e := &f.employees[i]; e.pbx.text != "" && len(e.phones) == 0 {
				w.tell("PBXs without phones", file, e.pbx.at, "name his phones there, or leave it out", "employees.%s.pbx: he has no phones, of which it would say where they are", e.id.text)
			}
		}
	}
}

// mistyped warns of the names of PBXs that one employee alone has and that are nearly those of PBXs which more have.
func (w *warner) mistyped() {
	crew := make([]int, len(w.pbxs)) // how many are on each
	for _, n := range w.pbxOf {
		if n != 0 {
			crew[n-1]++
		}
	}
	for i, p := range w.pbxs {
		if crew[i] != 1 {
			continue
		}
		var others []string
		for j, other := range w.pbxs {
			if crew[j] > 1 && !numbered(p.name, other.name) {
				others = append(others, other.name)
			}
		}
		if hint := DidYouMean(p.name, others); hint != "" {
			w.tell("mistyped PBXs", p.file, p.at, hint, "pbx: %s: nobody else is on a PBX of that name, and without an Earshot that has it as its cluster.pbx nobody reaches his phones", p.name)
		}
	}
}

// numbered reports whether two names tell two PBXs apart by design, as pbx-1 and pbx-12 or pbx-a and pbx-b do: by digits, or by a letter that stands alone.
func numbered(a, b string) bool {
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	rest := a[start:len(a)-end] + b[start:len(b)-end]
	if strings.Trim(rest, "0123456789") == "" {
		return true
	}
	before, after := start == 0 || strings.ContainsAny(a[start-1:start], "-_"), end == 0 || strings.ContainsAny(a[len(a)-end:][:1], "-_")
	return before && after && len(a) == len(b) && len(rest) == 2 && !strings.EqualFold(rest[:1], rest[1:])
}

// pbx is one more than the place in pbxs of the one on which somebody's phones are; zero for any.
func (t *tables) pbx(owner uint32) uint32 {
	if len(t.pbxOf) == 0 {
		return 0
	}
	return t.pbxOf[owner]
}

// endpoint is a phone on one PBX, or on any.
type endpoint struct {
	name string
	pbx  uint32
}

// endpointClaims are whose the endpoints are. The same one may be on several PBXs and be another phone on each.
type endpointClaims struct {
	first map[string]claim // of each endpoint, on whichever PBX
	more  map[endpoint]claim
}

// taken returns who has claimed before what may be this very phone. Otherwise it is claimed now.
func (all *endpointClaims) taken(name string, cl claim) (claim, bool) {
	first, taken := all.first[name]
	if !taken {
		all.first[name] = cl
		return claim{}, false
	}
	if cl.pbx == 0 || first.pbx == 0 || first.pbx == cl.pbx {
		return first, true
	}
	key := endpoint{name, cl.pbx}
	if first, taken = all.more[key]; !taken {
		all.more[key] = cl
	}
	return first, taken
}

// claimEndpoint gives an endpoint to its owner on his PBX unless it may be somebody else's there. By is the owner's id, "" for a trunk, which is one
// on every PBX.
func (c *compiler) claimEndpoint(all *endpointClaims, file int, w word, owner, pbx uint32, where, what, by string) bool {
	first, taken := all.taken(w.text, claim{owner: owner, file: file, at: w.at, what: by, pbx: pbx})
	if !taken {
		return true
	}
	if first.what == by {
		c.errorf(file, w.at, "", "%s: this %s is here twice, first at %s", where, what, c.where(first))
		return false
	}
	and, hint := "", ""
	switch {
	case len(c.pbxs) == 0: // one PBX, as far as can be told
	case by == "" && first.pbx != 0:
		and, hint = ", and trunks are the same on every PBX", "give one of them another name"
	case by == "":
	case first.pbx == 0 && pbx == 0:
		hint = "if they are on two PBXs, write at both on which, as in pbx: " + c.another(0)
	case first.pbx == 0:
		and, hint = fmt.Sprintf(", and %s may be on any PBX", first.what), fmt.Sprintf("if they are on two PBXs, write at %s too on which, as in pbx: %s", first.what, c.another(pbx))
	case pbx == 0:
		and, hint = fmt.Sprintf(", and %s may be on any PBX", by), fmt.Sprintf("if they are on two PBXs, write at %s too on which, as in pbx: %s", by, c.another(first.pbx))
	default:
		and, hint = ", on the same PBX", "take it from one of them, or write at one that he is on another PBX"
	}
	c.errorf(file, w.at, hint, "%s: this %s is %s's already, at %s%s", where, what, first.what, c.where(first), and)
	return false
}

// another is the name of a PBX that is not this one, for a hint; this may be none.
func (c *compiler) another(pbx uint32) string {
	for i, p := range c.pbxs {
		if uint32(i+1) != pbx && PBXName(p.name) {
			return p.name
		}
	}
	return "NAME"
}

// besides is beside which PBX a Set is.
type besides struct {
	pbx    uint32 // one more than its place in pbxs; zero: it has no name there
	name   string
	placed bool // Set.Beside has made it
	// The policy says unknown_phones: outside, and it does not hold.
	noOutside bool
}

// Beside returns the policy as it is in force beside the PBX of that name, "" for one that has none. The receiver is not changed, nor are its
// employees' Refs.
//
// There it knows the phones of those whose entries name that PBX, or none. Who is on another has no phone here, and whose endpoint has the same
// name as his is not taken for him. Where the policy names PBXs and this is none of them, unknown_phones: outside does not hold: the phones of
// those who are on them would count as outside, and who is protected, or excepted, might be listened to. [Set.PBXWarnings] say so.
func (s *Set) Beside(pbx string) *Set {
	if s == nil || s.tables == nil || len(s.pbxs) == 0 {
		return s
	}
	t := *s.tables
	outside := t.unknownOutside || t.beside.noOutside
	t.beside = besides{name: pbx, placed: true}
	for i, p := range t.pbxs {
		if p.name == pbx {
			t.beside.pbx = uint32(i + 1)
		}
	}
	t.unknownOutside = outside && t.beside.pbx != 0
	t.beside.noOutside = outside && t.beside.pbx == 0
	t.findPhones()
	c := *s
	c.tables = &t
	return &c
}

// here reports whether somebody's phones are on the PBX that the tables are for.
func (t *tables) here(owner uint32) bool {
	pbx := t.pbx(owner)
	return pbx == 0 || pbx == t.beside.pbx
}

// findPhones makes the index of the phones that are somebody's here.
func (t *tables) findPhones() {
	t.byPhone = t.byPhone.index(small, func(i uint32) bool { return t.here(t.phoneOf[i]) })
}

// PBX returns the name of the PBX on which the employee's phones are; "" when the policy does not say, and they count on every one.
func (s *Set) PBX(r Ref) string {
	if !s.known(r) || s.pbx(r.n-1) == 0 {
		return ""
	}
	return s.pbxs[s.pbx(r.n-1)-1].name
}

// PhonesOn returns the phones that the employee has on the PBX of that name, as [Set.Phones] does, whichever PBX the Set is for: all of his
// when his entry names that PBX or none. The slice must not be changed.
func (s *Set) PhonesOn(r Ref, pbx string) []string {
	if own := s.PBX(r); own != "" && own != pbx {
		return nil
	}
	return s.everyPhone(r)
}

// PBXs returns the names of the PBXs on which the policy says that somebody's phones are, in the order of the files. The slice is the caller's own.
func (s *Set) PBXs() []string {
	if s == nil || s.tables == nil {
		return nil
	}
	var names []string
	for _, p := range s.pbxs {
		names = append(names, p.name)
	}
	return names
}

// PBXWarnings returns what is surely not meant of the PBX beside which the Set is: that the policy names PBXs, and this one has no name or none of
// those. Of a Set that [Set.Beside] has not made there is nothing to say.
func (s *Set) PBXWarnings() Problems {
	if s == nil || s.tables == nil || !s.beside.placed || s.beside.pbx != 0 {
		return nil
	}
	first := s.pbxs[0]
	p := Problem{File: s.files[first.file], Line: int(first.at.line), Column: int(first.at.column)}
	lost := ""
	if s.beside.noOutside {
		lost = ", and unknown_phones: outside does not hold"
	}
	if s.beside.name == "" {
		p.Message = "the policy says on which PBXs phones are, and this Earshot has no cluster.pbx: here those phones are nobody's" + lost
		p.Hint = "write the name of the PBX beside it under cluster.pbx"
	} else {
		p.Message = fmt.Sprintf("the policy says on which PBXs phones are, and of none that it is on %q, the cluster.pbx of this Earshot%s", s.beside.name, lost)
		p.Hint = DidYouMean(s.beside.name, s.PBXs())
	}
	return Problems{p}
}
