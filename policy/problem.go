package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one mistake in a policy file, or one thing in it that is legal and surely not meant. It never quotes a
// telephone number: the position points to it.
type Problem struct {
	File         string
	Line, Column int    // from 1
	Message      string // one clause, without a full stop
	Hint         string // what to write instead, or empty
}

// Position returns file:line:column.
func (p Problem) Position() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Error returns file:line:column: message, with the hint in brackets.
func (p Problem) Error() string {
	if p.Hint == "" {
		return p.Position() + ": " + p.Message
	}
	return p.Position() + ": " + p.Message + " (" + p.Hint + ")"
}

// String is Error: a warning prints like a mistake.
func (p Problem) String() string { return p.Error() }

// Problems is every mistake found, in the order of the files given and of the positions in them. As an error it is one
// line each; errors.As finds the single Problem.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.Is and errors.As each problem.
func (ps Problems) Unwrap() []error {
	all := make([]error, len(ps))
	for i, p := range ps {
		all[i] = p
	}
	return all
}

// err returns the problems as an error, sorted, or nil when there are none. It must be used instead of returning the
// slice itself: an empty Problems in an error is not nil.
func (ps Problems) err(files []string) error {
	if len(ps) == 0 {
		return nil
	}
	ps.sort(files)
	return slices.Compact(ps) // all is short for rights that are read one by one
}

func (ps Problems) sort(files []string) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
