// Package ari speaks the Asterisk REST Interface: the operations over HTTP, and the stream of events over a
// WebSocket. It accepts Asterisk 16 and everything later.
//
// The invariant of the package is that nothing is lost in silence. Every event that Asterisk sends is delivered, of
// whatever type, in the order of arrival, with its raw form kept; what cannot be decoded, a connection that breaks and
// an application that somebody else has taken over are errors that the caller sees, never a gap that he does not.
//
// # Operations
//
// A [Client] has one method for each operation. Each takes a context, looks at the status before it looks at the body,
// escapes what goes into a path, and sends parameters in a JSON body, so that a value can neither add a parameter nor
// end up in an access log. A refusal by Asterisk is a [*StatusError] and answers to errors.Is with [ErrNotFound],
// [ErrConflict] and the others; a request that got no answer is a [*RequestError], which says whether any byte may have
// left.
//
// # Events
//
// [Client.Listen] opens the stream of one application; [Stream.Next] returns event after event. [Client.Run] does so
// for as long as the program lives: it connects, hands the stream to a function, and connects again with growing
// delays when that function returns. Asterisk keeps nothing for an application that is away, so the function begins
// with a snapshot ([Client.ListChannels], [Client.ListBridges]) each time.
//
// An [Event] is decoded by a scanner of its own, written for the shape of Asterisk's events: it checks the whole text
// as strictly as encoding/json, takes about a tenth of its time, and allocates nothing. Strings are parts of the
// event's raw text; structures are reused by the next call of Next.
//
// # What is not printed
//
// Events, channels and requests hold names and numbers of people who talk. Their String, GoString and error forms
// leave these out, so that a log line with %v, %+v or %#v tells kinds and identifiers alone.
package ari
