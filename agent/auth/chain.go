package auth

import (
	"context"
	"errors"
)

// Chain asks several authenticators, in their order; the first that lets somebody in is heard. A Chain of none lets nobody in.
type Chain []Authenticator

var _ Authenticator = Chain(nil)

// Authenticate implements [Authenticator]. One that could not be asked does not keep another from letting somebody in; when nobody does,
// its error is the answer, since the credential may be good.
func (c Chain) Authenticate(ctx context.Context, cred Credential) (Subject, error) {
	denied := ErrDenied
	var unasked error
	for _, a := range c {
		s, err := a.Authenticate(ctx, cred)
		switch {
		case err == nil && s.Known():
			return s, nil
		case err != nil && !errors.Is(err, ErrDenied):
			unasked = errors.Join(unasked, err)
		case errors.Is(err, ErrExpired):
			denied = ErrExpired
		case errors.Is(err, ErrUnnamed):
			denied = ErrUnnamed
		}
	}
	if unasked != nil {
		return Subject{}, unasked
	}
	return Subject{}, denied
}

// Holds implements [Authenticator].
func (c Chain) Holds(s Subject) bool {
	for _, a := range c {
		if a.Holds(s) {
			return true
		}
	}
	return false
}
