// Package clients is the directory of outside parties: whose client is behind a number.
//
// [Sources] are several in an order of precedence: a [Directory] from a YAML or CSV file, a [Remote] that asks a CRM over HTTP, and a
// [Pushed] that a CRM fills itself. Each answers from memory at once, for calls are decided while it does. Numbers are compared in one form,
// E.164 by the directory's default region; short internal numbers are compared as they are.
//
// The one invariant: a number that the directory does not hold, cannot read, or does not know yet or any more is nobody's client. No
// doubt ever makes somebody responsible, and no source that is slow, down or lying makes another say more than all of them would.
//
// Numbers and names are the outside parties' identity, which most watchers may not see: a [Client] prints redacted, and no error,
// metric or report of this package repeats one. They are in the requests to the systems that know them anyway.
package clients
