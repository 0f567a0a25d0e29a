package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Subject is who asks, proven by a credential. It is a comparable value, safe to copy and to use from several goroutines. The zero
// Subject is nobody.
type Subject struct {
	employee   string
	panel      string
	credential string
	label      string
	expires    int64    // Unix seconds; 0 for never. Not a time.Time, which would not compare by ==
	key        [32]byte // of what holds the credential: a token's or a session's hash, or that of the key which signed it
	session    bool
	origin     string // the PBX whose sidecar vouches for him; empty: he has proven himself here
}

// Employee returns the id of the employee as the policy knows him; empty for nobody.
func (s Subject) Employee() string { return s.employee }

// Known reports whether s is somebody.
func (s Subject) Known() bool { return s.employee != "" }

// Panel returns the name of the panel that asks for the employee; empty when he asks himself.
func (s Subject) Panel() string { return s.panel }

// Credential returns a name for the credential that is fit for logs and the audit log: the same each time, and of no use to who reads
// it. "token:1a2b3c4d5e6f" is a token from the tokens file, "panel:NAME:1a2b3c4d5e6f" one of the panel NAME, which named the employee,
// and "jwt:1a2b3c4d5e6f" a JSON web token. "phone:PJSIP/101" is a desk phone, with a colon and two hex digits for what may not stand in a log. "session:9f8e7d6c:" and one of those is a session, and what made it. "pbx:NAME:" and one of
// those is what somebody has proven himself by to the sidecar beside another PBX.
func (s Subject) Credential() string { return s.credential }

// Session reports whether it is a session that proves him, and not what made it.
func (s Subject) Session() bool { return s.session }

// Label returns what the credential is called by who gave it out; it may be empty and need not be unique.
func (s Subject) Label() string { return s.label }

// Expires returns when the credential ends, and the zero time if it does not, as it was when it proved
// somebody. What runs on its strength ends then too, unless the credential was given a later end meanwhile, which [Authenticator.Holds] knows.
func (s Subject) Expires() time.Time {
	if s.expires == 0 {
		return time.Time{}
	}
	return time.Unix(s.expires, 0).UTC()
}

// Format prints the employee and the credential's name, whatever the verb.
func (s Subject) Format(f fmt.State, _ rune) {
	if !s.Known() {
		_, _ = io.WriteString(f, "nobody")
		return
	}
	_, _ = io.WriteString(f, s.employee+" by "+s.credential)
}

// Credential is what a door was given. It prints redacted.
type Credential struct {
	Token    string // a bearer token
	Employee string // whom a panel names as the one for whom it asks; empty: nobody is named
	Phone    string // the endpoint that Asterisk says a channel belongs to, "PJSIP/101"; only the phone door may fill it
}

// Format prints "[credential]", whatever the verb.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[credential]") }

// MarshalJSON writes "[credential]".
func (c Credential) MarshalJSON() ([]byte, error) { return []byte(`"[credential]"`), nil }

// Authenticator turns credentials into subjects. Implementations are safe for concurrent use.
type Authenticator interface {
	// Authenticate returns the subject that c proves, or an error that is [ErrDenied]. Any other error means that nobody
	// could be asked; the caller is not to be let in then either.
	Authenticate(ctx context.Context, c Credential) (Subject, error)
	// Holds reports whether s, who has proven himself before, would still be let in: his credential is there and has not
	// ended. What runs long asks again.
	Holds(s Subject) bool
}

var (
	// ErrDenied is returned for a credential that proves nobody, whatever the cause, so that a stranger learns nothing from it.
	ErrDenied = errors.New("auth: denied")
	// ErrExpired is returned to the holder of a real credential that has ended. It is an ErrDenied.
	ErrExpired = fmt.Errorf("%w: the credential has expired", ErrDenied)
	// ErrUnnamed is returned to the holder of a panel's token that is good and names nobody. It is an ErrDenied: it proves no employee.
	ErrUnnamed = fmt.Errorf("%w: the panel names no employee", ErrDenied)
)
