package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// OverlayFile is the File of the rules that an overlay lays over a policy.
const OverlayFile = "overlay"

// ErrOverlay means that an overlay does not fit a policy. Nothing of it is taken.
var ErrOverlay = errors.New("the overlay does not fit the policy")

// An Overlay is what is laid over a policy from outside: rights of single employees that are given or taken, and whom they are excepted from.
// Nil is one that is not known.
type Overlay struct{ Settings []OverlaySetting }

// OverlaySetting is one thing that an overlay says of an employee: a Flag that is On or off, or else a Target.
type OverlaySetting struct {
	Place    int // of what says it, from 1: the line of its rule
	Employee string
	// Flag is a right, see OverlayFlags. On, it gives what true under that right gives in the employee's own entry. Off, it takes the right,
	// his own calls too, whatever his entry and his roles grant.
	Flag string
	On   bool
	// Target is an employee, group:ID or department:ID, whom nothing lets him see the other side of, supervise, intercept, record, play,
	// download or delete: what except means under observe, listen, intercept, recordings, record and line.join.
	Target string
}

// text is the setting as its rule has it.
func (s OverlaySetting) text() string {
	if s.Flag == "" {
		return "except:" + s.Employee + ":" + s.Target
	}
	return "flag:" + s.Employee + ":" + s.Flag
}

// overlaid are the actions that an overlay can give or take: those about the calls of employees, past ones too. While it is not known they are
// refused, so that what it takes is not given back by its loss. How people work, dial and administer does not hang on it.
var overlaid = func() (all actionSet) {
	for a := Observe; a < actionEnd; a++ {
		if m := a.Matter(); m == MatterCall || m == MatterPast || a == Statistics || a == Unnoticed || a.Conversation() {
			all |= setOf(a)
		}
	}
	return all
}()

// excepted are the actions from which a target is excepted.
var excepted = func() actionSet {
	all := setOf(Delete)
	for a := Observe; a < actionEnd; a++ {
		if a.sees() || a.hears() {
			all |= setOf(a)
		}
	}
	return all
}()

// flag returns the right of that name, if an overlay can give or take it.
func flag(name string) (right, bool) {
	r := right(slices.Index(rightNames, name))
	return r, r < rightEnd && r.spec().actions&^overlaid == 0
}

// OverlayFlags returns the rights that an overlay can give and take, in a fixed order, in a slice of the caller's own.
func OverlayFlags() []string {
	return slices.DeleteFunc(Rights(), func(name string) bool { _, ok := flag(name); return !ok })
}

// Over returns the policy with an overlay laid over it, in place of the one that was there. Exclusions of both beat the grants of both. The
// error is ErrOverlay, with the place of what does not fit and without what it says.
//
// With nil, an overlay that is not known, nobody has any right that an overlay could take, and everybody is excepted from it: as to live calls
// everybody sees his own and no more.
func (s *Set) Over(o *Overlay) (*Set, error) {
	if s == nil || s.tables == nil {
		return s, nil
	}
	base := s.tables
	if base.under != nil {
		if base = base.under; base.beside != s.beside {
			base = (&Set{tables: base}).Beside(s.beside.name).tables
		}
	}
	t := *base
	t.under = base
	if len(t.files) > 1<<16-1 {
		return nil, fmt.Errorf("%w: the policy has too many files for one", ErrOverlay)
	}
	t.files = append(slices.Clip(t.files), OverlayFile)
	t.rules, t.people, t.entries, t.clauses = slices.Clip(t.rules), slices.Clone(t.people), slices.Clip(t.entries), slices.Clip(t.clauses)
	t.allRoles = slices.Clip(t.allRoles)
	t.lists, t.listItems = slices.Clip(t.lists), slices.Clip(t.listItems)
	t.roles, t.roleNames, t.roleDials = slices.Clip(t.roles), slices.Clip(t.roleNames), slices.Clip(t.roleDials)
	t.assigned, t.roleSets, t.setItems, t.roleTold = slices.Clip(t.assigned), slices.Clip(t.roleSets), slices.Clip(t.setItems), maps.Clone(t.roleTold)
	l := &layer{tables: &t, of: map[uint32]*laid{}, targets: map[string]uint32{}, without: map[without]uint32{}, lesser: map[without]uint32{}}
	if err := l.lay(o); err != nil {
		return nil, err
	}
	c := *s
	c.tables = &t
	return c.At(s.at), nil
}

