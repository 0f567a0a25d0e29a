package policy

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"strconv"
	"time"
)

// Compile makes one Set of the files, as of the moment at: assignments whose last day is over by then are out, and
// [Set.NextChange] tells when the next one ends. A policy may be split over any number of files; their order does not change
// a decision. Where the policy says on which PBXs phones are, the Set is for none of them, as what reads a policy wants it: their phones are nobody's.
// What decides beside a PBX asks [Set.Beside]. The warnings, sorted by place, are about what is legal and surely not meant; they come with an error too.
//
// The error is [Problems] with every mistake in every file, Parse's included; the Set is nil then.
func Compile(at time.Time, files ...*File) (*Set, Problems, error) {
	c := &compiler{
		at: at, tables: &tables{protectors: map[uint32]RuleID{}},
		employeeAt: map[string]claim{}, panelIDs: map[string]bool{}, departmentAt: map[string]int{}, groupAt: map[string]int{}, roleAt: map[string]int{},
		named: map[string]claim{}, lineAt: map[string]int{}, timeAt: map[string]*windowNamed{}, windowAt: map[string]uint16{},
		interned: map[string]uint32{}, shortHit: map[string]bool{},
	}
	for i, f := range files {
		c.files = append(c.files, f.name)
		c.sources = append(c.sources, f)
		c.problems = append(c.problems, f.problems...)
		c.warnings = append(c.warnings, f.warnings...)
		if i > 1<<16-1 {
			return nil, nil, fmt.Errorf("a policy has at most %d files", 1<<16)
		}
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("no policy file")
	}
	parsed := len(c.warnings)
	c.collect()
	c.byID, _ = newIndex(c.ids, quick) // what is warned of is told by the ids in it
	c.organise()
	c.exchanges()
	c.claims()
	c.settings()
	c.times()
	c.staff()
	c.rights()
	c.notices()
	c.dialRights()
	c.assign()
	c.protect()
	c.idle()
	c.warn()
	if len(c.problems) > 0 { // a name that is misspelt makes much look idle that is not
		c.warnings = c.warnings[:parsed]
	}
	c.warnings.sort(c.files)
	if err := c.problems.err(c.files); err != nil {
		return nil, c.warnings, err
	}
	c.tables.names, _ = pack(c.names)
	c.byPhone.texts, c.phones = pack(c.phones)
	c.findPhones()
	c.byNo, _ = newIndex(c.numbers, small)
	c.tails = newTails(c.numbers)
	c.byTrunk, c.trunks = newIndex(c.trunks, quick)
	c.byEmergency, c.emergency = newIndex(c.emergency, quick)
	return (&Set{tables: c.tables}).At(at), c.warnings, nil
}

// compiler holds what is needed to build the tables and not to decide by them.
type compiler struct {
	*tables
	at       time.Time
	sources  []*File
	problems Problems
	warnings Problems
	guesses  int

	// By the place of the employee, and grouped by owner. The tables have them packed.
	ids, names, numbers []string

	employeeAt   map[string]claim // by id
	panelIDs     map[string]bool
	departmentAt map[string]int // places by id, as the next two
	groupAt      map[string]int
	roleAt       map[string]int
	lineAt       map[string]int
	named        map[string]claim // departments, groups, lines and roles, with what they are
	timeAt       map[string]*windowNamed
	windowAt     map[string]uint16 // by content
	interned     map[string]uint32 // lists, by content
	shortHit     map[string]bool   // patterns without a plus: whether an employee's number begins so
	timezone     claim

	staffed    [][]uint32                                                          // who is in each department
	groupUsed  []bool                                                              // whether a list names the group
	reached    []int                                                               // by each assignment
	candidates struct{ people, departments, groups, roles, lines, times []string } // for suggestions, made on demand
}

// claim remembers where a name, a phone or a number was first given, and by whom.
type claim struct {
	owner uint32
	file  int
	at    position
	what  string
	pbx   uint32 // of a phone; see tables.pbx
}

func (c *compiler) where(cl claim) string {
	return c.files[cl.file] + ":" + strconv.Itoa(int(cl.at.line)) + ":" + strconv.Itoa(int(cl.at.column))
}

func (c *compiler) errorf(file int, p position, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{c.files[file], int(p.line), int(p.column), fmt.Sprintf(format, args...), hint})
}

func (c *compiler) warnf(file int, p position, hint, format string, args ...any) {
	c.warnings = append(c.warnings, Problem{c.files[file], int(p.line), int(p.column), fmt.Sprintf(format, args...), hint})
}

func (c *compiler) guess(word string, names *[]string, fill func() []string) string {
	if c.guesses++; c.guesses > maxSuggestions {
		return ""
	}
	if *names == nil {
		*names = fill()
	}
	return DidYouMean(word, *names)
}

