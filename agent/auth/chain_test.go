package auth_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/golang-jwt/jwt/v5"
)

// broken lets somebody in whom it does not know, or says that it cannot be asked.
type broken struct{ err error }

func (b broken) Authenticate(context.Context, auth.Credential) (auth.Subject, error) {
	return auth.Subject{}, b.err
}
func (broken) Holds(auth.Subject) bool { return false }

func TestAChainLetsInWhomOneOfItLetsIn(t *testing.T) {
	i := newIssuer(t, jwkOf("r", rsaKey()))
	c := newClock()
	token, hash := auth.NewToken()
	old, oldHash := auth.NewToken()
	tokens, err := auth.NewTokens(auth.Options{Clock: c.now}, auth.Entry{Employee: "anna", Hash: hash}, auth.Entry{Employee: "anna", Hash: oldHash, Expires: start.Add(-time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	web := auth.Credential{Token: sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims(map[string]any{"sub": "boris"}))}
	chain := auth.Chain{tokens, mustJWT(t, i.settings(c))}
	a, err := chain.Authenticate(t.Context(), auth.Credential{Token: token})
	if err != nil || a.Employee() != "anna" || !chain.Holds(a) {
		t.Errorf("a token: %v, %v", a, err)
	}
	b, err := chain.Authenticate(t.Context(), web)
	if err != nil || b.Employee() != "boris" || !chain.Holds(b) {
		t.Errorf("a JSON web token: %v, %v", b, err)
	}
	if tokens.Holds(b) || chain[1].Holds(a) || chain.Holds(auth.Subject{}) {
		t.Error("one holds what another let in")
	}
	if _, err := chain.Authenticate(t.Context(), auth.Credential{Token: "x"}); err != auth.ErrDenied {
		t.Errorf("nothing: %v", err)
	}
	if _, err := chain.Authenticate(t.Context(), auth.Credential{Token: old}); err != auth.ErrExpired {
		t.Errorf("an old token: %v", err)
	}

	away := errors.New("away")
	for name, tc := range map[string]struct {
		chain auth.Chain
		who   string
		want  error
	}{
		"one is away, another lets in":     {auth.Chain{broken{away}, tokens}, "anna", nil},
		"one is away, another denies":      {auth.Chain{broken{away}, broken{auth.ErrDenied}}, "", away},
		"one denies, another is away":      {auth.Chain{broken{auth.ErrDenied}, broken{away}}, "", away},
		"one lets nobody in as if by name": {auth.Chain{broken{nil}}, "", auth.ErrDenied},
		"none":                             {nil, "", auth.ErrDenied},
	} {
		s, err := tc.chain.Authenticate(t.Context(), auth.Credential{Token: token})
		if !errors.Is(err, tc.want) || s.Employee() != tc.who || (tc.want != auth.ErrDenied && errors.Is(err, auth.ErrDenied)) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}

	// A provider that is away keeps nobody out who has a token of ours, and what is no token at all learns nothing of it.
	i.does(http.NotFound)
	chain[1] = mustJWT(t, i.settings(c))
	if s, err := chain.Authenticate(t.Context(), auth.Credential{Token: token}); err != nil || s.Employee() != "anna" {
		t.Errorf("a token while the provider is away: %v, %v", s, err)
	}
	if _, err := chain.Authenticate(t.Context(), auth.Credential{Token: "x"}); err != auth.ErrDenied {
		t.Errorf("nothing while the provider is away: %v", err)
	}
	if _, err := chain.Authenticate(t.Context(), web); err == nil || errors.Is(err, auth.ErrDenied) {
		t.Errorf("a JSON web token while the provider is away: %v", err)
	}
}
