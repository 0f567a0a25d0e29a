package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/golang-jwt/jwt/v5"
)

func TestATokenOfTheIssuerLetsItsEmployeeIn(t *testing.T) {
	i := newIssuer(t, jwkOf("r", rsaKey()), jwkOf("p", p256Key()), jwkOf("q", p384Key()), jwkOf("s", p521Key()), jwkOf("e", edKey()))
	j := mustJWT(t, i.settings(newClock()))
	for _, tc := range []struct {
		method jwt.SigningMethod
		key    any
		kid    string
	}{
		{jwt.SigningMethodRS256, rsaKey(), "r"}, {jwt.SigningMethodRS384, rsaKey(), "r"}, {jwt.SigningMethodRS512, rsaKey(), "r"},
		{jwt.SigningMethodPS256, rsaKey(), "r"}, {jwt.SigningMethodPS384, rsaKey(), "r"}, {jwt.SigningMethodPS512, rsaKey(), "r"},
		{jwt.SigningMethodES256, p256Key(), "p"}, {jwt.SigningMethodES384, p384Key(), "q"}, {jwt.SigningMethodES512, p521Key(), "s"},
		{jwt.SigningMethodEdDSA, edKey(), "e"},
	} {
		for _, kid := range []string{tc.kid, ""} { // without a kid there is one that fits
			token := sign(t, tc.method, tc.key, kid, claims())
			s, err := j.Authenticate(t.Context(), auth.Credential{Token: token})
			if err != nil || s.Employee() != "anna" || s.Panel() != "" || !s.Expires().Equal(start.Add(time.Hour+30*time.Second)) || !j.Holds(s) {
				t.Errorf("%s with kid %q: %v until %v, %v", tc.method.Alg(), kid, s, s.Expires(), err)
			}
			if sum := sha256.Sum256([]byte(token)); s.Credential() != fmt.Sprintf("jwt:%x", sum[:6]) {
				t.Errorf("the credential is called %s", s.Credential())
			}
		}
	}
	if n := i.hits.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestClaimsAndHeadersAsOtherIssuersWriteThem(t *testing.T) {
	i := newIssuer(t, jwkOf("r", rsaKey()))
	cfg := i.settings(newClock())
	cfg.EmployeeClaim = "preferred_username"
	j := mustJWT(t, cfg)
	for name, token := range map[string]string{
		"several audiences":  sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims(map[string]any{"preferred_username": "anna", "sub": 5, "aud": []string{"crm", aud}})),
		"an access token":    sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims(map[string]any{"preferred_username": "anna"}), map[string]any{"typ": "at+jwt"}),
		"its full type":      sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims(map[string]any{"preferred_username": "anna"}), map[string]any{"typ": "application/at+JWT"}),
		"no type":            sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims(map[string]any{"preferred_username": "anna"}), map[string]any{"typ": nil}),
		"nothing but an end": sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims(map[string]any{"preferred_username": "anna", "iat": nil, "nbf": nil, "sub": nil})),
		"a clock ahead":      sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims(map[string]any{"preferred_username": "anna", "iat": start.Unix() + 20, "nbf": start.Unix() + 20})),
	} {
		if s, err := j.Authenticate(t.Context(), auth.Credential{Token: token}); err != nil || s.Employee() != "anna" {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// Every forgery that is known gets the same answer, beside a good token that is let in by the same keys.
func TestAForgedTokenIsDenied(t *testing.T) {
	rs := jwt.SigningMethodRS256
	i := newIssuer(t, jwkOf("r", rsaKey()), jwkOf("p", p256Key()), jwkOf("q", p384Key()),
		map[string]any{"kty": "oct", "kid": "o", "k": b64([]byte("a secret that is not one at all!"))},
		with(jwkOf("enc", otherRSA()), "use", "enc"))
	c := newClock()
	cfg := i.settings(c)
	cfg.Algorithms = []string{"RS256", "ES256", "ES384"}
	cfg.Known = func(id string) bool { return id == "anna" }
	j := mustJWT(t, cfg)
	good := sign(t, rs, rsaKey(), "r", claims())
	der, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	parts := strings.Split(good, ".")
	own := jwkOf("mine", otherRSA())

	for name, token := range map[string]string{
		"alg none":                       sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "r", claims()),
		"alg None":                       raw(map[string]any{"alg": "None", "kid": "r"}, claims(), nil),
		"alg nOnE with a signature":      raw(map[string]any{"alg": "nOnE", "kid": "r"}, claims(), []byte("x")),
		"no alg":                         raw(map[string]any{"kid": "r"}, claims(), nil),
		"alg is a list":                  raw(map[string]any{"alg": []string{"RS256"}, "kid": "r"}, claims(), nil),
		"HS256 with the public key, PEM": sign(t, jwt.SigningMethodHS256, public, "r", claims()),
		"HS256 with the public key, DER": sign(t, jwt.SigningMethodHS256, der, "r", claims()),
		"HS256 with the modulus":         sign(t, jwt.SigningMethodHS256, rsaKey().N.Bytes(), "r", claims()),
		"HS256 with a published secret":  sign(t, jwt.SigningMethodHS256, []byte("a secret that is not one at all!"), "o", claims()),
		"an algorithm not in the list":   sign(t, jwt.SigningMethodPS256, rsaKey(), "r", claims()),
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"no dots":                        parts[0],
		"four parts":                     good + ".x",
		"another's signature":            sign(t, rs, otherRSA(), "r", claims()),
		"another's key, named":           sign(t, rs, otherRSA(), "mine", claims(), map[string]any{"jwk": own}),
		"another's key, in place":        sign(t, rs, otherRSA(), "r", claims(), map[string]any{"jwk": own}),
		"the address of another's keys":  sign(t, rs, otherRSA(), "mine", claims(), map[string]any{"jku": i.URL + "/mine"}),
		"the address of a certificate":   sign(t, rs, otherRSA(), "r", claims(), map[string]any{"x5u": i.URL + "/mine", "x5c": []string{"MII"}}),
		"a key that encrypts":            sign(t, rs, otherRSA(), "enc", claims()),
		"ES256 by the key for ES384":     raw(map[string]any{"alg": "ES256", "kid": "q"}, claims(), make([]byte, 64)),
		"an empty ES256 signature":       raw(map[string]any{"alg": "ES256", "kid": "p"}, claims(), make([]byte, 64)),
		"RS256 by an EC key":             raw(map[string]any{"alg": "RS256", "kid": "p"}, claims(), make([]byte, 256)),
		"a kid that is a number":         sign(t, rs, rsaKey(), "", claims(), map[string]any{"kid": 5}),
		"an empty kid":                   sign(t, rs, rsaKey(), "", claims(), map[string]any{"kid": ""}),
		"a kid that is a path":           sign(t, rs, rsaKey(), "../../../../dev/null", claims()),
		"something critical":             sign(t, rs, rsaKey(), "r", claims(), map[string]any{"crit": []string{"b64"}, "b64": false}),
		"nothing critical":               sign(t, rs, rsaKey(), "r", claims(), map[string]any{"crit": []string{}}),
		"a token for a logout":           sign(t, rs, rsaKey(), "r", claims(), map[string]any{"typ": "logout+jwt"}),
		"a type that is a list":          sign(t, rs, rsaKey(), "r", claims(), map[string]any{"typ": []string{"JWT"}}),
		"changed claims":                 parts[0] + "." + b64([]byte(strings.Replace(mustJSON(claims()), "anna", "anne", 1))) + "." + parts[2],
		"a changed last sign":            good[:len(good)-1] + string(good[len(good)-1]+1), // only in bits that stand for nothing
		"padding":                        good + "==",
		"a space before it":              " " + good,
		"a line end after it":            good + "\n",
		"line ends in it":                parts[0] + "." + parts[1] + ".\r\n" + parts[2],
		"another issuer":                 sign(t, rs, rsaKey(), "r", claims(map[string]any{"iss": "https://login.example.com/other"})),
		"the issuer and more":            sign(t, rs, rsaKey(), "r", claims(map[string]any{"iss": iss + "/"})),
		"no issuer":                      sign(t, rs, rsaKey(), "r", claims(map[string]any{"iss": nil})),
		"a list of issuers":              sign(t, rs, rsaKey(), "r", claims(map[string]any{"iss": []string{iss}})),
		"another audience":               sign(t, rs, rsaKey(), "r", claims(map[string]any{"aud": "crm"})),
		"no audience":                    sign(t, rs, rsaKey(), "r", claims(map[string]any{"aud": nil})),
		"no audience in a list":          sign(t, rs, rsaKey(), "r", claims(map[string]any{"aud": []string{}})),
		"an audience that is a number":   sign(t, rs, rsaKey(), "r", claims(map[string]any{"aud": 5})),
		"expired":                        sign(t, rs, rsaKey(), "r", claims(map[string]any{"exp": start.Unix() - 31})),
		"no end":                         sign(t, rs, rsaKey(), "r", claims(map[string]any{"exp": nil})),
		"an end that is a text":          sign(t, rs, rsaKey(), "r", claims(map[string]any{"exp": "never"})),
		"an end beyond all time":         sign(t, rs, rsaKey(), "r", claims(map[string]any{"exp": 1e300})),
		"an end of zero":                 sign(t, rs, rsaKey(), "r", claims(map[string]any{"exp": 0})),
		"not yet":                        sign(t, rs, rsaKey(), "r", claims(map[string]any{"nbf": start.Unix() + 31})),
		"issued in the future":           sign(t, rs, rsaKey(), "r", claims(map[string]any{"iat": start.Unix() + 31})),
		"without the claim":              sign(t, rs, rsaKey(), "r", claims(map[string]any{"sub": nil})),
		"an empty claim":                 sign(t, rs, rsaKey(), "r", claims(map[string]any{"sub": ""})),
		"a claim that is a number":       sign(t, rs, rsaKey(), "r", claims(map[string]any{"sub": 101})),
		"a claim that is a list":         sign(t, rs, rsaKey(), "r", claims(map[string]any{"sub": []string{"anna"}})),
		"an unknown employee":            sign(t, rs, rsaKey(), "r", claims(map[string]any{"sub": "anne"})),
		"another spelling":               sign(t, rs, rsaKey(), "r", claims(map[string]any{"sub": "Anna"})),
		"huge":                           sign(t, rs, rsaKey(), "r", claims(map[string]any{"more": strings.Repeat("x", 8<<10)})),
		"claims that are no object":      parts[0] + "." + b64([]byte(`["anna"]`)) + "." + parts[2],
		"a header that is no object":     b64([]byte(`"RS256"`)) + "." + parts[1] + "." + parts[2],
		"only dots":                      "..",
		"nothing":                        "",
	} {
		s, err := j.Authenticate(t.Context(), auth.Credential{Token: token})
		if !errors.Is(err, auth.ErrDenied) || s != (auth.Subject{}) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
		if errors.Is(err, auth.ErrExpired) != (name == "expired" || name == "an end beyond all time") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := j.Authenticate(t.Context(), auth.Credential{Token: good, Employee: "anna"}); !errors.Is(err, auth.ErrDenied) || s.Known() {
		t.Errorf("an employee is named beside the token: %v, %v", s, err)
	}
	if s, err := j.Authenticate(t.Context(), auth.Credential{Token: good}); err != nil || s.Employee() != "anna" {
		t.Errorf("the good one: %v, %v", s, err)
	}
	if n := i.hits.Load(); n != 1 {
		t.Errorf("forged tokens fetched keys %d times", n)
	}
}

// raw is a token with any header at all. Without a signature it is signed by a hash that everybody can make.
func raw(header map[string]any, c jwt.MapClaims, signature []byte) string {
	text := b64([]byte(mustJSON(header))) + "." + b64([]byte(mustJSON(c)))
	if signature == nil {
		h := hmac.New(sha256.New, nil)
		h.Write([]byte(text))
		signature = h.Sum(nil)
	}
	return text + "." + b64(signature)
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func with(m map[string]any, name string, value any) map[string]any {
	m[name] = value
	return m
}

func TestASessionEndsWithItsToken(t *testing.T) {
	i := newIssuer(t, jwkOf("r", rsaKey()))
	c := newClock()
	j := mustJWT(t, i.settings(c))
	token := sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims())
	s, err := j.Authenticate(t.Context(), auth.Credential{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	c.forward(time.Hour + 29*time.Second)
	if _, err := j.Authenticate(t.Context(), auth.Credential{Token: token}); err != nil || !j.Holds(s) {
		t.Fatalf("in the last second: %v, holds %v", err, j.Holds(s))
	}
	c.forward(time.Second)
	if _, err := j.Authenticate(t.Context(), auth.Credential{Token: token}); !errors.Is(err, auth.ErrExpired) || j.Holds(s) {
		t.Fatalf("afterwards: %v, holds %v", err, j.Holds(s))
	}
}

func TestASessionEndsWhenTheIssuerWithdrawsTheKey(t *testing.T) {
	i := newIssuer(t, jwkOf("r", rsaKey()), jwkOf("p", p256Key()))
	j := mustJWT(t, i.settings(newClock()))
	s, err := j.Authenticate(t.Context(), auth.Credential{Token: sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims())})
	if err != nil || !j.Holds(s) {
		t.Fatal(s, err)
	}
	i.publish(setOf(jwkOf("another name", rsaKey())))
	if err := j.Reload(t.Context()); err != nil || !j.Holds(s) {
		t.Errorf("the same key under another name: %v, holds %v", err, j.Holds(s))
	}
	i.publish(setOf(jwkOf("r", otherRSA())))
	if err := j.Reload(t.Context()); err != nil || j.Holds(s) {
		t.Errorf("another key under the name: %v, holds %v", err, j.Holds(s))
	}
	i.publish(`{"keys": []}`)
	if err := j.Reload(t.Context()); err != nil || j.Holds(s) {
		t.Errorf("no key at all: %v, holds %v", err, j.Holds(s))
	}
	var nobody auth.Subject
	if j.Holds(nobody) {
		t.Error("nobody holds")
	}
}

func TestKeysFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwks.json")
	cfg := auth.JWTConfig{Issuer: iss, Audience: aud, File: path, Clock: newClock().now}
	var told []error
	cfg.OnKeys = func(err error) { told = append(told, err) }
	for name, text := range map[string]string{"empty": "", "a list": "[]", "no keys": "{}", "a secret": setOf(map[string]any{"kty": "oct", "k": "AAAA"})} {
		mustPut(t, path, text)
		if _, err := auth.OpenJWT(cfg); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	mustPut(t, path, setOf(jwkOf("r", rsaKey())))
	j := mustJWT(t, cfg)
	first := auth.Credential{Token: sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims())}
	second := auth.Credential{Token: sign(t, jwt.SigningMethodRS256, otherRSA(), "new", claims())}
	s, err := j.Authenticate(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, path, "{")
	if err := j.Reload(t.Context()); err == nil || j.Err() == nil || !j.Holds(s) {
		t.Errorf("a broken file: %v, holds %v", err, j.Holds(s))
	}
	mustPut(t, path, setOf(jwkOf("new", otherRSA())))
	if err := j.Reload(t.Context()); err != nil || j.Err() != nil || j.Holds(s) {
		t.Errorf("another key: %v, holds %v", err, j.Holds(s))
	}
	if _, err := j.Authenticate(t.Context(), first); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("the old key: %v", err)
	}
	if s, err := j.Authenticate(t.Context(), second); err != nil || !j.Holds(s) {
		t.Errorf("the new key: %v, %v", s, err)
	}
	if len(told) < 2 || told[0] == nil || told[1] != nil {
		t.Errorf("told of %v", told)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestAConfigurationThatWouldBelieveTooMuchIsRefused(t *testing.T) {
	good := auth.JWTConfig{Issuer: iss, Audience: aud, URL: "https://login.example.com/jwks"}
	for _, url := range []string{good.URL, "http://127.0.0.1:1/jwks", "http://localhost/jwks", "http://[::1]/jwks"} {
		c := good
		c.URL = url
		if _, err := auth.OpenJWT(c); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for name, tc := range map[string]struct {
		change func(*auth.JWTConfig)
		want   string
	}{
		"no issuer":      {func(c *auth.JWTConfig) { c.Issuer = "" }, "Issuer: it is required"},
		"no audience":    {func(c *auth.JWTConfig) { c.Audience = "" }, "Audience: it is required"},
		"no keys":        {func(c *auth.JWTConfig) { c.URL = "" }, "URL: the issuer's keys are required"},
		"two keys":       {func(c *auth.JWTConfig) { c.File = "x" }, "not from both"},
		"plain":          {func(c *auth.JWTConfig) { c.URL = "http://login.example.com/jwks" }, "must be https"},
		"a password":     {func(c *auth.JWTConfig) { c.URL = "https://a:b@login.example.com/jwks" }, "no credentials"},
		"no address":     {func(c *auth.JWTConfig) { c.URL = "file:///etc/jwks" }, "must be an address"},
		"none":           {func(c *auth.JWTConfig) { c.Algorithms = []string{"RS256", "none"} }, "Algorithms: only"},
		"a shared key":   {func(c *auth.JWTConfig) { c.Algorithms = []string{"HS256"} }, "Algorithms: only"},
		"a negative one": {func(c *auth.JWTConfig) { c.Leeway = -1 }, "Leeway: it must not be negative"},
	} {
		c := good
		tc.change(&c)
		if _, err := auth.OpenJWT(c); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

func BenchmarkJWT(b *testing.B) {
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	i := newIssuer(b, jwkOf("r", small), jwkOf("p", p256Key()), jwkOf("e", edKey()))
	j := mustJWT(b, i.settings(newClock()))
	for _, tc := range []struct {
		method jwt.SigningMethod
		key    any
		kid    string
	}{{jwt.SigningMethodRS256, small, "r"}, {jwt.SigningMethodES256, p256Key(), "p"}, {jwt.SigningMethodEdDSA, edKey(), "e"}} {
		b.Run(tc.method.Alg(), func(b *testing.B) {
			c := auth.Credential{Token: sign(b, tc.method, tc.key, tc.kid, claims())}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := j.Authenticate(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Who is no employee by the policy in force is let in no more, as when his id has become a panel's; nor does what he has begun hold.
func TestATokenOfTheIssuerHoldsAsLongAsThereIsSuchAnEmployee(t *testing.T) {
	i := newIssuer(t, jwkOf("r", rsaKey()))
	cfg, there := i.settings(newClock()), true
	cfg.Known = func(string) bool { return there }
	j := mustJWT(t, cfg)
	token := sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims())
	s, err := j.Authenticate(t.Context(), auth.Credential{Token: token})
	if err != nil || !j.Holds(s) {
		t.Fatal(s, err)
	}
	there = false
	if _, err := j.Authenticate(t.Context(), auth.Credential{Token: token}); !errors.Is(err, auth.ErrDenied) || j.Holds(s) {
		t.Errorf("there is no such employee: %v, holds %v", err, j.Holds(s))
	}
}
