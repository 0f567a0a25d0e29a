// Package strict reads the YAML files that administrators write, and forgives nothing: an unknown or repeated key, a value of the wrong kind,
// a number without quotes, an alias, a second document, each is an error with file, line and column, and for a misspelling with what was
// surely meant. All of them come at once.
//
// Its invariant: what the file does not say plainly is not taken, so that a file with a fault in it yields nothing at all. An error repeats
// nothing that stands in the file, for that may be a secret or a telephone number; it tells the place.
package strict

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Error is one fault at one place of a file.
type Error struct {
	File         string
	Line, Column int // from 1
	Message      string
}

// Error returns "file:line:column: message".
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Sort puts errors into the order of their places. What has no place comes last.
func Sort(errs []error) {
	place := func(err error) (none, line, column int) {
		if e := (*Error)(nil); errors.As(err, &e) {
			return 0, e.Line, e.Column
		}
		return 1, 0, 0
	}
	slices.SortStableFunc(errs, func(a, b error) int {
		noneA, lineA, columnA := place(a)
		noneB, lineB, columnB := place(b)
		return cmp.Or(cmp.Compare(noneA, noneB), cmp.Compare(lineA, lineB), cmp.Compare(columnA, columnB))
	})
}

// ErrTooLarge is the cause when a file is longer than its reader takes.
var ErrTooLarge = errors.New("the file is too large")

// ReadAll reads what r has, up to limit bytes; more is [ErrTooLarge].
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return data, err
}

// maxErrors bounds what one bad file reports; a list exported wrongly has the same fault in each line.
const maxErrors = 100

// Reader walks the nodes of one file and collects what is wrong with it. Its methods return what they could read, so that one fault does not
// hide the next; what they return is good for anything only when Err is nil at the end. It is owned by one goroutine.
type Reader struct {
	file string
	errs []error
	more int // errors beyond maxErrors
}

// NewReader returns a Reader for one file, whose name stands in the errors.
func NewReader(file string) *Reader { return &Reader{file: file} }

// Fail notes a fault at n.
func (r *Reader) Fail(n *yaml.Node, format string, args ...any) {
	if len(r.errs) >= maxErrors {
		r.more++
		return
	}
	r.errs = append(r.errs, &Error{File: r.file, Line: max(1, n.Line), Column: max(1, n.Column), Message: fmt.Sprintf(format, args...)})
}

// Failed returns how many faults there are so far.
func (r *Reader) Failed() int { return len(r.errs) + r.more }

// Err returns all faults joined, in the order in which they were found, each an *[Error]; nil when there are none.
func (r *Reader) Err() error {
	errs := slices.Clone(r.errs)
	if r.more > 0 {
		errs = append(errs, fmt.Errorf("%s: and %d more errors", r.file, r.more))
	}
	return errors.Join(errs...)
}

// syntaxError is the form of the YAML library's own errors, which have no type and know the line only.
var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// Document returns the root of the one document in data; nil when there is nothing in it, or after noting why it cannot be read.
func (r *Reader) Document(data []byte) (root *yaml.Node) {
	// A parser of foreign text that panics must not take down the process that holds the last good content.
	defer func() {
		if p := recover(); p != nil {
			r.Fail(&yaml.Node{}, "the file is not YAML")
			root = nil
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		r.syntax(data, err)
		return nil
	}
	if err := d.Decode(&more); err == nil {
		r.Fail(&more, "a second document follows; there can be one")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(data, err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil
	}
	return doc.Content[0]
}

// syntax notes an error of the YAML library at the first word of its line.
func (r *Reader) syntax(data []byte, err error) {
	at, message := yaml.Node{Line: 1, Column: 1}, err.Error()
	if m := syntaxError.FindStringSubmatch(message); m != nil {
		message = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			at.Line = max(1, n)
		}
	}
	tabbed := false
	if lines := bytes.Split(data, []byte("\n")); at.Line <= len(lines) {
		text := lines[at.Line-1]
		indented := bytes.TrimLeft(text, " ")
		at.Column, tabbed = 1+len(text)-len(indented), bytes.HasPrefix(indented, []byte("\t"))
	}
	switch {
	case unknownAnchor.MatchString(message):
		// The library tells no place, and the name of what may be a feature code.
		if line, column := alias(data, unknownAnchor.FindStringSubmatch(message)[1]); line > 0 {
			at.Line, at.Column = line, column
		}
		message = "what begins with * is an alias to YAML; put it in quotes"
	case strings.HasSuffix(message, "did not find expected alphabetic or numeric character"):
		message += "; what begins with * or & belongs in quotes"
	case strings.Contains(message, "cannot start any token") && tabbed:
		message += "; indent with spaces, not with tabs"
	case strings.Contains(message, "UTF-8"): // no place either
		message += "; save the file as UTF-8"
		for i, text := range bytes.Split(data, []byte("\n")) {
			if !utf8.Valid(text) {
				good, _, _ := strings.Cut(strings.ToValidUTF8(string(text), "\x00"), "\x00")
				at.Line, at.Column = i+1, utf8.RuneCountInString(good)+1
				break
			}
		}
	}
	r.Fail(&at, "%s", message)
}

var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// alias finds the first place where a name stands as an alias, outside quotes and comments that begin and end in a line; 0, 0 where there is none.
func alias(data []byte, name string) (line, column int) {
	for i, text := range strings.Split(string(data), "\n") {
		quote, before, comment := rune(0), ' ', false
		for j, c := range text {
			switch {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case strings.ContainsRune(" \t[{,", before) && (c == '"' || c == '\''):
				quote = c
			case c == '#' && strings.ContainsRune(" \t", before):
				comment = true
			case c == '*' && strings.ContainsRune(" \t[{,", before):
				if rest, ok := strings.CutPrefix(text[j+1:], name); ok && (rest == "" || strings.ContainsAny(rest[:1], " \t\r,]}")) {
					return i + 1, utf8.RuneCountInString(text[:j]) + 1
				}
			}
			if comment {
				break
			}
			before = c
		}
	}
	return 0, 0
}

// Fields puts the values of a mapping at the places that stand for the known keys, which are as many. It reports whether n is a mapping. An
// unknown key and one that comes twice are faults. An alias is no mapping, and a merge key is unknown.
func (r *Reader) Fields(n *yaml.Node, known []string, places ...**yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		r.Fail(n, "a map with the keys %s belongs here", strings.Join(known, ", "))
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		k := slices.Index(known, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || k < 0:
			r.Fail(key, "unknown key%s", suggest(key.Value, known))
		case *places[k] != nil:
			r.Fail(key, "%s stands in line %d already", known[k], (*places[k]).Line)
		default:
			*places[k] = value
		}
	}
	return true
}

// Text returns a text. What YAML takes for a number, a date or a truth value has to be in quotes to be one.
func (r *Reader) Text(n *yaml.Node) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		r.Fail(n, "a text belongs here")
	case n.Tag != "!!str":
		r.Fail(n, "a text belongs here; put it in quotes if it is meant")
	default:
		return n.Value, true
	}
	return "", false
}

// Number returns a telephone number's text, which has to be in quotes: YAML reads a bare 0123 as 83 and 1e5 as 100000.
func (r *Reader) Number(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 {
		r.Fail(n, "a number stands in quotes, or YAML reads it its own way")
		return "", false
	}
	return r.Text(n)
}
