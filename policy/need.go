package policy

import (
	"slices"
	"strings"
)

// A Need is one thing that the other answer needs. Any of its ways meets it; one without ways is out of reach of every policy.
type Need struct {
	Reason Reason // the ground that stands against the other answer
	Text   string // of a need without ways: why there is none
	Ways   []Way  // the one that gives or takes the least comes first
}

// A Way is what meets a need: all its edits together.
type Way struct{ Edits []Edit }

// String returns the edits in words.
func (w Way) String() string {
	all := make([]string, len(w.Edits))
	for i, e := range w.Edits {
		all[i] = e.Text
	}
	return strings.Join(all, "; and ")
}

// An EditKind says what is done to a policy, or to the request. The zero value is no edit's.
type EditKind uint8

const (
	// EditTakeOut takes the Names out of the list at Path, and with them the entries Through which they are in it.
	EditTakeOut EditKind = iota + 1
	// EditRemove takes away what is at Path.
	EditRemove
	// EditAdd puts the Names into the list at Path. Where there is no such list it is made, and where there is no such right, one that grants
	// nothing. A right that is a word or a list is the map that has it under to, and whatever dial is a word for stays granted.
	EditAdd
	// EditSet makes Path the Value, whatever was there.
	EditSet
	// EditAssign adds the Value to assign.
	EditAssign
	// EditAsk changes no policy but the request: Path is reason, locked, protected_number, unknown_phone or at, and Value the moment.
	EditAsk
)

// String returns a code such as take_out; "unknown" for the zero value.
func (k EditKind) String() string {
	names := [...]string{EditTakeOut: "take_out", EditRemove: "remove", EditAdd: "add", EditSet: "set", EditAssign: "assign", EditAsk: "ask"}
	if k == 0 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// An Edit is one change, for a machine and in words.
type Edit struct {
	Kind    EditKind
	Rule    Rule     // that it changes; zero when it makes a new one
	Path    []string // of keys, such as employees, anna, listen, except
	Names   []string // entries of a list, as they are written in it
	Through []string // of EditTakeOut: the entries by which the Names are in the list. A department may be there as a subtree from above
	Value   string   // in YAML
	Text    string
}

// otherAnswer is what the explanation ends with.
func (e Explanation) otherAnswer() string {
	if len(e.Needs) == 0 {
		return ""
	}
	out := "\nTo allow it"
	if e.Decision.Allowed {
		out = "\nTo refuse it"
	}
	if len(e.Needs) > 1 {
		out += ", all of this"
	}
	out += ":"
	for _, n := range e.Needs {
		if len(n.Ways) == 0 {
			out += "\n  no way: " + n.Text
		}
		for i, w := range n.Ways {
			if i > 0 {
				out += "\n    or"
			} else {
				out += "\n "
			}
			out += " " + w.String()
		}
	}
	return out
}

// impossible is a need that no policy meets.
func impossible(reason Reason, text string) Need { return Need{Reason: reason, Text: text} }

// one is a way of a single edit.
func one(e Edit) Way { return Way{Edits: []Edit{e}} }

// path returns the keys that lead to the rule.
func (s *Set) path(id RuleID, more ...string) []string {
	row := s.rules[id-1]
	var p []string
	switch row.kind {
	case ruleEmployee, ruleEmployeeExcept, ruleEmployeeReason, ruleEmployeeNotify:
		p = []string{"employees", s.id(row.owner), row.key.String(), ruleEnds[row.kind-ruleEmployee]}
	case ruleRole, ruleRoleExcept, ruleRoleReason, ruleRoleNotify:
		p = []string{"roles", s.roleNames[row.owner], row.key.String(), ruleEnds[row.kind-ruleRole]}
	case ruleProtectedEmployees:
		p = []string{"protected", "employees"}
	case ruleProtectedNumber:
		p = []string{"protected", "numbers"}
	case ruleEmergency:
		p = []string{"emergency"}
	case ruleAssignment:
		p = []string{"assign"}
	case ruleOverlay:
		return []string{OverlayFile, s.overlayTexts[row.owner]}
	}
	if i := len(p) - 1; i == 3 {
		p[i] = strings.TrimPrefix(p[i], ".")
	}
	return append(slices.DeleteFunc(p, func(key string) bool { return key == "" }), more...)
}

// ofRole says for whom a change to the rule holds, where that is not the subject alone.
func (s *Set) ofRole(id RuleID) string {
	if row := s.rules[id-1]; row.kind == ruleRole || row.kind == ruleRoleExcept || row.kind == ruleRoleReason || row.kind == ruleRoleNotify {
		return ", for everybody with the role " + s.roleNames[row.owner]
	}
	return ""
}

// takeOut is the edit that takes employees out of the list of a rule.
func (s *Set) takeOut(rule RuleID, list uint32, who []uint32, more ...string) Edit {
	e := Edit{Kind: EditTakeOut, Rule: s.Rule(rule), Path: s.path(rule, more...)}
	indirect := false
	for _, i := range who {
		e.Names = append(e.Names, s.id(i))
		for _, entry := range s.through(list, i) {
			indirect = indirect || entry != s.id(i)
			if !slices.Contains(e.Through, entry) {
				e.Through = append(e.Through, entry)
			}
		}
	}
	e.Text = "take " + strings.Join(e.Names, ", ") + " out of " + e.Rule.String() + s.ofRole(rule)
	if indirect {
		e.Text += " (there through " + strings.Join(e.Through, ", ")
		if slices.ContainsFunc(e.Through, func(entry string) bool { return strings.HasPrefix(entry, "department:") }) {
			e.Text += "; a department may stand there as a subtree"
		}
		e.Text += ")"
	}
	return e
}

// through returns the entries of a list that hold the employee.
func (s *Set) through(list, who uint32) []string {
	l := &s.lists[list]
	items := s.listItems[l.start:][:l.departments+l.groups+l.people]
	var all []string
	if d := s.people[who].department; d >= 0 && slices.Contains(items[:l.departments], uint32(d)) {
		all = append(all, "department:"+s.departments[d].id)
	}
	for _, g := range items[l.departments:][:l.groups] {
		if m := s.groups[g]; holds(s.members[m.start:][:m.grants], who) {
			all = append(all, "group:"+s.groupNames[g])
		}
	}
	if holds(items[l.departments+l.groups:], who) {
		all = append(all, s.id(who))
	}
	return all
}

func inBrackets(names ...string) string { return "[" + strings.Join(names, ", ") + "]" }
