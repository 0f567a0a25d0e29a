// Package auth turns a credential into a subject: who asks.
//
// A [Subject] can be made by this package only, from a credential that proved itself, so that code which holds one need not ask
// again, and code which has none cannot make one up. The zero Subject is nobody, and nobody may do anything. What a subject may do
// is the policy's business; here is only who it is.
//
// [Tokens] are bearer tokens kept as hashes in a YAML file. They are random and long, so a plain SHA-256 is enough to keep them,
// and a look-up by hash tells an attacker nothing by its time: he cannot choose the hash of what he presents. A token is an
// employee's, or that of a panel's back end, which names an employee with each request and is that employee for it.
//
// [JWT] are tokens that somebody else signs (RFC 7519), checked by the public keys that he publishes (RFC 7517). A [Chain] asks
// several authenticators.
package auth
