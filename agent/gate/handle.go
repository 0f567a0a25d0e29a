package gate

import (
	"crypto/sha256"
	"encoding/base32"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
)

var handleText = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// handle is the id under which a subject knows a leg on one employee's row: another for each subject, row and leg, so that two rows that show
// the two sides of one hidden call cannot be joined by it, and another for each sight, so that a change of sight is a removal and a new
// appearance. It tells nothing by itself; the way back is to make the handles of the row's legs and compare.
//
// It is a hash over a secret and the three. Less than half of the sum is shown, so nobody can go on hashing from it, which is what HMAC, at
// four times the price, is there to prevent. The secret has 128 bits, so that with ids of the usual length all fits into one block.
func (g *Gate) handle(subject, employee string, leg call.LegID, s mask.Sight) string {
	text := g.name(subject, employee, leg, s)
	return string(text[:])
}

func (g *Gate) name(subject, employee string, leg call.LegID, s mask.Sight) (text [mask.HandleLen]byte) {
	var room [192]byte
	b := append(room[:0], g.key[:16]...)
	b = append(b, byte(s))
	for _, part := range [...]string{subject, employee, string(leg)} {
		b = append(b, byte(len(part)>>8), byte(len(part)))
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	text[0] = 'c'
	handleText.Encode(text[1:], sum[:12])
	return text
}

// names remembers the handles by which one watcher knows what he was shown last. It serves one goroutine.
type names [64]struct {
	serial uint64
	sight  mask.Sight
	text   [mask.HandleLen]byte
}

// of is the handle of one call of a form for the subject.
func (n *names) of(g *Gate, subject, employee string, m *mark) *[mask.HandleLen]byte {
	at := &n[m.serial%uint64(len(n))]
	if at.serial != m.serial || at.sight != m.sight {
		at.serial, at.sight, at.text = m.serial, m.sight, g.name(subject, employee, m.leg, m.sight)
	}
	return &at.text
}
