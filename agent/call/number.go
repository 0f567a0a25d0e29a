package call

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a number looks like wherever it is printed by accident.
const redacted = "[number]"

// A Number is a telephone number that somebody claims: a caller id, a connected line, what was dialled. It proves
// nothing, and it is kept out of logs, errors, metric labels and URLs: however it is printed, formatted or marshalled,
// "[number]" comes out (and nothing for an empty one). [Number.Digits] is the one way to the digits, so that every place
// that discloses a number is found by searching for that name.
//
// Two things get past it: package fmt reads the unexported fields of a struct without asking them, so a struct that keeps
// numbers in such fields needs a Format of its own; and package encoding/json writes a map's string keys as they are.
type Number string

// Digits returns the number as it is. The caller answers for where it goes.
func (n Number) Digits() string { return string(n) }

// String returns "[number]", or nothing for an empty number.
func (n Number) String() string {
	if n == "" {
		return ""
	}
	return redacted
}

// GoString returns what String returns; it serves %#v.
func (n Number) GoString() string { return n.String() }

// Format writes what String returns, whatever the verb: %s, %q, %x and %d would otherwise reach the digits.
func (n Number) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, n.String()) }

// MarshalText returns what String returns, so that JSON, YAML and structured loggers write no digits.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// LogValue returns what String returns; it serves log/slog.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.String()) }

// An Identity is a name and a number that a channel claims. It proves nothing. It prints itself without either.
type Identity struct {
	Name   string
	Number Number
}

// Format writes "[identity]", or nothing for an empty identity, whatever the verb.
func (i Identity) Format(f fmt.State, _ rune) {
	if i != (Identity{}) {
		_, _ = io.WriteString(f, "[identity]")
	}
}

// LogValue returns what Format writes; it serves log/slog.
func (i Identity) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(i)) }
