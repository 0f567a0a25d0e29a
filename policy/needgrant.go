package policy

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// maxWays bounds how many ways to grant something are told: an administrator reads them.
const maxWays = 4

// ranked is a way with what it gives: how many actions on how many people for how many.
type ranked struct {
	way   Way
	power int
}

// grant returns the ways to grant the action, the one that gives the least first.
func (w *whatIf) grant(a Action, now barriers) []Way {
	s := w.set
	var ways []Way
	if t, ok := w.opens(now); ok {
		ways = append(ways, wait(t, s.Location()))
	}
	var all []ranked
	all = append(all, w.ownRight(a)...)
	all = append(all, w.widened(a)...)
	all = append(all, w.roles(a)...)
	if len(all) == 0 {
		all = append(all, w.newRole(a))
	}
	slices.SortStableFunc(all, func(x, y ranked) int { return cmp.Compare(x.power, y.power) })
	for _, r := range all[:min(len(all), maxWays)] {
		ways = append(ways, r.way)
	}
	return ways
}

// about is what the request is about as an entry of a list, and the scope that a right on no more than that is written as.
func (w *whatIf) about() (entry, value string) {
	s, req := w.set, w.req
	switch req.Action.Matter() {
	case MatterNothing:
		return "", "true"
	case MatterCall:
		if req.Unrung {
			return "", scopeNames[scopeOwn]
		}
	case MatterLine:
		entry = "line:" + s.LineID(req.Line)
		return entry, inBrackets(entry)
	case MatterPast, MatterEmployee:
		if req.Target == req.Subject {
			return s.ID(req.Target), scopeNames[scopeOwn]
		}
	case MatterNumber:
	}
	return s.ID(req.Target), inBrackets(s.ID(req.Target))
}

// scoped is the value of a right that gives one action on a scope.
func scoped(key right, a Action, value string) string {
	switch {
	case key == rightObserve && a == ObserveKind:
		return "{to: " + value + ", show: kind}"
	case key.spec().modes != nil:
		return "{to: " + value + ", allow: " + inBrackets(a.String()) + "}"
	}
	return value
}

// ownRight is a new right in the subject's own entry, under a key that says nothing there yet.
func (w *whatIf) ownRight(a Action) []ranked {
	s := w.set
	_, value := w.about()
	own := &s.entries[s.people[w.req.Subject.n-1].own]
	for _, key := range []right{rightOf(a), rightListen, rightRecordings} {
		used := slices.ContainsFunc(s.clauses[own.start:][:own.exclusions+own.grants], func(c clause) bool { return s.wrote(c, key) })
		if used || !key.spec().actions.has(a) {
			continue
		}
		e := Edit{Kind: EditSet, Path: []string{"employees", s.ID(w.req.Subject), key.String()}, Value: scoped(key, a, value)}
		e.Text = "write " + strings.Join(e.Path, ".") + ": " + e.Value
		return []ranked{{one(e), 1}}
	}
	return nil
}

// newRole gives the right by a role of its own, which never contradicts what is there.
func (w *whatIf) newRole(a Action) ranked {
	s := w.set
	_, value := w.about()
	key := rightOf(a)
	return ranked{s.byNewRole(w.req.Subject, a.String(), "{"+key.String()+": "+scoped(key, a, value)+"}"), 1}
}

func (s *Set) byNewRole(subject Ref, what, rights string) Way {
	id := s.ID(subject) + "-" + what
	for n := 2; slices.Contains(s.roleNames, id); n++ {
		id = s.ID(subject) + "-" + what + "-" + strconv.Itoa(n)
	}
	e := Edit{Kind: EditSet, Path: []string{"roles", id}, Value: rights}
	e.Text = "write " + strings.Join(e.Path, ".") + ": " + e.Value
	return Way{Edits: []Edit{e, s.assignment(id, subject)}}
}

func (s *Set) assignment(role string, to Ref) Edit {
	value := "{role: " + role + ", to: " + inBrackets(s.ID(to)) + "}"
	return Edit{Kind: EditAssign, Path: []string{"assign"}, Value: value, Text: "assign " + value}
}

