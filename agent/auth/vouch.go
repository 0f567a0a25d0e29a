package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// vouchedPrefix begins the credential's name of who has proven himself elsewhere: "pbx:NAME:" and what it is called there.
const vouchedPrefix = "pbx:"

// maxVouched is how long the name of a credential is with the prefix, and maxVoucher how long it may be without: what is longer than the first cannot be
// recorded and is cut, so that who has such a one cannot be known again by it.
const (
	maxVouched = 128
	maxVoucher = 256
)

// Voucher is what the sidecar to which somebody has proven himself tells another of him, which believes it. There is no secret in it: it is worth
// something only inside what the sidecars of a cluster have sealed for each other.
type Voucher struct {
	Employee   string `json:"employee"`
	Panel      string `json:"panel,omitempty"`
	Credential string `json:"credential"`
	Expires    int64  `json:"expires,omitempty"` // Unix seconds; 0 for never
}

// Voucher returns what another sidecar may be told of s; false of nobody, and of one for whom somebody else vouches: who has not seen a credential
// himself does not vouch for it.
func (s Subject) Voucher() (Voucher, bool) {
	if !s.Known() || s.origin != "" {
		return Voucher{}, false
	}
	return Voucher{Employee: s.employee, Panel: s.panel, Credential: s.credential, Expires: s.expires}, true
}

// ID is another for each employee and credential, and the same beside every PBX. It tells neither.
func (v Voucher) ID() string { return v.of().id() }

func (v Voucher) of() Subject {
	return Subject{key: sha256.Sum256([]byte("earshot voucher\x00" + v.Employee + "\x00" + v.Credential))}
}

func (s Subject) id() string { return hex.EncodeToString(s.key[:16]) }

// Vouched returns the subject for whom the sidecar beside a PBX vouches; false for what no voucher can say. Only who has it from that sidecar itself, and
// nobody else's word, may ask: in Earshot that is the gate, for a request that has crossed over.
//
// No Authenticator lets it in or holds it: that is for the sidecar to say which has vouched.
func Vouched(pbx string, v Voucher) (Subject, bool) {
	name := vouchedPrefix + pbx + ":" + v.Credential
	switch {
	case pbx == "" || strings.Contains(pbx, ":"), v.Credential == "", strings.HasPrefix(v.Credential, vouchedPrefix), len(v.Credential) > maxVoucher, !isCredential(name):
		return Subject{}, false
	case !isEmployee(v.Employee), v.Panel != "" && !isPanel(v.Panel), v.Expires < 0 || v.Expires > maxExpires:
		return Subject{}, false
	}
	s := v.of()
	s.employee, s.panel, s.credential, s.expires, s.origin = v.Employee, v.Panel, name[:min(len(name), maxVouched)], v.Expires, pbx
	return s, true
}

// maxExpires is the last moment of the year 9999.
var maxExpires = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()

// Revouched is whom the record calls so by a credential as [Vouched] names them, after a restart. Whether it still holds, and until when, is for the
// sidecar to say that has vouched.
func Revouched(credential, employee string) (Subject, bool) {
	rest, ok := strings.CutPrefix(credential, vouchedPrefix)
	if !ok {
		return Subject{}, false
	}
	pbx, name, _ := strings.Cut(rest, ":")
	return Vouched(pbx, Voucher{Employee: employee, Credential: name})
}

// Origin returns the PBX whose sidecar vouches for s; empty for who has proven himself here.
func (s Subject) Origin() string { return s.origin }

// VoucherID returns the ID of the voucher by which s is known here; empty for who has proven himself here.
func (s Subject) VoucherID() string {
	if s.origin == "" {
		return ""
	}
	return s.id()
}

// isCredential reports whether s can be the name of a credential: it stands in the record.
func isCredential(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.:+/", r)
	})
}
