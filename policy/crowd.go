package policy

// A crowd answers about all targets at once what Set.Decide answers about one. It counts employees and lines by their places in a
// company that may be larger than the Set's, so that two Sets can be compared place by place. It keeps what it has worked out and is for
// one goroutine.
type crowd struct {
	*Set
	*company
}

// company is what a crowd knows of a Set at every moment.
type company struct {
	place, linePlace []uint32 // of each employee and line of the Set
	all, allLines    bitset   // their places
	protected        bitset
	members          [][]uint32 // places by department
	children         [][]uint32 // of each department
	heads            map[uint32][]uint32
	staff            []bitset // the members of each line
	lists            map[uint32]bitset
}

// maxLists bounds how many lists are kept as sets: as many as there are rules, and some of them may be used once.
const maxLists = 4096

// newCrowd makes the crowd of a Set whose employees and lines have these places in a company of so many; nil for their own.
func newCrowd(s *Set, place, linePlace []uint32, people, lines int) *crowd {
	if s == nil || s.tables == nil {
		s = &Set{tables: &tables{roleSets: []span{{}}}}
	}
	if place == nil {
		place, people = own(len(s.people)), len(s.people)
	}
	if linePlace == nil {
		linePlace, lines = own(len(s.lines)), len(s.lines)
	}
	c := &company{
		place: place, linePlace: linePlace, all: newBitset(people), allLines: newBitset(lines), protected: newBitset(people),
		members: make([][]uint32, len(s.departments)), children: make([][]uint32, len(s.departments)),
		heads: map[uint32][]uint32{}, lists: map[uint32]bitset{},
	}
	c.all.addAll(place)
	c.allLines.addAll(linePlace)
	for i, p := range s.people {
		if p.panel {
			c.all.remove(place[i])
		}
		if p.protected {
			c.protected.add(place[i])
		}
		if p.department >= 0 {
			c.members[p.department] = append(c.members[p.department], place[i])
		}
	}
	for i, d := range s.departments {
		if d.parent >= 0 {
			c.children[d.parent] = append(c.children[d.parent], uint32(i))
		}
		if d.head >= 0 {
			c.heads[uint32(d.head)] = append(c.heads[uint32(d.head)], uint32(i))
		}
	}
	for i := range s.lines {
		of := newBitset(people)
		for _, m := range s.lineMembers(LineRef{uint32(i) + 1, s.lineTag}) {
			of.add(place[m])
		}
		c.staff = append(c.staff, of)
	}
	return &crowd{s, c}
}

func own(n int) []uint32 {
	all := make([]uint32, n)
	for i := range all {
		all[i] = uint32(i)
	}
	return all
}

// during is the same crowd at the moment of another Set of the same tables.
func (c *crowd) during(s *Set) *crowd { return &crowd{s, c.company} }

// apart are the same crowds for another goroutine.
func apart(crowds []*crowd) []*crowd {
	company := *crowds[0].company
	company.lists = map[uint32]bitset{}
	out := make([]*crowd, len(crowds))
	for i, c := range crowds {
		out[i] = &crowd{c.Set, &company}
	}
	return out
}

// list returns the employees whom a list names. The set must not be changed.
func (c *crowd) list(n uint32) bitset {
	if known, ok := c.lists[n]; ok {
		return known
	}
	if len(c.lists) >= maxLists {
		clear(c.lists)
	}
	out := make(bitset, len(c.all))
	l := c.tables.lists[n]
	items := c.listItems[l.start:][:l.departments+l.groups+l.people]
	for _, d := range items[:l.departments] {
		out.addAll(c.members[d])
	}
	for _, g := range items[l.departments:][:l.groups] {
		group := c.groups[g]
		for _, who := range c.tables.members[group.start:][:group.grants] {
			out.add(c.place[who])
		}
	}
	for _, who := range items[l.departments+l.groups:] {
		out.add(c.place[who])
	}
	c.lists[n] = out
	return out
}

// addReached adds whom the clause's scope holds, as Set.reaches has it.
func (c *crowd) addReached(dst bitset, cl *clause, subject uint32) {
	switch cl.scope {
	case scopeNone, scopeOwn:
	case scopeAny:
		dst.or(c.all)
	case scopeList:
		dst.or(c.list(cl.list))
	case scopeDepartment, scopeSubtree:
		if d := c.people[subject].department; d >= 0 {
			c.addDepartment(dst, uint32(d), cl.scope == scopeSubtree)
		}
		for _, d := range c.heads[subject] {
			c.addDepartment(dst, d, cl.scope == scopeSubtree)
		}
	}
}

func (c *crowd) addDepartment(dst bitset, d uint32, whole bool) {
	dst.addAll(c.members[d])
	if whole {
		for _, below := range c.children[d] {
			c.addDepartment(dst, below, true)
		}
	}
}

// rights is what binds the subject and what is granted to him, his own entry before his roles.
func (c *crowd) rights(subject uint32) (exclusions, grants [2][]clause) {
	return c.rightsOf(c.Set.ref(subject))
}

// spoken returns the actions that a grant of the subject is about. Others he cannot do, but for what is everybody's.
func (c *crowd) spoken(subject uint32) actionSet {
	_, grants := c.rights(subject)
	var all actionSet
	for _, clauses := range grants {
		for i := range clauses {
			all |= clauses[i].allow
		}
	}
	return all
}
