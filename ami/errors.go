package ami

import (
	"errors"
	"fmt"
)

var (
	// ErrGreeting means that the peer did not begin like an Asterisk Manager Interface.
	ErrGreeting = errors.New("ami: the peer's greeting is not Asterisk's")

	// ErrFollows means an answer "Response: Follows". Asterisk 13 and older send the output of a command so, unframed:
	// where it ends cannot be told from what the command prints, and therefore nothing after it can be trusted.
	ErrFollows = errors.New("ami: unframed command output (Response: Follows, Asterisk 13 or older)")

	// ErrEmpty means that a message without fields, or an action without a name, was to be written. Nothing was written.
	ErrEmpty = errors.New("ami: nothing to write")

	// ErrActionID means that an action came with an ActionID, which only the client may give. Nothing was written.
	ErrActionID = errors.New("ami: the action has an ActionID of its own")

	// ErrAuth means that Asterisk refused the user name, the secret or the address. Trying again with the same ones
	// helps only when somebody changes the PBX. With a [Session] it is the server's own refusal.
	ErrAuth = errors.New("ami: log-in refused")

	// ErrClosed is the cause after [Client.Close].
	ErrClosed = errors.New("ami: client closed")

	// ErrSilent is the cause when the peer sent nothing, not even the answer to a ping, for too long.
	ErrSilent = errors.New("ami: peer silent")

	// ErrListBroken means that Asterisk ended a list other than by completing it, so rows may be missing.
	ErrListBroken = errors.New("ami: list not completed")

	// ErrListTooLong means that a list has more rows than [Config.MaxRows], or more bytes than [Config.MaxList].
	ErrListTooLong = errors.New("ami: list has too many rows")
)

// LimitError means that the peer sent more than a limit of [Limits] allows. The stream cannot be read on.
type LimitError struct {
	What  string // "greeting", "line", "fields", "block"
	Limit int    // the limit that was passed
}

// Error names the limit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("ami: %s over the limit of %d", e.What, e.Limit)
}

// FieldError means that a message cannot be written because a field of it would arrive as something else. Nothing was
// written. The text of the field is not repeated.
type FieldError struct {
	Index   int    // of the field
	Problem string // "an LF", "a colon in the name", …
}

// Error names the field by its place.
func (e *FieldError) Error() string { return fmt.Sprintf("ami: field %d has %s", e.Index, e.Problem) }

// RefusedError is Asterisk's answer "Response: Error": the action was understood and not carried out.
type RefusedError struct {
	Action  string // what was asked
	Message string // Asterisk's words, such as "No such channel" or "Permission denied"
}

// Error gives Asterisk's words.
func (e *RefusedError) Error() string { return fmt.Sprintf("ami: %s refused: %q", e.Action, e.Message) }

// ActionError means that an action got no answer. Err says why: a [FieldError] or [LimitError], the context's error, or
// the cause for which the connection ended.
type ActionError struct {
	Action string // what was asked
	Sent   bool   // some of it may have left, so it may have been carried out; false: certainly not
	Err    error
}

// Error says whether bytes may have left.
func (e *ActionError) Error() string {
	if e.Sent {
		return fmt.Sprintf("ami: %s sent, no answer: %v", e.Action, e.Err)
	}
	return fmt.Sprintf("ami: %s not sent: %v", e.Action, e.Err)
}

// Unwrap returns the reason.
func (e *ActionError) Unwrap() error { return e.Err }

// PanicError is the cause when [Config.OnEvent] panicked, or a function that was given to a [Server]: the connection
// ends, the program goes on.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // of the reading goroutine
}

// Error does not repeat the value, which may hold parts of a message.
func (e *PanicError) Error() string { return fmt.Sprintf("ami: handler panicked (%T)", e.Value) }
