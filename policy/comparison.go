package policy

import (
	"slices"
	"time"
)

// side is one employee in one of the two policies; who is -1 where he is in the other alone.
type side struct {
	*crowd
	who int32
}

// speaks reports whether a grant of his is about the action. Observe is marked for who sees the kind only, too.
func (s side) speaks(a Action) bool {
	return s.who >= 0 && (s.spoken(uint32(s.who)).has(a) || a == Observe && s.spoken(uint32(s.who)).has(ObserveKind))
}

// toldKey is what a set of targets has been told as.
type toldKey struct {
	kind     ChangeKind
	action   Action
	from, to Mark
	line     int
}

// comparison collects the changes of one employee, moment by moment. What has been told of one moment is not told again of a later one.
type comparison struct {
	*Difference
	place    uint32
	old, now side
	since    time.Time
	told     map[toldKey]bitset
	words    map[string]bool
	changes  []Change
	unnamed  [2][markEnd]bitset // marks of the action that is compared on lines that nothing names
	observed bitset             // on whom a change of Observe was found at this moment
}

// compare finds what differs in some actions.
func (x *comparison) compare(in actionSet) {
	x.observed = nil
	for _, a := range Actions() {
		before, after := x.old.speaks(a), x.now.speaks(a)
		switch {
		case !in.has(a):
		case a == Dial:
			x.dial()
		case a.Matter() == MatterNothing && (before || after):
			x.right(a)
		case a.Matter() == MatterLine:
			x.lines(a, before || after)
		case before || after:
			x.employees(a)
		}
		if a.Supervises() {
			x.notices(a)
		}
	}
}

// marksOf are the marks of one side without what is not now, and with that for nobody there who is everybody.
func (s side) marksOf(size int, of func(who uint32) [markEnd]bitset) (out [markEnd]bitset) {
	if s.who >= 0 {
		out = of(uint32(s.who))
	}
	out[MarkNotNow] = nil
	some := newBitset(size)
	for _, set := range out {
		if set != nil {
			some.or(set)
		}
	}
	out[MarkNo] = newBitset(size)
	for i := range out[MarkNo] {
		out[MarkNo][i] = ^some[i]
	}
	return out
}

// differ calls each with every set of places whose mark changed.
func differ(before, after [markEnd]bitset, each func(from, to Mark, set bitset)) {
	for from, was := range before {
		for to, is := range after {
			if from == to || was == nil || is == nil {
				continue
			}
			if set := was.with(is); !set.empty() {
				each(Mark(from), Mark(to), set)
			}
		}
	}
}

func (x *comparison) employees(a Action) {
	size := len(x.company.ids)
	marks := func(s side) [markEnd]bitset {
		return s.marksOf(size, func(who uint32) [markEnd]bitset {
			out := s.employeeMarks(who, a)
			if set := out[MarkYes]; a.sees() && set != nil { // one's own calls, which need no right
				set.remove(x.place)
			}
			return out
		})
	}
	before, after := marks(x.old), marks(x.now)
	changed := newBitset(size)
	differ(before, after, func(from, to Mark, set bitset) {
		changed.or(set)
		if a == ObserveKind && x.observed != nil {
			set.andNot(x.observed)
		}
		x.employeesOf(toldKey{kind: ChangeTargets, action: a, from: from, to: to, line: -1}, set, nil)
	})
	if a == Observe {
		x.observed = changed
	}
	if a.Matter() != MatterEmployee && some(before) && some(after) {
		x.barring(a, changed)
	}
}

// some reports whether there is a target with a mark that allows.
func some(marks [markEnd]bitset) bool {
	for _, set := range marks[MarkNotNow+1:] {
		if set != nil && !set.empty() {
			return true
		}
	}
	return false
}

