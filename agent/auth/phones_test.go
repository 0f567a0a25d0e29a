package auth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/auth"
)

// desk is a policy that gives phones to employees.
type desk map[string]string

func (d desk) owner(endpoint string) (employee, phone string, ok bool) {
	for phone, employee := range d {
		if strings.EqualFold(phone, endpoint) {
			return employee, phone, true
		}
	}
	return "", "", false
}

func TestAPhoneProvesItsOwnerAndNothingElseDoes(t *testing.T) {
	p := auth.Phones{Owner: desk{"PJSIP/101": "anna"}.owner}
	s, err := p.Authenticate(t.Context(), auth.Credential{Phone: "pjsip/101"})
	if err != nil || s.Employee() != "anna" || s.Credential() != "phone:PJSIP/101" || !s.Expires().IsZero() || s.Panel() != "" || s.Session() {
		t.Fatalf("anna's phone is %v, %v", s, err)
	}
	for name, c := range map[string]auth.Credential{
		"nothing":              {},
		"a token":              {Token: "PJSIP/101"},
		"a phone and a token":  {Phone: "PJSIP/101", Token: "x"},
		"somebody is named":    {Phone: "PJSIP/101", Employee: "anna"},
		"an unknown phone":     {Phone: "PJSIP/102"},
		"the beginning of one": {Phone: "PJSIP/10"},
		"a channel's name":     {Phone: "PJSIP/101-00000001"},
	} {
		if s, err := p.Authenticate(t.Context(), c); !errors.Is(err, auth.ErrDenied) || s.Known() {
			t.Errorf("%s proves %v, %v", name, s, err)
		}
	}
}

func TestAPhoneHoldsWhileThePolicyGivesItToHim(t *testing.T) {
	d := desk{"PJSIP/101": "anna", "PJSIP/102": "boris"}
	p := auth.Phones{Owner: d.owner}
	s, err := p.Authenticate(t.Context(), auth.Credential{Phone: "PJSIP/101"})
	if err != nil {
		t.Fatal(err)
	}
	again, ok := p.Resume("phone:PJSIP/101", "anna")
	if !ok || again != s || !p.Holds(s) {
		t.Fatalf("after a restart it is %v, %v", again, ok)
	}
	for _, c := range [][2]string{{"phone:PJSIP/101", "boris"}, {"phone:PJSIP/103", "anna"}, {"PJSIP/101", "anna"}, {"token:PJSIP/101", "anna"}, {"", ""}} {
		if s, ok := p.Resume(c[0], c[1]); ok {
			t.Errorf("%v is resumed as %v", c, s)
		}
	}
	d["PJSIP/101"] = "boris"
	if _, ok := p.Resume("phone:PJSIP/101", "anna"); ok || p.Holds(s) {
		t.Error("it holds though the phone is another's now")
	}
	delete(d, "PJSIP/101")
	if p.Holds(s) || p.Holds(auth.Subject{}) {
		t.Error("it holds though the phone is nobody's now")
	}
}

// The policy takes phones whose names have signs that the name of a credential must not have, or it could not be recorded what they ask for.
func TestAPhoneOfAnyNameHasACredentialThatCanBeRecorded(t *testing.T) {
	d := desk{"PJSIP/101#2": "anna", "PJSIP/анна": "boris", "PJSIP/a:b": "carl", "PJSIP/a:3ab": "dora", "PJSIP/a": "egor", "PJSIP/101-home_2.x+y": "fay"}
	p := auth.Phones{Owner: d.owner}
	names := map[string]string{}
	for phone, employee := range d {
		s, err := p.Authenticate(t.Context(), auth.Credential{Phone: phone})
		if err != nil {
			t.Fatal(err)
		}
		name := s.Credential()
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:+/") != "" || names[name] != "" {
			t.Errorf("%s is called %q, as is %q", phone, name, names[name])
		}
		names[name] = phone
		if again, ok := p.Resume(name, employee); !ok || again != s || !p.Holds(s) {
			t.Errorf("after a restart %s is %v, %v", phone, again, ok)
		}
	}
	if names["phone:PJSIP/101-home_2.x+y"] == "" {
		t.Errorf("%v", names)
	}
	for _, name := range []string{"phone:PJSIP/101#2", "phone:PJSIP/101:2", "phone:PJSIP/101:", "phone:PJSIP/101:zz2", "phone:PJSIP/101:232:", "phone:PJSIP/:61", "phone:PJSIP/101:23 2"} {
		if s, ok := p.Resume(name, "anna"); ok {
			t.Errorf("%s is resumed as %v", name, s)
		}
		if s, ok := p.Resume(name, "egor"); ok {
			t.Errorf("%s is resumed as %v", name, s)
		}
	}
}