// layer lays an overlay over tables, whose slices it may append to and whose people are its own.
type layer struct {
	*tables
	of      map[uint32]*laid
	targets map[string]uint32  // their lists
	without map[without]uint32 // role sets
	lesser  map[without]uint32 // roles
}

// laid is what is laid over one employee.
type laid struct {
	bars, gives []clause
	takes       actionSet
}

// without is a role, or a set of roles, of which some actions are taken.
type without struct {
	of    uint32
	takes actionSet
}

func (l *layer) lay(o *Overlay) error {
	if o == nil {
		l.close()
	} else {
		for _, s := range o.Settings {
			if err := l.take(s); err != nil {
				return err
			}
		}
	}
	for who, p := range l.of {
		l.person(who, p)
	}
	return nil
}

// close bars everybody from everything that an overlay could.
func (l *layer) close() {
	rule := l.rule(1, "not known", 0)
	for i := range l.people {
		l.of[uint32(i)] = &laid{bars: []clause{{rule: rule, allow: overlaid, scope: scopeAny}}, takes: overlaid}
	}
}

func (l *layer) rule(line int, text string, key right) RuleID {
	l.overlayTexts = append(l.overlayTexts, text)
	l.rules = append(l.rules, ruleRow{
		at: position{uint32(max(1, line)), 1}, owner: uint32(len(l.overlayTexts) - 1), file: uint16(len(l.files) - 1), kind: ruleOverlay, key: key,
	})
	return RuleID(len(l.rules))
}

func (l *layer) take(s OverlaySetting) error {
	bad := func(what string) error {
		return fmt.Errorf("%w: field %d of those in sorted order: there is no such %s", ErrOverlay, s.Place, what)
	}
	who, ok := l.byID.find(s.Employee)
	if !ok {
		return bad("employee")
	}
	p := l.of[who]
	if p == nil {
		p = new(laid)
		l.of[who] = p
	}
	if s.Flag == "" {
		list, ok := l.target(s.Target)
		if !ok {
			return bad("target")
		}
		p.bars = append(p.bars, clause{list: list, rule: l.rule(s.Place, s.text(), rightObserve), allow: excepted, scope: scopeList})
		return nil
	}
	key, ok := flag(s.Flag)
	switch {
	case !ok || s.Target != "":
		return bad("flag")
	case s.On:
		p.gives = append(p.gives, clause{rule: l.rule(s.Place, s.text(), key), allow: key.spec().given, scope: tick(key, "true")})
	default:
		p.takes |= key.spec().actions
		p.bars = append(p.bars, clause{rule: l.rule(s.Place, s.text(), key), allow: key.spec().actions, scope: scopeAny})
	}
	return nil
}

// target returns the list that has a target alone.
func (l *layer) target(name string) (uint32, bool) {
	if list, ok := l.targets[name]; ok {
		return list, true
	}
	row := peopleList{start: uint32(len(l.listItems))}
	item := uint32(0)
	kind, id, prefixed := strings.Cut(name, ":")
	switch {
	case !prefixed:
		i, ok := l.byID.find(name)
		if !ok || l.people[i].panel {
			return 0, false
		}
		item, row.people = i, 1
	case kind == "group":
		i := slices.Index(l.groupNames, id)
		if i < 0 {
			return 0, false
		}
		item, row.groups = uint32(i), 1
	case kind == "department":
		i := slices.IndexFunc(l.departments, func(d department) bool { return d.id == id })
		if i < 0 {
			return 0, false
		}
		item, row.departments = uint32(i), 1
	default:
		return 0, false
	}
	l.listItems = append(l.listItems, item)
	l.lists = append(l.lists, row)
	l.targets[name] = uint32(len(l.lists)) - 1
	return l.targets[name], true
}

