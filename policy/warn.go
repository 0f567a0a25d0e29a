package policy

import (
	"fmt"
	"slices"
)

// maxAlike bounds how many warnings of one kind are told: beyond it they are counted.
const maxAlike = 20

// warn tells what is legal and surely not meant, once all is compiled. Of a policy with mistakes it says nothing: a name that is misspelt
// would make much of it look idle.
func (c *compiler) warn() {
	if len(c.problems) > 0 {
		return
	}
	w := &warner{compiler: c, set: &Set{tables: c.tables}, told: map[string]int{}}
	w.organisation()
	w.assignments()
	w.reach()
	w.covered()
	w.conditions()
	w.phones()
	w.exchange()
	w.numbers()
	w.rest()
}

// warner finds what is worth a warning. It works on the compiled tables with sets of actions and not with pairs of people.
type warner struct {
	*compiler
	set  *Set
	told map[string]int
	last map[string]claim
}

// tell warns, unless enough of the kind has been told.
func (w *warner) tell(kind string, file int, p position, hint, format string, args ...any) {
	if w.told[kind]++; w.told[kind] <= maxAlike {
		w.warnf(file, p, hint, format, args...)
		return
	}
	if w.last == nil {
		w.last = map[string]claim{}
	}
	w.last[kind] = claim{file: file, at: p}
}

// rest says how many warnings were not told.
func (w *warner) rest() {
	for _, kind := range sortedKeys(w.last) {
		cl := w.last[kind]
		w.warnf(cl.file, cl.at, "", "%d more of this kind: %s", w.told[kind]-maxAlike, kind)
	}
}

// tellRule warns of a rule.
func (w *warner) tellRule(kind string, id RuleID, hint, format string, args ...any) {
	row := w.rules[id-1]
	w.tell(kind, int(row.file), row.at, hint, "%s: %s", w.set.Rule(id).Text, fmt.Sprintf(format, args...))
}

// organisation warns of groups, departments and lines that mean nothing.
func (w *warner) organisation() {
	peopled := make([]bool, len(w.departments))
	for d := range w.departments {
		if len(w.staffed[d]) == 0 {
			continue
		}
		for up := d; up >= 0 && !peopled[up]; up = int(w.departments[up].parent) {
			peopled[up] = true
		}
	}
	department, group, line := 0, 0, 0
	for file, f := range w.sources {
		for i := range f.departments {
			if e := &f.departments[i]; !peopled[department] {
				w.tell("empty departments", file, e.id.at, "", "departments.%s: nobody is in it or below it", e.id.text)
			}
			department++
		}
		for i := range f.groups {
			switch e := &f.groups[i]; {
			case w.groups[group].grants == 0:
				w.tell("empty groups", file, e.id.at, "", "groups.%s: nobody is in it", e.id.text)
			case !w.groupUsed[group]:
				w.tell("idle groups", file, e.id.at, "name it as group:"+e.id.text, "groups.%s: nothing refers to it", e.id.text)
			}
			group++
		}
		for i := range f.lines {
			if e := &f.lines[i]; w.lines[line].members.grants == 0 {
				w.tell("lines without members", file, e.id.at, "name those who work on it under members", "lines.%s: nobody works on it", e.id.text)
			}
			line++
		}
	}
}

var supervision = setOf(Spy, Whisper, Barge)

// over reports whether the window has closed for good.
func (w *warner) over(window uint16) bool {
	return window != 0 && w.windows[window-1].until != 0 && w.windows[window-1].until <= w.at.Unix()
}

// assignments warns of those that reach nobody, and of those by which everyone may listen to everyone.
func (w *warner) assignments() {
	number := 0
	for file, f := range w.sources {
		for i := range f.assignments {
			e, a, reached := &f.assignments[i], w.assigned[number], w.reached[number]
			number++
			if reached == 0 {
				w.tell("assignments to nobody", file, e.at, "", "assign[%d]: this reaches nobody", number)
				continue
			}
			// Names one by one are meant; a company of two is a test.
			named := !slices.ContainsFunc(e.to, func(s selector) bool { return s.kind != selectEmployee })
			if reached < len(w.people)-w.panelCount || named || w.over(a.window) {
				continue
			}
			role := w.tables.roles[a.role]
			for _, c := range w.allRoles[role.start+role.exclusions:][:role.grants] {
				if c.allow&supervision != 0 && c.scope == scopeAny {
					w.tell("everyone to everyone", file, e.at, "assign the role to heads, departments or groups, or give it a narrower scope",
						"assign[%d]: by %s everyone may listen to everyone", number, w.set.Rule(c.rule).Text)
					break
				}
			}
		}
	}
}

// each calls f with the clauses of every own entry and every role, and with the employee or the role whose they are.
func (w *warner) each(f func(all []clause, s span, owner int, own bool)) {
	for i := range w.people {
		if s := w.entries[w.people[i].own].span; s.exclusions+s.grants > 0 {
			f(w.clauses[s.start:][:s.exclusions+s.grants], s, i, true)
		}
	}
	for i, s := range w.tables.roles {
		f(w.allRoles[s.start:][:s.exclusions+s.grants], s, i, false)
	}
}

// reach warns of grants that are about nobody.
func (w *warner) reach() {
	w.each(func(all []clause, s span, owner int, own bool) {
		for _, c := range all[s.exclusions:] {
			if c.scope != scopeList {
				continue
			}
			l := w.lists[c.list]
			items := w.listItems[l.start:][:l.departments+l.groups+l.people]
			people, only := w.named(items, &l)
			switch {
			case people+int(l.lines) == 0:
				w.tellRule("grants on nobody", c.rule, "", "this is on nobody")
			case own && people == 1 && only == owner && w.rules[c.rule-1].key.spec().noOwn:
				w.tellRule("grants on oneself", c.rule, "nobody supervises himself: name whom it is on", "this is on himself alone")
			}
		}
	})
}

// named counts whom a list holds, of whom the last one by name is only.
func (w *warner) named(items []uint32, l *peopleList) (people, only int) {
	for _, d := range items[:l.departments] {
		people += len(w.staffed[d])
	}
	for _, g := range items[l.departments:][:l.groups] {
		people += int(w.groups[g].grants)
	}
	only = -1
	for _, i := range items[l.departments+l.groups:] {
		people, only = people+1, int(i)
	}
	return people, only
}
