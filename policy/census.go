package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A census tells sets of employees in few words: everybody, everybody but some, departments, groups, and names.
type census struct {
	ids         []string // by place
	department  []int32  // by place; -1: none
	departments []censusPart
	children    [][]uint32
	groups      []censusPart // the largest first
	all         bitset
}

type censusPart struct {
	name    string
	members []uint32
}

const (
	maxNames = 6 // how many people are told by name before a count of the others
	maxBut   = 3 // how many may be missing in a department that is told as one
)

// newCensus makes the census of the people of a crowd, to whom others may be added who are in no department.
func newCensus(c *crowd, others ...string) *census {
	n := &census{ids: append(c.ids(), others...), children: c.children}
	n.all = newBitset(len(n.ids))
	for i := range n.ids {
		if i >= c.places() || !c.people[i].panel {
			n.all.add(uint32(i))
		}
		n.department = append(n.department, -1)
	}
	for i, d := range c.Set.departments {
		n.departments = append(n.departments, censusPart{d.id, c.members[i]})
		for _, who := range c.members[i] {
			n.department[who] = int32(i)
		}
	}
	for i, name := range c.groupNames {
		g := c.groups[i]
		n.groups = append(n.groups, censusPart{name, c.tables.members[g.start:][:g.grants]})
	}
	slices.SortStableFunc(n.groups, func(a, b censusPart) int { return cmp.Compare(len(b.members), len(a.members)) })
	return n
}

// text tells the set of those in the universe. Self is the place of the subject, whom everybody else leaves out.
func (n *census) text(set, universe bitset, self uint32) string {
	missing := universe.without(set)
	count, out := set.count(), missing.count()
	switch {
	case count == 0:
		return "nobody"
	case count == 1 && set.has(self):
		return "himself"
	case out == 0:
		return fmt.Sprintf("everybody (%d)", count)
	case out == 1 && missing.has(self):
		return fmt.Sprintf("everybody else (%d)", count)
	case count <= 3:
		return strings.Join(n.names(set), ", ")
	case out <= maxBut && out*3 < count:
		return fmt.Sprintf("everybody (%d) but %s", count, strings.Join(n.names(missing), ", "))
	}
	parts := n.parts(set, universe)
	if but := n.parts(missing, universe); 2*len(but) < len(parts) || 2*len(but) < len(parts)+1 && count > out {
		return fmt.Sprintf("everybody (%d) but %s", count, list(but))
	}
	return list(parts)
}

// list puts the parts one after the other, and counts those at the end that are too many.
func list(parts []string) string {
	if len(parts) > maxNames+1 {
		return fmt.Sprintf("%s and %d more", strings.Join(parts[:maxNames], ", "), len(parts)-maxNames)
	}
	return strings.Join(parts, ", ")
}

func (n *census) names(set bitset) []string {
	var out []string
	for i := range set.places() {
		out = append(out, n.ids[i])
	}
	return out
}

// parts divides the set into departments with all below them, departments, groups and single people.
func (n *census) parts(set, universe bitset) []string {
	have, size := make([]int, len(n.departments)), make([]int, len(n.departments))
	rest := slices.Clone(set)
	for i := range set.places() {
		if d := n.department[i]; d >= 0 {
			have[d]++
		}
	}
	for d, part := range n.departments {
		for _, who := range part.members {
			if universe.has(who) {
				size[d]++
			}
		}
	}
	var out []string
	below := make([]bool, len(n.departments))
	for d := range n.departments {
		for _, child := range n.children[d] {
			below[child] = true
		}
	}
	for d := range n.departments {
		if !below[d] {
			out = n.units(out, uint32(d), set, universe, rest, have, size)
		}
	}
	for _, g := range n.groups {
		members, new := 0, 0
		for _, who := range g.members {
			if set.has(who) {
				members++
			}
			if rest.has(who) {
				new++
			}
		}
		if new >= 2 && members == len(g.members) {
			out = append(out, fmt.Sprintf("group:%s (%d)", g.name, members))
			for _, who := range g.members {
				rest.remove(who)
			}
		}
	}
	return append(out, n.names(rest)...)
}

// units tells the department and those below it as far as they are in the set as a whole, and takes them out of the rest.
func (n *census) units(out []string, d uint32, set, universe, rest bitset, have, size []int) []string {
	if people, departments := n.whole(d, have, size); departments > 1 {
		n.remove(rest, d, true)
		return append(out, fmt.Sprintf("subtree:%s (%d)", n.departments[d].name, people))
	}
	missing := size[d] - have[d]
	switch name := n.departments[d].name; {
	case have[d] < 2:
	case missing == 0:
		out = append(out, fmt.Sprintf("department:%s (%d)", name, have[d]))
		n.remove(rest, d, false)
	case missing <= maxBut && missing*3 <= have[d]:
		var but []string
		for _, who := range n.departments[d].members {
			if universe.has(who) && !set.has(who) {
				but = append(but, n.ids[who])
			}
		}
		out = append(out, fmt.Sprintf("department:%s (%d) but %s", name, have[d], strings.Join(but, ", ")))
		n.remove(rest, d, false)
	}
	for _, child := range n.children[d] {
		out = n.units(out, child, set, universe, rest, have, size)
	}
	return out
}

// whole returns how many people and departments with people there are in a department and below, when all of them are in the set; otherwise
// nothing.
func (n *census) whole(d uint32, have, size []int) (people, departments int) {
	if have[d] < size[d] {
		return 0, 0
	}
	people = size[d]
	if people > 0 {
		departments = 1
	}
	for _, child := range n.children[d] {
		p, more := n.whole(child, have, size)
		if more == 0 && n.people(child, size) > 0 {
			return 0, 0
		}
		people, departments = people+p, departments+more
	}
	return people, departments
}

func (n *census) people(d uint32, size []int) int {
	all := size[d]
	for _, child := range n.children[d] {
		all += n.people(child, size)
	}
	return all
}

func (n *census) remove(rest bitset, d uint32, whole bool) {
	for _, who := range n.departments[d].members {
		rest.remove(who)
	}
	if whole {
		for _, child := range n.children[d] {
			n.remove(rest, child, true)
		}
	}
}
