package ari

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of JSON. Asterisk's own events nest five deep; a user event's members may add some.
const maxDepth = 64

// errDepth says that a text nests deeper than maxDepth.
var errDepth = errors.New("nested too deep")

// errSyntax says that a text is not JSON.
var errSyntax = errors.New("not valid JSON")

// errObject and errList say that a text is JSON of another type than the one wanted.
var (
	errObject = errors.New("not a JSON object")
	errList   = errors.New("not a JSON list")
	errSparse = errors.New("more elements than so much text can describe")
)

// A DecodeError is a text that is not an event: not JSON, not an object, or nested deeper than 64. It does not show the
// text, which has names and numbers in it.
type DecodeError struct {
	Offset int // the byte at which it was noticed
	Err    error
}

// Error tells what is wrong and where.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("ari: decode at byte %d: %v", e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *DecodeError) Unwrap() error { return e.Err }

// decoder walks over one JSON text. Its methods take the index at which their value begins and return the index after
// it, or a negative number after an error, which the decoder then holds. An index at which a value may begin has been
// moved over white space already and is below len(s), so that a method may look at s[i] at once.
//
// Every byte is checked, skipped values too: what is accepted is what encoding/json accepts, up to maxDepth.
type decoder struct {
	s     string
	depth int
	at    int // where the error is
	err   error
}

// fail notes an error at i. The first one counts.
func (d *decoder) fail(i int, err error) int {
	if d.err == nil {
		d.at, d.err = i, err
	}
	return -1
}

// one decodes text as a single object; null leaves what there is, as encoding/json would have it.
func (d *decoder) one(text string, parse func(int) int) error {
	d.s = text
	i := d.begin()
	if i >= 0 {
		switch text[i] {
		case '{':
			i = parse(i)
		case 'n':
			i = d.skip(i)
		default:
			i = d.fail(i, errObject)
		}
	}
	return d.end(i)
}

// A list may have so many elements without a look at how large they are; beyond it they need so many bytes each, on an average. Asterisk's channels and bridges
// have twice that. One of nothing but "{}" would take a hundred times its text in memory.
const (
	looseElements    = 4096
	leastElement     = 128
	leastEndpoint    = 64 // {"technology":"SIP","resource":"1","state":"online","channel_ids":[]}
	leastDeviceState = 32 // {"name":"Stasis:x","state":"BUSY"}
	leastApplication = 96 // seven members, six of them empty lists
)

// list calls element for each element of text, a list of objects. Each is given as a string of its own, so that one
// that is kept does not keep the others in memory.
func (d *decoder) list(text string, least int, element func(string) error) error {
	d.s = text
	i := d.begin()
	if i >= 0 && text[i] != '[' {
		i = d.fail(i, errList)
	}
	if i >= 0 {
		i = d.open(i)
	}
	if i >= 0 && text[i] == ']' {
		return d.end(i + 1)
	}
	for n, more := 1, i >= 0; more; n++ {
		if n > looseElements && i/least < n {
			return d.end(d.fail(i, errSparse))
		}
		from := i
		if text[i] != '{' {
			return d.end(d.fail(i, errObject))
		}
		if i = d.skip(i); i < 0 {
			break
		}
		if err := element(strings.Clone(text[from:i])); err != nil {
			return err
		}
		i, more = d.next(i, ']')
	}
	return d.end(i)
}

// begin gives the index of the text's first value.
func (d *decoder) begin() int { return d.value(0) }

// end checks that nothing but white space follows i, and gives the decoder's error.
func (d *decoder) end(i int) error {
	if i >= 0 && d.space(i) != len(d.s) {
		d.fail(d.space(i), errSyntax)
	}
	if d.err != nil {
		return &DecodeError{Offset: d.at, Err: d.err}
	}
	return nil
}

