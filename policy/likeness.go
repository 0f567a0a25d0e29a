package policy

import "slices"

// likeness finds what need not be compared: the actions for which both policies give an employee the same. Where it does not know it says that
// something may differ, so that it spares work and hides no change. It keeps what it has found out and is for one goroutine.
type likeness struct {
	old, now *crowd
	people   bool      // both have the same employees
	unlike   actionSet // what may differ for everybody
	lists    map[[2]uint32]bool
	reaches  map[reachKey]bool
	windows  [2]map[uint32][]uint16 // of each side by role set
	moments  map[string]bool        // that have been compared of one employee
}

// reachKey is a scope that begins with one's department: that of one department in each policy, or that of one employee who heads any.
type reachKey struct {
	scope    scope
	head     bool
	was, now int32
}

func newLikeness(old, now *crowd) *likeness {
	l := &likeness{
		old: old, now: now, people: slices.Equal(old.all, now.all),
		lists: map[[2]uint32]bool{}, reaches: map[reachKey]bool{}, windows: [2]map[uint32][]uint16{{}, {}}, moments: map[string]bool{},
	}
	lines := l.people && sameLines(old, now)
	protected := slices.Equal(old.protected, now.protected)
	for _, a := range Actions() {
		if a.hears() && !protected || a == Intercept && !l.people || a.Matter() == MatterLine && !lines {
			l.unlike |= setOf(a)
		}
	}
	return l
}

// sameLines reports whether both have the same lines, and on each the same people work.
func sameLines(old, now *crowd) bool {
	if !slices.Equal(old.allLines, now.allLines) {
		return false
	}
	for i, staff := range old.staff {
		if !slices.Equal(staff, now.staff[slices.Index(now.linePlace, old.linePlace[i])]) {
			return false
		}
	}
	return true
}

// differing returns the actions for which something may differ between the two sides of one employee.
func (l *likeness) differing(old, now side) actionSet {
	if old.who < 0 || now.who < 0 {
		return ^actionSet(0)
	}
	wasBarred, wasGranted := old.inForce()
	isBarred, isGranted := now.inForce()
	alone := l.unlike | l.apart(old, now, wasBarred, isBarred) | l.apart(old, now, wasGranted, isGranted)
	if !l.sameDialling(old, now) {
		alone |= setOf(Dial)
	}
	all := alone
	for _, a := range Actions() {
		if a.conditions()&alone != 0 || a == Observe && alone.has(ObserveKind) { // which Observe tells too
			all |= setOf(a)
		}
	}
	return all
}

// inForce are the exclusions and the grants that hold at the moment.
func (s side) inForce() (exclusions, grants []*clause) {
	barred, granted := s.rights(uint32(s.who))
	for i := range barred {
		for j := range barred[i] {
			exclusions = append(exclusions, &barred[i][j])
		}
		for j := range granted[i] {
			if c := &granted[i][j]; s.open[c.window] {
				grants = append(grants, c)
			}
		}
	}
	return exclusions, grants
}

