package policy_test

import (
	"slices"
	"strings"
	"time"
)

// The naive evaluator is a second reading of the description of the language, sentence by sentence, over a model that is
// also printed as YAML. It shares nothing with the package: no compilation, no indexes, strings and loops only. This file has what
// all rights have in common and what is about live calls; the files beside it have the times, what is kept of calls, the
// lines, and dialling.

type model struct {
	now         time.Time
	zone        string // timezone of the policy
	times       []modelTime
	departments []modelDepartment
	groups      map[string][]string
	people      []modelPerson
	lines       []modelLine
	roles       map[string][]modelRight
	assign      []modelAssignment
	protected   []string // selectors
	guarded     bool     // protected.numbers is there
	outside     bool
}

type modelDepartment struct{ id, head, parent string }

type modelPerson struct {
	id, department string
	numbers        []string
	rights         []modelRight
}

type modelRight struct {
	key       string // observe, listen, spy, ...
	value     string // true, false, a scope word, or "list" or "map"
	to        string // of a map: a scope word, "list" or "" for left out
	list      []string
	allow     []string
	show      string // of observe: peer, kind or "" for left out
	except    []string
	reasonAll bool
	reason    []string
	when      modelWhen
	dial      *modelDial // of the key dial, which is all of it then
}

type modelAssignment struct {
	role string
	to   []string
	when modelWhen
}

func (m *model) person(id string) *modelPerson {
	for i := range m.people {
		if m.people[i].id == id {
			return &m.people[i]
		}
	}
	return nil
}

func (m *model) parent(d string) string {
	for _, x := range m.departments {
		if x.id == d {
			return x.parent
		}
	}
	return ""
}

func (m *model) headOf(d string) string {
	for _, x := range m.departments {
		if x.id == d {
			return x.head
		}
	}
	return ""
}

// within reports whether department d is top or lies below it.
func (m *model) within(d, top string) bool {
	for ; d != ""; d = m.parent(d) {
		if d == top {
			return true
		}
	}
	return false
}

// in reports whether a list names the person.
func (m *model) in(list []string, id string) bool {
	department := m.person(id).department
	for _, s := range list {
		kind, name, found := strings.Cut(s, ":")
		switch {
		case s == "everyone":
			return true
		case s == "heads":
			for _, d := range m.departments {
				if d.head == id {
					return true
				}
			}
		case !found && s == id,
			found && kind == "department" && department == name,
			found && kind == "subtree" && department != "" && m.within(department, name),
			found && kind == "group" && slices.Contains(m.groups[name], id):
			return true
		}
	}
	return false
}

// rightsOf is the union of one's own entry and every role that reaches one now.
func (m *model) rightsOf(id string) []modelRight {
	all := slices.Clone(m.person(id).rights)
	for _, a := range m.assign {
		if m.holds(a.when) && m.in(a.to, id) {
			all = append(all, m.roles[a.role]...)
		}
	}
	return all
}

var (
	listening = []string{"spy", "whisper", "barge"}
	recorded  = []string{"play", "download", "delete"}
)

// covers: listen and recordings are short for three each, and all is every one.
func covers(key, action string) bool {
	switch key {
	case "all":
		return true
	case "observe":
		return action == "observe" || action == "observe.kind"
	case "listen":
		return slices.Contains(listening, action)
	case "recordings":
		return slices.Contains(recorded, action)
	}
	return key == action
}

// gives: allow and show narrow the grant, and to delete recordings must be allowed by name.
func (r modelRight) gives(action string) bool {
	switch {
	case !covers(r.key, action):
		return false
	case len(r.allow) > 0:
		return slices.Contains(r.allow, action)
	case r.key == "recordings":
		return action != "delete"
	case r.value == "kind" || r.show == "kind":
		return action == "observe.kind"
	}
	return true
}

// grants are the rights of the subject that give the action now, whomever on.
func (m *model) grants(subject, action string) []modelRight {
	var all []modelRight
	for _, r := range m.rightsOf(subject) {
		if r.gives(action) && m.holds(r.when) {
			all = append(all, r)
		}
	}
	return all
}

// excluded: except bars the action that it stands under, at any time, and nobody is excepted from what is his own.
func (m *model) excluded(subject, action string, whom []string) bool {
	for _, r := range m.rightsOf(subject) {
		for _, who := range whom {
			if covers(r.key, action) && who != subject && m.in(r.except, who) {
				return true
			}
		}
	}
	return false
}

