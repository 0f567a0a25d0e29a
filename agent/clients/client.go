package clients

import (
	"fmt"
	"io"
)

// Client is an outside party known to the directory. It prints redacted. Its Access is shared with all who look him up: nobody may
// change it.
type Client struct {
	Number      string // in the form in which numbers are compared: E.164 ("+79161234567"), or a short number as it is
	Name        string
	Responsible string   // the id of the employee who is responsible; empty when nobody is
	Access      []string // the ids of others who have access to him
}

// Format prints "[client]", whatever the verb.
func (c Client) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[client]") }

// MarshalJSON writes "[client]": a client leaves by a view that was made for a watcher, never as he is.
func (c Client) MarshalJSON() ([]byte, error) { return []byte(`"[client]"`), nil }

// Answer is how much is known of a number. Only Found may grant anything.
type Answer uint8

const (
	// Unknown means that whoever should know has not answered, or too long ago. It grants nothing, not even what a stranger may.
	Unknown Answer = iota
	// Stranger means that it is known that this is nobody's client, or it is no number at all.
	Stranger
	// Found means that it is this client's number.
	Found
)

// String names the answer as in the metrics.
func (a Answer) String() string {
	switch a {
	case Found:
		return "found"
	case Stranger:
		return "stranger"
	default:
		return "unknown"
	}
}

// Source tells whose client a number is, in whatever form the PBX tells the number. Find is called while a call is being decided: it
// answers at once from what is known, and the Client is the zero one unless the answer is Found. Implementations are safe for
// concurrent use.
type Source interface {
	Find(number string) (Client, Answer)
}
