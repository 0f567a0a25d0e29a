package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"
)

// Key makes the chain's hashes HMACs. Empty means plain SHA-256. It prints redacted.
type Key []byte

// minKey is the least length of a key that is worth the name.
const minKey = 16

// Format prints "[key]", whatever the verb.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[key]") }

func (k Key) check() error {
	if len(k) > 0 && len(k) < minKey {
		return fmt.Errorf("audit: key of %d bytes, at least %d are needed", len(k), minKey)
	}
	return nil
}

func (k Key) hash() hash.Hash {
	if len(k) == 0 {
		return sha256.New()
	}
	return hmac.New(sha256.New, k)
}

const (
	hexLen    = 2 * sha256.Size
	hashOpen  = `,"hash":"`
	hashClose = `"}`
	hashTail  = len(hashOpen) + hexLen + len(hashClose)
)

// Link names a line of the chain: its number and its hash. The zero Link is the place before the first line.
type Link struct {
	Seq  uint64
	Hash string // 64 hex digits; empty in the zero Link
}

var zeroHash = strings.Repeat("0", hexLen)

// sum is the link's hash as the next line carries it in "prev".
func (l Link) sum() string {
	if l.Hash == "" {
		return zeroHash
	}
	return l.Hash
}

// chain computes the lines of one log. It keeps one hash and its buffer, so it is not safe for concurrent use.
type chain struct {
	h   hash.Hash
	sum [sha256.Size]byte
	hex [hexLen]byte
}

func newChain(k Key) *chain { return &chain{h: k.hash()} }

func (c *chain) of(b []byte) []byte {
	c.h.Reset()
	c.h.Write(b)
	hex.Encode(c.hex[:], c.h.Sum(c.sum[:0]))
	return c.hex[:]
}

// append adds to dst the line after prev that holds body, newline included, and returns the link of that line.
func (c *chain) append(dst []byte, prev Link, at time.Time, body []byte) ([]byte, Link) {
	start := len(dst)
	next := Link{Seq: prev.Seq + 1}
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, next.Seq, 10)
	dst = append(dst, `,"time":"`...)
	dst = at.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `",`...)
	dst = append(dst, body[1:len(body)-1]...) // the body without its braces; it has fields always
	dst = append(dst, `,"prev":"`...)
	dst = append(dst, prev.sum()...)
	dst = append(dst, '"')
	next.Hash = string(c.of(dst[start:]))
	dst = append(dst, hashOpen...)
	dst = append(dst, next.Hash...)
	dst = append(dst, hashClose...)
	return append(dst, '\n'), next
}

// parse reads a line without its newline. Intact is false when the line's own hash does not fit its bytes.
func (c *chain) parse(line []byte) (e Entry, intact bool) {
	cut := len(line) - hashTail
	if cut < 0 {
		return Entry{}, false
	}
	tail := line[cut:]
	if string(tail[:len(hashOpen)]) != hashOpen || string(tail[len(tail)-len(hashClose):]) != hashClose {
		return Entry{}, false
	}
	if !hmac.Equal(tail[len(hashOpen):len(hashOpen)+hexLen], c.of(line[:cut])) {
		return Entry{}, false
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || d.InputOffset() != int64(len(line)) {
		return Entry{}, false
	}
	if e.Seq == 0 || len(e.Prev) != hexLen || e.check() != nil {
		return Entry{}, false
	}
	return e, true
}

func (e *Entry) link() Link { return Link{Seq: e.Seq, Hash: e.Hash} }

// follows reports whether e stands right after prev.
func (e *Entry) follows(prev Link) bool { return e.Seq == prev.Seq+1 && e.Prev == prev.sum() }
