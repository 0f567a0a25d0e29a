package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/earshot-pbx/earshot/agent/auth"
)

// The keys of RFC 7515, appendix A.2 and A.3, of RFC 7517, appendix A.1, and of RFC 8037, appendix A.2.
const published = `{"keys": [
 {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
 {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
 {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"},
 {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
]}`

func TestKeysOfTheStandardsAreRead(t *testing.T) {
	if keys, skipped, err := auth.ReadKeySet([]byte(published)); err != nil || keys != 3 || skipped != 1 {
		t.Fatalf("%d keys, %d passed over, %v", keys, skipped, err)
	}
}

func TestAKeyThatIsNotForCheckingSignaturesIsPassedOver(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := jwkOf("good", edKey())
	ec, ed, rsa := jwkOf("", p256Key()), jwkOf("", edKey()), jwkOf("", rsaKey())
	change := func(m map[string]any, changes ...any) map[string]any {
		c := map[string]any{}
		for k, v := range m {
			c[k] = v
		}
		for i := 0; i < len(changes); i += 2 {
			c[changes[i].(string)] = changes[i+1]
		}
		return c
	}
	for name, tc := range map[string]struct {
		key  map[string]any
		keys int
	}{
		"a good one":               {ec, 2},
		"one that may verify":      {change(ec, "key_ops", []string{"verify"}), 2},
		"one with a certificate":   {change(rsa, "x5c", []string{"not looked at"}, "x5t", "x"), 2},
		"Ed25519 by its new name":  {change(ed, "alg", "Ed25519"), 2},
		"for encryption":           {change(ec, "use", "enc"), 1},
		"for other operations":     {change(ec, "key_ops", []string{"sign"}), 1},
		"for no operation":         {change(ec, "key_ops", []string{}), 1},
		"its algorithm is another": {change(ec, "alg", "RS256"), 1},
		"RSA for HS256":            {change(rsa, "alg", "HS256"), 1},
		"RSA for none":             {change(rsa, "alg", "none"), 1},
		"published with its half":  {change(ec, "d", "AAAA"), 1},
		"a secret":                 {map[string]any{"kty": "oct", "k": "AAAA"}, 1},
		"of another kind":          {map[string]any{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}, 1},
		"of no kind":               {map[string]any{"kid": "x"}, 1},
		"another curve":            {change(ec, "crv", "secp256k1"), 1},
		"a curve that it is not":   {change(ec, "crv", "P-384"), 1},
		"no point of the curve":    {change(ec, "y", ec["x"]), 1},
		"the point at infinity":    {change(ec, "x", b64(make([]byte, 32)), "y", b64(make([]byte, 32))), 1},
		"half a point":             {change(ec, "y", ""), 1},
		"Ed25519, too short":       {change(ed, "x", "AAAA"), 1},
		"Ed448":                    {change(ed, "crv", "Ed448"), 1},
		"RSA of 1024 bits":         {jwkOf("", short), 1},
		"RSA of 100,000 bits":      {change(rsa, "n", b64(append([]byte{1}, make([]byte, 12500)...))), 1},
		"RSA with e of 1":          {change(rsa, "e", "AQ"), 1},
		"RSA with an even e":       {change(rsa, "e", "Ag"), 1},
		"RSA with a huge e":        {change(rsa, "e", "AQAAAAAB"), 1},
		"RSA without e":            {change(rsa, "e", nil), 1},
		"RSA with padding":         {change(rsa, "e", "AQAB=="), 1},
		"a kid that is a number":   {change(ec, "kid", 5), 1},
	} {
		keys, skipped, err := auth.ReadKeySet([]byte(setOf(good, tc.key)))
		if err != nil || keys != tc.keys || keys+skipped != 2 {
			t.Errorf("%s: %d keys, %d passed over, %v", name, keys, skipped, err)
		}
	}
}

// Whatever a set says, it is read or refused, and a key that is read is one that can check signatures: nothing in it is beyond the bounds.
func FuzzKeySet(f *testing.F) {
	f.Add([]byte(published))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"","e":""}]}`))
	f.Add([]byte(`{"keys":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, skipped, err := auth.ReadKeySet(data)
		if err != nil {
			if keys != 0 || skipped != 0 {
				t.Fatal("keys come with an error")
			}
			return
		}
		var doc struct{ Keys []json.RawMessage }
		if err := json.Unmarshal(data, &doc); err != nil || len(doc.Keys) != keys+skipped || keys == 0 && skipped > 0 {
			t.Fatalf("%d keys, %d passed over of %d, %v", keys, skipped, len(doc.Keys), err)
		}
	})
}

// However a token is cut and glued, only what the key has signed lets somebody in.
func FuzzJWT(f *testing.F) {
	key := p256Key()
	path := f.TempDir() + "/jwks.json"
	mustPut(f, path, setOf(jwkOf("p", key)))
	j := mustJWT(f, auth.JWTConfig{Issuer: iss, Audience: aud, File: path, Clock: newClock().now})
	good := fmt.Sprintf("%s.%s", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"p"}`)), b64([]byte(mustJSON(claims()))))
	f.Add(good + "." + b64(make([]byte, 64)))
	f.Add(raw(map[string]any{"alg": "none"}, claims(), []byte{}))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		// The signing key is new with each run, so nothing in the corpus can be signed by it.
		if s, err := j.Authenticate(t.Context(), auth.Credential{Token: token}); err == nil || s.Known() {
			t.Fatalf("%v is let in", s)
		}
	})
}