// person lays over one employee what is for him.
func (l *layer) person(who uint32, laid *laid) {
	p := &l.people[who]
	was := l.entries[p.own]
	own := l.clauses[was.start:][:was.exclusions+was.grants]
	next := span{start: uint32(len(l.clauses))}
	l.clauses = append(append(l.clauses, own[:was.exclusions]...), laid.bars...)
	next.exclusions = uint32(len(l.clauses)) - next.start
	l.clauses = append(append(l.clauses, lessened(own[was.exclusions:], laid.takes)...), laid.gives...)
	next.grants = uint32(len(l.clauses)) - next.start - next.exclusions
	// What is both on and off is off.
	for i := range laid.gives {
		l.clauses[len(l.clauses)-1-i].allow &^= laid.takes
	}
	p.own = l.addEntry(next)
	if laid.takes != 0 {
		p.roleSet = l.roleSetWithout(without{p.roleSet, laid.takes})
	}
}

// lessened returns the grants without some actions.
func lessened(grants []clause, takes actionSet) []clause {
	if takes == 0 {
		return grants
	}
	out := slices.Clone(grants)
	for i := range out {
		out[i].allow &^= takes
	}
	return out
}

// roleSetWithout returns the set of the same roles, assigned as they are, of whose grants some actions are taken.
func (l *layer) roleSetWithout(w without) uint32 {
	if set, ok := l.without[w]; ok {
		return set
	}
	set := l.roleSets[w.of]
	next := span{start: uint32(len(l.setItems)), grants: set.grants}
	for _, item := range l.setItems[set.start:][:set.grants] {
		a := l.assigned[item]
		a.role = l.roleWithout(without{a.role, w.takes})
		l.setItems = append(l.setItems, uint32(len(l.assigned)))
		l.assigned = append(l.assigned, a)
	}
	l.roleSets = append(l.roleSets, next)
	l.without[w] = uint32(len(l.roleSets)) - 1
	return l.without[w]
}

// roleWithout returns a copy of a role, of whose grants some actions are taken. What binds stays, and so does what it says of dialling.
func (l *layer) roleWithout(w without) uint32 {
	if role, ok := l.lesser[w]; ok {
		return role
	}
	role := l.roles[w.of]
	all := l.allRoles[role.start:][:role.exclusions+role.grants]
	next := span{start: uint32(len(l.allRoles)), exclusions: role.exclusions, grants: role.grants}
	l.allRoles = append(append(l.allRoles, all[:role.exclusions]...), lessened(all[role.exclusions:], w.takes)...)
	n := uint32(len(l.roles))
	l.roles = append(l.roles, next)
	l.roleNames = append(l.roleNames, l.roleNames[w.of])
	if len(l.roleDials) > 0 {
		l.roleDials = append(l.roleDials, l.roleDials[w.of])
	}
	if told := l.roleTold[w.of]; told != nil {
		l.roleTold[n] = told
	}
	l.lesser[w] = n
	return n
}

// taker returns the rule of the overlay that took the action from an employee; zero when none did.
func (s *Set) taker(p *person, a Action) RuleID {
	if s.under == nil {
		return 0
	}
	own := &s.entries[p.own]
	for _, c := range s.clauses[own.start:][:own.exclusions] {
		if c.allow.has(a) && c.scope == scopeAny && c.unless == unlessNothing { // nothing else bars all
			return c.rule
		}
	}
	return 0
}

// written is how many roles the policy has without the copies that an overlay made.
func (t *tables) written() int {
	if t.under != nil {
		return len(t.under.roles)
	}
	return len(t.roles)
}
