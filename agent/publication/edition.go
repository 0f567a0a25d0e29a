// Package publication gives one policy to several sidecars: one of them, or a command, publishes it in the cache that they share, sealed by
// a key that they share too, and the others put it in force.
//
// Invariant: what is in force at a follower is one whole edition that was sealed with the key, found good, and is not older than any that
// was in force there before; what is not stays out and is told, and the last good one stays in force, after a restart too.
package publication

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// MinKey is how long a key must be, in bytes.
const MinKey = 32

// Errors of what does not hold an edition.
var (
	// ErrMalformed: it has not the form of a sealed edition, or is cut.
	ErrMalformed = errors.New("it is no published policy")
	// ErrForged: it was not sealed with this key, or was changed since.
	ErrForged = errors.New("it is not sealed with this key")
	// ErrKey: the key cannot be read, or is too short.
	ErrKey = errors.New("the key cannot be used")
)

// Edition is a policy that is published.
type Edition struct {
	// Generation orders editions. It is the time of publication in Unix seconds, or one more than that of the edition before
	// where that is higher, so that it rises even when a Redis was emptied that knew the one before.
	Generation uint64
	Documents  []policyfile.Document
}

// head begins a sealed edition, before generation, hash and seal, each after a space. The number is the version of this form.
const head = "earshot-policy 1"

// body writes the documents.
func (e Edition) body() (string, error) {
	for _, d := range e.Documents {
		if !utf8.ValidString(d.Name) || !utf8.ValidString(d.Text) {
			return "", errors.New("publish the policy: a file is not UTF-8")
		}
	}
	raw, err := json.Marshal(e.Documents)
	return string(raw), err
}

// Hash is that of the documents: editions of the same ones have the same hash, whatever their generation. It is empty when they cannot be
// published.
func (e Edition) Hash() string {
	body, err := e.body()
	if err != nil {
		return ""
	}
	return hash(body)
}

func hash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func seal(key []byte, generation uint64, hash string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s %d %s", head, generation, hash)
	return hex.EncodeToString(mac.Sum(nil))
}

// Seal writes the edition as Open reads it: a line of head, generation, hash of the rest and HMAC-SHA256 of these three, and the documents as JSON.
func Seal(key []byte, e Edition) (string, error) {
	if len(key) < MinKey {
		return "", fmt.Errorf("publish the policy: %w: it has fewer than %d bytes", ErrKey, MinKey)
	}
	body, err := e.body()
	if err != nil {
		return "", err
	}
	h := hash(body)
	text := fmt.Sprintf("%s %d %s %s\n%s", head, e.Generation, h, seal(key, e.Generation, h), body)
	if len(text) > cache.MaxDocument {
		return "", fmt.Errorf("publish the policy: %w: %d bytes", cache.ErrTooLarge, len(text))
	}
	return text, nil
}

// Open reads a sealed edition. It looks at the documents only when the seal is right.
func Open(key []byte, text string) (Edition, error) {
	if len(key) < MinKey {
		return Edition{}, fmt.Errorf("published policy: %w: it has fewer than %d bytes", ErrKey, MinKey)
	}
	first, body, ok := strings.Cut(text, "\n")
	rest, known := strings.CutPrefix(first, head+" ")
	words := strings.Split(rest, " ")
	if !ok || !known || len(words) != 3 || len(text) > cache.MaxDocument {
		return Edition{}, ErrMalformed
	}
	generation, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil || generation == 0 || generation > cache.MaxVersion || strconv.FormatUint(generation, 10) != words[0] {
		return Edition{}, ErrMalformed
	}
	if !hmac.Equal([]byte(words[2]), []byte(seal(key, generation, words[1]))) || words[1] != hash(body) {
		return Edition{}, ErrForged
	}
	e := Edition{Generation: generation}
	if err := json.Unmarshal([]byte(body), &e.Documents); err != nil {
		return Edition{}, ErrMalformed
	}
	return e, nil
}
