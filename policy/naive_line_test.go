package policy_test

import "slices"

// The part of the naive evaluator that is about lines.

type modelLine struct {
	id      string
	members []string // selectors
}

func (m *model) line(id string) *modelLine {
	for i := range m.lines {
		if m.lines[i].id == id {
			return &m.lines[i]
		}
	}
	return nil
}

func (m *model) allowsLine(q question) bool {
	line := m.line(q.line)
	var talk []string // the employees of one conversation; nobody's where it is about the line as a whole
	if q.target != "" {
		talk = append([]string{q.target}, q.with...)
	}
	// What is about the line as a whole is refused where somebody is named.
	if !slices.Contains([]string{"line.statistics", "line.history", "line.join", "line.grade"}, q.action) && (q.target != "" || len(q.with) > 0) {
		return false
	}
	took := slices.Contains(talk, q.subject)
	named := func(list []string) bool { return slices.Contains(list, "line:"+q.line) }
	// An exception bars the line that it names, and conversations with the employees that it names.
	if m.excluded(q.subject, q.action, talk) {
		return false
	}
	for _, r := range m.rightsOf(q.subject) {
		if covers(r.key, q.action) && named(r.except) {
			return false
		}
	}
	// Nobody joins a conversation with a protected employee or number on it.
	if q.action == "line.join" && (q.protectedNumber || m.anyProtected(talk)) {
		return false
	}
	// Its history with a protected number is for those who took part.
	if q.action == "line.history" && q.protectedNumber && !took {
		return false
	}
	// View and connect are each a condition of the other and both of change; history is a condition of grade.
	conditions := map[string][]string{
		"line.view": {"line.connect"}, "line.connect": {"line.view"}, "line.change": {"line.view", "line.connect"}, "line.grade": {"line.history"},
	}
	for _, c := range conditions[q.action] {
		condition := q
		condition.action = c
		if q.bare {
			break
		}
		if condition.bare = true; !m.allows(condition) {
			return false
		}
	}
	// Whoever is responsible for the client, or has access to him, has history and join of his conversations.
	if q.target != "" && (q.action == "line.history" || q.action == "line.join") && (q.responsible == q.subject || slices.Contains(q.access, q.subject)) {
		return true
	}
	for _, r := range m.grants(q.subject, q.action) {
		// It reaches a line that is in its list, and every line where it is any.
		if r.scope() == "list" && named(r.list) || r.scope() == "any" {
			return true
		}
		if q.target == "" {
			// Own is a line of which one is a member; or a member of which is in its scope.
			if r.hasOwn() && m.in(line.members, q.subject) {
				return true
			}
			for _, p := range m.people {
				if m.in(line.members, p.id) && m.reaches(r.scope(), r.list, q.subject, p.id) {
					return true
				}
			}
			continue
		}
		// One conversation: with an employee in its scope.
		if took && r.hasOwn() {
			return true
		}
		for _, who := range talk {
			if m.reaches(r.scope(), r.list, q.subject, who) {
				return true
			}
		}
	}
	return false
}
