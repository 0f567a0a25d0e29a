package policy

import (
	"slices"
	"strconv"
	"strings"
)

// What refuses a request must give nobody anything, whatever else the policy grants: an exception that goes with what it stands under would
// open what a role grants, and a right that is written with nothing but an exception grants all the rest.

// refuse returns what refuses a request that is allowed: to take away all that grants it, or to except whom it is about.
func (w *whatIf) refuse() []Need {
	s, req := w.set, w.req
	n := Need{Reason: ReasonAllowed}
	all := w.granting(s, req.Action)
	if !s.opened(req) && !(req.Action.sees() && (req.Party || req.Subject == req.Target)) {
		var take Way
		for _, c := range all {
			take.Edits = append(take.Edits, s.takeAway(c.rule, s.bindsUnder(c.rule)))
		}
		n.Ways = append(n.Ways, take)
	} else if req.Action.sees() {
		return []Need{impossible(ReasonAllowed, "who is on a call sees it, whatever the policy says")}
	}
	if e, ok := w.except(); ok {
		n.Ways = append(n.Ways, one(e))
	}
	if len(n.Ways) == 0 {
		n.Text = "it comes from the client, and not from a rule of the policy"
	}
	return []Need{n}
}

// takeAway is the edit that leaves nothing of a grant. What is excepted under the same right stays so.
func (s *Set) takeAway(id RuleID, excepts bool) Edit {
	rule := s.Rule(id)
	e := Edit{Kind: EditRemove, Rule: rule, Path: s.path(id), Text: "take " + rule.String() + " away" + s.ofRole(id)}
	if excepts {
		e.Kind, e.Path, e.Value = EditSet, s.path(id, "to"), scopeNames[scopeNone]
		e.Text = "let " + rule.String() + " reach none" + s.ofRole(id)
	}
	return e
}

// bindsUnder reports whether exceptions or reasons stand under the right of a grant.
func (s *Set) bindsUnder(id RuleID) bool {
	row := s.rules[id-1]
	var clauses []clause
	if row.kind == ruleOverlay {
		return false
	}
	if row.kind == ruleRole {
		role := s.roles[row.owner]
		clauses = s.allRoles[role.start:][:role.exclusions]
	} else {
		own := &s.entries[s.people[row.owner].own]
		clauses = s.clauses[own.start:][:own.exclusions]
	}
	return slices.ContainsFunc(clauses, func(c clause) bool { return s.wrote(c, row.key) })
}

// wrote reports whether a clause stands under a right in the policy itself, and not in an overlay.
func (s *Set) wrote(c clause, key right) bool {
	row := s.rules[c.rule-1]
	return row.key == key && row.kind != ruleOverlay
}

// except is an exception in the subject's own entry, which binds nobody else.
func (w *whatIf) except() (Edit, bool) {
	s, req := w.set, w.req
	key := rightOf(req.Action)
	name := ""
	if others := w.others(); len(others) > 0 {
		name = s.id(others[0])
	} else if req.Action.Matter() == MatterLine {
		name = "line:" + s.LineID(req.Line)
	}
	if name == "" || !key.spec().people {
		return Edit{}, false
	}
	own := &s.entries[s.people[req.Subject.n-1].own]
	clauses := s.clauses[own.start:][:own.exclusions+own.grants]
	for _, c := range clauses {
		if k := s.rules[c.rule-1].key; s.wrote(c, k) && k.spec().actions.has(req.Action) && k.spec().people {
			key = k
			break
		}
	}
	var entry ownEntry
	for _, c := range clauses {
		switch row := s.rules[c.rule-1]; {
		case !s.wrote(c, key):
		case row.kind != ruleEmployee, c.window != 0, c.allow != key.spec().given && key != rightObserve:
			entry.mapped = true
		default:
			entry.grant = "to: " + s.scopeText(&c)
			if c.allow != key.spec().given {
				entry.grant += ", show: " + showKind
			}
		}
	}
	return entry.except([]string{"employees", s.ID(req.Subject), key.String()}, nil, []string{name}, inBrackets(name)), true
}

// ownEntry is how a right is written in somebody's own entry, as far as that can be told from what it comes to.
type ownEntry struct {
	mapped bool   // it has something that stands in a map only
	grant  string // what it grants, as it stands in a map; "" where it grants nothing
}

// except is the edit that adds names to the exceptions of the right at a path, below which they stand in a list at more.
func (o ownEntry) except(path, more, names []string, list string) Edit {
	under := append([]string{"except"}, more...)
	value := "except: " + list
	if len(more) > 0 {
		value = "except: {" + more[0] + ": " + list + "}"
	}
	e := Edit{Kind: EditAdd, Path: slices.Concat(path, under), Names: names}
	switch {
	case o.mapped: // where it has no list of exceptions yet, there is no doubt where one belongs
		e.Text = "add " + strings.Join(names, ", ") + " to " + strings.Join(e.Path, ".")
	default:
		if o.grant == "" {
			o.grant = "to: none"
		}
		e.Kind, e.Path, e.Names, e.Value = EditSet, path, nil, "{"+o.grant+", "+value+"}"
		e.Text = "write " + strings.Join(path, ".") + ": " + e.Value
	}
	e.Text += ", which bars whatever grants there are"
	return e
}