// employeesOf adds a change on the employees of the set, divided by the rules on which they are decided, as far as it is news.
func (x *comparison) employeesOf(key toldKey, set bitset, lines []string) {
	if told := x.told[key]; told != nil {
		set = set.without(told)
	}
	if set.empty() {
		return
	}
	if x.told[key] == nil {
		x.told[key] = make(bitset, len(set))
	}
	x.told[key].or(set)
	among := x.old.all
	if key.to > key.from {
		among = x.now.all
	}
	for _, was := range x.grounds(x.old, x.lineWas, key, set, key.from) {
		for _, is := range x.grounds(x.now, x.lineIs, key, was.set, key.to) {
			x.changes = append(x.changes, Change{
				Kind: key.kind, Action: key.action, From: key.from, To: key.to, Since: x.since, Lines: lines,
				Was: x.ground(x.old, was.rule), Is: x.ground(x.now, is.rule), company: x.company, targets: is.set, among: among, self: x.place,
			})
		}
	}
}

// grounds divides a set by the rules of one side. Who is not there has none.
func (x *comparison) grounds(s side, lines []int32, key toldKey, set bitset, mark Mark) []grounded {
	line := uint32(0)
	if key.line >= 0 {
		if lines[key.line] < 0 {
			return []grounded{{set: set}}
		}
		line = uint32(lines[key.line])
	}
	if s.who < 0 {
		return []grounded{{set: set}}
	}
	switch key.kind { //nolint:exhaustive // the others are decided with their conditions
	case ChangeOthers:
		return s.barrers(key.action, set)
	case ChangeClients:
		refused, granted := s.groundsAlone(uint32(s.who), key.action, line, slices.Clone(set), mark)
		return append(refused, granted...)
	}
	return s.crowd.grounds(uint32(s.who), key.action, line, set, mark)
}

func (x *comparison) ground(s side, rule RuleID) Ground {
	if rule == 0 || s.who < 0 {
		return Ground{}
	}
	return Ground{s.Rule(rule), s.viaOf(uint32(s.who), rule)}
}

// right compares a right that is about nobody.
func (x *comparison) right(a Action) {
	had := func(s side) (Mark, RuleID) {
		if s.who < 0 {
			return MarkNo, 0
		}
		d := s.Decide(&Request{Subject: s.Set.ref(uint32(s.who)), Action: a})
		if d.Allowed {
			return MarkYes, d.Rule
		}
		return MarkNo, d.Rule
	}
	from, was := had(x.old)
	to, is := had(x.now)
	if from != to && x.first(toldKey{kind: ChangeRight, action: a, from: from, to: to}) {
		x.changes = append(x.changes, Change{Kind: ChangeRight, Action: a, From: from, To: to, Since: x.since, Was: x.ground(x.old, was), Is: x.ground(x.now, is)})
	}
}

// first reports whether it is the first time that this is told.
func (x *comparison) first(key toldKey) bool {
	_, told := x.told[key]
	x.told[key] = bitset{}
	return !told
}

// lines compares what one may do to whole lines, and then to the conversations on each, where the action is about conversations.
func (x *comparison) lines(a Action, spoken bool) {
	changed := newBitset(len(x.company.ids))
	talks := a.Conversation()
	if spoken {
		x.whole(a)
		x.unnamed = [2][markEnd]bitset{}
		for line := range x.lineIDs {
			if !talks {
				continue
			}
			of := x.conversations(a, line)
			if a == LineGrade {
				of.or(x.clients(a, line, of))
			}
			changed.or(of)
		}
		x.joinLines(a)
	}
	// Whoever has access to a client has these two without any right, so that exceptions count by themselves.
	if a == LineHistory || a == LineJoin {
		x.barringLines(a)
		x.barring(a, changed)
	} else if a == LineGrade && spoken {
		x.barring(a, changed)
	}
}

