package auth_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
)

func TestAPanelsTokenTellsThePanelAndNoOtherDoes(t *testing.T) {
	now := time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	crm, crmHash := auth.NewToken()
	old, oldHash := auth.NewToken()
	anna, annaHash := auth.NewToken()
	stranger, _ := auth.NewToken()
	tokens, err := auth.NewTokens(auth.Options{Clock: func() time.Time { return now }},
		auth.Entry{Panel: "crm", ActsFor: []string{auth.Everyone}, Hash: crmHash},
		auth.Entry{Panel: "old", ActsFor: []string{auth.Everyone}, Hash: oldHash, Expires: now},
		auth.Entry{Employee: "anna", Hash: annaHash})
	if err != nil {
		t.Fatal(err)
	}
	if name, ok := tokens.Panel(crm); !ok || name != "crm" {
		t.Errorf("the panel's token is of %q, %t", name, ok)
	}
	for what, token := range map[string]string{"an expired": old, "an employee's": anna, "a stranger's": stranger, "no": "", "a broken": crm + "x"} {
		if name, ok := tokens.Panel(token); ok || name != "" {
			t.Errorf("%s token is of the panel %q", what, name)
		}
	}
}
