package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// FileError is one thing wrong with a directory's file. All of them come joined (errors.Join). It repeats no number and no name.
type FileError struct {
	File         string
	Line, Column int // from 1
	Message      string
}

// Error returns "file:line:column: message".
func (e *FileError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// maxErrors bounds what one bad file reports; a list exported wrongly has the same fault in each line.
const maxErrors = 100

type decoder struct {
	file   string
	errs   []error
	more   int // errors beyond maxErrors
	region string
	list   []Client
	index  map[string]int32
	lines  []int // of each client's number
}

func parse(name string, data []byte, o Options) (*book, error) {
	d := decoder{file: name, region: o.Region, index: make(map[string]int32)}
	if o.Region != "" && !knownRegion(o.Region) {
		return nil, fmt.Errorf("clients: region %q is unknown; two capital letters as in ISO 3166 (RU, DE)", o.Region)
	}
	d.root(d.document(data))
	if d.more > 0 {
		d.errs = append(d.errs, fmt.Errorf("%s: and %d more errors", name, d.more))
	}
	if len(d.errs) > 0 {
		return nil, errors.Join(d.errs...)
	}
	return newBook(d.region, slices.Clip(d.list), d.index), nil
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	if len(d.errs) >= maxErrors {
		d.more++
		return
	}
	d.errs = append(d.errs, &FileError{File: d.file, Line: max(1, n.Line), Column: max(1, n.Column), Message: fmt.Sprintf(format, args...)})
}

func (d *decoder) failed() int { return len(d.errs) + d.more }

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

func (d *decoder) root(n *yaml.Node) {
	if n == nil || n.Tag == "!!null" {
		return
	}
	if n.Kind == yaml.SequenceNode {
		d.clients(n)
		return
	}
	var region, list *yaml.Node
	if !d.fields(n, []string{"region", "clients"}, &region, &list) {
		return
	}
	if region != nil {
		if d.region = d.text(region); !knownRegion(d.region) {
			d.fail(region, "unknown region; two capital letters as in ISO 3166 (RU, DE)")
			d.region = "" // the numbers are read all the same, for their other errors
			return
		}
	}
	switch {
	case list == nil || list.Tag == "!!null":
	case list.Kind != yaml.SequenceNode:
		d.fail(list, "a list of clients belongs here")
	default:
		d.clients(list)
	}
}

func (d *decoder) clients(list *yaml.Node) {
	d.list = make([]Client, 0, len(list.Content))
	d.lines = make([]int, 0, len(list.Content))
	d.index = make(map[string]int32, len(list.Content))
	for _, n := range list.Content {
		d.client(n)
	}
}

var clientKeys = []string{"number", "name", "responsible"}

func (d *decoder) client(n *yaml.Node) {
	before := d.failed()
	var number, name, responsible *yaml.Node
	if !d.fields(n, clientKeys, &number, &name, &responsible) {
		return
	}
	if number == nil {
		d.fail(n, "number is missing")
	}
	if name == nil {
		d.fail(n, "name is missing")
	}
	var c Client
	if number != nil {
		c.Number = d.number(number)
	}
	if name != nil {
		if c.Name = d.text(name); c.Name == "" || !printable(c.Name) {
			d.fail(name, "a name has 1 to %d bytes, all printable", maxText)
		}
	}
	if responsible != nil {
		if c.Responsible = d.text(responsible); c.Responsible == "" || !printable(c.Responsible) {
			d.fail(responsible, "responsible is not an employee's id; leave the key out when nobody is responsible")
		}
	}
	if d.failed() > before {
		return
	}
	if first, twice := d.index[c.Number]; twice {
		d.fail(number, "this number stands in line %d already", d.lines[first])
		return
	}
	d.index[c.Number] = int32(len(d.list)) //nolint:gosec // maxFile is far below that many clients
	d.list = append(d.list, c)
	d.lines = append(d.lines, number.Line)
}

func (d *decoder) number(n *yaml.Node) string {
	told := d.text(n)
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 {
		d.fail(n, "a number stands in quotes, or YAML reads it its own way")
		return ""
	}
	normal, ok := Normalise(told, d.region)
	switch {
	case ok:
	case d.region == "" && !strings.HasPrefix(told, "+"):
		d.fail(n, "this number has no country code and no region is given; write it with +, or set region")
	default:
		d.fail(n, "this is no possible telephone number")
	}
	return normal
}

// fields puts a mapping's values at the places that stand for the known keys. It reports whether n is a mapping.
func (d *decoder) fields(n *yaml.Node, known []string, places ...**yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "a map with the keys %s belongs here", strings.Join(known, ", "))
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		k := slices.Index(known, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || k < 0:
			d.fail(key, "unknown key%s", suggest(key.Value, known))
		case *places[k] != nil:
			d.fail(key, "%s stands in line %d already", known[k], (*places[k]).Line)
		default:
			*places[k] = value
		}
	}
	return true
}

func (d *decoder) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.fail(n, "a text belongs here")
		return "?" // so that no second error follows
	}
	return n.Value
}

const maxText = 256

func printable(s string) bool {
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
