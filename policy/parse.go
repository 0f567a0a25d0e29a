package policy

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var (
	fileKeys = []string{
		"version", "timezone", "times", "departments", "groups", "employees", "lines", "roles", "assign", "protected", "trunks",
		"emergency", "unknown_phones",
	}
	departmentKeys = []string{"name", "head", "parent"}
	employeeKeys   = append([]string{"name", "phones", "numbers", "department", keyPBX, keyPanel}, rightNames...)
	roleKeys       = rightNames
	assignKeys     = []string{"role", "to", "during", "from", "until"}
	partKeys       = []string{"to", "only", "except", "allow", "reason", "during", "from", "until"} // of the map of a right
	protectedKeys  = []string{"employees", "numbers"}
)

// Parse reads one policy file. The name is used in messages only; nothing is opened. It returns every mistake that can be
// seen in the file by itself as [Problems]. The File is never nil: given to [Compile], which also sees what the
// entries say about each other, it yields all mistakes together and no Set.
func Parse(name string, data []byte) (*File, error) {
	r := &reader{file: &File{name: name}}
	if root := r.document(data); root != nil {
		r.root(root)
	}
	return r.file, append(Problems(nil), r.file.problems...).err([]string{name})
}

func (r *reader) root(n *yaml.Node) {
	f, versioned := r.file, false
	r.mapping(n, place{section: "the file"}, func(key word, value *yaml.Node) {
		p := place{section: key.text}
		switch key.text {
		case "version":
			versioned = true
			r.version(value, p)
		case "timezone":
			f.timezone = r.timezone(value, p)
		case "unknown_phones":
			if w, ok := r.text(value, p); ok && w.text != "outside" {
				r.errorf(w.at, "write outside, or leave the key out", "%s: unknown value %q", p, w.text)
			} else {
				f.unknownPhone = w
			}
		case "departments":
			r.mapping(value, p, r.department)
		case "groups":
			r.mapping(value, p, r.group)
		case "times":
			r.mapping(value, p, r.times)
		case "lines":
			r.mapping(value, p, r.line)
		case "employees":
			if value.Kind == yaml.MappingNode {
				f.employees = make([]employeeEntry, 0, len(value.Content)/2)
			}
			r.mapping(value, p, r.employee)
		case "roles":
			r.mapping(value, p, r.role)
		case "assign":
			r.list(value, p, r.assignment)
		case "protected":
			r.protect(value, p)
		case "trunks":
			f.trunks = r.endpoints(value, p)
		case "emergency":
			f.emergency = r.numbers(value, p)
		default:
			r.unknown(key, place{section: "the file"}, fileKeys)
		}
	})
	if !versioned && n.Kind == yaml.MappingNode {
		r.errorf(at(n), `add "version: 1"`, "the version of the language is missing")
	}
}

func (r *reader) version(n *yaml.Node, p place) {
	if r.plain(n, p) && (n.Kind != yaml.ScalarNode || n.Tag != "!!int" || n.Value != "1") {
		r.errorf(at(n), `write "version: 1"`, "this is not a version of the language that can be read here")
	}
}

func (r *reader) timezone(n *yaml.Node, p place) word {
	w, ok := r.text(n, p)
	if !ok {
		return word{}
	}
	// "Local" would make a decision depend on the machine.
	if _, err := time.LoadLocation(w.text); err != nil || w.text == "Local" {
		r.errorf(w.at, `a name of the IANA data base, as in "Europe/Moscow"`, "%s: unknown time zone %q", p, w.text)
	}
	return w
}

func (r *reader) department(id word, n *yaml.Node) {
	p := place{section: "departments", name: id.text}
	r.id(id, p, "a department")
	d := departmentEntry{id: id, name: id.text}
	r.mapping(n, p, func(key word, value *yaml.Node) {
		p.key = key.text
		switch key.text {
		case "name":
			if w, ok := r.text(value, p); ok {
				d.name = w.text
			}
		case "head":
			d.head, _ = r.text(value, p)
		case "parent":
			d.parent, _ = r.text(value, p)
		default:
			r.unknown(key, place{section: "departments", name: id.text}, departmentKeys)
		}
	})
	r.file.departments = append(r.file.departments, d)
}

func (r *reader) group(id word, n *yaml.Node) {
	p := place{section: "groups", name: id.text}
	r.id(id, p, "a group")
	g := groupEntry{id: id}
	r.list(n, p, func(item *yaml.Node) {
		w, ok := r.text(item, p)
		if ok && strings.Contains(w.text, ":") {
			r.errorf(w.at, "", "%s: the members of a group are employees", p)
		} else if ok {
			g.members = append(g.members, w)
		}
	})
	r.file.groups = append(r.file.groups, g)
}

