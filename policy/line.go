package policy

import (
	"iter"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

var lineKeys = []string{"name", "queue", "members"}

// line reads a line: a queue that customers call, and who works on it.
func (r *reader) line(id word, n *yaml.Node) {
	p := place{section: "lines", name: id.text}
	r.id(id, p, "a line")
	l := lineEntry{id: id, name: id.text, queue: id}
	r.mapping(n, p, func(key word, value *yaml.Node) {
		p.key = key.text
		switch key.text {
		case "name":
			if w, ok := r.text(value, p); ok {
				l.name = w.text
			}
		case "queue":
			l.queue = r.queue(value, p)
		case "members":
			l.members = r.selectors(value, p, listPeople)
		default:
			r.unknown(key, place{section: "lines", name: id.text}, lineKeys)
		}
	})
	r.file.lines = append(r.file.lines, l)
}

// queue reads the name of a queue in queues.conf.
func (r *reader) queue(n *yaml.Node, p place) word {
	w, ok := r.text(n, p)
	if ok && strings.ContainsFunc(w.text, func(c rune) bool { return unicode.IsSpace(c) || strings.ContainsRune("[],;/&|$\"'\\", c) }) {
		r.errorf(w.at, "write it as queues.conf has it", "%s: the name of a queue has no spaces, brackets or signs with a meaning to Asterisk", p)
		return word{}
	}
	return w
}

// A LineRef stands for a line of a Set, as a Ref does for an employee. The zero LineRef is no line.
type LineRef struct {
	n   uint32 // place+1
	tag uint32 // sum over the ids of the Set's lines
}

// IsZero reports whether l is the zero LineRef.
func (l LineRef) IsZero() bool { return l == LineRef{} }

type lineRow struct {
	id, name, queue string
	members         span // of the tables' members, sorted
}

func (s *Set) knownLine(l LineRef) bool {
	return s != nil && s.tables != nil && l.tag == s.lineTag && l.n != 0 && int(l.n) <= len(s.lines)
}

// Line returns the line of that id.
func (s *Set) Line(id string) (LineRef, bool) {
	return s.lineWhere(func(l *lineRow) bool { return l.id == id })
}

// LineOfQueue returns the line that is the queue of that name, which Asterisk compares exactly.
func (s *Set) LineOfQueue(queue string) (LineRef, bool) {
	return s.lineWhere(func(l *lineRow) bool { return l.queue == queue })
}

// lineWhere reads through: companies have dozens of lines.
func (s *Set) lineWhere(is func(*lineRow) bool) (LineRef, bool) {
	if s == nil || s.tables == nil {
		return LineRef{}, false
	}
	for i := range s.lines {
		if is(&s.lines[i]) {
			return LineRef{uint32(i) + 1, s.lineTag}, true
		}
	}
	return LineRef{}, false
}

// Lines yields every line in the order of the files.
func (s *Set) Lines() iter.Seq[LineRef] {
	return func(yield func(LineRef) bool) {
		if s == nil || s.tables == nil {
			return
		}
		for i := range s.lines {
			if !yield(LineRef{uint32(i) + 1, s.lineTag}) {
				return
			}
		}
	}
}

// LineID returns the line's id, "" for no line.
func (s *Set) LineID(l LineRef) string {
	if !s.knownLine(l) {
		return ""
	}
	return s.lines[l.n-1].id
}

// LineName returns the line's name, which is its id where the policy gives none; "" for no line.
func (s *Set) LineName(l LineRef) string {
	if !s.knownLine(l) {
		return ""
	}
	return s.lines[l.n-1].name
}

// Queue returns the name of the line's queue in Asterisk, "" for no line.
func (s *Set) Queue(l LineRef) string {
	if !s.knownLine(l) {
		return ""
	}
	return s.lines[l.n-1].queue
}

// Works reports whether the employee is a member of the line.
func (s *Set) Works(r Ref, l LineRef) bool {
	return s.known(r) && s.knownLine(l) && holds(s.lineMembers(l), r.n-1)
}

// LineMembers yields those who work on the line, in the order of the files.
func (s *Set) LineMembers(l LineRef) iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		if !s.knownLine(l) {
			return
		}
		for _, i := range s.lineMembers(l) {
			if !yield(s.ref(i)) {
				return
			}
		}
	}
}

// lineMembers are those who work on the line, sorted.
func (t *tables) lineMembers(l LineRef) []uint32 {
	m := t.lines[l.n-1].members
	return t.members[m.start:][:m.grants]
}

// namesLine reports whether the list names the line.
func (t *tables) namesLine(list, line uint32) bool {
	l := &t.lists[list]
	start := l.start + l.departments + l.groups + l.people
	return slices.Contains(t.listItems[start:start+l.lines], line)
}

// staff resolves who works on the lines, once everybody has his place.
func (c *compiler) staff() {
	place, queues := 0, map[string]claim{}
	for file, f := range c.sources {
		for _, l := range f.lines {
			row := &c.lines[place]
			members := c.expand(file, l.members, placeOf("lines", l.id.text, "members"), false)
			row.members = span{start: uint32(len(c.members)), grants: uint32(len(members))}
			c.members = append(c.members, members...)
			if l.queue.text != "" {
				c.claim(queues, file, l.queue, 0, "lines."+l.id.text+".queue", "queue", l.id.text)
			}
			place++
		}
	}
}

func placeOf(section, name, key string) place { return place{section: section, name: name, key: key} }

func (c *compiler) lineNamed(file int, w word, where string) (int, bool) {
	if i, ok := c.lineAt[w.text]; ok {
		return i, true
	}
	c.errorf(file, w.at, c.guess(w.text, &c.candidates.lines, func() []string { return sortedKeys(c.lineAt) }), "%s: there is no line %q", where, w.text)
	return 0, false
}
