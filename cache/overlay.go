package cache

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ErrBadOverlay means that an overlay has a field that is not understood. It is not taken at all.
var ErrBadOverlay = errors.New("the overlay is malformed")

// Overlay is what was set for the employees in one generation: an immutable snapshot, read and replaced whole, so nobody sees values
// of two generations, or half of a change. Nil denies everything. Safe for concurrent use.
type Overlay struct {
	generation uint64
	people     map[string]person
}

type person struct {
	flags  map[string]bool
	except map[string]struct{}
}

// Person is what is set for one employee.
type Person struct {
	Flags  map[string]bool
	Except []string // targets: employees, or group:… and department:…
}

// Setting is one field of an overlay: a Flag that is On or off, or else a Target that is excluded.
type Setting struct {
	Place    int // among all fields of the hash in the order of their bytes, from 1
	Employee string
	Flag     string
	On       bool
	Target   string
}

// Names of the fields in Redis.
const (
	generationField = "generation"
	flagPrefix      = "flag:"
	exceptPrefix    = "except:"
)

// NewOverlay makes the overlay of a generation. Neither an employee nor a flag has a colon in its name.
func NewOverlay(generation uint64, people map[string]Person) (*Overlay, error) {
	fields := map[string]string{generationField: strconv.FormatUint(generation, 10)}
	for employee, p := range people {
		if strings.Contains(employee, ":") {
			return nil, fmt.Errorf("%w: an employee's name has a colon", ErrBadOverlay)
		}
		for flag, on := range p.Flags {
			if strings.Contains(flag, ":") {
				return nil, fmt.Errorf("%w: a flag's name has a colon", ErrBadOverlay)
			}
			fields[flagPrefix+employee+":"+flag] = bit(on)
		}
		for _, target := range p.Except {
			fields[exceptPrefix+employee+":"+target] = "1"
		}
	}
	return ParseOverlay(generation, fields)
}

// ParseOverlay makes an overlay of the fields of its hash in Redis (see the package comment). ErrNoOverlay: the field that says
// which generation it is is missing or names another one. ErrBadOverlay: any field is not understood; ErrTooLarge: all fields
// together exceed MaxOverlay.
func ParseOverlay(generation uint64, fields map[string]string) (*Overlay, error) {
	if fields[generationField] != strconv.FormatUint(generation, 10) {
		return nil, ErrNoOverlay
	}
	o := &Overlay{generation: generation, people: make(map[string]person)}
	size := 0
	for field, value := range fields {
		if size += len(field) + len(value); size > MaxOverlay {
			return nil, fmt.Errorf("overlay: %w", ErrTooLarge)
		}
		if field == generationField {
			continue
		}
		if err := o.set(field, value); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// set takes one field. Errors do not repeat it: what another system writes there may be anything.
func (o *Overlay) set(field, value string) error {
	rest, isFlag := strings.CutPrefix(field, flagPrefix)
	if !isFlag {
		var isExcept bool
		if rest, isExcept = strings.CutPrefix(field, exceptPrefix); !isExcept {
			return fmt.Errorf("%w: a field is neither %s nor %s…", ErrBadOverlay, flagPrefix+"…", exceptPrefix)
		}
	}
	employee, name, _ := strings.Cut(rest, ":")
	if err := errors.Join(checkName("employee", employee), checkName("flag or target", name)); err != nil {
		return fmt.Errorf("%w: %w", ErrBadOverlay, err)
	}
	p, ok := o.people[employee]
	if !ok {
		p = person{flags: make(map[string]bool), except: make(map[string]struct{})}
		o.people[employee] = p
	}
	switch {
	case isFlag && strings.Contains(name, ":"):
		return fmt.Errorf("%w: a flag's name has a colon", ErrBadOverlay)
	case isFlag && (value == "0" || value == "1"):
		p.flags[name] = value == "1"
	case !isFlag && value == "1":
		p.except[name] = struct{}{}
	default:
		return fmt.Errorf("%w: a flag is 0 or 1, an excluded target 1", ErrBadOverlay)
	}
	return nil
}

// Generation is the generation it belongs to. Nil has 0.
func (o *Overlay) Generation() uint64 {
	if o == nil {
		return 0
	}
	return o.generation
}

// Flag returns whether an employee's flag is on and whether it is set at all. Nil has every flag set off.
func (o *Overlay) Flag(employee, flag string) (on, set bool) {
	if o == nil {
		return false, true
	}
	on, set = o.people[employee].flags[flag]
	return on, set
}

// Excluded reports whether a target is on an employee's exclusion list. Nil excludes everybody from everything.
func (o *Overlay) Excluded(employee, target string) bool {
	if o == nil {
		return true
	}
	_, excluded := o.people[employee].except[target]
	return excluded
}

// Except gives the targets on an employee's exclusion list, in no order. Nil has no list to give: ask Excluded.
func (o *Overlay) Except(employee string) iter.Seq[string] {
	if o == nil {
		return func(func(string) bool) {}
	}
	return maps.Keys(o.people[employee].except)
}

// Settings are all that is set, by their places.
func (o *Overlay) Settings() []Setting {
	var all []Setting
	for i, field := range slices.Sorted(maps.Keys(o.Fields())) {
		s := Setting{Place: i + 1}
		if rest, ok := strings.CutPrefix(field, exceptPrefix); ok {
			s.Employee, s.Target, _ = strings.Cut(rest, ":")
		} else if rest, ok := strings.CutPrefix(field, flagPrefix); ok {
			s.Employee, s.Flag, _ = strings.Cut(rest, ":")
			s.On = o.people[s.Employee].flags[s.Flag]
		} else {
			continue
		}
		all = append(all, s)
	}
	return all
}

// In is the same for another generation.
func (o *Overlay) In(generation uint64) *Overlay {
	return &Overlay{generation: generation, people: o.people}
}

// Employees are those for whom something is set, sorted.
func (o *Overlay) Employees() []string {
	if o == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(o.people))
}

// Fields are the fields of its hash in Redis; ParseOverlay makes an equal overlay of them.
func (o *Overlay) Fields() map[string]string {
	if o == nil {
		return nil
	}
	fields := map[string]string{generationField: strconv.FormatUint(o.generation, 10)}
	for employee, p := range o.people {
		for flag, on := range p.flags {
			fields[flagPrefix+employee+":"+flag] = bit(on)
		}
		for target := range p.except {
			fields[exceptPrefix+employee+":"+target] = "1"
		}
	}
	return fields
}

func bit(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
