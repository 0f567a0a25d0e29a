package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const phonePrefix = "phone:"

// Phones authenticates desk phones: the endpoint of a channel, which Asterisk knows because the phone has registered there by its password,
// proves whose it is. What a phone says of itself, its caller id, proves nothing and is not looked at. It is safe for concurrent use.
type Phones struct {
	// Owner returns whose phone an endpoint is by the policy in force, and how the policy spells it. It must not block.
	Owner func(endpoint string) (employee, phone string, ok bool)
}

var (
	_ Authenticator = Phones{}
	_ Resumer       = Phones{}
)

// Authenticate implements [Authenticator]: it takes Credential.Phone and nothing beside it.
func (p Phones) Authenticate(_ context.Context, c Credential) (Subject, error) {
	if c.Phone == "" || c.Token != "" || c.Employee != "" {
		return Subject{}, ErrDenied
	}
	s, ok := p.subject(c.Phone)
	if !ok {
		return Subject{}, ErrDenied
	}
	return s, nil
}

// Holds implements [Authenticator]: a phone proves somebody as long as the policy gives it to him.
func (p Phones) Holds(s Subject) bool {
	now, ok := p.named(s.credential)
	return ok && now == s
}

// Resume implements [Resumer]. There is nothing to be kept: the endpoint is the credential's name.
func (p Phones) Resume(credential, employee string) (Subject, bool) {
	s, ok := p.named(credential)
	return s, ok && s.employee == employee
}

func (p Phones) named(credential string) (Subject, bool) {
	name, ok := strings.CutPrefix(credential, phonePrefix)
	if !ok {
		return Subject{}, false
	}
	s, ok := p.subject(spelled(name))
	return s, ok && s.credential == credential
}

func (p Phones) subject(endpoint string) (Subject, bool) {
	employee, phone, ok := p.Owner(endpoint)
	if !ok || employee == "" {
		return Subject{}, false
	}
	name := phonePrefix + coded(phone)
	return Subject{employee: employee, credential: name, key: sha256.Sum256([]byte(name))}, true
}

// coded is an endpoint as the name of a credential has it, which stands in the record: what may not stand there is a colon and two hex digits for each byte.
func coded(endpoint string) string {
	if isCredential(endpoint) && !strings.Contains(endpoint, ":") {
		return endpoint
	}
	var b strings.Builder
	for i := range len(endpoint) {
		if c := endpoint[i : i+1]; c != ":" && isCredential(c) {
			b.WriteString(c)
		} else {
			b.WriteString(":" + hex.EncodeToString([]byte(c)))
		}
	}
	return b.String()
}

// spelled is the way back. What coded would not have written leads to some other endpoint, or to none.
func spelled(name string) string {
	begin, rest, more := strings.Cut(name, ":")
	for more {
		if len(rest) < 2 {
			return ""
		}
		c, err := hex.DecodeString(rest[:2])
		if err != nil {
			return ""
		}
		var next string
		next, rest, more = strings.Cut(rest[2:], ":")
		begin += string(c) + next
	}
	return begin
}
