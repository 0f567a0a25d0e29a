package policy

import (
	"iter"
	"slices"
	"strings"
)

// A Filter says which part of the matrix is wanted. What is left nil is everything; an empty slice that is not nil is nothing.
type Filter struct {
	Subjects []Ref
	Actions  []Action
	// Targets and Lines bound what the actions are done to. With one of them alone the actions on the other are left out, and with any of them
	// those that have no target, and Dial.
	Targets []Ref
	Lines   []LineRef
}

// A Row is what one employee may do by one action, to whom. It is what [Set.Decide] says of each target alone, at the moment of the Set: who
// else is on a call is not in it. Nor is what needs no right: that whoever has access to a client has line.history and line.join of his
// conversations, and that everybody may dial emergency numbers.
//
// The zero Row is of nobody and has nothing. A Row does not change and is safe for concurrent use.
type Row struct {
	Subject Ref
	Action  Action

	set    *Set
	census *census
	marks  [markEnd]bitset
	has    Mark
	dial   []DialRight
}

// Matrix yields what everybody may do, subject by subject in the order of the files, and for each by action as [Actions] has them. Rows with
// nothing in them are left out. It works out one row at a time: of ten thousand employees none is compared with each of the others.
func (s *Set) Matrix(f Filter) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		if s == nil || s.tables == nil {
			return
		}
		m := newSheet(s, f)
		subjects := f.Subjects
		if subjects == nil {
			subjects = slices.Collect(s.Employees())
		}
		for _, who := range subjects {
			if !s.known(who) {
				continue
			}
			for _, a := range m.actions {
				if row, ok := m.row(who, a); ok && !yield(row) {
					return
				}
			}
		}
	}
}

// sheet is what the rows of one Matrix have in common.
type sheet struct {
	*crowd
	census         *census
	actions        []Action
	people, onLine bitset // the targets that are wanted; nil: all
	bounded        bool
}

func newSheet(s *Set, f Filter) *sheet {
	m := &sheet{crowd: newCrowd(s, nil, nil, 0, 0), bounded: f.Targets != nil || f.Lines != nil}
	m.census = newCensus(m.crowd)
	for _, a := range Actions() {
		if f.Actions == nil || slices.Contains(f.Actions, a) {
			m.actions = append(m.actions, a)
		}
	}
	if m.bounded {
		m.people, m.onLine = make(bitset, len(m.all)), make(bitset, len(m.allLines))
		for _, who := range f.Targets {
			if s.known(who) {
				m.people.add(who.n - 1)
			}
		}
		for _, l := range f.Lines {
			if s.knownLine(l) {
				m.onLine.add(l.n - 1)
			}
		}
	}
	return m
}

// row works out one row and reports whether there is anything in it.
func (m *sheet) row(who Ref, a Action) (Row, bool) {
	subject, row := who.n-1, Row{Subject: who, Action: a, set: m.Set, census: m.census}
	spoken := m.spoken(subject).has(a)
	switch a.Matter() {
	case MatterNumber:
		if m.bounded {
			return Row{}, false
		}
		row.dial = m.dialRow(who)
		return row, len(row.dial) > 0
	case MatterNothing:
		if m.bounded || !spoken {
			return Row{}, false
		}
		row.has = m.had(subject, a)
		return row, row.has != MarkNo
	case MatterLine:
		if !spoken {
			return Row{}, false
		}
		row.marks = m.lineMarks(subject, a)
		return row, row.bound(m.onLine)
	default:
		if !spoken && !a.sees() {
			return Row{}, false
		}
		row.marks = m.employeeMarks(subject, a)
		return row, row.bound(m.people)
	}
}

// employeeMarks are the marks of an action on employees.
func (c *crowd) employeeMarks(subject uint32, a Action) [markEnd]bitset {
	all := c.targets(subject, a, 0)
	if a != Observe {
		return all.marks(nil)
	}
	kind := c.targets(subject, ObserveKind, 0)
	return all.marks(kind.plain)
}

func (c *crowd) lineMarks(subject uint32, a Action) [markEnd]bitset {
	all := c.whole(subject, a)
	return all.marks(nil)
}

// bound leaves of the row what is wanted, and reports whether that is anything.
func (r *Row) bound(wanted bitset) bool {
	some := false
	for m, set := range r.marks {
		if set == nil {
			continue
		}
		if wanted != nil {
			set.and(wanted)
		}
		if set.empty() {
			r.marks[m] = nil
			continue
		}
		some = true
	}
	return some
}

// Mark returns how the subject may do the action to the employee. It is MarkNo where the action is not about employees: for a line's action
// ask LineMark, and Has where there is no target.
func (r *Row) Mark(target Ref) Mark {
	if r.set == nil || !r.set.known(target) || r.Action.Matter() == MatterLine {
		return MarkNo
	}
	return r.at(target.n - 1)
}

// LineMark returns how the subject may do the action to the line as a whole.
func (r *Row) LineMark(line LineRef) Mark {
	if r.set == nil || !r.set.knownLine(line) || r.Action.Matter() != MatterLine {
		return MarkNo
	}
	return r.at(line.n - 1)
}

func (r *Row) at(place uint32) Mark {
	for m, set := range r.marks {
		if set != nil && set.has(place) {
			return Mark(m)
		}
	}
	return MarkNo
}

// Has returns how the subject has a right that is about nobody, such as Lock.
func (r *Row) Has() Mark { return r.has }

// Dial returns what the row of the action Dial says; nothing in all others.
func (r *Row) Dial() []DialRight { return r.dial }

// Targets yields the employees who have the mark, in the order of the files.
func (r *Row) Targets(m Mark) iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		if r.set == nil || m >= markEnd || r.Action.Matter() == MatterLine {
			return
		}
		for i := range r.marks[m].places() {
			if !yield(r.set.ref(i)) {
				return
			}
		}
	}
}

// Lines yields the lines that have the mark, in the order of the files.
func (r *Row) Lines(m Mark) iter.Seq[LineRef] {
	return func(yield func(LineRef) bool) {
		if r.set == nil || m >= markEnd || r.Action.Matter() != MatterLine {
			return
		}
		for i := range r.marks[m].places() {
			if !yield(LineRef{i + 1, r.set.lineTag}) {
				return
			}
		}
	}
}

// Count returns how many targets have the mark.
func (r *Row) Count(m Mark) int {
	if m >= markEnd {
		return 0
	}
	return r.marks[m].count()
}

// Text tells the targets that have the mark in few words, by the selectors of the language: "everybody (41) but director",
// "department:sales (12), anna". It is "" when there are none.
func (r *Row) Text(m Mark) string {
	if m >= markEnd || r.marks[m] == nil {
		return ""
	}
	if r.Action.Matter() == MatterLine {
		var ids []string
		for l := range r.Lines(m) {
			ids = append(ids, r.set.LineID(l))
		}
		return strings.Join(ids, ", ")
	}
	set, universe, self := r.marks[m], r.census.all, r.Subject.n-1
	if r.Action.Matter() == MatterCall && !(set.has(self) && set.count() == 1) {
		// One's own calls everybody sees, and nobody does anything else to them: not a word about them.
		universe = slices.Clone(universe)
		universe.remove(self)
		set = set.with(universe)
	}
	return r.census.text(set, universe, self)
}
