// Package clients is the directory of outside parties: whose client is behind a number.
//
// A [Directory] answers from memory. Numbers are compared in one form, E.164 by the directory's default region; short internal
// numbers are compared as they are. The one invariant: a number that the directory does not hold, cannot read or does not know yet
// is nobody's client. No doubt ever makes somebody responsible.
//
// Numbers and names are the outside parties' identity, which most watchers may not see: a [Client] prints redacted, and no error of
// this package repeats one.
package clients