func (r *reader) employee(id word, n *yaml.Node) {
	p := place{section: "employees", name: id.text}
	r.id(id, p, "an employee")
	e := employeeEntry{id: id, name: id.text}
	var has []word // what a panel has not
	r.mapping(n, p, func(key word, value *yaml.Node) {
		p.key = key.text
		switch key.text {
		case "name":
			if w, ok := r.text(value, p); ok {
				e.name = w.text
			}
		case "department":
			e.department, _ = r.text(value, p)
			has = append(has, key)
		case "phones":
			has = append(has, key)
			e.phones = r.endpoints(value, p)
		case "numbers":
			has = append(has, key)
			e.numbers = r.numbers(value, p)
		case keyPBX:
			has = append(has, key)
			e.pbx = r.pbx(value, p)
		case keyPanel:
			e.panel = r.isPanel(value, p)
		case rightDial.String():
			e.dial = r.dial(key, value, p)
		default:
			if right, ok := r.right(key, value, p); ok {
				e.rights = append(e.rights, right)
			} else {
				r.noRight(key, place{section: "employees", name: id.text}, employeeKeys)
			}
		}
	})
	r.bare(&e, has)
	e.dial = withAll(e.dial, e.rights)
	r.file.employees = append(r.file.employees, e)
}

func (r *reader) role(id word, n *yaml.Node) {
	p := place{section: "roles", name: id.text}
	r.id(id, p, "a role")
	role := roleEntry{id: id}
	r.mapping(n, p, func(key word, value *yaml.Node) {
		p.key = key.text
		if key.text == rightDial.String() {
			role.dial = r.dial(key, value, p)
		} else if right, ok := r.right(key, value, p); ok {
			role.rights = append(role.rights, right)
		} else {
			r.noRight(key, place{section: "roles", name: id.text}, roleKeys)
		}
	})
	role.dial = withAll(role.dial, role.rights)
	r.file.roles = append(r.file.roles, role)
}

// noRight says of a key that is none of an employee's or a role's what it may have been meant as.
func (r *reader) noRight(key word, p place, keys []string) {
	family := func(name string) bool { return strings.HasPrefix(name, key.text+".") }
	switch {
	case slices.Contains(partKeys, key.text):
		r.errorf(key.at, "write it inside the right that it is about, as in listen: {"+key.text+": ...}", "%s: unknown key %q", p, key.text)
	case slices.ContainsFunc(rightNames, family):
		all := slices.DeleteFunc(slices.Clone(rightNames), func(name string) bool { return !family(name) })
		r.errorf(key.at, "name what it is: "+strings.Join(all, ", "), "%s: unknown key %q", p, key.text)
	default:
		r.unknown(key, p, keys)
	}
}

func (r *reader) assignment(n *yaml.Node) {
	p := place{section: "assign"}
	a := assignment{at: at(n)}
	before := len(r.file.problems)
	r.mapping(n, p, func(key word, value *yaml.Node) {
		p.key = key.text
		switch key.text {
		case "role":
			a.role, _ = r.text(value, p)
		case "to":
			a.to = r.selectors(value, p, listPeople|listAssign)
		case "during":
			a.when.during = r.during(value, p)
		case "from":
			a.when.from = r.date(value, p)
		case "until":
			a.when.until = r.date(value, p)
		default:
			r.unknown(key, place{section: "assign"}, assignKeys)
		}
	})
	if len(r.file.problems) == before {
		if a.role.text == "" {
			r.errorf(a.at, "", "assign: the role is missing")
		}
		if len(a.to) == 0 {
			r.errorf(a.at, "add to: [everyone], or names, departments or groups", "assign: nobody is named")
		}
	}
	r.whenOrder(a.when, place{section: "assign"})
	r.file.assignments = append(r.file.assignments, a)
}

func (r *reader) protect(n *yaml.Node, p place) {
	if n.Kind == yaml.SequenceNode && r.plain(n, p) {
		r.errorf(at(n), "write protected: {employees: [...]}, or numbers", "%s must be a mapping, not a list", p)
		return
	}
	r.mapping(n, p, func(key word, value *yaml.Node) {
		p.key = key.text
		switch key.text {
		case "employees":
			r.file.protectedAt = key.at
			r.file.protected = r.selectors(value, p, listPeople)
		case "numbers":
			r.file.protectedNo = r.numbers(value, p)
		default:
			r.unknown(key, place{section: "protected"}, protectedKeys)
		}
	})
}

func (r *reader) endpoints(n *yaml.Node, p place) []word {
	var all []word
	r.list(n, p, func(item *yaml.Node) {
		if w, ok := r.endpoint(item, p); ok {
			all = append(all, w)
		}
	})
	return all
}

func (r *reader) numbers(n *yaml.Node, p place) []word {
	var all []word
	r.list(n, p, func(item *yaml.Node) {
		if w, ok := r.number(item, p); ok {
			all = append(all, w)
		}
	})
	return all
}
