package policy

import (
	"encoding/binary"
	"slices"
)

// rights turns the entries of employees and roles into clauses, exclusions first.
func (c *compiler) rights() {
	owner, role := uint32(0), uint32(0)
	c.entries = append(c.entries, newEntry(span{}, nil))
	for file, f := range c.sources {
		for i := range f.employees {
			e := &f.employees[i]
			var s span
			s, c.clauses = c.appendClauses(c.clauses, file, e.rights, owner, "employees", e.id.text, ruleEmployee)
			c.people[owner].own = c.addEntry(s)
			owner++
		}
		for _, r := range f.roles {
			var s span
			s, c.allRoles = c.appendClauses(c.allRoles, file, r.rights, role, "roles", r.id.text, ruleRole)
			c.roles = append(c.roles, s)
			role++
		}
	}
}

// appendClauses compiles one entry. The kind of a grant's rule is given; that of an exclusion's is the next one.
func (c *compiler) appendClauses(dst []clause, file int, rights []rightEntry, owner uint32, section, name string, kind ruleKind) (span, []clause) {
	s := span{start: uint32(len(dst))}
	for i := range rights {
		r := &rights[i]
		if r.exceptAt == (position{}) {
			continue
		}
		list, size := c.list(file, r.except, place{section, name, r.key.String(), "except"})
		if size == 0 {
			c.warnf(file, r.exceptAt, "", "%s.%s.%s.except: nobody is excepted by this", section, name, r.key)
			continue
		}
		// The exclusion bars everything that it stands under, whatever part of it the grant beside it allows.
		dst = append(dst, clause{list: list, rule: c.rule(file, r.exceptAt, kind+1, owner, r.key), allow: r.key.spec().actions, scope: scopeList})
		s.exclusions++
	}
	for i := range rights {
		r := &rights[i]
		if r.reasonAt == (position{}) {
			continue
		}
		ask := clause{allow: r.key.spec().actions & reasonable, scope: scopeAny, unless: unlessReason}
		if !r.reasonAll {
			size := 0
			ask.scope = scopeList
			if ask.list, size = c.list(file, r.reason, place{section, name, r.key.String(), "reason"}); size == 0 {
				c.warnf(file, r.reasonAt, "", "%s.%s.%s.reason: this is about nobody", section, name, r.key)
				continue
			}
		}
		ask.rule = c.rule(file, r.reasonAt, kind+2, owner, r.key)
		dst = append(dst, ask)
		s.exclusions++
	}
	for i := range rights {
		r := &rights[i]
		window := c.window(file, r.when, placeOf(section, name, r.key.String()))
		if r.scope == scopeNone {
			continue
		}
		var list uint32
		if r.scope == scopeList {
			list, _ = c.list(file, r.list, placeOf(section, name, r.key.String()))
		}
		dst = append(dst, clause{list: list, rule: c.rule(file, r.at, kind, owner, r.key), allow: r.allow, scope: r.scope, window: window})
		s.grants++
	}
	return s, dst
}

// list resolves a list of people and lines and returns its place and how many entries it comes to, zero when it names nobody.
// Equal lists are kept once: in many companies everybody has the same exceptions.
func (c *compiler) list(file int, all []selector, p place) (uint32, int) {
	var departments, groups, people, lines []uint32
	size := 0
	for _, sel := range all {
		w := word{sel.name, sel.at}
		switch sel.kind {
		case selectEmployee:
			if i, ok := c.employee(file, w, p.String()); ok {
				people = append(people, i)
				size++
			}
		case selectDepartment, selectSubtree:
			top, ok := c.departmentNamed(file, w, p.String())
			if !ok {
				continue
			}
			for _, d := range c.below(top, sel.kind == selectSubtree) {
				departments = append(departments, d)
				size += len(c.staffed[d])
			}
		case selectGroup:
			if i, ok := c.groupNamed(file, w, p.String()); ok {
				groups = append(groups, uint32(i))
				c.groupUsed[i] = true
				size += int(c.groups[i].grants)
			}
		case selectLine:
			if i, ok := c.lineNamed(file, w, p.String()); ok {
				lines = append(lines, uint32(i))
				size++
			}
		case selectEveryone, selectHeads: // for assigning roles; the parser lets them stand in no list
		}
	}
	for _, part := range []*[]uint32{&departments, &groups, &people, &lines} {
		slices.Sort(*part)
		*part = slices.Compact(*part)
	}
	row := peopleList{departments: uint32(len(departments)), groups: uint32(len(groups)), people: uint32(len(people)), lines: uint32(len(lines))}
	key := make([]byte, 0, 4*(3+len(departments)+len(groups)+len(people)+len(lines)))
	for _, n := range slices.Concat([]uint32{row.departments, row.groups, row.people}, departments, groups, people, lines) {
		key = binary.LittleEndian.AppendUint32(key, n)
	}
	if i, ok := c.interned[string(key)]; ok {
		return i, size
	}
	row.start = uint32(len(c.listItems))
	for _, part := range [][]uint32{departments, groups, people, lines} {
		c.listItems = append(c.listItems, part...)
	}
	c.lists = append(c.lists, row)
	c.interned[string(key)] = uint32(len(c.lists)) - 1
	return uint32(len(c.lists)) - 1, size
}

