package cluster

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// MinKey is how long a key must be, in bytes.
const MinKey = 32

// ErrKey says that the key is too short.
var ErrKey = errors.New("the key is too short")

// errUnreadable: it was not sealed with this key for this place, or was changed since.
var errUnreadable = errors.New("it is not sealed with this key")

// form is the version of what is sealed. Another one is unreadable.
const form = 1

// incarnation is random and of one run of one sidecar, or of a part of it.
type incarnation [16]byte

func newIncarnation() (i incarnation) {
	_, _ = rand.Read(i[:]) // it does not fail
	return i
}

func (i incarnation) String() string { return base64.RawURLEncoding.EncodeToString(i[:]) }

// keys makes a key for each purpose of the one that all sidecars have, which is used for nothing else here.
type keys struct{ root []byte }

func newKeys(key []byte) (keys, error) {
	if len(key) < MinKey {
		return keys{}, fmt.Errorf("cluster: %w: it has fewer than %d bytes", ErrKey, MinKey)
	}
	root, err := hkdf.Extract(sha256.New, key, []byte("earshot cluster 1"))
	return keys{root}, err
}

func (k keys) of(purpose ...string) (out [32]byte) {
	raw, err := hkdf.Expand(sha256.New, k.root, strings.Join(purpose, "\x00"), len(out))
	if err != nil {
		panic(err) // cannot be: so few bytes can always be had
	}
	return [32]byte(raw)
}

// kind is what is sealed. Each has keys of its own, so that none can be put in the place of another.
type kind string

const (
	rowKind     kind = "row"
	commandKind kind = "command"
	answerKind  kind = "answer"
)

// aead is what seals and opens what one incarnation says. Its key is of that incarnation alone, so a counter serves as the nonce.
func (k keys) aead(what kind, pbx string, of incarnation) cipher.AEAD {
	key := k.of("seal", string(what), pbx, string(of[:]))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // cannot be: the key has 32 bytes
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // cannot be: AES has the block that GCM is for
	}
	return a
}

// headLength is that of form, incarnation and revision, which stand in the clear before what is sealed.
const headLength = 1 + len(incarnation{}) + 8

const nonceLength = 12

func nonce(revision uint64) []byte {
	n := make([]byte, nonceLength)
	binary.BigEndian.PutUint64(n[nonceLength-8:], revision)
	return n
}

// sealer seals what this incarnation says. The caller sees to it that one seals at a time.
type sealer struct {
	what     kind
	pbx      string
	of       incarnation
	aead     cipher.AEAD
	revision uint64 // of what was sealed last
}

func (k keys) sealer(what kind, pbx string, of incarnation) sealer {
	return sealer{what: what, pbx: pbx, of: of, aead: k.aead(what, pbx, of)}
}

// seal seals under the next revision, for a place: what was sealed for one place does not open at another.
func (s *sealer) seal(plain []byte, place ...string) string {
	s.revision++
	out := make([]byte, headLength, headLength+len(plain)+s.aead.Overhead())
	out[0] = form
	copy(out[1:], s.of[:])
	binary.BigEndian.PutUint64(out[headLength-8:], s.revision)
	return string(s.aead.Seal(out, nonce(s.revision), plain, bind(s.what, s.pbx, out[:headLength], place)))
}

// bind writes what a seal holds beside the text. Each part goes with its length, so that no two lists look alike.
func bind(what kind, pbx string, head []byte, place []string) []byte {
	var out []byte
	for _, part := range append([]string{string(what), pbx, string(head)}, place...) {
		out = binary.AppendUvarint(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

// head reads whose and of which revision something sealed says to be. Nothing of it is proven before it is opened.
func head(sealed string) (of incarnation, revision uint64, ok bool) {
	if len(sealed) < headLength || sealed[0] != form {
		return of, 0, false
	}
	copy(of[:], sealed[1:])
	return of, binary.BigEndian.Uint64([]byte(sealed[headLength-8 : headLength])), true
}

// open opens what was sealed by whom aead is of.
func open(a cipher.AEAD, what kind, pbx, sealed string, place ...string) ([]byte, error) {
	_, revision, ok := head(sealed)
	if !ok {
		return nil, errUnreadable
	}
	raw := []byte(sealed)
	plain, err := a.Open(nil, nonce(revision), raw[headLength:], bind(what, pbx, raw[:headLength], place))
	if err != nil {
		return nil, errUnreadable
	}
	return plain, nil
}

// place is the key under which a row is stored. It does not tell the row's own, and is another in each run.
func (k keys) place(pbx string, of incarnation, row string) string {
	key := k.of("places", pbx, string(of[:]))
	mac := hmac.New(sha256.New, key[:])
	_, _ = mac.Write([]byte(row))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}

// writeRow joins a row's key and value; readRow parts them.
func writeRow(key string, value []byte) []byte {
	out := binary.AppendUvarint(make([]byte, 0, len(key)+len(value)+2), uint64(len(key)))
	return append(append(out, key...), value...)
}

func readRow(plain []byte) (key string, value []byte, ok bool) {
	n, at := binary.Uvarint(plain)
	if at <= 0 || n > uint64(len(plain)) || int(n) > len(plain)-at { // #nosec G115 -- n is no more than a length
		return "", nil, false
	}
	rest := plain[at:]
	return string(rest[:n]), rest[n:], true
}
