package policy

import (
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/policy/internal/node"
)

// place says where in a file we are, for messages. It is a value, so that naming the place costs nothing while all is well.
type place struct{ section, name, key, sub string }

func (p place) String() string {
	s := p.section
	for _, part := range []string{p.name, p.key, p.sub} {
		if part != "" {
			s += "." + part
		}
	}
	return s
}

func at(n *yaml.Node) position { return position{uint32(n.Line), uint32(n.Column)} }

// reader walks the nodes of one file and collects what is wrong with them. Its methods return what they could read, so
// that one mistake does not hide the next.
type reader struct {
	file    *File
	guesses int
}

func (r *reader) errorf(p position, hint, format string, args ...any) {
	r.file.problems = append(r.file.problems, Problem{r.file.name, int(p.line), int(p.column), fmt.Sprintf(format, args...), hint})
}

func (r *reader) warnf(p position, hint, format string, args ...any) {
	r.file.warnings = append(r.file.warnings, Problem{r.file.name, int(p.line), int(p.column), fmt.Sprintf(format, args...), hint})
}

func (r *reader) guess(word string, candidates []string) string {
	if r.guesses++; r.guesses > maxSuggestions {
		return ""
	}
	return DidYouMean(word, candidates)
}

// fault reports what was found wrong with a node.
func (r *reader) fault(p place, f *node.Fault) {
	r.errorf(position{uint32(f.Line), uint32(f.Column)}, f.Hint, "%s%s", p, f.Message)
}

// document returns the one document of a file, or nil after reporting why there is none.
func (r *reader) document(data []byte) *yaml.Node {
	root, wrong := node.Document(data, "a policy file")
	if wrong != nil {
		r.fault(place{}, wrong)
	}
	return root
}

// plain refuses what YAML offers and the language does not have: anchors, aliases and tags hide what a line means.
func (r *reader) plain(n *yaml.Node, p place) bool {
	f := node.Plain(n)
	if f != nil {
		r.fault(p, f)
	}
	return f == nil
}

// kindName says what a node is, in an administrator's words.
func kindName(n *yaml.Node) string { return node.Kind(n) }

// mapping calls each with every pair of a mapping; a key that comes twice is reported and left out.
func (r *reader) mapping(n *yaml.Node, p place, each func(key word, value *yaml.Node)) {
	node.Mapping(n, func(f *node.Fault) { r.fault(p, f) }, func(key, value *yaml.Node) { each(word{key.Value, at(key)}, value) })
}

// unknown reports a key that the mapping does not have.
func (r *reader) unknown(key word, p place, known []string) {
	r.errorf(key.at, r.guess(key.text, known), "%s: unknown key %q", p, key.text)
}

// list calls each with every item of a list.
func (r *reader) list(n *yaml.Node, p place, each func(item *yaml.Node)) bool {
	if f := node.List(n); f != nil {
		r.fault(p, f)
		return false
	}
	for _, item := range n.Content {
		each(item)
	}
	return true
}

// text reads a scalar that is text: not empty, without control characters, and not something YAML takes for a number, a
// date or a truth value.
func (r *reader) text(n *yaml.Node, p place) (word, bool) {
	return r.textUnless(node.Text(n), n, p)
}

func (r *reader) textUnless(wrong *node.Fault, n *yaml.Node, p place) (word, bool) {
	if wrong != nil {
		r.fault(p, wrong)
		return word{}, false
	}
	return word{n.Value, at(n)}, true
}

// number reads a telephone number, which must be in quotes: YAML reads a bare 0123 as 83 and 1e5 as 100000.
func (r *reader) number(n *yaml.Node, p place) (word, bool) {
	w, ok := r.quoted(n, p)
	if !ok {
		return word{}, false
	}
	number, ok := canonicalNumber(w.text)
	if !ok {
		r.errorf(w.at, "a plus, digits, * and #, with spaces, hyphens, dots and brackets between them", "%s: this is not a telephone number", p)
		return word{}, false
	}
	if len(number) > maxAddress {
		r.errorf(w.at, "", "%s: a number this long does not exist", p)
		return word{}, false
	}
	return word{number, w.at}, true
}

func (r *reader) quoted(n *yaml.Node, p place) (word, bool) {
	return r.textUnless(node.Quoted(n), n, p)
}

func (r *reader) endpoint(n *yaml.Node, p place) (word, bool) {
	w, ok := r.text(n, p)
	if !ok {
		return word{}, false
	}
	endpoint, message, hint := canonicalEndpoint(w.text)
	if message != "" {
		r.errorf(w.at, hint, "%s: %s", p, message)
		return word{}, false
	}
	return word{endpoint, w.at}, true
}

// reserved words mean something where an employee's id may stand.
var reserved = map[string]bool{
	"everyone": true, "heads": true, "any": true, "none": true, "own": true, "department": true, "subtree": true,
	"group": true, "true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "null": true,
}

// id checks a name that the policy refers to by.
func (r *reader) id(w word, p place, what string) {
	for i, c := range w.text {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || (i > 0 && strings.ContainsRune("_-.", c)) {
			continue
		}
		r.errorf(w.at, "", "%s: the id of %s is letters, digits, hyphens, dots and underscores, and begins with a letter or digit", p, what)
		return
	}
	if what == "an employee" && reserved[w.text] {
		r.errorf(w.at, "", "%s: %q has a meaning in the language and cannot be an employee's id", p, w.text)
	}
}
