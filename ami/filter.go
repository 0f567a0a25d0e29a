package ami

import (
	"bytes"
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"
)

var (
	// errFilterFormat and errFilterPattern are answered in Asterisk's words (main/manager.c, action_filter).
	errFilterFormat  = errors.New("Filter was formatted incorrectly.  Check the syntax of the filter given.") //nolint:revive,staticcheck // a peer's words
	errFilterPattern = errors.New("Filter did not compile.  Check the syntax of the filter given.")           //nolint:revive,staticcheck // a peer's words
)

// Bounds of filters. They cost time with each event, so a session cannot have as many and as large ones as it likes.
const (
	maxFilters    = 64
	maxPattern    = 512  // bytes
	maxFilterCost = 1000 // of all filters of a session together: characters to compare, with repeats written out
	plainCost     = 8    // of a filter without an expression, which takes a small part of what one takes
)

// What filters within those bounds take depends on the expressions and on the events, so it is measured, too: filterTime
// at once, and one part in filterShare of the time in the long run. Beyond it the session is ended with [ErrFilters].
const (
	filterTime  = time.Second
	filterShare = 20
)

// filterClock is what a session's filters have taken of their time. The zero value has all of it left.
type filterClock struct {
	spent time.Duration
	at    time.Time // when spent was counted
}

// spend counts a look of the filters that began and is over now, and reports whether that was within their time.
func (c *filterClock) spend(begun, now time.Time) bool {
	c.spent = max(0, c.spent-begun.Sub(c.at)/filterShare) + now.Sub(begun)
	c.at = now
	return c.spent <= filterTime
}

// filterSet is what a session's stream has to pass. It is not changed once it is in use; nil passes everything.
type filterSet struct {
	include, exclude []*filter
	cost             int // of all of them
}

// with returns a set that has one filter more.
func (f *filterSet) with(one *filter) *filterSet {
	var bigger filterSet
	if f != nil {
		bigger.include = append(bigger.include, f.include...)
		bigger.exclude = append(bigger.exclude, f.exclude...)
		bigger.cost = f.cost
	}
	bigger.cost += one.cost
	if one.exclude {
		bigger.exclude = append(bigger.exclude, one)
	} else {
		bigger.include = append(bigger.include, one)
	}
	return &bigger
}

// room reports whether a session may have one filter more.
func (f *filterSet) room(one *filter) bool {
	return f == nil || len(f.include)+len(f.exclude) < maxFilters && f.cost+one.cost <= maxFilterCost
}

// pass reports whether the event goes through (main/manager.c, should_send_event): one of the including filters has to
// match when there are any, and none of the excluding ones may.
func (f *filterSet) pass(wire []byte) bool {
	if f == nil {
		return true
	}
	included := len(f.include) == 0
	for _, one := range f.include {
		if one.match(wire) {
			included = true
			break
		}
	}
	if !included {
		return false
	}
	for _, one := range f.exclude {
		if one.match(wire) {
			return false
		}
	}
	return true
}

// filter is one filter of a session.
type filter struct {
	exclude bool
	event   string // the event's name; empty: any
	header  string // the header with its colon; empty: the whole event
	method  string
	text    []byte
	pattern *regexp.Regexp // with method "regex"
	cost    int
}

// newFilter reads the fields of a Filter action (main/manager.c, manager_add_filter). Without criteria the pattern is an
// extended regular expression over the whole event, one that begins with "!" for what is left out. Criteria are
// "action(include)", "name(Newchannel)", "header(Channel)" and "method(starts_with)", in any order.
func newFilter(criteria, pattern string) (*filter, error) {
	f := &filter{method: "regex"}
	if rest, ok := strings.CutPrefix(pattern, "!"); ok {
		f.exclude, pattern = true, rest
	}
	if criteria == "" {
		if pattern == "" {
			return nil, errFilterFormat
		}
	} else if err := f.criteria(criteria, pattern == ""); err != nil {
		return nil, err
	}
	if len(pattern) > maxPattern {
		return nil, errFilterPattern
	}
	f.text, f.cost = []byte(pattern), plainCost
	if f.method == "regex" {
		compiled, cost, err := compile(pattern)
		if err != nil {
			return nil, errFilterPattern
		}
		f.pattern, f.cost = compiled, cost
	}
	return f, nil
}

// criteria reads the text in Asterisk's way: options between blanks, commas and closing brackets, so that a bracket that
// is not closed is no fault. The last "(" begins nothing: each option has one.
func (f *filter) criteria(text string, noPattern bool) error {
	f.method = "none"
	found := false
	for option := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == ',' || r == ')' }) {
		word, value, bracket := strings.Cut(option, "(")
		if !bracket || value == "" {
			return errFilterFormat
		}
		found = true
		// Asterisk looks at the first letters alone.
		switch {
		case strings.HasPrefix(word, "action") && (value == "include" || value == "exclude"):
			f.exclude = value == "exclude"
		case strings.HasPrefix(word, "name"):
			f.event = value
		case strings.HasPrefix(word, "header"):
			f.header = strings.TrimSuffix(value, ":") + ":"
		case strings.HasPrefix(word, "method") && oneOfExactly(value, "regex", "exact", "starts_with", "ends_with", "contains", "none"):
			f.method = value
		default:
			return errFilterFormat
		}
	}
	if !found || noPattern != (f.method == "none") || noPattern && f.event == "" && f.header == "" {
		return errFilterFormat
	}
	return nil
}

func oneOfExactly(s string, words ...string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	return false
}

// compile makes what regcomp with REG_EXTENDED makes of a pattern: "." and "[^x]" match line ends, "^" and "$" the event's
// ends alone. It takes linear time with each event, and a pattern is not taken that would be long with its repeats
// written out. What GNU's regcomp has beyond POSIX (\w, \b, back references) is refused.
func compile(pattern string) (_ *regexp.Regexp, n int, err error) {
	tree, err := syntax.Parse(pattern, syntax.ClassNL|syntax.DotNL|syntax.OneLine)
	if err != nil {
		return nil, 0, err
	}
	if n = cost(tree); n > maxFilterCost {
		return nil, 0, errFilterPattern
	}
	compiled, err := regexp.Compile(tree.String())
	return compiled, n, err
}

// cost counts what there is to compare, at least one for each part of the expression.
func cost(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += cost(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

func (f *filter) match(wire []byte) bool {
	if f.event != "" && f.event != string(eventOf(wire)) {
		return false
	}
	if f.header == "" {
		return f.matchText(wire)
	}
	for line := range bytes.Lines(wire) {
		value, ok := bytes.CutPrefix(trimEnd(line), []byte(f.header))
		if !ok {
			continue
		}
		if value = bytes.TrimLeft(value, " \t"); len(value) != 0 && f.matchText(value) {
			return true
		}
	}
	return false
}

func (f *filter) matchText(text []byte) bool {
	switch f.method {
	case "regex":
		return f.pattern.Match(text)
	case "exact":
		return bytes.Equal(text, f.text)
	case "starts_with":
		return bytes.HasPrefix(text, f.text)
	case "ends_with":
		return bytes.HasSuffix(text, f.text)
	case "contains":
		return bytes.Contains(text, f.text)
	}
	return true // "none": event and header are what it looks for
}

// eventOf is the name in the first line of an event.
func eventOf(wire []byte) []byte {
	name, _, _ := bytes.Cut(wire[len("Event: "):], []byte("\r\n"))
	return name
}
