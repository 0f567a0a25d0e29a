package gate

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
)

const alphabet = "abcdefghijkmnpqrstuvwxyz23456789"

var handleText = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// handle is the id under which a subject knows a leg on one employee's row: another for each subject, row and leg, so that two rows that show
// the two sides of one hidden call cannot be joined by it, and another for each sight, so that a change of sight is a removal and a new
// appearance. It tells nothing by itself; the way back is to make the handles of the row's legs and compare.
//
// It follows from the three ids, the sight and the secret and from nothing else, so it is the same for as long as Earshot runs, whatever
// policy is in force; and beside every PBX of a cluster it is the same, as the secret is and each leg's id says on which it is.
func (g *Gate) handle(subject, employee string, leg call.LegID, s mask.Sight) string {
	on := g.secret.tag(tagRow, employee).with(g.legTag(leg))
	r := reader{gate: g, tag: g.secret.tag(tagSubject, subject)}
	return string(r.handle(&mark{on, s})[:])
}

// legTag is the tag of a leg, here or on another PBX.
func (g *Gate) legTag(leg call.LegID) tag {
	if g.cfg.Cluster != nil && !isFar(leg) {
		return g.secret.tag(tagLeg, string(farID(g.cfg.Cluster.PBX(), string(leg))))
	}
	return g.secret.tag(tagLeg, string(leg))
}

// secret makes the handles opaque. It is new with every start, but for the one that a cluster has in common.
//
// A handle is one block of AES over the sum (exclusive or) of what a subject, a row, a leg and a sight are each turned into, of which 100 of the
// 128 bits are shown. The first three are turned into tags of 128 bits by SHA-256 over half of the secret, the kind and the id: nobody knows
// them or can work them out, also not for a leg whose unique id he has chosen himself. Two different ways to choose the four have the same sum
// with a chance of 2^-128, as for any two random numbers. AES gives another block for another sum, and blocks that cannot be told from
// random numbers by who does not have the key; cut to what is shown, two are the same with a chance of 2^-100. The sum alone would not do: what
// one watcher is shown of one leg on two rows would differ by the same number for every leg.
type secret struct {
	key   [16]byte // of the tags
	block cipher.Block
}

func newSecret() secret {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	return secretOf(seed)
}

func secretOf(seed [32]byte) secret {
	s := secret{key: [16]byte(seed[:16])}
	s.block, _ = aes.NewCipher(seed[16:]) // fails for keys of other lengths only
	return s
}

// handlesOf is what the handles on the board are made with.
func handlesOf(c Cluster) secret {
	if c == nil {
		return newSecret()
	}
	return secretOf(c.Secret("handles"))
}

// tag is what the secret makes of an id. It does not leave the gate.
type tag [2]uint64

// The kinds of ids, which keep a subject apart from his own row.
const (
	tagSubject = 's'
	tagRow     = 'r'
	tagLeg     = 'l'
	tagOutside = 'o' // a leg that is on nobody's row
	tagBridge  = 'b'
	tagVisit   = 'w' // who waits in a queue
)

func (s *secret) tag(kind byte, id string) tag {
	var room [128]byte
	b := append(append(room[:0], s.key[:]...), kind)
	sum := sha256.Sum256(append(b, id...))
	return tag{binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])}
}

func (t tag) with(o tag) tag { return tag{t[0] ^ o[0], t[1] ^ o[1]} }

// mark is what the handle of a call on a form is made of, whoever reads it. It does not leave the gate.
type mark struct {
	on    tag // the row's with the leg's
	sight mask.Sight
}

// handle is the handle of one call of a form for the reader. It is good until the next.
func (r *reader) handle(m *mark) *[mask.HandleLen]byte {
	binary.BigEndian.PutUint64(r.room[:8], r.tag[0]^m.on[0])
	binary.BigEndian.PutUint64(r.room[8:], r.tag[1]^m.on[1]^uint64(m.sight))
	r.gate.secret.block.Encrypt(r.room[:], r.room[:])
	r.text[0] = 'c'
	high, low := binary.BigEndian.Uint64(r.room[:8]), binary.BigEndian.Uint64(r.room[8:])
	for i := 1; i <= 12; i++ { // 60 bits of the one half …
		r.text[i] = alphabet[high&31]
		high >>= 5
	}
	for i := 13; i < mask.HandleLen; i++ { // … and 40 of the other
		r.text[i] = alphabet[low&31]
		low >>= 5
	}
	return &r.text
}