func (x *comparison) whole(a Action) {
	marks := func(s side) [markEnd]bitset {
		return s.marksOf(len(x.lineIDs), func(who uint32) [markEnd]bitset { return s.lineMarks(who, a) })
	}
	differ(marks(x.old), marks(x.now), func(from, to Mark, set bitset) {
		for line := range set.places() {
			if !x.first(toldKey{ChangeLines, a, from, to, int(line)}) {
				continue
			}
			x.addLine(Change{
				Kind: ChangeLines, Action: a, From: from, To: to, Since: x.since, Lines: []string{x.lineIDs[line]},
				Was: x.lineGround(x.old, a, x.lineWas[line]), Is: x.lineGround(x.now, a, x.lineIs[line]),
			})
		}
	})
}

// conversations compares what one may do to the conversations on one line, and returns with whom that is another.
func (x *comparison) conversations(a Action, line int) bitset {
	size := len(x.company.ids)
	changed := newBitset(size)
	was, is := x.onLine(line, func(s side, who, at uint32) answers { return s.targets(who, a, at) })
	differ(was, is, func(from, to Mark, set bitset) {
		changed.or(set)
		// That a right on the whole line is one on all its conversations needs no word.
		if _, whole := x.told[toldKey{ChangeLines, a, from, to, line}]; !whole || set.count() < size {
			x.employeesOf(toldKey{ChangeTargets, a, from, to, line}, set, []string{x.lineIDs[line]})
		}
	})
	return changed
}

// onLine returns the marks of the conversations on one line in both policies. They are the same on all lines that no clause names.
func (x *comparison) onLine(line int, of func(s side, who, at uint32) answers) (was, is [markEnd]bitset) {
	marks := func(s side, at int32, kept *[markEnd]bitset) [markEnd]bitset {
		named := s.who < 0 || at < 0 || s.names(uint32(at))
		if !named && kept[MarkNo] != nil { // which every result has
			return *kept
		}
		out := s.marksOf(len(x.company.ids), func(who uint32) [markEnd]bitset {
			if at < 0 {
				return [markEnd]bitset{}
			}
			all := of(s, who, uint32(at))
			return all.marks(nil)
		})
		if !named {
			*kept = out
		}
		return out
	}
	return marks(x.old, x.lineWas[line], &x.unnamed[0]), marks(x.now, x.lineIs[line], &x.unnamed[1])
}

// names reports whether anything that the employee has or is bound by names the line.
func (s side) names(line uint32) bool {
	exclusions, grants := s.rights(uint32(s.who))
	return slices.ContainsFunc(slices.Concat(exclusions[0], exclusions[1], grants[0], grants[1]), func(c clause) bool {
		return c.scope == scopeList && s.namesLine(c.list, line)
	})
}

func (x *comparison) lineGround(s side, a Action, line int32) Ground {
	if s.who < 0 || line < 0 {
		return Ground{}
	}
	d := s.Decide(&Request{Subject: s.Set.ref(uint32(s.who)), Action: a, Line: LineRef{uint32(line) + 1, s.lineTag}})
	return x.ground(s, d.Rule)
}

// addLine adds the change of a line, to one of other lines that is the same otherwise.
func (x *comparison) addLine(c Change) {
	for i := range x.changes {
		if o := &x.changes[i]; o.alike(&c) {
			o.Lines = append(o.Lines, c.Lines...)
			return
		}
	}
	x.changes = append(x.changes, c)
}

// joinLines makes one of the changes on conversations that are the same but for the line.
func (x *comparison) joinLines(a Action) {
	var out []Change
	for _, c := range x.changes {
		i := -1
		if (c.Kind == ChangeTargets || c.Kind == ChangeClients) && c.Action == a {
			i = slices.IndexFunc(out, func(o Change) bool { return o.alike(&c) && slices.Equal(o.targets, c.targets) })
		}
		if i < 0 {
			out = append(out, c)
		} else {
			out[i].Lines = append(slices.Clone(out[i].Lines), c.Lines...)
		}
	}
	x.changes = out
}

// alike reports whether the two differ in nothing but their lines and targets.
func (c *Change) alike(o *Change) bool {
	return c.Kind == o.Kind && c.Action == o.Action && c.From == o.From && c.To == o.To && c.Since.Equal(o.Since) && c.Was == o.Was && c.Is == o.Is
}
