package policy

import "strings"

// held is what somebody may be granted at one time or another, by his own entry and his roles.
func (w *warner) held() (own, roles []actionSet) {
	roles = make([]actionSet, len(w.roleSets))
	for i, set := range w.roleSets {
		for _, item := range w.setItems[set.start:][:set.grants] {
			a := w.assigned[item]
			if w.over(a.window) {
				continue
			}
			role := w.tables.roles[a.role]
			roles[i] |= w.given(w.allRoles[role.start+role.exclusions:][:role.grants])
		}
	}
	own = make([]actionSet, len(w.people))
	for i := range w.people {
		s := &w.entries[w.people[i].own]
		own[i] = w.given(w.clauses[s.start+s.exclusions:][:s.grants])
	}
	return own, roles
}

// given is what the grants give on anybody at all.
func (w *warner) given(grants []clause) (all actionSet) {
	for i := range grants {
		c := &grants[i]
		if w.over(c.window) {
			continue
		}
		some := c.allow
		if c.scope == scopeOwn {
			some &^= supervision
		}
		all |= some
	}
	return all
}

// conditions warns of a right the condition of which nobody has who has it.
func (w *warner) conditions() {
	own, roles := w.held()
	// What the holders of each role have beside it, all together.
	with := make([]actionSet, len(w.tables.roles))
	for i := range w.people {
		set := w.people[i].roleSet
		for _, item := range w.setItems[w.roleSets[set].start:][:w.roleSets[set].grants] {
			with[w.assigned[item].role] |= own[i] | roles[set]
		}
	}
	w.each(func(all []clause, s span, owner int, isOwn bool) {
		var has actionSet
		if isOwn {
			has = own[owner] | roles[w.people[owner].roleSet]
		} else {
			has = with[owner]
		}
		if has == 0 { // nobody has the role, which is told of itself
			return
		}
		for _, c := range all[s.exclusions:] {
			var missing []string
			for a := range c.allow.all() {
				for need := range a.conditions().all() {
					if !has.has(need) {
						missing = append(missing, need.String())
					}
				}
			}
			if len(missing) > 0 {
				w.tellRule("missing conditions", c.rule, "give "+strings.Join(missing, " and ")+" too", "it gives nothing without %s", strings.Join(missing, " and "))
			}
		}
	})
}

// phones warns of those who may supervise and have no phone to do it with. A policy that names no phone at all is for something else.
func (w *warner) phones() {
	if len(w.tables.phones) == 0 {
		return
	}
	own, roles := w.held()
	i, before := 0, uint32(0)
	for file, f := range w.sources {
		for j := range f.employees {
			e, p := &f.employees[j], &w.people[i]
			if p.phones == before && !p.panel && (own[i]|roles[p.roleSet])&supervision != 0 {
				w.tell("supervisors without a phone", file, e.id.at, "name his phones: Earshot rings one of them", "employees.%s: he may listen and has no phone to do it with", e.id.text)
			}
			before = p.phones
			i++
		}
	}
}

// numbers warns of numbers that are not what they look like where rights to dial are given.
func (w *warner) numbers() {
	grants := len(w.dials)+len(w.allDials) > 0
	always := map[string]bool{}
	for _, n := range w.emergency {
		always[n] = true
	}
	for file, f := range w.sources {
		for i := range f.employees {
			e := &f.employees[i]
			for _, n := range e.numbers {
				if grants && len(n.text) > shortDigits && strings.Trim(n.text, "0123456789") == "" {
					w.tell("numbers without a country code", file, n.at, "write it with a plus and the country code",
						"employees.%s.numbers: as it is written nobody may dial it, and it only excepts and hides", e.id.text)
				}
			}
			w.emergencies(file, "employees."+e.id.text, e.dial, always)
		}
		for i := range f.roles {
			w.emergencies(file, "roles."+f.roles[i].id.text, f.roles[i].dial, always)
		}
	}
}

// emergencies warns of exceptions that name an emergency number, which nothing bars.
func (w *warner) emergencies(file int, where string, d *dialEntry, always map[string]bool) {
	if d == nil {
		return
	}
	for _, part := range d.except {
		for _, p := range part.numbers {
			if !p.prefix && always[p.text] {
				w.tell("exceptions of emergency numbers", file, p.at, "take it out of emergency to bar it", "%s.dial.except: an emergency number may always be dialled", where)
			}
		}
	}
}