// widened are the grants of the subject that speak of the action and could reach further.
func (w *whatIf) widened(a Action) (all []ranked) {
	s := w.set
	_, grants := s.rightsOf(w.req.Subject)
	seen := map[RuleID]bool{}
	for _, clauses := range grants {
		for i := range clauses {
			c := &clauses[i]
			if seen[c.rule] || !s.open[c.window] || s.rules[c.rule-1].kind == ruleOverlay {
				continue
			}
			seen[c.rule] = true
			if e, power, ok := w.widen(c, a); ok {
				all = append(all, ranked{one(e), power * s.holders(c.rule)})
			}
		}
	}
	return all
}

// widen is the smallest change of one grant that gives the action.
func (w *whatIf) widen(c *clause, a Action) (e Edit, power int, ok bool) {
	s := w.set
	key := s.rules[c.rule-1].key
	spec, rule := key.spec(), s.Rule(c.rule)
	e = Edit{Kind: EditSet, Rule: rule}
	switch reached := w.reaches(c, a); {
	case c.allow.has(a) && a.Matter() == MatterNothing, c.allow.has(a) == reached:
		return e, 0, false
	case c.allow.has(a) && c.scope == scopeList:
		entry, _ := w.about()
		e.Kind, e.Path, e.Names = EditAdd, s.path(c.rule, "to"), []string{entry}
		e.Text = "add " + entry + " to " + rule.String()
		power = bits.OnesCount32(uint32(c.allow))
	case c.allow.has(a):
		wider := *c
		for wider.scope++; wider.scope < scopeAny && !w.reaches(&wider, a); wider.scope++ {
		}
		e.Path, e.Value = s.path(c.rule, "to"), scopeNames[wider.scope]
		e.Text = "let " + rule.String() + " reach " + e.Value + " instead of " + scopeNames[c.scope]
		power = s.reach(&wider, w.req.Subject) * bits.OnesCount32(uint32(c.allow))
	case key == rightObserve && a == Observe:
		e.Path, e.Value = s.path(c.rule, "show"), "peer"
		e.Text = "let " + rule.String() + " show the peer"
		power = s.reach(c, w.req.Subject)
	case spec.modes != nil && spec.actions.has(a):
		var modes []string
		for m := range (c.allow | setOf(a)).all() {
			modes = append(modes, m.String())
		}
		e.Path, e.Value = s.path(c.rule, "allow"), inBrackets(modes...)
		e.Text = "let " + rule.String() + " allow " + a.String() + " too"
		power = s.reach(c, w.req.Subject)
	default:
		return e, 0, false
	}
	e.Text += s.ofRole(c.rule)
	return e, power, true
}

// reach counts the employees in the scope of a grant.
func (s *Set) reach(c *clause, subject Ref) int {
	n := 1 // what is one's own
	for i := range s.people {
		if !s.people[i].panel && s.reaches(c, subject.n-1, uint32(i)) {
			n++
		}
	}
	return n
}

// holders counts whom a rule gives something: the employee, or all who have the role.
func (s *Set) holders(id RuleID) int {
	row := s.rules[id-1]
	if row.kind != ruleRole {
		return 1
	}
	has := make([]bool, len(s.roleSets))
	for i, set := range s.roleSets {
		has[i] = slices.ContainsFunc(s.setItems[set.start:][:set.grants], func(item uint32) bool { return s.assigned[item].role == row.owner })
	}
	n := 0
	for i := range s.people {
		if has[s.people[i].roleSet] {
			n++
		}
	}
	return n
}

// roles are the roles that would grant the action and stand in the way of nothing that is asked.
func (w *whatIf) roles(a Action) (all []ranked) {
	s := w.set
	for i, role := range s.roles[:s.written()] {
		clauses := s.allRoles[role.start:][:role.exclusions+role.grants]
		if slices.ContainsFunc(clauses[:role.exclusions], func(c clause) bool { _, bars := w.bars(c); return bars }) {
			continue
		}
		ground, power := RuleID(0), 0
		for j := range clauses[role.exclusions:] {
			c := &clauses[role.exclusions:][j]
			power += s.reach(c, w.req.Subject) * bits.OnesCount32(uint32(c.allow))
			if c.allow.has(a) && s.open[c.window] && w.reaches(c, a) {
				ground = c.rule
			}
		}
		if ground == 0 {
			continue
		}
		e := s.assignment(s.roleNames[i], w.req.Subject)
		e.Text += ", for " + s.Rule(ground).String()
		all = append(all, ranked{one(e), power})
	}
	return all
}
