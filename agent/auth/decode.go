package auth

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/earshot-pbx/earshot/agent/strict"
	"go.yaml.in/yaml/v3"
)

// FileError is one thing wrong with a tokens file. All of them come joined (errors.Join).
type FileError = strict.Error

const maxFile = 16 << 20

func readTokens(path string) ([]Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	if st.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("auth: %s: everybody may write this file, so it proves nothing; chmod o-w", path)
	}
	data, err := strict.ReadAll(f, maxFile)
	if err != nil {
		return nil, fmt.Errorf("auth: %s: %w", path, err)
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
	d := decoder{strict.NewReader(name)}
	entries := d.tokens(d.Document(data))
	if err := d.Err(); err != nil {
		return nil, err
	}
	return entries, nil
}

type decoder struct{ *strict.Reader }

func (d *decoder) tokens(root *yaml.Node) []Entry {
	if root == nil {
		return nil
	}
	if root.Kind != yaml.SequenceNode {
		d.Fail(root, "a list of tokens belongs here")
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
			d.Fail(hash, "this hash stands in line %d already; one token is one employee's", first)
			continue
		}
		lines[e.Hash] = hash.Line
		entries = append(entries, e)
	}
	return entries
}

var tokenKeys = []string{"employee", "hash", "label", "created", "expires"}

func (d *decoder) token(n *yaml.Node) (e Entry, hash *yaml.Node, ok bool) {
	before := d.Failed()
	var employee, label, created, expires *yaml.Node
	if !d.Fields(n, tokenKeys, &employee, &hash, &label, &created, &expires) {
		return e, nil, false
	}
	if employee == nil {
		d.Fail(n, "employee is missing")
	} else if e.Employee, ok = d.Text(employee); ok && !isEmployee(e.Employee) {
		d.Fail(employee, "employee is not an id")
	}
	if hash == nil {
		d.Fail(n, "hash is missing")
	} else if e.Hash, ok = d.Text(hash); ok {
		if _, good := parseHash(e.Hash); !good {
			d.Fail(hash, "a hash is \"sha256:\" and 64 lower-case hex digits; `earshot token` makes one")
		}
	}
	if label != nil {
		if e.Label, ok = d.Text(label); ok && !isLabel(e.Label) {
			d.Fail(label, "a label has at most %d bytes, all printable", maxText)
		}
	}
	if created != nil {
		e.Created = d.moment(created, 0)
	}
	if expires != nil {
		e.Expires = d.moment(expires, 1)
	}
	return e, hash, d.Failed() == before
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
	d.Fail(n, "a date (2027-01-31) or a moment (2027-01-31T18:00:00Z) belongs here")
	return time.Time{}
}

const maxText = 128

// isEmployee reports whether s can be an employee's id.
func isEmployee(s string) bool { return s != "" && isLabel(s) }

func isLabel(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
