package auth_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
)

// panels are a panel for two employees, one for everyone whom the policy has, and an ordinary token.
func panels(t *testing.T, path string) (few, all, annas string) {
	t.Helper()
	few, fewHash := auth.NewToken()
	all, allHash := auth.NewToken()
	annas, annasHash := auth.NewToken()
	mustPut(t, path, fmt.Sprintf("- {panel: crm, acts_for: [anna, boris], hash: %q, expires: 2027-01-31}\n- {panel: wall, acts_for: everyone, hash: %q}\n", fewHash, allHash)+line("anna", annasHash))
	return few, all, annas
}

func TestAPanelIsTheEmployeeWhomItNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	few, all, annas := panels(t, path)
	known := map[string]bool{"anna": true, "carl": true, "boris": true}
	now := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	tokens := mustOpen(t, path, auth.Options{Clock: func() time.Time { return now }, Known: func(id string) bool { return known[id] }})

	for _, tc := range []struct{ token, employee, panel string }{{few, "anna", "crm"}, {few, "boris", "crm"}, {all, "carl", "wall"}} {
		s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: tc.token, Employee: tc.employee})
		name := "panel:" + tc.panel + ":" + auth.Hash(tc.token)[7:19]
		if err != nil || s.Employee() != tc.employee || s.Panel() != tc.panel || s.Credential() != name || fmt.Sprint(s) != tc.employee+" by "+name || !tokens.Holds(s) {
			t.Errorf("%s for %s: %v, %v", tc.panel, tc.employee, s, err)
		}
	}
	if s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: annas}); err != nil || s.Panel() != "" || !strings.HasPrefix(s.Credential(), "token:") {
		t.Errorf("anna's own token: %v, %v", s, err)
	}

	// One answer for all that is wrong, the panel's own mistakes too.
	for name, c := range map[string]auth.Credential{
		"one whom it does not act for":           {Token: few, Employee: "carl"},
		"one who does not exist":                 {Token: all, Employee: "nobody"},
		"everyone":                               {Token: all, Employee: "everyone"},
		"another spelling":                       {Token: few, Employee: "Anna"},
		"with a space":                           {Token: few, Employee: "anna "},
		"two":                                    {Token: few, Employee: "anna,boris"},
		"unprintable":                            {Token: all, Employee: "anna\x00"},
		"an employee's token that names another": {Token: annas, Employee: "boris"},
		"an employee's token that names himself": {Token: annas, Employee: "anna"},
		"no token":                               {Employee: "anna"},
	} {
		if s, err := tokens.Authenticate(t.Context(), c); err != auth.ErrDenied || s != (auth.Subject{}) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}

	// That the token is good is told to its holder alone, and lets nobody in.
	for _, token := range []string{few, all} {
		s, err := auth.Chain{tokens, auth.Chain{}}.Authenticate(t.Context(), auth.Credential{Token: token})
		if err != auth.ErrUnnamed || !errors.Is(err, auth.ErrDenied) || s != (auth.Subject{}) {
			t.Errorf("a panel that names nobody: %v, %v", s, err)
		}
	}

	s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: few, Employee: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(12 * time.Hour)
	for _, named := range []string{"anna", ""} {
		if _, err := tokens.Authenticate(t.Context(), auth.Credential{Token: few, Employee: named}); !errors.Is(err, auth.ErrExpired) || tokens.Holds(s) {
			t.Errorf("after its end: %v, holds %v", err, tokens.Holds(s))
		}
	}
}

func TestAPanelsSessionHoldsAsLongAsItMayNameTheEmployee(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	token, hash := auth.NewToken()
	for name, tc := range map[string]struct {
		entry string
		holds bool
	}{
		"the same":             {"{panel: crm, acts_for: [anna, boris], hash: %q}", true},
		"everyone":             {"{panel: crm, acts_for: everyone, hash: %q}", true},
		"anna no more":         {"{panel: crm, acts_for: [boris], hash: %q}", false},
		"another panel's":      {"{panel: wall, acts_for: [anna], hash: %q}", false},
		"anna's own":           {"{employee: anna, hash: %q}", false},
		"an end that has been": {"{panel: crm, acts_for: everyone, hash: %q, expires: 2020-01-01}", false},
	} {
		mustPut(t, path, fmt.Sprintf("- {panel: crm, acts_for: [anna], hash: %q}\n", hash))
		tokens := mustOpen(t, path, auth.Options{})
		s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token, Employee: "anna"})
		if err != nil || !tokens.Holds(s) {
			t.Fatal(s, err)
		}
		mustPut(t, path, fmt.Sprintf("- "+tc.entry+"\n", hash))
		if err := tokens.Reload(); err != nil {
			t.Fatal(err)
		}
		if got := tokens.Holds(s); got != tc.holds {
			t.Errorf("%s: holds %v", name, got)
		}
	}

	// A token that was an employee's own does not go on as a panel's.
	mustPut(t, path, line("anna", hash))
	tokens := mustOpen(t, path, auth.Options{})
	s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, path, fmt.Sprintf("- {panel: crm, acts_for: [anna], hash: %q}\n", hash))
	if err := tokens.Reload(); err != nil || tokens.Holds(s) {
		t.Errorf("anna's own session holds on a panel's token (%v)", err)
	}
}

func TestWhoIsNamedIsPartOfTheCredentialAndPrintsNothing(t *testing.T) {
	if out := fmt.Sprintf("%v %+v", auth.Credential{Token: "t", Employee: "anna"}, auth.Credential{Employee: "anna"}); strings.Contains(out, "anna") {
		t.Error(out)
	}
}

func TestAPanelMayNameItselfWhereThePolicyHasIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	few, all, annas := panels(t, path)
	isPanel := map[string]bool{"crm": true, "anna": false}
	tokens := mustOpen(t, path, auth.Options{Known: func(id string) bool { return !isPanel[id] && id != "wall" }, Panel: func(name string) bool { return isPanel[name] }})

	itself, err := tokens.Authenticate(t.Context(), auth.Credential{Token: few, Employee: "crm"})
	if err != nil || itself.Employee() != "crm" || itself.Panel() != "crm" || !tokens.Holds(itself) {
		t.Fatalf("the panel is %v, %v", itself, err)
	}
	anna, err := tokens.Authenticate(t.Context(), auth.Credential{Token: annas})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]auth.Credential{
		"another panel":                      {Token: all, Employee: "crm"},
		"one that the policy does not have":  {Token: all, Employee: "wall"},
		"an employee's token that names one": {Token: annas, Employee: "crm"},
	} {
		if s, err := tokens.Authenticate(t.Context(), c); err != auth.ErrDenied {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if _, err := tokens.Authenticate(t.Context(), auth.Credential{Token: few}); err != auth.ErrUnnamed {
		t.Errorf("it names nobody: %v", err)
	}

	isPanel["crm"], isPanel["anna"] = false, true
	if tokens.Holds(itself) || tokens.Holds(anna) {
		t.Error("the policy has changed who is a panel, and who was one is it still")
	}
	if _, err := tokens.Authenticate(t.Context(), auth.Credential{Token: annas}); err != auth.ErrDenied {
		t.Errorf("an employee's token of a panel's id: %v", err)
	}
}
