package ari

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// What Asterisk's refusals mean. A *StatusError matches at most one of them under errors.Is.
var (
	ErrBadRequest    = errors.New("ari: invalid request")               // 400
	ErrUnauthorized  = errors.New("ari: user or password not accepted") // 401
	ErrForbidden     = errors.New("ari: forbidden")                     // 403, a read-only user or an ACL
	ErrNotFound      = errors.New("ari: not found")                     // 404
	ErrConflict      = errors.New("ari: conflict")                      // 409, mostly "not in a Stasis application"
	ErrInvalidState  = errors.New("ari: channel in invalid state")      // 412
	ErrUnprocessable = errors.New("ari: unprocessable")                 // 422
	ErrUnavailable   = errors.New("ari: asterisk not ready")            // 503, Asterisk has not fully booted
)

// ErrReplaced says that another connection has taken over the application's name (Asterisk: ApplicationReplaced).
// Whoever connects again would take it back from the other, who would do the same; so nobody should.
var ErrReplaced = errors.New("ari: application replaced by another connection")

// ErrClosed is what a Stream gives after Close.
var ErrClosed = errors.New("ari: stream closed")

// ErrTooLarge says that an answer or an event is larger than the configured limit.
var ErrTooLarge = errors.New("ari: too large")

// StatusError is an answer of Asterisk that is not a success.
type StatusError struct {
	Op     string // the operation, such as "snoop"
	Status int    // the HTTP status
	// Message is Asterisk's own text. It may quote what was asked, numbers too, so Error shows it only when it is
	// one of the texts known to quote nothing.
	Message string
}

// Error tells operation, status and, where it is safe to show, Asterisk's message.
func (e *StatusError) Error() string {
	text := e.Message
	if !safeMessages[text] {
		text = strings.ToLower(http.StatusText(e.Status))
	}
	return fmt.Sprintf("ari: %s: %d %s", e.Op, e.Status, text)
}

// Is reports whether target is the sentinel for e's status.
func (e *StatusError) Is(target error) bool {
	switch e.Status {
	case http.StatusBadRequest:
		return target == ErrBadRequest
	case http.StatusUnauthorized:
		return target == ErrUnauthorized
	case http.StatusForbidden:
		return target == ErrForbidden
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusConflict:
		return target == ErrConflict
	case http.StatusPreconditionFailed:
		return target == ErrInvalidState
	case http.StatusUnprocessableEntity:
		return target == ErrUnprocessable
	case http.StatusServiceUnavailable:
		return target == ErrUnavailable
	}
	return false
}

// safeMessages are texts of Asterisk's res/ari/*.c and res/res_ari.c that have no format verb.
var safeMessages = map[string]bool{
	"A recording with the same name already exists on the system": true,
	"Access denied by ACL":                                    true,
	"Allocation failed":                                       true,
	"Application name is required":                            true,
	"Application not found":                                   true,
	"Application or extension must be specified":              true,
	"Asterisk not booted":                                     true,
	"Authentication required":                                 true,
	"Bridge Not Found":                                        true,
	"Bridge not found":                                        true,
	"Bridge not in Stasis application":                        true,
	"Channel Not Found":                                       true,
	"Channel in invalid state":                                true,
	"Channel not found":                                       true,
	"Channel not in Stasis application":                       true,
	"Channel not in this bridge":                              true,
	"Channel with given unique ID already exists":             true,
	"Could not stop playback":                                 true,
	"DTMF is required":                                        true,
	"Direction must be specified for at least spy or whisper": true,
	"Endpoint must be specified":                              true,
	"Endpoint not found":                                      true,
	"Event source does not exist":                             true,
	"Event source was not subscribed to":                      true,
	"Failed to answer channel":                                true,
	"Failed to queue media for playback":                      true,
	"Invalid Reason":                                          true,
	"Invalid direction specified":                             true,
	"Invalid direction specified for spy":                     true,
	"Invalid direction specified for whisper":                 true,
	"Invalid endpoint specified":                              true,
	"Invalid event source URI scheme":                         true,
	"Invalid method":                                          true,
	"Invalid reason for hangup reason provided":               true,
	"Method not implemented":                                  true,
	"Only string values in the 'variables' object allowed":    true,
	"Originator and formats can't both be specified":          true,
	"Out of memory":                                           true,
	"Playback not found":                                      true,
	"Provided channel was not found":                          true,
	"Provided originator channel was not found":               true,
	"Provided variable was not found":                         true,
	"Recording name invalid":                                  true,
	"Recording not found":                                     true,
	"Recording not in session":                                true,
	"Request body too large":                                  true,
	"Requested label can not be found":                        true,
	"Requested priority is illegal":                           true,
	"Resource not found":                                      true,
	"Snoop channel could not be created":                      true,
	"Unable to create bridge":                                 true,
	"Unable to read provided function":                        true,
	"Unsupported method":                                      true,
	"Variable name is required":                               true,
	"Write access denied":                                     true,
	"ifExists invalid":                                        true,
	"specified format is unknown on this system":              true,
}

// RequestError is a request that got no usable answer.
type RequestError struct {
	Op string // the operation, such as "snoop"
	// Sent reports whether any byte of the request may have reached Asterisk. When it is false nothing was done and
	// the operation may be tried again without a second thought.
	Sent bool
	Err  error
}

// Error tells operation and cause. The address asked is left out: it has identifiers in it.
func (e *RequestError) Error() string {
	if !e.Sent {
		return fmt.Sprintf("ari: %s: not sent: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("ari: %s: %v", e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *RequestError) Unwrap() error { return e.Err }

// withoutURL cuts net/http's wrapper off, which repeats the whole address in its text.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
