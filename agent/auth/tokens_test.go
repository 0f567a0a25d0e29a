package auth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
)

func mustRead(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mustPut(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, path string, o auth.Options) *auth.Tokens {
	t.Helper()
	tokens, err := auth.OpenTokens(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func line(employee, hash string) string {
	return fmt.Sprintf("- {employee: %s, hash: %q}\n", employee, hash)
}

func TestATokenLetsItsEmployeeInAndNobodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	token, hash := auth.NewToken()
	second, secondHash := auth.NewToken()
	mustPut(t, path, line("anna", hash)+line("boris", secondHash))
	tokens := mustOpen(t, path, auth.Options{})
	for token, employee := range map[string]string{token: "anna", second: "boris"} {
		s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token})
		if err != nil || s.Employee() != employee || !s.Known() || !s.Expires().IsZero() || !tokens.Holds(s) {
			t.Errorf("%s's token: %v, %v", employee, s, err)
		}
	}
	stranger, _ := auth.NewToken()
	last := token[:len(token)-1]
	for name, presented := range map[string]string{
		"nothing": "", "a stranger's": stranger, "the hash": hash, "cut": last, "longer": token + "A", "with a space": " " + token,
		"other prefix": "EAR_" + token[4:], "a changed sign": strings.Replace(token, token[10:11], string(token[10]^1), 1),
		"huge": strings.Repeat(token, 10_000),
	} {
		if s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: presented}); !errors.Is(err, auth.ErrDenied) || errors.Is(err, auth.ErrExpired) || s != (auth.Subject{}) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// A password that somebody hashed into the file is too short to be kept under a plain hash, so it lets nobody in.
func TestWhatIsNoTokenIsDeniedEvenWithItsHashInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	mustPut(t, path, line("anna", auth.Hash("secret")))
	if s, err := mustOpen(t, path, auth.Options{}).Authenticate(t.Context(), auth.Credential{Token: "secret"}); !errors.Is(err, auth.ErrDenied) || s.Known() {
		t.Fatalf("%v, %v", s, err)
	}
}

func TestNobodyIsTheZeroSubject(t *testing.T) {
	tokens, err := auth.NewTokens(auth.Options{}, auth.Entry{Employee: "anna", Hash: auth.Hash("x")})
	if err != nil {
		t.Fatal(err)
	}
	var s auth.Subject
	if s.Known() || s.Employee() != "" || tokens.Holds(s) || fmt.Sprint(s) != "nobody" {
		t.Fatalf("%v known %v, holds %v", s, s.Known(), tokens.Holds(s))
	}
}

func TestATokenEndsWhenItExpires(t *testing.T) {
	now := time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	token, hash := auth.NewToken()
	text := strings.Replace(line("anna", hash), "}", ", expires: 2027-01-31}", 1)
	mustPut(t, path, text)
	tokens := mustOpen(t, path, auth.Options{Clock: func() time.Time { return now }})
	s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token})
	if err != nil || !s.Expires().Equal(now.Add(time.Second)) || !tokens.Holds(s) {
		t.Fatalf("in the last second: %v until %v, %v", s, s.Expires(), err)
	}
	now = now.Add(time.Second)
	if _, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token}); !errors.Is(err, auth.ErrExpired) || !errors.Is(err, auth.ErrDenied) {
		t.Fatalf("afterwards: %v", err)
	}
	if tokens.Holds(s) {
		t.Fatal("a session that began before still holds")
	}
	mustPut(t, path, strings.Replace(text, "2027-01-31", "2028-01-31T12:00:00+03:00", 1))
	if err := tokens.Reload(); err != nil || !tokens.Holds(s) {
		t.Fatalf("a later end was given: %v, holds %v", err, tokens.Holds(s))
	}
}

