package policy

import "slices"

// A DialRight is one thing that the policy says of the numbers that a subject may call: a grant, or an exception from all grants.
type DialRight struct {
	// Mark is MarkYes or MarkNotNow of a grant, and MarkNo of an exception.
	Mark Mark
	// Text says which numbers: "any number", "own clients", "clients of department:sales (12)", "numbers of everybody (40)" or a list of
	// patterns.
	Text string
	Rule Rule
	Via  Rule // the assignment that brings the rule; zero when it stands in the subject's own entry
}

// dialRow tells what the policy says to the subject of dialling, exceptions last. Exceptions without a grant are nothing.
func (m *sheet) dialRow(who Ref) []DialRight {
	own, role := m.dialRights(who)
	var out []DialRight
	for i := range 2 {
		clauses := [...][]dialClause{own.grants, role.grants}[i]
		for i := range clauses {
			mark := MarkYes
			if !m.open[clauses[i].window] {
				mark = MarkNotNow
			}
			out = m.addDial(out, mark, &clauses[i], who.n-1)
		}
	}
	if len(out) == 0 {
		return nil
	}
	for _, clauses := range [...][]dialClause{own.exclusions, role.exclusions} {
		for i := range clauses {
			out = m.addDial(out, MarkNo, &clauses[i], who.n-1)
		}
	}
	return out
}

// addDial adds what one clause says, unless another says the same.
func (m *sheet) addDial(all []DialRight, mark Mark, c *dialClause, subject uint32) []DialRight {
	text := m.dialText(c, subject)
	if text == "" || slices.ContainsFunc(all, func(d DialRight) bool { return d.Mark == mark && d.Text == text }) {
		return all
	}
	return append(all, DialRight{Mark: mark, Text: text, Rule: m.Rule(c.rule), Via: m.via(c.clause)})
}

// dialText says which numbers the clause is about, "" for none.
func (m *sheet) dialText(c *dialClause, subject uint32) string {
	people := make(bitset, len(m.all))
	if c.kind == dialEmployees || c.kind == dialClients {
		m.addReached(people, &c.clause, subject)
	}
	switch {
	case c.kind == dialAny:
		return "any number"
	case c.kind == dialNumbers:
		return list(m.patternsOf(c))
	case c.kind == dialClients && c.scope == scopeAny:
		return "any client"
	case people.empty() && c.kind == dialClients:
		return "own clients"
	case people.empty():
		return ""
	case c.kind == dialClients:
		return "own clients and those of " + m.census.text(people, m.all, subject)
	default:
		return "numbers of " + m.census.text(people, m.all, subject)
	}
}

// patternsOf are the clause's numbers as the policy writes them.
func (t *tables) patternsOf(c *dialClause) []string {
	out := slices.Clone(t.patterns[c.whole.start:c.whole.end])
	for _, p := range t.patterns[c.prefixes.start:c.prefixes.end] {
		out = append(out, p+"*")
	}
	return out
}
