package policy

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	dialMapKeys    = []string{"to", "clients", "employees", "numbers", "except", "during", "from", "until"}
	dialExceptKeys = []string{"employees", "numbers"}

	// dialWords are whom one may call, in a word.
	dialWords = map[string][]dialKind{
		"any": {dialAny}, "clients": {dialClients}, "employees": {dialEmployees}, "clients+employees": {dialClients, dialEmployees}, "none": {},
	}
)

// dial reads the right to call: true or false, a word, a list of numbers, or a map.
func (r *reader) dial(key word, n *yaml.Node, p place) *dialEntry {
	d := &dialEntry{}
	switch {
	case !r.plain(n, p):
	case n.Kind == yaml.MappingNode:
		r.dialMap(d, key, n, p)
	case n.Kind == yaml.ScalarNode && n.Tag == "!!bool":
		if strings.EqualFold(n.Value, "true") {
			d.grants = []dialPart{{kind: dialAny, at: key.at}}
		}
	default:
		d.grants = r.dialTo(key, n, p, "write true or false")
	}
	for i := range d.grants {
		d.grants[i].key = rightDial
	}
	for i := range d.except {
		d.except[i].key = rightDial
	}
	return d
}

// withAll adds to what is written of dialling what the right to everything says of it.
func withAll(d *dialEntry, rights []rightEntry) *dialEntry {
	i := slices.IndexFunc(rights, func(e rightEntry) bool { return e.key == rightAll })
	if i < 0 {
		return d
	}
	e := &rights[i]
	if d == nil {
		d = &dialEntry{}
	}
	if e.scope == scopeAny {
		d.grants = append(d.grants, dialPart{kind: dialAny, key: rightAll, at: e.at, scope: scopeAny, when: e.when})
	}
	if people := slices.DeleteFunc(slices.Clone(e.except), func(s selector) bool { return s.kind == selectLine }); len(people) > 0 {
		d.except = append(d.except, dialPart{kind: dialEmployees, key: rightAll, at: e.exceptAt, scope: scopeList, list: people})
	}
	return d
}

// dialTo reads a word or a list of numbers.
func (r *reader) dialTo(key word, n *yaml.Node, p place, emptyHint string) []dialPart {
	if n.Kind == yaml.SequenceNode {
		return r.dialList(key, n, p, emptyHint)
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		r.errorf(at(n), emptyHint, "%s is empty", p)
		return nil
	}
	w, ok := r.text(n, p)
	if !ok {
		return nil
	}
	kinds, ok := dialWords[w.text]
	if !ok {
		r.errorf(w.at, r.dialHint(w.text), "%s: unknown value %q", p, w.text)
	}
	var parts []dialPart
	for _, kind := range kinds {
		parts = append(parts, dialPart{kind: kind, at: key.at, scope: scopeAny})
	}
	return parts
}

func (r *reader) dialHint(word string) string {
	switch {
	case slices.Contains([]string{"yes", "on", "y"}, strings.ToLower(word)):
		return "did you mean true?"
	case slices.Contains([]string{"no", "off", "n"}, strings.ToLower(word)):
		return "did you mean false?"
	case word == "employees+clients":
		return `did you mean "clients+employees"?`
	case slices.Contains(scopeWords, word):
		return "say whose, as in {clients: " + word + "}"
	}
	if hint := r.guess(word, sortedKeys(dialWords)); hint != "" {
		return hint
	}
	return "any, clients, employees, clients+employees, none, or a list of numbers in square brackets"
}

func (r *reader) dialList(key word, n *yaml.Node, p place, emptyHint string) []dialPart {
	if len(n.Content) == 0 {
		r.errorf(at(n), emptyHint, "%s: an empty list names no number", p)
	}
	return []dialPart{{kind: dialNumbers, at: key.at, numbers: r.numberPatterns(n, p)}}
}

func (r *reader) dialMap(d *dialEntry, outer word, n *yaml.Node, p place) {
	var to, parts word
	var when when
	inner := p
	r.mapping(n, p, func(key word, value *yaml.Node) {
		inner.sub = key.text
		switch key.text {
		case "to":
			to = key
			if value.Kind == yaml.ScalarNode && value.Tag == "!!bool" {
				r.errorf(at(value), "did you mean any?", "%s must be whom one may call, not true or false", inner)
				return
			}
			d.grants = append(d.grants, r.dialTo(outer, value, inner, "leave it out for any")...)
		case "clients", "employees":
			parts = key
			if part := r.dialPeople(key, value, inner); part.scope != scopeNone {
				d.grants = append(d.grants, part)
			}
		case "numbers":
			parts = key
			if value.Kind == yaml.SequenceNode {
				d.grants = append(d.grants, r.dialList(key, value, inner, "leave it out")...)
			} else {
				r.list(value, inner, nil)
			}
		case "except":
			d.exceptAt = key.at
			r.dialExcept(d, value, inner)
		case "during":
			when.during = r.during(value, inner)
		case "from":
			when.from = r.date(value, inner)
		case "until":
			when.until = r.date(value, inner)
		default:
			if _, ok := dialWords[key.text]; ok {
				r.errorf(key.at, "write to: "+key.text, "%s: unknown key %q", p, key.text)
				return
			}
			r.unknown(key, p, dialMapKeys)
		}
	})
	switch {
	case to.text != "" && parts.text != "":
		r.errorf(parts.at, "to is for all at once: keep one", "%s: both to and %s", p, parts.text)
	case to.text == "" && parts.text == "":
		d.grants = append(d.grants, dialPart{kind: dialAny, at: outer.at})
		r.emptyMap(rightDial, n, p)
	}
	r.whenOrder(when, p)
	for i := range d.grants {
		d.grants[i].when = when
	}
}

