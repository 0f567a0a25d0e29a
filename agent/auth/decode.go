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
	data, err := readFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	return ParseTokens(path, data)
}

// readFile reads a file on whose content it depends who is let in.
func readFile(path string, limit int64) ([]byte, error) {
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
	data, err := strict.ReadAll(f, limit)
	if err != nil {
		return nil, fmt.Errorf("auth: %s: %w", path, err)
	}
	return data, nil
}

// ParseTokens reads a tokens file's text. Name stands in the errors, which are all reported at once, each a *[FileError].
//
//   - employee: anna                # id as in the policy
//     hash: "sha256:…"              # 64 hex digits
//     label: desk                   # optional
//     created: 2026-10-01T09:00:00Z # optional
//     expires: 2027-01-31           # optional: the end of that day in UTC, or a moment
//   - panel: crm                    # instead of an employee: a panel's back end, which names the employee with each request
//     acts_for: [anna, boris]       # whom it may name, or everyone
//     hash: "sha256:…"
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

var tokenKeys = []string{"employee", "panel", "acts_for", "hash", "label", "created", "expires"}

func (d *decoder) token(n *yaml.Node) (e Entry, hash *yaml.Node, ok bool) {
	before := d.Failed()
	var employee, panel, actsFor, label, created, expires *yaml.Node
	if !d.Fields(n, tokenKeys, &employee, &panel, &actsFor, &hash, &label, &created, &expires) {
		return e, nil, false
	}
	d.whose(n, &e, employee, panel, actsFor)
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

// whose reads whose token n is: an employee's or a panel's.
func (d *decoder) whose(n *yaml.Node, e *Entry, employee, panel, actsFor *yaml.Node) {
	var ok bool
	switch {
	case panel != nil && employee != nil:
		d.Fail(employee, "a token is an employee's or a panel's, not both")
	case panel != nil:
		if e.Panel, ok = d.Text(panel); ok && !isPanel(e.Panel) {
			d.Fail(panel, "panel is not a name: %s", panelForm)
		}
		if actsFor == nil {
			d.Fail(n, "acts_for is missing: a list of the employees whom the panel may name, or everyone")
		} else {
			e.ActsFor = d.actsFor(actsFor)
		}
	case employee == nil:
		d.Fail(n, "employee is missing")
	default:
		if e.Employee, ok = d.Text(employee); ok && !isEmployee(e.Employee) {
			d.Fail(employee, "employee is not an id")
		}
		if actsFor != nil {
			d.Fail(actsFor, "acts_for belongs to a panel's token")
		}
	}
}

func (d *decoder) actsFor(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode && n.Value == Everyone {
		return []string{Everyone}
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.Fail(n, "acts_for is a list of employees, or everyone")
		return nil
	}
	ids := make([]string, 0, len(n.Content))
	seen := make(map[string]bool, len(n.Content))
	for _, c := range n.Content {
		id, ok := d.Text(c)
		switch {
		case !ok:
		case id == Everyone:
			d.Fail(c, "everyone stands alone: acts_for: everyone")
		case !isEmployee(id):
			d.Fail(c, "this is not an employee's id")
		case seen[id]:
			d.Fail(c, "this employee stands there already")
		default:
			ids = append(ids, id)
		}
		seen[id] = true
	}
	return ids
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

const panelForm = "up to 64 letters, digits, hyphens, dots and underscores"

// isPanel reports whether s can name a panel. The name is part of others in the audit log, so it has none of their signs.
func isPanel(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
}

func isEveryone(ids []string) bool { return len(ids) == 1 && ids[0] == Everyone }

// isActsFor reports whether ids can be those whom a panel may name.
func isActsFor(ids []string) bool {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if !isEmployee(id) || seen[id] || id == Everyone && len(ids) > 1 {
			return false
		}
		seen[id] = true
	}
	return len(ids) > 0
}

func isLabel(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
