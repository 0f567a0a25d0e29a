package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/golang-jwt/jwt/v5"
)

// Keys are made once: an RSA key takes its time.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	p256Key  = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k })
	p384Key  = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader); return k })
	p521Key  = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader); return k })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { _, k, _ := ed25519.GenerateKey(rand.Reader); return k })
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwkOf is a public key as a provider publishes it.
func jwkOf(kid string, key crypto.Signer) map[string]any {
	m := map[string]any{"kid": kid, "use": "sig"}
	switch k := key.Public().(type) {
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		m["kty"], m["crv"], m["x"], m["y"] = "EC", k.Params().Name, b64(point[1:1+half]), b64(point[1+half:])
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64(k)
	}
	return m
}

func setOf(keys ...map[string]any) string {
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// issuer is a real server of keys, which can be brought to do all that a provider may.
type issuer struct {
	*httptest.Server
	hits   atomic.Int64
	mu     sync.Mutex
	answer http.HandlerFunc
}

func newIssuer(t testing.TB, keys ...map[string]any) *issuer {
	i := &issuer{}
	i.publish(setOf(keys...))
	i.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.hits.Add(1)
		i.mu.Lock()
		answer := i.answer
		i.mu.Unlock()
		answer(w, r)
	}))
	i.Config.ErrorLog = log.New(io.Discard, "", 0)
	i.StartTLS()
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) does(f http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = f
}

func (i *issuer) publish(text string) {
	i.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
}

// clock is a clock that stands until it is moved.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(start.Unix())
	return c
}
func (c *clock) now() time.Time           { return time.Unix(c.at.Load(), 0) }
func (c *clock) forward(by time.Duration) { c.at.Add(int64(by / time.Second)) }

var start = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)

const (
	iss = "https://login.example.com/office"
	aud = "earshot"
)

// settings are those of a JWT that believes i.
func (i *issuer) settings(c *clock) auth.JWTConfig {
	cfg := auth.JWTConfig{Issuer: iss, Audience: aud, URL: i.URL + "/jwks", Clock: c.now, Leeway: 30 * time.Second, Timeout: 2 * time.Second}
	transport := i.Client().Transport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	cfg.Transport = transport
	return cfg
}

func mustJWT(t testing.TB, c auth.JWTConfig) *auth.JWT {
	t.Helper()
	j, err := auth.OpenJWT(c)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// claims are good ones for anna, with changes; nil takes one out.
func claims(changes ...map[string]any) jwt.MapClaims {
	m := jwt.MapClaims{"iss": iss, "aud": aud, "sub": "anna", "iat": start.Unix(), "nbf": start.Unix(), "exp": start.Add(time.Hour).Unix()}
	for _, c := range changes {
		maps.Copy(m, c)
	}
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// sign makes a token. The header's kid is left out when it is empty.
func sign(t testing.TB, method jwt.SigningMethod, key any, kid string, c jwt.MapClaims, header ...map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	if kid != "" {
		token.Header["kid"] = kid
	}
	for _, h := range header {
		maps.Copy(token.Header, h)
		maps.DeleteFunc(token.Header, func(_ string, v any) bool { return v == nil })
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
