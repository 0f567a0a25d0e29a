package policy

import (
	"slices"
	"strings"
)

// organise resolves departments, groups and who is where.
func (c *compiler) organise() {
	place := 0
	for file, f := range c.sources {
		for _, d := range f.departments {
			row := &c.departments[place]
			if d.head.text != "" {
				if i, ok := c.employee(file, d.head, "departments."+d.id.text+".head"); ok {
					row.head = int32(i)
				}
			}
			if d.parent.text != "" {
				if i, ok := c.departmentNamed(file, d.parent, "departments."+d.id.text+".parent"); ok {
					row.parent = int32(i)
				}
			}
			place++
		}
	}
	c.cycles()
	place = 0
	for file, f := range c.sources {
		for _, g := range f.groups {
			var refs []uint32
			for _, m := range g.members {
				if i, ok := c.employee(file, m, "groups."+g.id.text); ok {
					refs = append(refs, i)
				}
			}
			slices.Sort(refs)
			refs = slices.Compact(refs)
			c.groups[place] = span{start: uint32(len(c.members)), grants: uint32(len(refs))}
			c.members = append(c.members, refs...)
			place++
		}
	}
	c.people = make([]person, 0, len(c.ids))
	c.staffed = make([][]uint32, len(c.departments))
	for file, f := range c.sources {
		for i := range f.employees {
			e := &f.employees[i]
			p := person{department: -1, panel: e.panel}
			if e.panel {
				c.panelCount++
			}
			if e.department.text != "" {
				if i, ok := c.departmentNamed(file, e.department, "employees."+e.id.text+".department"); ok {
					p.department = int32(i)
					c.staffed[i] = append(c.staffed[i], uint32(len(c.people)))
				}
			}
			c.people = append(c.people, p)
		}
	}
}

// cycles reports each ring of departments once, and cuts it, so that what walks upwards ends.
func (c *compiler) cycles() {
	const unseen, onPath, done = 0, 1, 2
	state := make([]int, len(c.departments))
	for start := range c.departments {
		var path []int
		i := start
		for i >= 0 && state[i] == unseen {
			state[i] = onPath
			path = append(path, i)
			i = int(c.departments[i].parent)
		}
		if i >= 0 && state[i] == onPath {
			ring := path[slices.Index(path, i):]
			names := make([]string, 0, len(ring)+1)
			for _, d := range append(ring, i) {
				names = append(names, c.departments[d].id)
			}
			file, p := c.parentOf(i)
			c.errorf(file, p, "", "departments.%s.parent: a department cannot be below itself: %s", c.departments[i].id, strings.Join(names, " < "))
			c.departments[i].parent = -1
		}
		for _, d := range path {
			state[d] = done
		}
	}
}

// parentOf finds where the department's parent is written.
func (c *compiler) parentOf(place int) (int, position) {
	for file, f := range c.sources {
		if place < len(f.departments) {
			return file, f.departments[place].parent.at
		}
		place -= len(f.departments)
	}
	return 0, position{1, 1}
}

func (c *compiler) employee(file int, w word, where string) (uint32, bool) {
	if cl, ok := c.employeeAt[w.text]; ok && !c.panelIDs[w.text] {
		return cl.owner, true
	} else if ok {
		c.errorf(file, w.at, "grant it what it may by its own entry, or by its name in assign", "%s: %q is a panel and no employee", where, w.text)
		return 0, false
	}
	c.errorf(file, w.at, c.guess(w.text, &c.candidates.people, func() []string { return c.ids }), "%s: there is no employee %q", where, w.text)
	return 0, false
}

func (c *compiler) departmentNamed(file int, w word, where string) (int, bool) {
	if i, ok := c.departmentAt[w.text]; ok {
		return i, true
	}
	c.errorf(file, w.at, c.guess(w.text, &c.candidates.departments, func() []string { return sortedKeys(c.departmentAt) }), "%s: there is no department %q", where, w.text)
	return 0, false
}

func (c *compiler) groupNamed(file int, w word, where string) (int, bool) {
	if i, ok := c.groupAt[w.text]; ok {
		return i, true
	}
	c.errorf(file, w.at, c.guess(w.text, &c.candidates.groups, func() []string { return sortedKeys(c.groupAt) }), "%s: there is no group %q", where, w.text)
	return 0, false
}

// claims gives phones and numbers their owners. What is claimed twice proves nobody.
func (c *compiler) claims() {
	phones, numbers := &endpointClaims{map[string]claim{}, map[endpoint]claim{}}, map[string]claim{}
	owner := uint32(0)
	for file, f := range c.sources {
		for i := range f.employees {
			e := &f.employees[i]
			for _, w := range e.phones {
				if c.claimEndpoint(phones, file, w, owner, c.pbx(owner), "employees."+e.id.text+".phones", "phone", e.id.text) {
					c.phones, c.phoneOf = append(c.phones, w.text), append(c.phoneOf, owner)
				}
			}
			for _, w := range e.numbers {
				if c.claim(numbers, file, w, owner, "employees."+e.id.text+".numbers", "number", e.id.text) {
					c.numbers, c.numOf = append(c.numbers, w.text), append(c.numOf, owner)
				}
			}
			c.people[owner].phones, c.people[owner].numbers = uint32(len(c.phones)), uint32(len(c.numbers))
			owner++
		}
	}
	for file, f := range c.sources {
		for _, w := range f.trunks {
			if c.claimEndpoint(phones, file, w, 0, 0, "trunks", "endpoint", "") {
				c.trunks = append(c.trunks, w.text)
			}
		}
		for _, w := range f.emergency {
			if c.claim(numbers, file, w, 0, "emergency", "emergency number", "") {
				c.emergency = append(c.emergency, w.text)
				c.emergencyRules = append(c.emergencyRules, c.rule(file, w.at, ruleEmergency, 0, 0))
			}
		}
	}
}

// claim gives the number w to its owner unless it is taken. By is the owner's id, "" for what belongs to nobody; those are claimed last,
// so that they are told whose it is.
func (c *compiler) claim(all map[string]claim, file int, w word, owner uint32, where, what, by string) bool {
	first, taken := all[w.text]
	if !taken {
		all[w.text] = claim{owner: owner, file: file, at: w.at, what: by}
		return true
	}
	if first.what == by {
		c.errorf(file, w.at, "", "%s: this %s is here twice, first at %s", where, what, c.where(first))
		return false
	}
	c.errorf(file, w.at, "", "%s: this %s is %s's already, at %s", where, what, first.what, c.where(first))
	return false
}
