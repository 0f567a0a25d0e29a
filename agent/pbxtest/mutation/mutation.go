// Package mutation spells requests otherwise, as somebody does who looks for two readers that take one text for two things. It is for the tests of the
// doors: what comes of a mutant is either nothing, or what its sender may have. It knows nothing of what a request means, so a mutant may be the same
// request, another one, or none.
package mutation

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Mutant is a request that is spelled otherwise.
type Mutant struct {
	Kind string // how, in a word or two; mutants of one kind differ in where
	Text string // the bytes of the whole request
}

// list collects mutants.
type list struct{ all []Mutant }

// add takes a mutant. Now and then one is the original, as with a text that has no letters in another case: of two requests that differ in an id there are as
// many all the same, in the same places.
func (l *list) add(kind, text string) { l.all = append(l.all, Mutant{kind, text}) }

// Kinds are those that there are in a list, each once, in their order.
func Kinds(all []Mutant) (kinds []string) {
	seen := map[string]bool{}
	for _, m := range all {
		if !seen[m.Kind] {
			seen[m.Kind] = true
			kinds = append(kinds, m.Kind)
		}
	}
	return kinds
}

// One chooses a mutant of each kind, by their places in the list.
func One(all []Mutant, r *rand.Rand) (chosen []int) {
	of := map[string][]int{}
	for i, m := range all {
		of[m.Kind] = append(of[m.Kind], i)
	}
	for _, kind := range Kinds(all) {
		chosen = append(chosen, of[kind][r.IntN(len(of[kind]))])
	}
	return chosen
}

// swapped has the other case.
func swapped(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case 'A' <= c && c <= 'Z':
			return c - 'A' + 'a'
		}
		return c
	}, s)
}

// wide writes letters, digits and marks in the forms that fill a whole square, which some readers fold to the narrow ones.
func wide(s string) string {
	return strings.Map(func(c rune) rune {
		if '!' <= c && c <= '~' {
			return c - '!' + '！'
		}
		return c
	}, s)
}

// wideDigits does so with digits alone.
func wideDigits(s string) string {
	return strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' {
			return c - '0' + '０'
		}
		return c
	}, s)
}

// overlong writes one byte of ASCII in two, as UTF-8 forbids.
func overlong(c byte) string { return string([]byte{0xc0 | c>>6, 0x80 | c&0x3f}) }

// percent escapes a byte.
func percent(c byte) string { return fmt.Sprintf("%%%02X", c) }

// unicode escapes a byte as JSON does.
func unicode(c byte) string { return fmt.Sprintf(`\u%04x`, c) }

// places are where in a text something is put: its beginning, its end, and what lies between, a few at most.
func places(s string) (all []int) {
	n := len(s)
	if n == 0 {
		return []int{0}
	}
	all = append(all, 0, n/2, n-1)
	if n < 3 {
		all = []int{0}
	}
	return all
}

// at writes the byte of a text at a place in another way.
func at(s string, i int, by string) string {
	if s == "" {
		return by
	}
	return s[:i] + by + s[i+1:]
}

// before puts something in front of a place.
func before(s string, i int, what string) string { return s[:i] + what + s[i:] }

// reversed is a list from its end.
func reversed[T any](all []T) []T {
	out := make([]T, 0, len(all))
	for i := range all {
		out = append(out, all[len(all)-1-i])
	}
	return out
}