func (c *compiler) rule(file int, p position, kind ruleKind, owner uint32, key right) RuleID {
	c.rules = append(c.rules, ruleRow{at: p, owner: owner, file: uint16(file), kind: kind, key: key})
	return RuleID(len(c.rules))
}

// collect gives every employee, department, group and role its place, so that later steps can refer to any of them.
func (c *compiler) collect() {
	sum, lineSum := fnv.New32a(), fnv.New32a()
	for file, f := range c.sources {
		for i := range f.employees {
			e := &f.employees[i]
			if first, taken := c.employeeAt[e.id.text]; taken {
				c.errorf(file, e.id.at, "", "employee %q is here twice, first at %s", e.id.text, c.where(first))
			} else {
				c.employeeAt[e.id.text] = claim{owner: uint32(len(c.ids)), file: file, at: e.id.at}
			}
			if e.panel {
				c.panelIDs[e.id.text] = true
			}
			c.ids = append(c.ids, e.id.text)
			c.names = append(c.names, e.name)
			addID(sum, e.id.text)
		}
		for _, d := range f.departments {
			c.once(c.departmentAt, d.id, len(c.departments), file, "department")
			c.departments = append(c.departments, department{id: d.id.text, name: d.name, parent: -1, head: -1})
		}
		for _, g := range f.groups {
			c.once(c.groupAt, g.id, len(c.groups), file, "group")
			c.groups = append(c.groups, span{})
			c.groupNames = append(c.groupNames, g.id.text)
			c.groupUsed = append(c.groupUsed, false)
		}
		for _, l := range f.lines {
			c.once(c.lineAt, l.id, len(c.lines), file, "line")
			c.lines = append(c.lines, lineRow{id: l.id.text, name: l.name, queue: l.queue.text})
			addID(lineSum, l.id.text)
		}
		for _, r := range f.roles {
			c.once(c.roleAt, r.id, len(c.roleNames), file, "role")
			c.roleNames = append(c.roleNames, r.id.text)
		}
	}
	c.tag, c.lineTag = sum.Sum32()|1, lineSum.Sum32()|1 // never zero: the zero Ref must fit no Set
}

// addID adds an id to a sum. Its length goes in too, so that the ids ab, c and a, bc do not make one sum.
func addID(sum hash.Hash32, id string) {
	_, _ = sum.Write(binary.AppendUvarint(nil, uint64(len(id))))
	_, _ = sum.Write([]byte(id))
}

func (c *compiler) once(places map[string]int, id word, place, file int, what string) {
	key := what + " " + id.text
	if first, taken := c.named[key]; taken {
		c.errorf(file, id.at, "", "%s %q is here twice, first at %s", what, id.text, c.where(first))
		return
	}
	c.named[key] = claim{file: file, at: id.at}
	places[id.text] = place
}

// settings merges what stands once in a policy: the time zone and the treatment of unknown phones.
func (c *compiler) settings() {
	for file, f := range c.sources {
		if f.unknownPhone.text != "" {
			c.unknownOutside = true
		}
		if f.timezone.text == "" {
			continue
		}
		if c.timezone.what != "" && c.timezone.what != f.timezone.text {
			c.errorf(file, f.timezone.at, "", "another time zone than at %s", c.where(c.timezone))
			continue
		}
		c.timezone = claim{what: f.timezone.text, file: file, at: f.timezone.at}
		c.location, _ = time.LoadLocation(f.timezone.text) // Parse has reported an unknown one
	}
}

// protect builds what holds against everybody.
func (c *compiler) protect() {
	c.guarded, c.guardedShort = map[uint32][]string{}, map[string]bool{}
	for file, f := range c.sources {
		if f.protectedAt != (position{}) {
			rule := c.rule(file, f.protectedAt, ruleProtectedEmployees, 0, 0)
			list, size := c.list(file, f.protected, place{section: "protected", name: "employees"})
			if size == 0 {
				c.warnf(file, f.protectedAt, "", "protected.employees: nobody is protected by this")
			}
			c.shields = append(c.shields, shield{rule, list})
			for i := range c.people {
				if !c.people[i].protected && c.contains(list, uint32(i)) {
					c.people[i].protected = true
					c.protectors[uint32(i)] = rule
				}
			}
		}
		for _, n := range f.protectedNo {
			digits := string(numberDigits(nil, n.text))
			if digits == "" { // it would protect every caller without a number
				c.errorf(file, n.at, "", "protected.numbers: a number without digits")
				continue
			}
			rule := c.rule(file, n.at, ruleProtectedNumber, 0, 0)
			if c.guardRule == 0 {
				c.guardRule = rule
			}
			if len(digits) >= suffixDigits {
				c.guarded[suffixKey(digits)] = append(c.guarded[suffixKey(digits)], digits)
			} else {
				c.guardedShort[digits] = true
			}
		}
	}
}
