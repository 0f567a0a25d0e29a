package policy_test

import "slices"

// The part of the naive evaluator that is about what is kept of calls, about employees, and about nobody.

// allowsPast: what was said is about a call with all employees who were on it.
func (m *model) allowsPast(q question) bool {
	on := append([]string{q.target}, q.with...)
	took := slices.Contains(on, q.subject)
	// It is excluded if any of them but the subject is.
	if m.excluded(q.subject, q.action, on) || m.unexplained(q, on) {
		return false
	}
	switch q.action {
	case "play", "download", "record":
		// Nobody plays, downloads or records a call with a protected employee or number on it.
		if q.protectedNumber || m.anyProtected(on) {
			return false
		}
	case "journal":
		// In the journal only those who were on it see one with a protected number.
		if q.protectedNumber && !took {
			return false
		}
	case "grade":
		// Who may not see a call in the journal may not grade it.
		condition := q
		condition.action = "journal"
		if !m.allows(condition) {
			return false
		}
	}
	// It is in scope if any of them is; own is what one took part in.
	for _, r := range m.grants(q.subject, q.action) {
		if took && r.hasOwn() {
			return true
		}
		for _, who := range on {
			if m.reaches(r.scope(), r.list, q.subject, who) {
				return true
			}
		}
	}
	return false
}

// allowsOnEmployee: statistics and settings.user are about one employee.
func (m *model) allowsOnEmployee(q question) bool {
	if m.excluded(q.subject, q.action, []string{q.target}) {
		return false
	}
	for _, r := range m.grants(q.subject, q.action) {
		if q.target == q.subject && r.hasOwn() || m.reaches(r.scope(), r.list, q.subject, q.target) {
			return true
		}
	}
	return false
}

// allowsAtAll: these are had or not, and nobody does them for somebody else.
func (m *model) allowsAtAll(q question) bool {
	if q.target != "" && q.target != q.subject {
		return false
	}
	for _, r := range m.grants(q.subject, q.action) {
		if r.scope() == "any" {
			return true
		}
	}
	return false
}
