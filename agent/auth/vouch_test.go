package auth_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
)

func TestWhoIsVouchedForIsTheSameElsewhereAndNobodyHere(t *testing.T) {
	token, hash := auth.NewToken()
	tokens, err := auth.NewTokens(auth.Options{}, auth.Entry{Panel: "crm", ActsFor: []string{"anna", "boris"}, Hash: hash, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	here, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token, Employee: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	v, ok := here.Voucher()
	if !ok {
		t.Fatal("nobody vouches for anna")
	}
	there, ok := auth.Vouched("north", v)
	if !ok || there.Employee() != "anna" || there.Panel() != "crm" || !there.Expires().Equal(here.Expires()) {
		t.Fatalf("%v %v", there, ok)
	}
	if want := "pbx:north:" + here.Credential(); there.Credential() != want || there.Origin() != "north" || here.Origin() != "" {
		t.Fatalf("%q of %q, and %q", there.Credential(), there.Origin(), here.Origin())
	}
	if again, _ := auth.Vouched("north", v); again != there {
		t.Fatal("the same voucher is another subject")
	}
	if there.VoucherID() != v.ID() || v.ID() == "" || here.VoucherID() != "" {
		t.Fatalf("%q %q %q", there.VoucherID(), v.ID(), here.VoucherID())
	}
	for _, a := range []auth.Authenticator{tokens, auth.Chain{tokens}, auth.Phones{Owner: func(string) (string, string, bool) { return "anna", "PJSIP/101", true }}} {
		if a.Holds(there) {
			t.Errorf("%T holds whom another vouches for", a)
		}
	}
	if !tokens.Holds(here) {
		t.Fatal("and the one who has proven himself does not")
	}
	if _, ok := there.Voucher(); ok {
		t.Fatal("somebody vouches by hearsay")
	}
	if _, ok := (auth.Subject{}).Voucher(); ok {
		t.Fatal("somebody vouches for nobody")
	}
	again, ok := auth.Revouched(there.Credential(), "anna")
	if !ok || again.VoucherID() != v.ID() || again.Credential() != there.Credential() || again.Origin() != "north" {
		t.Fatalf("after a restart %v %v", again, ok)
	}
	if other, _ := auth.Revouched(there.Credential(), "boris"); other.VoucherID() == v.ID() {
		t.Fatal("another employee of the same panel has the same voucher")
	}
	for _, name := range []string{here.Credential(), "pbx:", "pbx:north", "pbx:north:", "pbx::token:1"} {
		if s, ok := auth.Revouched(name, "anna"); ok {
			t.Errorf("%q is %v", name, s)
		}
	}
}

func TestWhatNoVoucherSaysIsNobody(t *testing.T) {
	good := auth.Voucher{Employee: "anna", Credential: "token:1a2b3c4d5e6f"}
	if _, ok := auth.Vouched("north", good); !ok {
		t.Fatal("the good one is refused")
	}
	long, ok := auth.Vouched("north", auth.Voucher{Employee: "anna", Credential: "session:" + strings.Repeat("a", 200)})
	if !ok || len(long.Credential()) != 128 {
		t.Fatalf("a long name is %d letters, %v", len(long.Credential()), ok)
	}
	for name, change := range map[string]func(pbx *string, v *auth.Voucher){
		"no PBX":              func(pbx *string, _ *auth.Voucher) { *pbx = "" },
		"two PBXs":            func(pbx *string, _ *auth.Voucher) { *pbx = "a:b" },
		"no employee":         func(_ *string, v *auth.Voucher) { v.Employee = "" },
		"a line break":        func(_ *string, v *auth.Voucher) { v.Employee = "anna\nboris" },
		"no credential":       func(_ *string, v *auth.Voucher) { v.Credential = "" },
		"a space":             func(_ *string, v *auth.Voucher) { v.Credential = "token: 1" },
		"hearsay":             func(_ *string, v *auth.Voucher) { v.Credential = "pbx:south:token:1" },
		"a very long name":    func(_ *string, v *auth.Voucher) { v.Credential = strings.Repeat("a", 257) },
		"a panel of no name":  func(_ *string, v *auth.Voucher) { v.Panel = "the CRM" },
		"an end before 1970":  func(_ *string, v *auth.Voucher) { v.Expires = -1 },
		"an end out of reach": func(_ *string, v *auth.Voucher) { v.Expires = 1 << 62 },
	} {
		pbx, v := "north", good
		change(&pbx, &v)
		if s, ok := auth.Vouched(pbx, v); ok || s.Known() {
			t.Errorf("%s: %v", name, s)
		}
	}
}

// Who has the word of another sidecar can make anybody of it, so nobody asks for that but the gate, of what has crossed over to it.
func TestOnlyTheGateTakesAnothersWord(t *testing.T) {
	takes := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path) // #nosec G122 -- the module's own source
		if strings.Contains(string(source), "auth.Vouched(") || strings.Contains(string(source), "auth.Revouched(") {
			takes[filepath.ToSlash(path)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"../../agent/gate/crossperform.go", "../../agent/gate/crossvouch.go"} {
		if !takes[path] {
			t.Errorf("%s does not any more", path)
		}
		delete(takes, path)
	}
	if len(takes) > 0 {
		t.Errorf("so do %v", takes)
	}
}
