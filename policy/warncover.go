package policy

import "slices"

// covered warns of grants that another one makes idle: of the same entry, or of a role that the employee has at all times. A grant beside an
// exception or a reason is how those are usually written, and is let be.
func (w *warner) covered() {
	byRoles := make([][]clause, len(w.roleSets))
	for i, set := range w.roleSets {
		for _, item := range w.setItems[set.start:][:set.grants] {
			if a := w.assigned[item]; a.window == 0 {
				role := w.tables.roles[a.role]
				byRoles[i] = append(byRoles[i], w.allRoles[role.start+role.exclusions:][:role.grants]...)
			}
		}
	}
	w.each(func(all []clause, s span, owner int, own bool) {
		grants := all[s.exclusions:]
		for i := range grants {
			a := &grants[i]
			key := w.rules[a.rule-1].key
			if a.scope == scopeOwn && key.spec().noOwn || slices.ContainsFunc(all[:s.exclusions], func(x clause) bool { return w.rules[x.rule-1].key == key }) {
				continue
			}
			by := RuleID(0)
			for j := range grants {
				if b := &grants[j]; i != j && by == 0 && w.covers(b, a) && (j < i || !w.covers(a, b)) {
					by = b.rule
				}
			}
			if own && by == 0 {
				more := byRoles[w.people[owner].roleSet]
				for j := range more {
					if by == 0 && w.covers(&more[j], a) {
						by = more[j].rule
					}
				}
			}
			if by != 0 {
				w.tellCovered(a.rule, by)
			}
		}
	})
	w.coveredDials()
}

func (w *warner) tellCovered(idle, by RuleID) {
	w.tellRule("covered grants", idle, "leave it out, or narrow the other", "all of this is granted by %s already", w.set.Rule(by))
}

// covers reports whether b grants all that a does.
func (w *warner) covers(b, a *clause) bool {
	return a.allow&^b.allow == 0 && (b.window == 0 || b.window == a.window) && w.wider(b, a)
}

// wider reports whether the scope of b holds that of a for everybody. Own, department, subtree and any each hold those before.
func (w *warner) wider(b, a *clause) bool {
	switch {
	case b.scope == scopeAny:
		return true
	case a.scope == scopeList || b.scope == scopeList:
		return a.scope == b.scope && w.holdsList(b.list, a.list)
	}
	return b.scope >= a.scope
}

// holdsList reports whether the one list names all that the other names.
func (w *warner) holdsList(outer, inner uint32) bool {
	if outer == inner {
		return true
	}
	parts := func(list uint32) [4][]uint32 {
		l := &w.lists[list]
		items := w.listItems[l.start:]
		return [4][]uint32{
			items[:l.departments], items[l.departments:][:l.groups], items[l.departments+l.groups:][:l.people], items[l.departments+l.groups+l.people:][:l.lines],
		}
	}
	of, in := parts(outer), parts(inner)
	for k, some := range in {
		for _, item := range some {
			if !slices.Contains(of[k], item) && (k != 2 || !w.contains(outer, item)) {
				return false
			}
		}
	}
	return true
}

// coveredDials is the same of calling clients and employees; of lists of numbers it says nothing.
func (w *warner) coveredDials() {
	byRoles := make([][]dialClause, len(w.roleSets))
	for i, set := range w.roleSets {
		for _, item := range w.setItems[set.start:][:set.grants] {
			if a := w.assigned[item]; a.window == 0 && len(w.allDials) > 0 {
				byRoles[i] = append(byRoles[i], dialRulesOf(w.allDials, w.roleDials[a.role]).grants...)
			}
		}
	}
	for i := range w.dialOf {
		if w.dialOf[i] == 0 {
			continue
		}
		own := dialRulesOf(w.dials, w.dialSpans[w.dialOf[i]-1])
		if len(own.exclusions) > 0 {
			continue
		}
		for j := range own.grants {
			a := &own.grants[j]
			for _, b := range byRoles[w.people[i].roleSet] {
				if a.kind != dialNumbers && (b.kind == dialAny || b.kind == a.kind && w.wider(&b.clause, &a.clause)) && (b.window == 0 || b.window == a.window) {
					w.tellCovered(a.rule, b.rule)
					break
				}
			}
		}
	}
}