// dialPeople reads of whose numbers one may call: true or false, a scope or a list.
func (r *reader) dialPeople(key word, n *yaml.Node, p place) dialPart {
	d := dialPart{kind: dialKind(slices.Index(dialKeys[:], key.text)), at: key.at}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" && r.plain(n, p) {
		d.scope = tick(rightDial, n.Value)
		return d
	}
	e := rightEntry{key: rightDial}
	r.scope(&e, n, p, "write true or false")
	d.scope, d.list = e.scope, e.list
	if d.scope == scopeOwn && d.kind == dialEmployees {
		r.warnf(at(n), "name whom he may call", "%s: own gives nothing here", p)
	}
	return d
}

func (r *reader) dialExcept(d *dialEntry, n *yaml.Node, p place) {
	if n.Kind == yaml.SequenceNode && r.plain(n, p) {
		r.errorf(at(n), "write except: {employees: [...], numbers: [...]}", "%s must be a mapping, not a list", p)
		return
	}
	inner := p
	r.mapping(n, p, func(key word, value *yaml.Node) {
		inner.sub = p.sub + "." + key.text
		switch key.text {
		case "employees":
			d.except = append(d.except, dialPart{kind: dialEmployees, at: key.at, scope: scopeList, list: r.selectors(value, inner, listPeople)})
		case "numbers":
			d.except = append(d.except, dialPart{kind: dialNumbers, at: key.at, numbers: r.numberPatterns(value, inner)})
		default:
			r.unknown(key, p, dialExceptKeys)
		}
	})
}

// dialRights compiles the rights to dial. For a company whose policy says nothing of them it keeps nothing.
func (c *compiler) dialRights() {
	owner, role := uint32(0), uint32(0)
	c.roleDials = make([]span, len(c.roles))
	for file, f := range c.sources {
		for i := range f.employees {
			if e := &f.employees[i]; e.dial != nil {
				if c.dialOf == nil {
					c.dialOf = make([]uint32, len(c.people))
				}
				var s span
				s, c.dials = c.appendDial(c.dials, file, e.dial, owner, placeOf("employees", e.id.text, rightDial.String()), ruleEmployee)
				c.dialSpans = append(c.dialSpans, s)
				c.dialOf[owner] = uint32(len(c.dialSpans))
			}
			owner++
		}
		for i := range f.roles {
			if r := &f.roles[i]; r.dial != nil {
				c.roleDials[role], c.allDials = c.appendDial(c.allDials, file, r.dial, role, placeOf("roles", r.id.text, rightDial.String()), ruleRole)
			}
			role++
		}
	}
}

// appendDial compiles one entry, exclusions first. The kind of a grant's rule is given; that of an exclusion's is the next one.
func (c *compiler) appendDial(dst []dialClause, file int, d *dialEntry, owner uint32, p place, kind ruleKind) (span, []dialClause) {
	s := span{start: uint32(len(dst))}
	for _, part := range d.except {
		told := len(c.problems)
		p.sub = "except." + dialKeys[part.kind]
		if row, ok := c.dialClause(file, part, p); ok {
			row.rule = c.rule(file, part.at, kind+1, owner, part.key)
			dst = append(dst, row)
			s.exclusions++
		}
		if part.key == rightAll { // what is wrong with its names has been said
			c.problems = c.problems[:told]
		}
	}
	if d.exceptAt != (position{}) && s.exclusions == 0 {
		p.sub = ""
		c.warnf(file, d.exceptAt, "", "%s.except: nothing is excepted by this", p)
	}
	for _, part := range d.grants {
		p.key, p.sub = part.key.String(), dialKeys[part.kind]
		row, _ := c.dialClause(file, part, p)
		row.window = c.window(file, part.when, placeOf(p.section, p.name, part.key.String()))
		row.rule = c.rule(file, part.at, kind, owner, part.key)
		dst = append(dst, row)
		s.grants++
	}
	return s, dst
}

// dialClause compiles one part and reports whether it comes to anything.
func (c *compiler) dialClause(file int, d dialPart, p place) (dialClause, bool) {
	row := dialClause{kind: d.kind, clause: clause{allow: rightDial.spec().actions, scope: d.scope}}
	size := len(d.numbers)
	if d.scope == scopeList {
		row.list, size = c.list(file, d.list, p)
	}
	row.whole, row.prefixes = c.addPatterns(d.numbers)
	c.checkShort(file, d.numbers, p)
	return row, size > 0
}
