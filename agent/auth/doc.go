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
// [JWT] are tokens that somebody else signs (RFC 7519), checked by the public keys that he publishes (RFC 7517).
//
// [Sessions] are short-lived credentials for one employee, which whoever has a credential makes for who should not have it: a panel's back
// end for a browser. They stand in a store that several sidecars may share, by their hashes, and hold no longer than what made them. Who
// can write into the store cannot make one of a token, for which he would have to know the token's hash; of a JSON web token he can, since
// what checks those is public, so a store that is shared belongs behind a password.
//
// [Phones] are desk phones, which Asterisk has let register: a channel's endpoint is the credential.
//
// A [Voucher] is how a subject crosses over to the sidecar beside another PBX, which has not seen his credential and takes the first one's word.
//
// A [Chain] asks several authenticators.
package auth
