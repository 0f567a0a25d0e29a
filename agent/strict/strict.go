// Package strict decodes a YAML file into a struct and forgives nothing: an unknown or repeated key, a value of the wrong kind, each is an
// error with file, line, column and, for a misspelling, what was surely meant. All errors come at once.
package strict

import (
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Error is one fault at one place of a file.
type Error struct {
	File         string
	Line, Column int // from 1
	Message      string
}

// Error gives file:line:column: message.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Sort puts errors into the order of their places.
func Sort(errs []error) {
	sort.SliceStable(errs, func(i, j int) bool {
		var a, b *Error
		if !errors.As(errs[i], &a) || !errors.As(errs[j], &b) {
			return false
		}
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
}

// Document remembers where each key of a decoded file stands.
type Document struct {
	file string
	at   map[string]*yaml.Node
}

// Errorf makes an error at the place of a dotted key, or at the nearest enclosing one that the file has.
func (d *Document) Errorf(key, format string, args ...any) error {
	e := &Error{File: d.file, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)}
	for k := key; ; {
		if n := d.at[k]; n != nil {
			e.Line, e.Column = n.Line, n.Column
			return e
		}
		i := strings.LastIndexByte(k, '.')
		if i < 0 {
			return e
		}
		k = k[:i]
	}
}

// Decode fills *v, a struct with yaml tags, from a file's text. Keys that the text leaves out keep the value they have.
func Decode(file string, data []byte, v any) (*Document, error) {
	d := &decoder{doc: &Document{file: file, at: map[string]*yaml.Node{}}}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, syntax(file, err)
	}
	if len(root.Content) == 0 {
		return nil, &Error{File: file, Line: 1, Column: 1, Message: "the file is empty"}
	}
	d.decode(root.Content[0], reflect.ValueOf(v).Elem(), "")
	Sort(d.errs)
	return d.doc, errors.Join(d.errs...)
}

// syntax brings the parser's own error, which knows the line only, into the common form.
func syntax(file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if _, e := fmt.Sscanf(text, "line %d:", &line); e == nil {
		_, text, _ = strings.Cut(text, ": ")
	}
	return &Error{File: file, Line: line, Column: 1, Message: text}
}

type decoder struct {
	doc  *Document
	errs []error
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, &Error{File: d.doc.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

var duration = reflect.TypeFor[time.Duration]()

func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if path != "" {
		d.doc.at[path] = n
	}
	switch {
	case v.Type() == duration:
		t, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			d.fail(n, "%s must be a duration with its unit, such as 30s or 5m", path)
			return
		}
		v.SetInt(int64(t))
	case v.Kind() == reflect.Struct:
		d.fields(n, v, path)
	case v.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.fail(n, "%s must be a list", path)
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, c := range n.Content {
			d.decode(c, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case v.Kind() == reflect.String:
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
			d.fail(n, "%s must be a text", path)
			return
		}
		v.SetString(n.Value)
	default:
		if err := n.Decode(v.Addr().Interface()); err != nil {
			d.fail(n, "%s must be a %s", path, v.Kind())
		}
	}
}

func (d *decoder) fields(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s must be a map of keys", orTop(path))
		return
	}
	known := map[string]int{}
	var names []string
	for i := range v.NumField() {
		if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ","); name != "" && name != "-" {
			known[name] = i
			names = append(names, name)
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		at, ok := known[k.Value]
		switch {
		case !ok:
			d.fail(k, "unknown key %q%s", k.Value, suggestion(k.Value, names))
		case seen[k.Value]:
			d.fail(k, "the key %q stands here twice", k.Value)
		default:
			seen[k.Value] = true
			d.decode(c, v.Field(at), join(path, k.Value))
		}
	}
}

func orTop(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// suggestion names the known word that is nearest, when it is near enough to be what was meant.
func suggestion(word string, known []string) string {
	best, at := "", 3
	for _, k := range known {
		if dist := distance(word, k); dist < at {
			best, at = k, dist
		}
	}
	if best == "" {
		sort.Strings(known)
		return "; the keys here are " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		last := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := last
			if a[i-1] != b[j-1] {
				cost = 1 + min(last, row[j], row[j-1])
			}
			last, row[j] = row[j], cost
		}
	}
	return row[len(b)]
}