func TestReloadTakesWhatIsGoodAndKeepsTheLastGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	token, hash := auth.NewToken()
	second, secondHash := auth.NewToken()
	mustPut(t, path, line("anna", hash))
	tokens := mustOpen(t, path, auth.Options{})
	in := func(token string) bool {
		_, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token})
		return err == nil
	}
	s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, path, line("boris", secondHash)+"- oops\n")
	err = tokens.Reload()
	if want := path + ":2:3: a map with the keys employee, panel, acts_for, hash, label, created, expires belongs here"; err == nil || err.Error() != want || tokens.Err() == nil {
		t.Fatalf("a broken file: %v, want %s", err, want)
	}
	if !in(token) || in(second) || !tokens.Holds(s) || len(tokens.Entries()) != 1 {
		t.Fatal("a broken file changed who is let in")
	}
	mustPut(t, path, line("boris", secondHash))
	if err := tokens.Reload(); err != nil || tokens.Err() != nil {
		t.Fatal(err)
	}
	if in(token) || !in(second) || tokens.Holds(s) {
		t.Fatal("a token that was taken out still holds, or a new one does not")
	}
	mustPut(t, path, line("boris", hash)) // the same token in another hand
	if err := tokens.Reload(); err != nil || tokens.Holds(s) {
		t.Fatalf("anna's session holds on boris's token (%v)", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := tokens.Reload(); !errors.Is(err, os.ErrNotExist) || !in(token) {
		t.Fatalf("the file is gone: %v, last good in force: %v", err, in(token))
	}
}

func TestAFileThatEverybodyMayWriteProvesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	_, hash := auth.NewToken()
	mustPut(t, path, line("anna", hash))
	if err := os.Chmod(path, 0o606); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.OpenTokens(path, auth.Options{}); err == nil {
		t.Fatal("it is taken")
	}
}

func TestTokensInMemoryAreCheckedLikeThoseOfAFile(t *testing.T) {
	token, hash := auth.NewToken()
	good := auth.Entry{Employee: "anna", Hash: hash}
	tokens, err := auth.NewTokens(auth.Options{}, good)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token}); err != nil || s.Employee() != "anna" || tokens.Reload() != nil || !tokens.Holds(s) {
		t.Fatalf("%v, %v", s, err)
	}
	for name, entries := range map[string][]auth.Entry{
		"twice": {good, {Employee: "boris", Hash: hash}}, "nobody": {{Hash: hash}}, "no hash": {{Employee: "anna"}}, "label": {{Employee: "anna", Hash: hash, Label: "a\nb"}},
		"both": {{Employee: "anna", Panel: "crm", ActsFor: []string{"anna"}, Hash: hash}}, "acts for nobody": {{Panel: "crm", Hash: hash}},
		"acts without a panel": {{Employee: "anna", ActsFor: []string{"boris"}, Hash: hash}}, "a panel's name": {{Panel: "c m", ActsFor: []string{"anna"}, Hash: hash}},
		"acts for everyone and anna": {{Panel: "crm", ActsFor: []string{"everyone", "anna"}, Hash: hash}}, "acts for a nameless one": {{Panel: "crm", ActsFor: []string{""}, Hash: hash}},
	} {
		if _, err := auth.NewTokens(auth.Options{}, entries...); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestReloadWhileManyAsk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	token, hash := auth.NewToken()
	mustPut(t, path, line("anna", hash))
	tokens := mustOpen(t, path, auth.Options{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				if s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token}); err != nil || !tokens.Holds(s) {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		if err := tokens.Reload(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func TestNoSecretIsPrinted(t *testing.T) {
	token, hash := auth.NewToken()
	c := auth.Credential{Token: token}
	js, err := json.Marshal(struct{ C auth.Credential }{c})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.NewTokens(auth.Options{}, auth.Entry{Employee: "anna", Hash: hash})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tokens.Authenticate(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %s %q %x %s %v %+v %#v", c, c, c, c, c, c, js, s, s, s)
	for _, secret := range []string{token, token[4:20], hash[7:]} {
		if strings.Contains(out, secret) {
			t.Errorf("%q is in %s", secret, out)
		}
	}
	if want := "anna by token:" + hash[7:19]; fmt.Sprint(s) != want || s.Credential() != "token:"+hash[7:19] {
		t.Errorf("%v, want %s", s, want)
	}
}

func TestTokensDifferAndHaveTheirForm(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		token, hash := auth.NewToken()
		if seen[token] || len(token) != 47 || !strings.HasPrefix(token, "ear_") || hash != auth.Hash(token) || len(hash) != 71 {
			t.Fatalf("token of %d bytes, hash %s", len(token), hash)
		}
		seen[token] = true
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	token, hash := auth.NewToken()
	entries := []auth.Entry{{Employee: "anna", Hash: hash}}
	for range 1000 {
		_, hash := auth.NewToken()
		entries = append(entries, auth.Entry{Employee: "boris", Hash: hash})
	}
	tokens, err := auth.NewTokens(auth.Options{}, entries...)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Authenticate(b.Context(), auth.Credential{Token: token}); err != nil {
			b.Fatal(err)
		}
	}
}
