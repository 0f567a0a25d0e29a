package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// FileError is one thing wrong with a tokens file. All of them come joined (errors.Join).
type FileError struct {
	File         string
	Line, Column int // from 1
	Message      string
}

// Error returns "file:line:column: message".
func (e *FileError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

const maxFile = 16 << 20

func readTokens(path string) ([]Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	if st.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("auth: %s: everybody may write this file, so it proves nothing; chmod o-w", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("auth: %s: more than %d bytes", path, maxFile)
	}
	return ParseTokens(path, data)
}

// ParseTokens reads a tokens file's text. Name stands in the errors, which are all reported at once, each a *[FileError].
//
//   - employee: anna                # id as in the policy
//     hash: "sha256:…"              # 64 hex digits
//     label: desk                   # optional
//     created: 2026-10-01T09:00:00Z # optional
//     expires: 2027-01-31           # optional: the end of that day in UTC, or a moment
func ParseTokens(name string, data []byte) ([]Entry, error) {
	d := decoder{file: name}
	entries := d.tokens(d.document(data))
	if len(d.errs) > 0 {
		return nil, errors.Join(d.errs...)
	}
	return entries, nil
}

type decoder struct {
	file string
	errs []error
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, &FileError{File: d.file, Line: max(1, n.Line), Column: max(1, n.Column), Message: fmt.Sprintf(format, args...)})
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// document returns the one document's root, or nil when there is none.
func (d *decoder) document(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		at := &yaml.Node{}
		message := err.Error()
		if m := syntaxError.FindStringSubmatch(message); m != nil {
			at.Line, _ = strconv.Atoi(m[1])
			message = m[2]
		}
		d.fail(at, "%s", message)
		return nil
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		d.fail(&more, "a second document follows; there can be one")
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

func (d *decoder) tokens(root *yaml.Node) []Entry {
	if root == nil || root.Tag == "!!null" {
		return nil
	}
	if root.Kind != yaml.SequenceNode {
		d.fail(root, "a list of tokens belongs here")
		return nil
	}
	entries := make([]Entry, 0, len(root.Content))
	lines := make(map[string]int)
	for _, n := range root.Content {
		e, hash, ok := d.token(n)
		if !ok {
			continue
		}
		if first, twice := lines[e.Hash]; twice {
			d.fail(hash, "this hash stands in line %d already; one token is one employee's", first)
			continue
		}
		lines[e.Hash] = hash.Line
		entries = append(entries, e)
	}
	return entries
}

func (d *decoder) token(n *yaml.Node) (e Entry, hash *yaml.Node, ok bool) {
	before := len(d.errs)
	f := d.fields(n, "employee", "hash", "label", "created", "expires")
	if f == nil {
		return e, nil, false
	}
	for _, key := range []string{"employee", "hash"} {
		if f[key] == nil {
			d.fail(n, "%s is missing", key)
		}
	}
	if v := f["employee"]; v != nil {
		if e.Employee = d.text(v); !isEmployee(e.Employee) {
			d.fail(v, "employee is not an id")
		}
	}
	if v := f["hash"]; v != nil {
		hash, e.Hash = v, d.text(v)
		if _, good := parseHash(e.Hash); !good {
			d.fail(v, "a hash is \"sha256:\" and 64 lower-case hex digits; `earshot token` makes one")
		}
	}
	if v := f["label"]; v != nil {
		if e.Label = d.text(v); !isLabel(e.Label) {
			d.fail(v, "a label has at most %d bytes, all printable", maxText)
		}
	}
	if v := f["created"]; v != nil {
		e.Created = d.moment(v, 0)
	}
	if v := f["expires"]; v != nil {
		e.Expires = d.moment(v, 1)
	}
	return e, hash, len(d.errs) == before
}

// fields returns the values of a mapping by key, or nil when n is none. Keys that are not known are errors.
func (d *decoder) fields(n *yaml.Node, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "a map with the keys %s belongs here", strings.Join(known, ", "))
		return nil
	}
	f := make(map[string]*yaml.Node, len(known))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			d.fail(key, "unknown key%s", suggest(key.Value, known))
		case f[key.Value] != nil:
			d.fail(key, "%s stands in line %d already", key.Value, f[key.Value].Line)
		default:
			f[key.Value] = value
		}
	}
	return f
}

func (d *decoder) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.fail(n, "a text belongs here")
		return "?" // so that no second error follows
	}
	return n.Value
}

// moment reads a time, or a date, to which it adds days so that an end can be the end of that day.
func (d *decoder) moment(n *yaml.Node, days int) time.Time {
	if n.Kind == yaml.ScalarNode {
		if t, err := time.Parse(time.RFC3339, n.Value); err == nil && !t.IsZero() {
			return t.UTC()
		}
		if t, err := time.Parse(time.DateOnly, n.Value); err == nil && !t.IsZero() {
			return t.AddDate(0, 0, days)
		}
	}
	d.fail(n, "a date (2027-01-31) or a moment (2027-01-31T18:00:00Z) belongs here")
	return time.Time{}
}

const maxText = 128

// isEmployee reports whether s can be an employee's id.
func isEmployee(s string) bool { return s != "" && isLabel(s) }

func isLabel(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// suggest names the known key that is nearest to what was written, if one is near.
func suggest(written string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if n := distance(strings.ToLower(written), k); n < least {
			best, least = k, n
		}
	}
	if best == "" {
		return "; the keys are " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is Levenshtein's, for words as short as keys; longer ones are far from everything.
func distance(a, b string) int {
	if len(a) > 32 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
