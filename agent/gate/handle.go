package gate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
)

var handleText = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// handle is the id under which a subject knows a leg on one employee's row: another for each subject, row and leg, so that two rows that show
// the two sides of one hidden call cannot be joined by it, and another for each sight, so that a change of sight is a removal and a new
// appearance. It tells nothing by itself; the way back is to make the handles of the row's legs and compare.
func (g *Gate) handle(subject, employee string, leg call.LegID, s mask.Sight) string {
	h := hmac.New(sha256.New, g.key[:])
	for _, part := range [...]string{subject, employee, string(leg)} {
		h.Write([]byte{byte(len(part) >> 8), byte(len(part))})
		h.Write([]byte(part))
	}
	h.Write([]byte{byte(s)})
	var sum [sha256.Size]byte
	return "c" + handleText.EncodeToString(h.Sum(sum[:0])[:12])
}
