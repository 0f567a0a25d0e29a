package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
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
	return didYouMean(word, candidates)
}

// yamlLine finds the line in the messages of the YAML library, which has no typed error with a position.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// document returns the one document of a file, or nil after reporting why there is none.
func (r *reader) document(data []byte) (root *yaml.Node) {
	// A parser of foreign text that panics must not take down the process that holds the last good policy.
	defer func() {
		if p := recover(); p != nil {
			r.errorf(position{1, 1}, "", "the file is not YAML: %v", p)
			root = nil
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.errorf(position{1, 1}, `begin with "version: 1"`, "the file is empty")
		return nil
	case err != nil:
		r.syntax(data, err)
		return nil
	}
	switch err := d.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		r.syntax(data, err)
		return nil
	default:
		r.errorf(at(&more), "use a file for each", "a policy file is one YAML document")
	}
	return doc.Content[0]
}

func (r *reader) syntax(data []byte, err error) {
	message, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		if n, convErr := strconv.Atoi(m[1]); convErr == nil && n > 0 {
			line = n
		}
	}
	column := 1
	if lines := bytes.Split(data, []byte("\n")); line <= len(lines) {
		text := lines[line-1]
		column += len(text) - len(bytes.TrimLeft(text, " "))
	}
	r.errorf(position{uint32(line), uint32(column)}, "", "not YAML: %s", message)
}

// plain refuses what YAML offers and the language does not have: anchors, aliases and tags hide what a line means.
func (r *reader) plain(n *yaml.Node, p place) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.errorf(at(n), "write it out, or use a role or a group", "%s: anchors and aliases are not part of the language", p)
	case n.Style&yaml.TaggedStyle != 0:
		r.errorf(at(n), "leave the tag out", "%s: tags are not part of the language", p)
	default:
		return true
	}
	return false
}

// kindName says what a node is, in an administrator's words.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a bare number"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}

// mapping calls each with every pair of a mapping; a key that comes twice is reported and left out.
func (r *reader) mapping(n *yaml.Node, p place, each func(key word, value *yaml.Node)) {
	if !r.plain(n, p) {
		return
	}
	if n.Kind != yaml.MappingNode {
		hint := ""
		if n.Tag == "!!null" {
			hint = "write {} or leave the key out"
		}
		r.errorf(at(n), hint, "%s must be a mapping, not %s", p, kindName(n))
		return
	}
	var seen map[string]*yaml.Node
	if len(n.Content) > 32 { // below that looking back is cheaper than a map
		seen = make(map[string]*yaml.Node, len(n.Content)/2)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Tag == "!!merge" {
			r.errorf(at(k), "use a role", "%s: merge keys are not part of the language", p)
			continue
		}
		if k.Kind == yaml.ScalarNode && k.Tag != "!!str" && r.plain(k, p) {
			r.errorf(at(k), "put it in quotes if it is meant", "%s: a key must be text, not %s", p, kindName(k))
			continue
		}
		key, ok := r.text(k, p)
		if !ok {
			continue
		}
		first := seen[key.text]
		if seen == nil {
			for j := 0; j < i && first == nil; j += 2 {
				if n.Content[j].Value == key.text {
					first = n.Content[j]
				}
			}
		} else if first == nil {
			seen[key.text] = k
		}
		if first != nil {
			r.errorf(key.at, "", "%s: key %q is here twice, first in line %d", p, key.text, first.Line)
			continue
		}
		each(key, n.Content[i+1])
	}
}

// unknown reports a key that the mapping does not have.
func (r *reader) unknown(key word, p place, known []string) {
	for _, later := range laterKeys {
		if key.text == later {
			r.errorf(key.at, "leave it out: nothing would obey it", "%s: %q is not decided by this version", p, key.text)
			return
		}
	}
	r.errorf(key.at, r.guess(key.text, known), "%s: unknown key %q", p, key.text)
}

// list calls each with every item of a list.
func (r *reader) list(n *yaml.Node, p place, each func(item *yaml.Node)) bool {
	if !r.plain(n, p) {
		return false
	}
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			hint = "put it in square brackets"
		}
		r.errorf(at(n), hint, "%s must be a list, not %s", p, kindName(n))
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
	switch {
	case !r.plain(n, p):
	case n.Kind == yaml.MappingNode && len(n.Content) == 2:
		r.errorf(at(n), "no space after the colon, as in group:board", "%s must be text, not a mapping", p)
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		r.errorf(at(n), "", "%s must be text, not %s", p, kindName(n))
	case n.Tag != "!!str":
		r.errorf(at(n), "put it in quotes if it is meant", "%s must be text, not %s", p, kindName(n))
	case strings.TrimSpace(n.Value) == "":
		r.errorf(at(n), "", "%s is empty", p)
	case strings.ContainsFunc(n.Value, unicode.IsControl):
		r.errorf(at(n), "", "%s contains a control character", p)
	default:
		return word{n.Value, at(n)}, true
	}
	return word{}, false
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
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 {
		if r.plain(n, p) {
			r.errorf(at(n), `as in "101"`, "%s: a number must be in quotes", p)
		}
		return word{}, false
	}
	return r.text(n, p)
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
