package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const (
	tokenPrefix = "ear_" // so that a leaked token is recognised by those who search for them
	tokenBytes  = 32
	tokenLen    = len(tokenPrefix) + (tokenBytes*8+5)/6
	hashPrefix  = "sha256:"
	hashLen     = len(hashPrefix) + 2*sha256.Size
)

// NewToken makes a token of 32 random bytes and the hash under which it is kept. The token is shown once and stored nowhere.
func NewToken() (token, hash string) {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return token, Hash(token)
}

// Hash returns the hash of a token as the tokens file keeps it: "sha256:" and 64 hex digits.
func Hash(token string) string { return hashOf(token).String() }

// isToken reports whether s has a token's form. Whatever else somebody may have hashed into the file (a password) lets nobody in.
func isToken(s string) bool {
	if len(s) != tokenLen || !strings.HasPrefix(s, tokenPrefix) {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s[len(tokenPrefix):])
	return err == nil
}

type tokenHash [sha256.Size]byte

func hashOf(token string) tokenHash { return sha256.Sum256([]byte(token)) }

// String returns the hash as the file has it.
func (h tokenHash) String() string { return hashPrefix + hex.EncodeToString(h[:]) }

func parseHash(s string) (h tokenHash, ok bool) {
	if len(s) != hashLen || !strings.HasPrefix(s, hashPrefix) || s != strings.ToLower(s) {
		return h, false
	}
	_, err := hex.Decode(h[:], []byte(s[len(hashPrefix):]))
	return h, err == nil
}

// name is a credential's name for logs: whose it is, and the beginning of its hash.
func (h tokenHash) name(panel string) string {
	id := hex.EncodeToString(h[:6])
	if panel != "" {
		return "panel:" + panel + ":" + id
	}
	return "token:" + id
}
