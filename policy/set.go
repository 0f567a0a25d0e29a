package policy

import (
	"iter"
	"time"
)

// A Ref stands for an employee of a Set. Refs are comparable. The zero Ref is nobody. A Ref keeps its meaning in every Set
// with the same employees in the same order, so most edits of a policy do not disturb it; in any other Set it is nobody,
// never somebody else.
type Ref struct {
	n   uint32 // place+1
	tag uint32 // sum over the ids of the Set's employees
}

// IsZero reports whether r is the zero Ref.
func (r Ref) IsZero() bool { return r == Ref{} }

// A Set is a compiled policy at a moment. It is immutable and safe for concurrent use. A nil or zero Set knows nobody and
// allows nothing.
type Set struct {
	*tables
	generation uint64
	edition    string
	at         time.Time
	next       time.Time // zero: never

	open []bool // whether each window is at the moment; the first is always
	// What the roles give that are in force at the moment: for each role set its span of clauses.
	roleEntries []entry
	roleClauses []clause
	// The same for dialling; both are empty when no role speaks of it.
	roleDialSpans   []span
	roleDialClauses []dialClause
}

// tables is what does not depend on the moment.
type tables struct {
	tag   uint32
	files []string
	rules []ruleRow

	panelCount int
	names      texts
	people     []person
	byID       index    // of the employees, and their ids in the order of the files
	phones     []string // canonical, grouped by owner
	byPhone    index    // of those that are somebody's on the PBX that the Set is for
	phoneOf    []uint32
	pbxs       []pbxMention
	pbxOf      []uint32 // see pbx; empty when nobody's entry names one
	beside     besides
	byNo       index // of canonical numbers, grouped by owner
	numOf      []uint32
	tails      []tail // of the numbers

	departments []department
	lines       []lineRow
	lineTag     uint32
	windows     []window
	location    *time.Location // nil: the policy names none
	groups      []span         // into members, sorted
	groupNames  []string
	members     []uint32
	lists       []peopleList
	listItems   []uint32

	entries    []entry  // own ones; the first says nothing
	clauses    []clause // of them
	roleNames  []string
	roles      []span // into allRoles
	allRoles   []clause
	assigned   []assigned
	told       map[uint32][]telling // by employee; few have one
	roleTold   map[uint32][]telling // by role
	roleSets   []span               // into setItems
	setItems   []uint32
	protectors map[uint32]RuleID // employee to the first rule that protects him
	shields    []shield          // every list of protected employees

	// Dialling is apart from the other rights, so that what they are decided by stays small.
	dialOf    []uint32 // for each employee one more than the place in dialSpans, zero for none; empty when nobody's own entry speaks of it
	dialSpans []span   // into dials
	dials     []dialClause
	roleDials []span // for each role, into allDials
	allDials  []dialClause
	patterns  []string

	trunks         []string
	byTrunk        index
	emergency      []string
	byEmergency    index
	emergencyRules []RuleID            // in the order of emergency
	guarded        map[uint32][]string // protected numbers' digits by their last seven
	guardedShort   map[string]bool
	guardRule      RuleID
	unknownOutside bool

	under        *tables  // without the overlay; nil when none is laid over them
	overlayTexts []string // of its rules
}

// person is what a decision needs of an employee, and where the rest of him is.
type person struct {
	department int32  // -1: none
	own        uint32 // place of his entry
	roleSet    uint32
	phones     uint32 // end of his phones; they begin where his predecessor's end
	numbers    uint32
	protected  bool
	panel      bool
}

// span is a part of a slice. Of clauses, the first are exclusions and the others grants.
type span struct{ start, exclusions, grants uint32 }

// clause is one exclusion or one grant.
type clause struct {
	list  uint32
	rule  RuleID
	via   uint32 // the assignment's number from 1 that brings it; zero: the own entry
	allow actionSet
	// window is the number from 1 of that in which a grant holds; zero is always, and every exclusion's.
	window uint16
	scope  scope // of an exclusion scopeList, or scopeAny for one that is about all
	unless unless
}

// unless says what lifts an exclusion.
type unless uint8

const (
	unlessNothing unless = iota
	unlessReason         // a reason that the subject gives
)

type department struct {
	id, name     string
	parent, head int32 // -1: none
}

type assigned struct {
	role   uint32
	rule   RuleID
	window uint16
}

// shield is one list of protected employees.
type shield struct {
	rule RuleID
	list uint32
}

