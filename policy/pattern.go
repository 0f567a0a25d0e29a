package policy

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// shortDigits is how many digits a number without a plus has at the most: it is one of the PBX's own. Longer ones are told
	// with a plus and a country code.
	shortDigits = 6
	// longDigits is how many digits a number with a plus has at the most (ITU-T E.164).
	longDigits = 15
)

// A pattern is what the policy writes for numbers: a whole one, a whole feature code, or how numbers begin.
type pattern struct {
	text   string // without formatting and without the star at its end
	prefix bool   // it had a star at its end
	at     position
}

// A numberForm is what a number to be dialled looks like. The zero value cannot be judged.
type numberForm uint8

const (
	formBad    numberForm = iota
	formNumber            // a short number, or one with a plus and a country code
	formCode              // a feature code, such as *98
)

// formOf tells the form of a number. Nothing is dropped from it: what is not in its normal form cannot be judged.
func formOf(number string) numberForm {
	rest, plus := strings.CutPrefix(number, "+")
	digits := 0
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c != '*' && c != '#':
			return formBad
		}
	}
	switch {
	case rest == "" || len(rest) > maxAddress:
	case digits < len(rest) && !plus:
		return formCode
	case digits < len(rest):
	case plus && digits >= suffixDigits && digits <= longDigits && rest[0] != '0', !plus && digits <= shortDigits:
		return formNumber
	}
	return formBad
}

// numberPatterns reads a list of patterns.
func (r *reader) numberPatterns(n *yaml.Node, p place) []pattern {
	var all []pattern
	r.list(n, p, func(item *yaml.Node) {
		if one, ok := r.pattern(item, p); ok {
			all = append(all, one)
		}
	})
	return all
}

// pattern reads one. What could match no number that is ever judged is a mistake: as an exception it would be believed in.
func (r *reader) pattern(n *yaml.Node, p place) (pattern, bool) {
	w, ok := r.quoted(n, p)
	if !ok {
		return pattern{}, false
	}
	text, ok := canonicalNumber(w.text)
	if text == "*" || text == "+*" {
		r.errorf(w.at, "name the digits that it begins with", "%s: a star alone is every number", p)
		return pattern{}, false
	}
	if ok && (text[0] == '*' || text[0] == '#') {
		return r.featureCode(word{text, w.at}, p)
	}
	begin, prefix := strings.CutSuffix(text, "*")
	digits, plus := strings.CutPrefix(begin, "+")
	message, hint := "", ""
	switch {
	case !ok || strings.ContainsAny(digits, "*#") || digits == "":
		message, hint = "this is neither a number nor how numbers begin", `digits, perhaps with a plus before them and one star after them, as in "+7 495*"`
	case plus && digits[0] == '0':
		message = "no country code begins with 0"
	case plus && len(digits) > longDigits:
		message = "a number this long does not exist"
	case plus && !prefix && len(digits) < suffixDigits:
		message, hint = "no number with a country code is this short", "for all numbers that begin so put a star after it"
	case !plus && len(digits) > shortDigits:
		message, hint = "without a plus a number has at most six digits", `write the country code, as in "+7 495*"`
	default:
		return pattern{begin, prefix, w.at}, true
	}
	r.errorf(w.at, hint, "%s: %s", p, message)
	return pattern{}, false
}

// featureCode reads a pattern that begins with a star or a hash. A code is named whole, because what it does may depend on each
// digit after it.
func (r *reader) featureCode(w word, p place) (pattern, bool) {
	switch {
	case w.text[len(w.text)-1] == '*' && strings.ContainsAny(w.text, "0123456789"):
		r.errorf(w.at, "leave out the star at its end", "%s: a feature code is named whole", p)
	case len(w.text) > shortDigits+longDigits:
		r.errorf(w.at, "", "%s: a feature code this long does not exist", p)
	default:
		return pattern{text: w.text, at: w.at}, true
	}
	return pattern{}, false
}

// addPatterns keeps a list of patterns: those that are whole numbers, sorted, and then the beginnings, sorted and none the
// beginning of another, so that at most one of them fits a number.
func (c *compiler) addPatterns(all []pattern) (whole, prefixes part) {
	var of [2][]string
	for _, p := range all {
		kind := 0
		if p.prefix {
			kind = 1
		}
		of[kind] = append(of[kind], p.text)
	}
	slices.Sort(of[0])
	slices.Sort(of[1])
	kept := of[1][:0]
	for _, p := range of[1] {
		if len(kept) == 0 || !strings.HasPrefix(p, kept[len(kept)-1]) {
			kept = append(kept, p)
		}
	}
	add := func(more []string) part {
		start := uint32(len(c.patterns))
		c.patterns = append(c.patterns, more...)
		return part{start, uint32(len(c.patterns))}
	}
	return add(slices.Compact(of[0])), add(kept)
}

// part is a part of tables.patterns.
type part struct{ start, end uint32 }

// matches reports whether a number fits one of the patterns. A feature code only fits when it is named whole.
func (t *tables) matches(whole, prefixes part, number string, form numberForm) bool {
	if _, ok := slices.BinarySearch(t.patterns[whole.start:whole.end], number); ok || form == formCode {
		return ok
	}
	begin := t.patterns[prefixes.start:prefixes.end]
	// The one that fits is the last that does not sort after the number: none of them is the beginning of another.
	i, ok := slices.BinarySearch(begin, number)
	return ok || i > 0 && strings.HasPrefix(number, begin[i-1])
}

// checkShort warns of a beginning without a plus that fits no employee's number: somebody may mean numbers outside by it.
func (c *compiler) checkShort(file int, all []pattern, p place) {
	for _, one := range all {
		if !one.prefix || one.text[0] == '+' {
			continue
		}
		hit, known := c.shortHit[one.text]
		if !known {
			hit = slices.ContainsFunc(c.numbers, func(n string) bool { return len(n) <= shortDigits && strings.HasPrefix(n, one.text) })
			c.shortHit[one.text] = hit
		}
		if !hit {
			c.warnf(file, one.at, `write the country code to mean numbers outside, as in "+7 800*"`, "%s: no employee has such a number, and without a plus only those of up to six digits are meant", p)
		}
	}
}
