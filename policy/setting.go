package policy

import "slices"

// A Setting is what a policy says of nobody's right, such as a protected number, with what is no more and what is new of it.
type Setting struct {
	Name       string   // such as "protected numbers" or "phones of anna"
	Gone, Come []string // sorted
}

// settings compares what no pair shows.
func settings(before, after *Set) []Setting {
	var out []Setting
	add := func(name string, was, is []string) {
		s := Setting{Name: name, Gone: missing(was, is), Come: missing(is, was)}
		if len(s.Gone)+len(s.Come) > 0 {
			out = append(out, s)
		}
	}
	add("protected employees", before.protectedIDs(), after.protectedIDs())
	add("protected numbers", before.protectedDigits(), after.protectedDigits())
	add("emergency numbers", before.emergency, after.emergency)
	add("trunks", before.trunks, after.trunks)
	add("unknown_phones", before.unknownPhones(), after.unknownPhones())
	for r := range after.Employees() {
		id := after.ID(r)
		was, _ := before.Employee(id) // nobody, with nothing, for who has joined
		add("phones of "+id, before.everyPhone(was), after.everyPhone(r))
		add("pbx of "+id, before.pbxSaid(was), after.pbxSaid(r))
		add("numbers of "+id, before.Numbers(was), after.Numbers(r))
	}
	for r := range before.Employees() {
		if id := before.ID(r); !has(after, id) {
			add("phones of "+id, before.everyPhone(r), nil)
			add("pbx of "+id, before.pbxSaid(r), nil)
			add("numbers of "+id, before.Numbers(r), nil)
		}
	}
	for l := range after.Lines() {
		if was, ok := before.Line(after.LineID(l)); ok {
			add("queue of the line "+after.LineID(l), []string{before.Queue(was)}, []string{after.Queue(l)})
		}
	}
	return out
}

func has(s *Set, id string) bool {
	_, ok := s.Employee(id)
	return ok
}

// missing is what the other list has not, sorted.
func missing(list, other []string) []string {
	if slices.Equal(list, other) {
		return nil
	}
	known := make(map[string]bool, len(other))
	for _, s := range other {
		known[s] = true
	}
	var out []string
	for _, s := range list {
		if !known[s] {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

func (s *Set) protectedIDs() []string {
	var out []string
	for i, p := range s.people {
		if p.protected {
			out = append(out, s.id(uint32(i)))
		}
	}
	return out
}

func (s *Set) protectedDigits() []string {
	out := sortedKeys(s.guardedShort)
	for _, key := range s.guarded {
		out = append(out, key...)
	}
	return out
}

func (s *Set) pbxSaid(r Ref) []string {
	if pbx := s.PBX(r); pbx != "" {
		return []string{pbx}
	}
	return nil
}

func (s *Set) unknownPhones() []string {
	if s.unknownOutside || s.beside.noOutside {
		return []string{"outside"}
	}
	return nil
}