// scopeText is the scope of a grant as a policy writes it, subtrees in lists department by department.
func (s *Set) scopeText(c *clause) string {
	if c.scope != scopeList {
		return scopeNames[c.scope]
	}
	l := &s.lists[c.list]
	items := s.listItems[l.start:][:l.departments+l.groups+l.people+l.lines]
	var all []string
	add := func(n uint32, name func(uint32) string) {
		for _, i := range items[:n] {
			all = append(all, name(i))
		}
		items = items[n:]
	}
	add(l.departments, func(i uint32) string { return "department:" + s.departments[i].id })
	add(l.groups, func(i uint32) string { return "group:" + s.groupNames[i] })
	add(l.people, s.id)
	add(l.lines, func(i uint32) string { return "line:" + s.lines[i].id })
	return inBrackets(all...)
}

// rightOf returns the right that gives the action and as little beside it as there is.
func rightOf(a Action) right {
	if a.sees() {
		return rightObserve
	}
	return right(slices.Index(rightNames, a.String()))
}

// refuse is refuse for dialling.
func (d *dialIf) refuse() []Need {
	s := d.set
	var take Way
	all := d.granting(s)
	for i := range all {
		take.Edits = append(take.Edits, d.takeAway(all, i)...)
	}
	return []Need{{Reason: ReasonAllowed, Ways: []Way{take, one(d.except())}}}
}

// takeAway are the edits that leave nothing of one of the grants that all go. A map of which no part is left must say so: without a part it
// would be the right to call any number.
func (d *dialIf) takeAway(all []dialClause, i int) []Edit {
	s, c := d.set, &all[i]
	row := s.rules[c.rule-1]
	rules := d.written(row)
	under := func(o dialClause) bool { return s.rules[o.rule-1].key == row.key }
	excepts := slices.ContainsFunc(rules.exclusions, under)
	if row.key != rightDial {
		return []Edit{s.takeAway(c.rule, excepts || s.bindsUnder(c.rule))}
	}
	gone := func(o dialClause) bool {
		return !under(o) || slices.ContainsFunc(all, func(g dialClause) bool { return g.rule == o.rule })
	}
	if kept := slices.ContainsFunc(rules.grants, func(o dialClause) bool { return !gone(o) }); kept {
		rule := s.Rule(c.rule)
		return []Edit{{Kind: EditRemove, Rule: rule, Path: d.part(c), Text: "take " + rule.String() + " (" + dialKeys[c.kind] + ") away" + s.ofRole(c.rule)}}
	}
	// The whole right goes, with the first of its parts.
	for _, o := range all[:i] {
		if r := s.rules[o.rule-1]; r.key == row.key && r.kind == row.kind && r.owner == row.owner {
			return nil
		}
	}
	e := s.takeAway(c.rule, false)
	if excepts {
		e.Kind, e.Value = EditSet, "{to: none, except: "+d.exceptText(rules.exclusions)+"}"
		e.Text = "write " + strings.Join(e.Path, ".") + ": " + e.Value + s.ofRole(c.rule)
	}
	return []Edit{e}
}

// written is what the entry of a rule says of dialling.
func (d *dialIf) written(row ruleRow) dialRules {
	s := d.set
	if row.kind == ruleRole {
		return dialRulesOf(s.allDials, s.roleDials[row.owner])
	}
	return dialRulesOf(s.dials, s.dialSpans[s.dialOf[row.owner]-1])
}

// exceptText is the map of the exceptions that stand under dial.
func (d *dialIf) exceptText(exclusions []dialClause) string {
	var parts []string
	for i := range exclusions {
		switch c := &exclusions[i]; {
		case d.set.rules[c.rule-1].key != rightDial:
		case c.kind == dialNumbers:
			parts = append(parts, dialKeys[c.kind]+": "+d.numbersText(c))
		default:
			parts = append(parts, dialKeys[c.kind]+": "+d.set.scopeText(&c.clause))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (d *dialIf) numbersText(c *dialClause) string {
	var quoted []string
	for _, n := range d.set.patternsOf(c) {
		quoted = append(quoted, strconv.Quote(n))
	}
	return inBrackets(quoted...)
}

// except is an exception of the number in the subject's own entry.
func (d *dialIf) except() Edit {
	s := d.set
	own, _ := s.dialRights(d.subject)
	var entry ownEntry
	path, number := []string{"employees", s.ID(d.subject), rightDial.String()}, []string{d.to.Number}
	list := inBrackets(strconv.Quote(d.to.Number))
	entry.mapped = slices.ContainsFunc(own.exclusions, func(c dialClause) bool { return s.rules[c.rule-1].key == rightDial })
	var parts []string
	for i := range own.grants {
		c := &own.grants[i]
		if s.rules[c.rule-1].key != rightDial {
			continue
		}
		entry.mapped = entry.mapped || c.window != 0
		switch c.kind {
		case dialAny:
			parts = append(parts, "to: any")
		case dialNumbers:
			parts = append(parts, dialKeys[c.kind]+": "+d.numbersText(c))
		default:
			parts = append(parts, dialKeys[c.kind]+": "+s.scopeText(&c.clause))
		}
	}
	entry.grant = strings.Join(parts, ", ")
	return entry.except(path, []string{dialKeys[dialNumbers]}, number, list)
}
