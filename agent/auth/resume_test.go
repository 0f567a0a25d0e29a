package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/cache"
)

func TestASubjectIsKnownAgainByItsCredentialsName(t *testing.T) {
	now := time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	token, hash := auth.NewToken()
	panel, panelHash := auth.NewToken()
	brief, briefHash := auth.NewToken()
	entries := []auth.Entry{
		{Employee: "anna", Hash: hash},
		{Panel: "crm", ActsFor: []string{"anna", "boris", "gone"}, Hash: panelHash},
		{Employee: "boris", Hash: briefHash, Expires: now.Add(time.Hour)},
	}
	tokens, err := auth.NewTokens(auth.Options{Clock: clock, Known: func(id string) bool { return id != "gone" }}, entries...)
	if err != nil {
		t.Fatal(err)
	}
	proven := func(c auth.Credential) auth.Subject {
		s, err := tokens.Authenticate(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	anna, forBoris, boris := proven(auth.Credential{Token: token}), proven(auth.Credential{Token: panel, Employee: "boris"}), proven(auth.Credential{Token: brief})
	chain := auth.Chain{tokens}
	for name, want := range map[string]auth.Subject{"an employee": anna, "a panel": forBoris, "one that ends": boris} {
		if got, ok := chain.Resume(want.Credential(), want.Employee()); !ok || got != want {
			t.Errorf("%s: %v %v", name, got, ok)
		}
	}
	for name, c := range map[string][2]string{
		"another's token":                  {anna.Credential(), "boris"},
		"one for whom the panel may not":   {forBoris.Credential(), "carl"},
		"one whom the policy has no more":  {forBoris.Credential(), "gone"},
		"a credential that is not there":   {"token:000000000000", "anna"},
		"no credential":                    {"", "anna"},
		"nobody for a panel":               {forBoris.Credential(), ""},
		"a JSON web token, kept by nobody": {"jwt:1a2b3c4d5e6f", "anna"},
	} {
		if s, ok := chain.Resume(c[0], c[1]); ok {
			t.Errorf("%s: %v", name, s)
		}
	}
	now = now.Add(2 * time.Hour)
	if s, ok := chain.Resume(boris.Credential(), "boris"); ok {
		t.Errorf("one that has ended: %v", s)
	}
}

func TestASessionIsKnownAgainWhileItHolds(t *testing.T) {
	token, hash := auth.NewToken()
	tokens, err := auth.NewTokens(auth.Options{}, auth.Entry{Employee: "anna", Hash: hash})
	if err != nil {
		t.Fatal(err)
	}
	sessions := auth.NewSessions(auth.SessionOptions{Store: cache.NewMemory(cache.Options{}), Tokens: tokens})
	chain := auth.Chain{tokens, sessions}
	by, err := chain.Authenticate(t.Context(), auth.Credential{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	made, err := sessions.Make(t.Context(), by, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	want, err := chain.Authenticate(t.Context(), auth.Credential{Token: made.Token})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := chain.Resume(want.Credential(), "anna"); !ok || got != want {
		t.Errorf("%v %v, want %v", got, ok, want)
	}
	if s, ok := chain.Resume(want.Credential(), "boris"); ok {
		t.Errorf("another employee's: %v", s)
	}
	if err := sessions.End(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if s, ok := chain.Resume(want.Credential(), "anna"); ok {
		t.Errorf("one that was ended: %v", s)
	}
}
