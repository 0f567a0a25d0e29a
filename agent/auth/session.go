package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

const (
	sessionPrefix = "ears_" // so that a leaked one is recognised by those who search for it, and told from a token
	sessionLen    = len(sessionPrefix) + (tokenBytes*8+5)/6
)

// newSession makes a session's credential of 32 random bytes and the hash that is its id.
func newSession() (token string, id tokenHash) {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	token = sessionPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return token, hashOf(token)
}

// isSession reports whether s has the form of a session's credential.
func isSession(s string) bool {
	if len(s) != sessionLen || !strings.HasPrefix(s, sessionPrefix) {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s[len(sessionPrefix):])
	return err == nil
}

// sessionID is a session's id in the store.
func sessionID(h tokenHash) string { return hex.EncodeToString(h[:]) }

// sessionName is a session's name for logs, with that of the credential which made it.
func sessionName(h tokenHash, parent string) string {
	return "session:" + hex.EncodeToString(h[:4]) + ":" + parent
}

// record is what a session's value in the store says: by which credential it was made, and until when it holds at most (Unix seconds),
// whatever the store says of its end. What follows is of one kind or the other.
//
//	token NAME UNTIL PROOF    the proof can be made only by who knows the token's hash, which stands in no store: so whoever can write into a
//	                          store that is shared cannot make a session, nor lengthen one
//	jwt NAME UNTIL KEY ENDS   the id of the key that signed the token, and the token's own end
type record struct {
	kind  string
	by    string
	until int64
	key   [32]byte // the proof, or the id of the key
	ends  int64
}

const (
	byToken = "token"
	byJWT   = "jwt"
)

// prove sets the proof of a session that was made with a token.
func (r *record) prove(id, owner string, secret tokenHash) {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("earshot session\n" + id + "\n" + owner + "\n" + r.by + "\n" + strconv.FormatInt(r.until, 10)))
	mac.Sum(r.key[:0])
}

// proven reports whether the proof is the one for this session.
func (r record) proven(id, owner string, secret tokenHash) bool {
	want := r
	want.prove(id, owner, secret)
	return hmac.Equal(r.key[:], want.key[:])
}

// String is the record as the store has it.
func (r record) String() string {
	fields := []string{r.kind, r.by, strconv.FormatInt(r.until, 10), hex.EncodeToString(r.key[:])}
	if r.kind == byJWT {
		fields = append(fields, strconv.FormatInt(r.ends, 10))
	}
	return strings.Join(fields, " ")
}

// parseRecord reads a record. What is not written exactly as String writes it is none.
func parseRecord(s string) (record, bool) {
	f := strings.Split(s, " ")
	if len(f) < 4 {
		return record{}, false
	}
	r := record{kind: f[0], by: f[1]}
	var err error
	if r.until, err = strconv.ParseInt(f[2], 10, 64); err != nil {
		return record{}, false
	}
	if key, err := hex.DecodeString(f[3]); err == nil && len(key) == len(r.key) {
		copy(r.key[:], key)
	}
	if len(f) > 4 {
		r.ends, _ = strconv.ParseInt(f[4], 10, 64)
	}
	known := r.kind == byToken || r.kind == byJWT && r.ends > 0
	return r, known && r.by != "" && r.until > 0 && r.String() == s
}
