package decisiontest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/internal/node"
	"github.com/earshot-pbx/earshot/policy/internal/schema"
)

// Parse reads a file of tests. The name is used in messages and to find the policy; nothing is opened. It returns every mistake that can be
// seen without the policy, as [policy.Problems]. The File is never nil.
func Parse(name string, data []byte) (*File, error) {
	r := &reader{file: &File{name: name}}
	root, wrong := node.Document(data, "a file of tests")
	if wrong != nil {
		r.fault("", wrong)
	}
	if root != nil {
		r.root(root)
	}
	return r.file, problems(r.file.problems)
}

// problems returns them sorted, as an error, or nil when there are none.
func problems(all policy.Problems) error {
	if len(all) == 0 {
		return nil
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b policy.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return all
}

// maxSuggestions bounds the work for a file that is wrong all over.
const maxSuggestions = 100

// reader collects what is wrong with one file. Its methods return what they could read, so that one mistake does not hide the next.
type reader struct {
	file    *File
	guesses int
}

func at(n *yaml.Node) place { return place{n.Line, n.Column} }

func (r *reader) errorf(at place, hint, format string, args ...any) {
	r.file.problems = append(r.file.problems, policy.Problem{File: r.file.name, Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (r *reader) fault(where string, f *node.Fault) {
	r.errorf(place{f.Line, f.Column}, f.Hint, "%s%s", where, f.Message)
}

func (r *reader) guess(word string, candidates []string) string {
	if r.guesses++; r.guesses > maxSuggestions {
		return ""
	}
	return node.DidYouMean(word, candidates)
}

func (r *reader) mapping(n *yaml.Node, where string, each func(key word, value *yaml.Node)) bool {
	before := len(r.file.problems)
	node.Mapping(n, func(f *node.Fault) { r.fault(where, f) }, func(key, value *yaml.Node) { each(word{key.Value, at(key)}, value) })
	return n.Kind == yaml.MappingNode && len(r.file.problems) == before
}

func (r *reader) root(n *yaml.Node) {
	f, seen := r.file, map[string]bool{}
	r.mapping(n, "the file", func(key word, value *yaml.Node) {
		seen[key.text] = true
		switch key.text {
		case "version":
			if value.Kind != yaml.ScalarNode || value.Tag != "!!int" || value.Value != "1" || node.Plain(value) != nil {
				r.errorf(at(value), `write "version: 1"`, "this is not a version of the tests that can be read here")
			}
		case "policy":
			f.policies = r.texts(value, "policy", node.Text)
		case "at":
			f.at = r.moment(value, "at")
		case "tests":
			r.list(value)
		default:
			r.errorf(key.at, r.guess(key.text, fileKeys), "the file: unknown key %q", key.text)
		}
	})
	if n.Kind != yaml.MappingNode {
		return
	}
	if !seen["version"] {
		r.errorf(at(n), `add "version: 1"`, "the version of the tests is missing")
	}
	if !seen["at"] {
		r.errorf(at(n), `add "at: 2026-06-01T12:00:00+03:00", the moment at which the tests decide`, "the clock is missing")
	}
	if !seen["tests"] {
		r.errorf(at(n), "", "there are no tests")
	}
	if seen["policy"] {
		return
	}
	if beside := besides(f.name); beside != "" {
		f.policies = []word{{beside, at(n)}}
	} else {
		r.errorf(at(n), "add policy: [policy.yaml], or call the file as the policy with .test before .yaml", "the policy is missing")
	}
}

func (r *reader) list(n *yaml.Node) {
	if f := node.List(n); f != nil {
		r.fault("tests", f)
		return
	}
	if len(n.Content) == 0 {
		r.errorf(at(n), "", "there are no tests")
	}
	for _, item := range n.Content {
		r.test(item)
	}
}

// texts reads a text or a list of texts, none of them twice.
func (r *reader) texts(n *yaml.Node, where string, wrong func(*yaml.Node) *node.Fault) []word {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		if f := node.Plain(n); f != nil {
			r.fault(where, f)
			return nil
		}
		if items = n.Content; len(items) == 0 {
			r.errorf(at(n), "leave the key out, or name somebody", "%s: an empty list names nobody", where)
		}
	}
	var all []word
	for _, item := range items {
		if f := wrong(item); f != nil {
			r.fault(where, f)
			continue
		}
		w := word{item.Value, at(item)}
		if slices.ContainsFunc(all, func(o word) bool { return o.text == w.text }) {
			r.errorf(w.at, "", "%s: this is here twice", where)
			continue
		}
		all = append(all, w)
	}
	return all
}

func (r *reader) text(n *yaml.Node, where string) word {
	if f := node.Text(n); f != nil {
		r.fault(where, f)
		return word{}
	}
	return word{n.Value, at(n)}
}

func (r *reader) truth(n *yaml.Node, where string) bool {
	if f := node.Plain(n); f != nil {
		r.fault(where, f)
		return false
	}
	var v bool
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Decode(&v) != nil {
		r.errorf(at(n), "", "%s must be true or false, not %s", where, node.Kind(n))
	}
	return v
}

// momentPattern is what a moment looks like: package time reads more than RFC 3339 has.
const momentPattern = `(?:` + schema.DatePattern + `)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+\-](?:[01]\d|2[0-3]):[0-5]\d)`

var momentForm = regexp.MustCompile("^(?:" + momentPattern + ")$")

// moment reads a time with its zone, with or without quotes.
func (r *reader) moment(n *yaml.Node, where string) time.Time {
	if f := node.Plain(n); f != nil {
		r.fault(where, f)
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, n.Value)
	if err != nil || n.Kind != yaml.ScalarNode || !momentForm.MatchString(n.Value) {
		r.errorf(at(n), "as in 2026-06-01T12:00:00+03:00", "%s must be a date with a time and its offset", where)
	}
	return t
}