// apart returns the actions for which the clauses are not the same ones in the same order.
func (l *likeness) apart(old, now side, was, is []*clause) (out actionSet) {
	same := func(x, y *clause) bool {
		return x.allow == y.allow && x.unless == y.unless && l.sameReach(old, now, x, y)
	}
	for len(was) > 0 && len(is) > 0 && same(was[0], is[0]) {
		was, is = was[1:], is[1:]
	}
	for len(was) > 0 && len(is) > 0 && same(was[len(was)-1], is[len(is)-1]) {
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	var left actionSet
	for _, c := range slices.Concat(was, is) {
		left |= c.allow
	}
	for _, a := range Actions() {
		about := func(c *clause) bool { return !c.allow.has(a) }
		if left.has(a) && !slices.EqualFunc(slices.DeleteFunc(slices.Clone(was), about), slices.DeleteFunc(slices.Clone(is), about), func(x, y *clause) bool {
			return x.unless == y.unless && l.sameReach(old, now, x, y)
		}) {
			out |= setOf(a)
		}
	}
	return out
}

// sameReach reports whether the scopes of the two clauses hold the same employees and name the same lines.
func (l *likeness) sameReach(old, now side, was, is *clause) bool {
	if was.scope != is.scope {
		return false
	}
	switch was.scope {
	case scopeAny:
		return l.people
	case scopeList:
		return l.sameList(was.list, is.list)
	case scopeDepartment, scopeSubtree:
		key := reachKey{scope: was.scope, was: old.people[old.who].department, now: now.people[now.who].department}
		if len(old.heads[uint32(old.who)])+len(now.heads[uint32(now.who)]) > 0 {
			key.head, key.was, key.now = true, old.who, now.who
		}
		return remembered(l.reaches, key, func() bool {
			return slices.Equal(l.reach(l.old, was, old.who), l.reach(l.now, is, now.who))
		})
	case scopeNone, scopeOwn:
	}
	return true
}

func (l *likeness) reach(c *crowd, cl *clause, who int32) bitset {
	out := make(bitset, len(c.all))
	c.addReached(out, cl, uint32(who))
	return out
}

func (l *likeness) sameList(was, is uint32) bool {
	return remembered(l.lists, [2]uint32{was, is}, func() bool {
		return slices.Equal(l.old.list(was), l.now.list(is)) && slices.Equal(l.old.listLines(was), l.now.listLines(is))
	})
}

// listLines are the places of the lines that a list names.
func (c *crowd) listLines(list uint32) bitset {
	out := make(bitset, len(c.allLines))
	for i := range c.lines {
		if c.namesLine(list, uint32(i)) {
			out.add(c.linePlace[i])
		}
	}
	return out
}

func remembered[K comparable](known map[K]bool, key K, find func() bool) bool {
	found, ok := known[key]
	if !ok {
		found = find()
		known[key] = found
	}
	return found
}

// sameDialling reports whether what is said of dialling at the moment is the same, in the same order.
func (l *likeness) sameDialling(old, now side) bool {
	was, wasRole := old.dialRights(old.Set.ref(uint32(old.who)))
	is, isRole := now.dialRights(now.Set.ref(uint32(now.who)))
	same := func(x, y dialClause) bool {
		return x.kind == y.kind && l.sameReach(old, now, &x.clause, &y.clause) && slices.Equal(old.patternsOf(&x), now.patternsOf(&y))
	}
	closed := func(s side, all []dialClause) []dialClause {
		return slices.DeleteFunc(slices.Clone(all), func(c dialClause) bool { return !s.open[c.window] })
	}
	return slices.EqualFunc(slices.Concat(was.exclusions, wasRole.exclusions), slices.Concat(is.exclusions, isRole.exclusions), same) &&
		slices.EqualFunc(closed(old, slices.Concat(was.grants, wasRole.grants)), closed(now, slices.Concat(is.grants, isRole.grants)), same)
}

// next forgets the moments of the employee before.
func (l *likeness) next() { clear(l.moments) }

// seen reports whether a moment has been compared already at which each side of the employee was the same: which of his windows are open is all
// that may differ.
func (l *likeness) seen(old, now side) bool {
	state := make([]byte, 0, 64)
	for i, s := range [...]side{old, now} {
		if s.who < 0 {
			continue
		}
		add := func(windows []uint16) {
			for _, w := range windows {
				state = openState(state, s.open[w:w+1])
			}
		}
		p := &s.people[s.who]
		if _, known := l.windows[i][p.roleSet]; !known {
			l.windows[i][p.roleSet] = s.roleWindows(p.roleSet)
		}
		add(l.windows[i][p.roleSet])
		add(s.ownWindows(uint32(s.who)))
	}
	if l.moments[string(state)] {
		return true
	}
	l.moments[string(state)] = true
	return false
}

// ownWindows are those of the employee's own entry.
func (s *Set) ownWindows(who uint32) (out []uint16) {
	own := &s.entries[s.people[who].own]
	out = windowsOf(out, s.clauses[own.start+own.exclusions:][:own.grants], func(c clause) uint16 { return c.window })
	dial, _ := s.dialRights(s.ref(who))
	return windowsOf(out, dial.grants, func(c dialClause) uint16 { return c.window })
}

// roleWindows are those of what a role set brings, whether it does so at the moment or not.
func (s *Set) roleWindows(set uint32) (out []uint16) {
	span := s.roleSets[set]
	for _, item := range s.setItems[span.start:][:span.grants] {
		a := s.assigned[item]
		if a.window != 0 {
			out = append(out, a.window)
		}
		role := s.roles[a.role]
		out = windowsOf(out, s.allRoles[role.start+role.exclusions:][:role.grants], func(c clause) uint16 { return c.window })
		if len(s.roleDials) > 0 {
			out = windowsOf(out, dialRulesOf(s.allDials, s.roleDials[a.role]).grants, func(c dialClause) uint16 { return c.window })
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func windowsOf[C any](out []uint16, all []C, window func(C) uint16) []uint16 {
	for _, c := range all {
		if w := window(c); w != 0 {
			out = append(out, w)
		}
	}
	return out
}