// peopleList is a list as resolved: items[start:] holds departments, then groups, then sorted employees, then lines.
type peopleList struct{ start, departments, groups, people, lines uint32 }

// Load is Parse and Compile of one file.
func Load(name string, data []byte, at time.Time) (*Set, Problems, error) {
	f, _ := Parse(name, data) // Compile reports what Parse found, together with its own
	return Compile(at, f)
}

// Generation returns the number given by WithGeneration, or zero.
func (s *Set) Generation() uint64 {
	if s == nil {
		return 0
	}
	return s.generation
}

// WithGeneration returns the same policy under a generation number. The receiver is not changed.
func (s *Set) WithGeneration(n uint64) *Set {
	c := *s
	c.generation = n
	return &c
}

// Edition returns what WithEdition gave, or nothing.
func (s *Set) Edition() string {
	if s == nil {
		return ""
	}
	return s.edition
}

// WithEdition returns the same policy with a sum over the texts that it was compiled from. Wherever, whenever and for whichever PBX they are compiled it
// is the same, unlike the generation; and so is it whatever overlay lies over them. The receiver is not changed.
func (s *Set) WithEdition(sum string) *Set {
	c := *s
	c.edition = sum
	return &c
}

// Holds reports whether the Set, made for one moment, says what the policy says at another: between the two nothing that holds at times only has
// begun or ended, or all that has ended has begun again.
func (s *Set) Holds(t time.Time) bool {
	if s == nil || s.tables == nil {
		return true
	}
	for i := range s.windows {
		if open, _ := s.windows[i].at(t); open != s.open[i+1] {
			return false
		}
	}
	return true
}

// Moment returns the moment for which the Set was made.
func (s *Set) Moment() time.Time {
	if s == nil {
		return time.Time{}
	}
	return s.at
}

// Same reports whether the two are one policy as it was compiled, be it at another moment or under another generation.
func (s *Set) Same(other *Set) bool {
	return s == other || s != nil && other != nil && s.tables != nil && s.tables == other.tables
}

// NextChange returns the next moment, after the one that the Set was made for, at which a grant or an assignment may begin or end. From
// then on the Set is out of date and At gives the new one; it reports false when nothing ever does.
func (s *Set) NextChange() (time.Time, bool) {
	if s == nil {
		return time.Time{}, false
	}
	return s.next, !s.next.IsZero()
}

// At returns the policy as it is at the moment t: what holds at other times only is out. It keeps the generation and costs little,
// whatever the number of employees.
func (s *Set) At(t time.Time) *Set {
	if s == nil || s.tables == nil {
		return s
	}
	c := *s
	c.at = t
	c.roleEntries = make([]entry, len(s.roleSets))
	c.roleClauses = nil
	c.open, c.next = s.opening(t)
	for i, set := range s.roleSets {
		out := span{start: uint32(len(c.roleClauses))}
		items := s.setItems[set.start : set.start+set.grants]
		for _, item := range items {
			exclusions, _ := c.assignedClauses(item)
			c.roleClauses = append(c.roleClauses, exclusions...)
			out.exclusions += uint32(len(exclusions))
		}
		for _, item := range items {
			_, grants := c.assignedClauses(item)
			c.roleClauses = append(c.roleClauses, grants...)
			out.grants += uint32(len(grants))
		}
		c.roleEntries[i] = newEntry(out, c.roleClauses)
	}
	c.roleDialSpans, c.roleDialClauses = c.dialsNow()
	return &c
}

// opening returns which windows are open at the moment, as a Set has it, and the next at which one of them opens or closes; zero for never.
func (t *tables) opening(at time.Time) (open []bool, next time.Time) {
	open = make([]bool, len(t.windows)+1)
	open[0] = true
	for i := range t.windows {
		var change time.Time
		open[i+1], change = t.windows[i].at(at)
		next = sooner(next, change)
	}
	return open, next
}

// assignedClauses returns what the assignment brings at the Set's moment, each clause marked with it.
func (s *Set) assignedClauses(item uint32) (exclusions, grants []clause) {
	a := s.assigned[item]
	if !s.open[a.window] {
		return nil, nil
	}
	role := s.roles[a.role]
	all := append([]clause(nil), s.allRoles[role.start:role.start+role.exclusions+role.grants]...)
	for i := range all {
		all[i].via = item + 1
	}
	return all[:role.exclusions], all[role.exclusions:]
}

// Location returns the time zone of the policy; UTC where it names none.
func (s *Set) Location() *time.Location {
	if s == nil || s.tables == nil || s.location == nil {
		return time.UTC
	}
	return s.location
}