// unexplained: a reason binds like an exception, but is lifted when it is given. It is about listening and recordings.
func (m *model) unexplained(q question, whom []string) bool {
	if q.given || !slices.Contains(slices.Concat(listening, recorded), q.action) {
		return false
	}
	for _, r := range m.rightsOf(q.subject) {
		for _, who := range whom {
			if covers(r.key, q.action) && who != q.subject && (r.reasonAll || m.in(r.reason, who)) {
				return true
			}
		}
	}
	return false
}

func (m *model) anyProtected(whom []string) bool {
	return slices.ContainsFunc(whom, func(who string) bool { return m.in(m.protected, who) })
}

// scope spells out what a right's value means as a scope.
func (r modelRight) scope() string {
	switch {
	case r.value == "true" && r.key == "intercept":
		return "own"
	case r.value == "true", r.value == "kind":
		return "any"
	case r.value == "false":
		return "none"
	case r.value == "map" && r.to == "":
		return "any"
	case r.value == "map":
		return r.to
	}
	return r.value
}

// hasOwn: department, subtree and any have one's own in them; a list has only what it names.
func (r modelRight) hasOwn() bool {
	return slices.Contains([]string{"own", "department", "subtree", "any"}, r.scope())
}

func (m *model) reaches(scope string, list []string, subject, target string) bool {
	s, t := m.person(subject).department, m.person(target).department
	switch scope {
	case "any":
		return true
	case "list":
		return m.in(list, target)
	case "department":
		return t != "" && (t == s || m.headOf(t) == subject)
	case "subtree":
		if t == "" {
			return false
		}
		if s != "" && m.within(t, s) {
			return true
		}
		for _, d := range m.departments {
			if d.head == subject && m.within(t, d.id) {
				return true
			}
		}
	}
	return false
}

type question struct {
	subject, action, target           string
	line                              string
	with                              []string
	responsible                       string
	access                            []string
	party, protectedNumber, unknownNo bool
	locked, given                     bool
	bare                              bool // asked as a condition, and so without conditions
}

func (m *model) allows(q question) bool {
	switch q.action {
	case "observe", "observe.kind", "spy", "whisper", "barge", "intercept":
		return m.allowsLive(q)
	case "play", "download", "delete", "record", "journal", "grade":
		return m.allowsPast(q)
	case "statistics", "settings.user", "unnoticed":
		return m.allowsOnEmployee(q)
	case "lock", "settings.telephony", "settings.numbers", "settings.permissions":
		return m.allowsAtAll(q)
	case "dial": // is about a number, and not decided about a target
		return false
	}
	return m.allowsLine(q)
}

func (m *model) allowsLive(q question) bool {
	supervision := slices.Contains(listening, q.action)
	sees := q.action == "observe" || q.action == "observe.kind"
	// Nobody supervises himself; one's own calls one sees; a party sees the other side.
	if q.subject == q.target {
		return sees
	}
	if q.party && sees {
		return true
	}
	// A party to a call cannot supervise it, and nobody supervises one that is locked.
	if supervision && (q.party || q.locked || slices.Contains(q.with, q.subject)) {
		return false
	}
	// Exclusions are about everybody within earshot and beat every grant, and so does a reason that is not given.
	earshot := append([]string{q.target}, q.with...)
	if m.excluded(q.subject, q.action, earshot) || m.unexplained(q, earshot) {
		return false
	}
	// Protected employees: no supervision, no intercept by others; still visible to observers.
	for _, who := range earshot {
		if !sees && who != q.subject && m.in(m.protected, who) {
			return false
		}
	}
	// Protected numbers: hidden but for their kind, no supervision.
	if q.protectedNumber && q.action != "intercept" && q.action != "observe.kind" {
		return false
	}
	// A call with an unknown phone is not supervised unless the policy says outside.
	if supervision && q.unknownNo && !m.outside {
		return false
	}
	// A grant is about the target. For intercept own is one's own clients wherever they ring, and a list has them too.
	for _, r := range m.grants(q.subject, q.action) {
		if m.reaches(r.scope(), r.list, q.subject, q.target) || q.action == "intercept" && r.scope() != "none" && q.responsible == q.subject {
			return true
		}
	}
	return false
}
