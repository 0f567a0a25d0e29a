package ami

import (
	"context"
	"crypto/md5" //nolint:gosec // Asterisk's challenge knows no other
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
)

// Credentials are what a client logs in with.
type Credentials struct {
	Username string
	Secret   Secret // as it was sent; empty in a log-in by challenge

	// ByChallenge says that Key has to be the MD5 of Challenge and the secret. Both are there then.
	ByChallenge bool
	Challenge   string
	Key         Secret // with the challenge it would let one try secrets

	Addr   net.Addr // of the client
	Secure bool     // the connection is a TLS one
}

// Prove reports whether the client knows this secret, in a time that does not depend on how much of it is right. No
// client knows an empty secret. Who looks a user up in vain calls it with the secret of somebody who is not there and
// throws the outcome away, so that unknown users take as long as known ones.
func (c *Credentials) Prove(secret Secret) bool {
	given, want := []byte(c.Secret), []byte(secret)
	if c.ByChallenge {
		given, want = []byte(c.Key), challengeKey(c.Challenge, secret)
	}
	// Sums are of one length, whatever was sent.
	g, w := sha256.Sum256(given), sha256.Sum256(want)
	return subtle.ConstantTimeCompare(g[:], w[:]) == 1 && secret != ""
}

// challengeKey is the Key of a log-in by challenge: the hexadecimal MD5 of challenge and secret (main/manager.c,
// authenticate).
func challengeKey(challenge string, secret Secret) []byte {
	sum := md5.Sum([]byte(challenge + string(secret))) //nolint:gosec // see the import
	return hex.AppendEncode(nil, sum[:])
}

// An Authenticator decides who may log in. It is asked by many sessions at a time.
//
// Any error refuses the client, in the same words and after the same time ([ServerConfig.FailureDelay]) whatever it is.
// The principal is the application's own; [Session.Principal] gives it back. ctx ends when the time for logging in is
// over or the client is gone. A log-in by challenge can only be decided with the secret at hand; with a hash of it alone
// the authenticator refuses those.
type Authenticator interface {
	Authenticate(ctx context.Context, c *Credentials) (principal any, err error)
}

// AuthenticatorFunc is a function as an [Authenticator].
type AuthenticatorFunc func(ctx context.Context, c *Credentials) (principal any, err error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, c *Credentials) (principal any, err error) {
	return f(ctx, c)
}