func (s *Set) known(r Ref) bool {
	return s != nil && s.tables != nil && r.tag == s.tag && r.n != 0 && int(r.n) <= len(s.people)
}

func (s *Set) ref(i uint32) Ref { return Ref{n: i + 1, tag: s.tag} }

// Employee returns the employee, or the panel, of that id.
func (s *Set) Employee(id string) (Ref, bool) {
	if s == nil || s.tables == nil {
		return Ref{}, false
	}
	i, ok := s.byID.find(id)
	if !ok {
		return Ref{}, false
	}
	return s.ref(i), true
}

// Employees yields every employee in the order of the files; not the panels.
func (s *Set) Employees() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for i := range s.places() {
			if !s.people[i].panel && !yield(s.ref(uint32(i))) {
				return
			}
		}
	}
}

// Len returns the number of employees, without the panels.
func (s *Set) Len() int { return s.places() - s.panels() }

// places is how many employees and panels there are.
func (s *Set) places() int {
	if s == nil || s.tables == nil {
		return 0
	}
	return len(s.people)
}

// ID returns the employee's id, "" for nobody.
func (s *Set) ID(r Ref) string {
	if !s.known(r) {
		return ""
	}
	return s.id(r.n - 1)
}

// id is the id of whoever has the place.
func (t *tables) id(place uint32) string { return t.byID.at(place) }

// ids are those of all employees and panels by their places, in a slice of the caller's own.
func (t *tables) ids() []string { return t.byID.between(0, uint32(len(t.people))) }

// Name returns the employee's name, which is his id where the policy gives none; "" for nobody.
func (s *Set) Name(r Ref) string {
	if !s.known(r) {
		return ""
	}
	return s.names.at(r.n - 1)
}

// DepartmentOf returns the employee's department; the zero Department when he is in none.
func (s *Set) DepartmentOf(r Ref) Department {
	if !s.known(r) || s.people[r.n-1].department < 0 {
		return Department{}
	}
	return s.department(s.people[r.n-1].department)
}

// Phones returns the employee's endpoints in the form PJSIP/101, the technology in capitals, on the PBX that the Set is for (see [Set.Beside]): none
// of who is on another. The slice must not be changed.
func (s *Set) Phones(r Ref) []string {
	if !s.known(r) || !s.here(r.n-1) {
		return nil
	}
	return s.everyPhone(r)
}

// everyPhone is Phones on whichever PBX he has them.
func (s *Set) everyPhone(r Ref) []string {
	if !s.known(r) {
		return nil
	}
	start, end := uint32(0), s.people[r.n-1].phones
	if r.n > 1 {
		start = s.people[r.n-2].phones
	}
	return s.phones[start:end:end]
}

// Protector returns the first rule that protects the employee; zero when none does.
func (s *Set) Protector(r Ref) RuleID {
	if !s.known(r) {
		return 0
	}
	return s.protectors[r.n-1]
}

// Numbers returns the employee's numbers without formatting. The slice is the caller's own.
func (s *Set) Numbers(r Ref) []string { return s.byNo.between(s.numberSpan(r)) }

// Number returns the first of the employee's numbers, by which he is told; "" when he has none. Unlike Numbers it does not allocate.
func (s *Set) Number(r Ref) string {
	if start, end := s.numberSpan(r); start < end {
		return s.byNo.at(start)
	}
	return ""
}

func (s *Set) numberSpan(r Ref) (start, end uint32) {
	if !s.known(r) {
		return 0, 0
	}
	if r.n > 1 {
		start = s.people[r.n-2].numbers
	}
	return start, s.people[r.n-1].numbers
}

// A Department as the policy names it. The zero value is none.
type Department struct {
	ID, Name string
	Parent   string // id of the department above, or ""
	Head     Ref    // or nobody
}

// Departments yields every department in the order of the files.
func (s *Set) Departments() iter.Seq[Department] {
	return func(yield func(Department) bool) {
		if s == nil || s.tables == nil {
			return
		}
		for i := range s.departments {
			if !yield(s.department(int32(i))) {
				return
			}
		}
	}
}

func (s *Set) department(i int32) Department {
	row := s.departments[i]
	d := Department{ID: row.id, Name: row.name}
	if row.parent >= 0 {
		d.Parent = s.departments[row.parent].id
	}
	if row.head >= 0 {
		d.Head = s.ref(uint32(row.head))
	}
	return d
}
