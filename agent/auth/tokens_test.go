package auth_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/earshot-pbx/earshot/agent/auth"
)

func TestATokenThatWasAddedLetsItsEmployeeIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	token, hash := auth.NewToken()
	if err := auth.AddToken(path, auth.Entry{Employee: "anna", Hash: hash, Label: "desk"}); err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.OpenTokens(path, auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token})
	if err != nil || s.Employee() != "anna" || s.Label() != "desk" || !s.Known() || !tokens.Holds(s) {
		t.Fatalf("subject %v, error %v", s, err)
	}
	other, _ := auth.NewToken()
	if s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: other}); !errors.Is(err, auth.ErrDenied) || s.Known() {
		t.Fatalf("a stranger: %v, %v", s, err)
	}
}