// below returns the department, with all that lie below it when whole.
func (c *compiler) below(top int, whole bool) []uint32 {
	if !whole {
		return []uint32{uint32(top)}
	}
	var all []uint32
	for d := range c.departments {
		for up := d; up >= 0; up = int(c.departments[up].parent) {
			if up == top {
				all = append(all, uint32(d))
				break
			}
		}
	}
	return all
}

// expand returns the employees that the selectors name, sorted. A panel is among them where it may be named, and never one of everyone.
func (c *compiler) expand(file int, all []selector, p place, panels bool) []uint32 {
	hit := make([]bool, len(c.ids))
	var named []selector
	for _, sel := range all {
		switch {
		case sel.kind == selectEveryone:
			for i := range hit {
				hit[i] = !c.people[i].panel || hit[i]
			}
		case sel.kind == selectEmployee && panels && c.panelIDs[sel.name]:
			hit[c.employeeAt[sel.name].owner] = true
		case sel.kind == selectHeads:
			for _, d := range c.departments {
				if d.head >= 0 {
					hit[d.head] = true
				}
			}
		default:
			named = append(named, sel)
		}
	}
	list, _ := c.list(file, named, p)
	l := &c.lists[list]
	items := c.listItems[l.start:][:l.departments+l.groups+l.people]
	mark := func(people []uint32) {
		for _, i := range people {
			hit[i] = true
		}
	}
	for _, d := range items[:l.departments] {
		mark(c.staffed[d])
	}
	for _, g := range items[l.departments:][:l.groups] {
		mark(c.members[c.groups[g].start:][:c.groups[g].grants])
	}
	mark(items[l.departments+l.groups:])
	var out []uint32
	for i := range hit {
		if hit[i] {
			out = append(out, uint32(i))
		}
	}
	return out
}

// assign gives each employee the set of assignments that reach him. Employees with the same set share one, so a role for
// everyone costs no more for ten thousand than for ten.
func (c *compiler) assign() {
	type step struct{ set, assignment uint32 }
	next := map[step]uint32{}
	sets := [][]uint32{nil}
	held := make([]bool, len(c.roleNames))
	for file, f := range c.sources {
		for _, a := range f.assignments {
			number := uint32(len(c.assigned))
			rule := c.rule(file, a.at, ruleAssignment, number+1, 0)
			role, ok := c.roleAt[a.role.text]
			if !ok && a.role.text != "" {
				c.errorf(file, a.role.at, c.guess(a.role.text, &c.candidates.roles, func() []string { return sortedKeys(c.roleAt) }), "assign.role: there is no role %q", a.role.text)
			}
			window := c.window(file, a.when, place{section: "assign"})
			c.assigned = append(c.assigned, assigned{role: uint32(role), rule: rule, window: window})
			members := c.expand(file, a.to, place{section: "assign", name: "to"}, true)
			c.reached = append(c.reached, len(members))
			if !ok {
				continue
			}
			held[role] = true // by nobody: of that the assignment is warned
			for _, i := range members {
				from := c.people[i].roleSet
				to, made := next[step{from, number}]
				if !made {
					to = uint32(len(sets))
					sets = append(sets, append(slices.Clone(sets[from]), number))
					next[step{from, number}] = to
				}
				c.people[i].roleSet = to
			}
		}
	}
	for _, set := range sets {
		c.roleSets = append(c.roleSets, span{start: uint32(len(c.setItems)), grants: uint32(len(set))})
		c.setItems = append(c.setItems, set...)
	}
	role := 0
	for file, f := range c.sources {
		for _, r := range f.roles {
			if !held[role] {
				c.warnf(file, r.id.at, "", "roles.%s: nobody has this role", r.id.text)
			}
			role++
		}
	}
}