// space gives the first index from i on that is not white space, possibly len(s).
func (d *decoder) space(i int) int {
	for i < len(d.s) {
		switch d.s[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value gives the index at which a value has to begin, at or after i.
func (d *decoder) value(i int) int {
	if i < len(d.s) && d.s[i] > ' ' {
		return i
	}
	if i = d.space(i); i < len(d.s) {
		return i
	}
	return d.fail(i, errSyntax)
}

// open enters the object or list that begins at i; first is the index of its first member or element, or of the
// closing bracket when there is none.
func (d *decoder) open(i int) (first int) {
	if d.depth++; d.depth > maxDepth {
		return d.fail(i, errDepth)
	}
	return d.value(i + 1)
}

// key reads a member's name, which begins at i, and gives the index of its value.
func (d *decoder) key(i int) (string, int) {
	s := d.s
	if s[i] != '"' {
		return "", d.fail(i, errSyntax)
	}
	name, i := d.text(i)
	if i < 0 {
		return "", i
	}
	if i+1 < len(s) && s[i] == ':' && s[i+1] > ' ' {
		return name, i + 1
	}
	i = d.space(i)
	if i >= len(s) || s[i] != ':' {
		return "", d.fail(i, errSyntax)
	}
	return name, d.value(i + 1)
}

// next is called after a member or an element, at i. Where another follows it gives its index and true; where the
// closing bracket follows it leaves the object or list and gives the index after that and false.
func (d *decoder) next(i int, closing byte) (int, bool) {
	s := d.s
	if i >= len(s) || s[i] <= ' ' {
		if i = d.value(i); i < 0 {
			return i, false
		}
	}
	switch s[i] {
	case ',':
		i = d.value(i + 1)
		return i, i >= 0
	case closing:
		d.depth--
		return i + 1, false
	}
	return d.fail(i, errSyntax), false
}

// skip checks the value at i and passes over it.
func (d *decoder) skip(i int) int {
	switch c := d.s[i]; c {
	case '"':
		end, _ := d.scan(i)
		if end < 0 {
			return end
		}
		return end + 1
	case '{':
		if i = d.open(i); i < 0 {
			return i
		}
		if d.s[i] == '}' {
			d.depth--
			return i + 1
		}
		for more := true; more; {
			if _, i = d.key(i); i < 0 {
				return i
			}
			if i = d.skip(i); i < 0 {
				return i
			}
			i, more = d.next(i, '}')
		}
		return i
	case '[':
		if i = d.open(i); i < 0 {
			return i
		}
		if d.s[i] == ']' {
			d.depth--
			return i + 1
		}
		for more := true; more; {
			if i = d.skip(i); i < 0 {
				return i
			}
			i, more = d.next(i, ']')
		}
		return i
	case 't':
		return d.literal(i, "true")
	case 'f':
		return d.literal(i, "false")
	case 'n':
		return d.literal(i, "null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return d.number(i)
		}
		return d.fail(i, errSyntax)
	}
}

func (d *decoder) literal(i int, word string) int {
	if len(d.s)-i < len(word) || d.s[i:i+len(word)] != word {
		return d.fail(i, errSyntax)
	}
	return i + len(word)
}

// number passes over a number (RFC 8259, section 6).
func (d *decoder) number(i int) int {
	s := d.s
	if s[i] == '-' {
		i++
	}
	switch {
	case i < len(s) && s[i] == '0':
		i++
	case i < len(s) && '1' <= s[i] && s[i] <= '9':
		i = digits(s, i)
	default:
		return d.fail(i, errSyntax)
	}
	if i < len(s) && s[i] == '.' {
		from := i + 1
		if i = digits(s, from); i == from {
			return d.fail(i, errSyntax)
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		from := i
		if i = digits(s, from); i == from {
			return d.fail(i, errSyntax)
		}
	}
	return i
}

func digits(s string, i int) int {
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return i
}

// str reads a string into *v; another type empties it.
func (d *decoder) str(v *string, i int) int {
	if d.s[i] != '"' {
		*v = ""
		return d.skip(i)
	}
	*v, i = d.text(i)
	return i
}

// strs reads a list of strings into *v, whose memory it uses again. Elements of another type are left out.
func (d *decoder) strs(v *[]string, i int) int {
	*v = (*v)[:0]
	if d.s[i] != '[' {
		return d.skip(i)
	}
	if i = d.open(i); i < 0 {
		return i
	}
	if d.s[i] == ']' {
		d.depth--
		return i + 1
	}
	for more := true; more; {
		if d.s[i] == '"' {
			var element string
			if element, i = d.text(i); i >= 0 {
				*v = append(*v, element)
			}
		} else {
			i = d.skip(i)
		}
		if i < 0 {
			return i
		}
		i, more = d.next(i, ']')
	}
	return i
}

// integer reads a whole number into *v; what is no whole number, or too large, makes it 0.
func (d *decoder) integer(v *int, i int) int {
	*v = 0
	from := i
	if i = d.skip(i); i >= 0 {
		if n, err := strconv.Atoi(d.s[from:i]); err == nil {
			*v = n
		}
	}
	return i
}

// boolean reads true or false into *v; another type makes it false.
func (d *decoder) boolean(v *bool, i int) int {
	*v = d.s[i] == 't'
	return d.skip(i)
}

// raw keeps the text of an object; another type empties it.
func (d *decoder) raw(v *string, i int) int {
	*v = ""
	from := i
	if i = d.skip(i); i >= 0 && d.s[from] == '{' {
		*v = d.s[from:i]
	}
	return i
}
