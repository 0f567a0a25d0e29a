package policy

import "go.yaml.in/yaml/v3"

// keyPanel makes an entry under employees a panel's: a program that shows calls to many and asks for nobody in particular, such as a screen on a wall.
// It is somebody who may be granted to see and to listen, and in all else nobody: it has no phone and no number, is in no department and in no group,
// heads none, is not everyone's, and nothing can be done to it.
const keyPanel = "panel"

// isPanel reads the value of the key, which has only one that says anything.
func (r *reader) isPanel(n *yaml.Node, p place) bool {
	if !r.plain(n, p) {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Value != "true" {
		r.errorf(at(n), "write panel: true, or leave the key out", "%s: true is all that can be said here", p)
		return false
	}
	return true
}

// bare reports what a panel's entry may not have.
func (r *reader) bare(e *employeeEntry, has []word) {
	for _, key := range has {
		if e.panel {
			r.errorf(key.at, "take it out here, or panel: true", "%s: a panel has none", place{section: "employees", name: e.id.text, key: key.text})
		}
	}
}

// Panel reports whether this is a panel and no employee. [Set.Employees] leaves panels out, and [Set.Employee] finds them; what they may do is decided as
// an employee's is, and a request about one is refused as about nobody. It is safe for concurrent use, as all of a Set.
func (s *Set) Panel(r Ref) bool { return s.known(r) && s.people[r.n-1].panel }

// target reports whether it is an employee to whom something can be done.
func (s *Set) target(r Ref) bool { return s.known(r) && !s.people[r.n-1].panel }

// panels is how many there are.
func (s *Set) panels() int {
	if s == nil || s.tables == nil {
		return 0
	}
	return s.panelCount
}
