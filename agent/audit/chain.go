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
	"math"
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

// Check reports whether the key is long enough to be worth the name; the empty one is none and passes.
func (k Key) Check() error {
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

const (
	seqOpen  = `{"seq":`
	prevOpen = `,"prev":"`
	prevTail = len(prevOpen) + hexLen + len(`"`)
)

// place reads of a line without its newline what chains it: its own link and the hash of the line before, which is a part of line.
// Intact is false when the line's own hash does not fit its bytes, or when it is not JSON as append writes it.
func (c *chain) place(line []byte) (l Link, prev []byte, intact bool) {
	body, tail, ok := cutTail(line, hashOpen, hashTail)
	if !ok || !hmac.Equal(tail[:hexLen], c.of(body)) || string(tail[hexLen:]) != hashClose {
		return Link{}, nil, false
	}
	l.Hash = string(tail[:hexLen])
	rest, tail, ok := cutTail(body, prevOpen, prevTail)
	if !ok || string(tail[hexLen:]) != `"` || !bytes.HasPrefix(rest, []byte(seqOpen)) || !json.Valid(line) {
		return Link{}, nil, false
	}
	for _, d := range rest[len(seqOpen):] {
		if d == ',' {
			return l, tail[:hexLen], l.Seq != 0
		}
		if d < '0' || d > '9' || l.Seq > math.MaxUint64/10-1 {
			break
		}
		l.Seq = l.Seq*10 + uint64(d-'0')
	}
	return Link{}, nil, false
}

// cutTail cuts the last n bytes off b, which begin with open, and returns what is before them and what follows open.
func cutTail(b []byte, open string, n int) (before, after []byte, ok bool) {
	cut := len(b) - n
	if cut < 0 || string(b[cut:cut+len(open)]) != open {
		return nil, nil, false
	}
	return b[:cut], b[cut+len(open):], true
}

// decode reads the entry of a line that is intact. One that says of its place something else than place found is refused.
func decode(line []byte, l Link, prev []byte) (e Entry, ok bool) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return Entry{}, false
	}
	if e.Seq != l.Seq || e.Hash != l.Hash || e.Prev != string(prev) || e.check() != nil {
		return Entry{}, false
	}
	return e, true
}

// follows reports whether the line at l, which carries prev, stands right after the line at last.
func (l Link) follows(last Link, prev []byte) bool {
	return l.Seq == last.Seq+1 && string(prev) == last.sum()
}
