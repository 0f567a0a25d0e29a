package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// reopen makes an agent of a house's files anew, with more in the configuration.
func reopen(t *testing.T, dir, more string) (*Agent, lines) {
	t.Helper()
	path := filepath.Join(dir, "earshot.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(text), "http: {listen: \"127.0.0.1:0\"}\n", more, 1))
	cfg, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	log := make(lines, 1000)
	a, err := New(cfg, zerolog.New(log), "test")
	if err != nil {
		t.Fatal(err)
	}
	return a, log
}

// start runs an agent until the test ends and returns the address of its door.
func start(t *testing.T, a *Agent) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	addr, _, err := a.Addresses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// pair makes a certificate for 127.0.0.1 with its key, both PEM.
func pair(t *testing.T, serial int64, ends time.Time) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "earshot"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: ends.Add(-48 * time.Hour), NotAfter: ends, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// overTLS starts an Agent whose door of that name ("ami", "ari") speaks TLS. It returns its folder, a token of anna's, and whom a client has to trust.
func overTLS(t *testing.T, door string) (a *Agent, dir, token string, roots *x509.CertPool) {
	t.Helper()
	_, dir, _ = house(t)
	dir = elsewhere(t, dir)
	cert, key := pair(t, 1, time.Now().Add(24*time.Hour))
	write(t, filepath.Join(dir, "cert.pem"), cert)
	write(t, filepath.Join(dir, "key.pem"), key)
	token, hash := auth.NewToken()
	write(t, filepath.Join(dir, "tokens.yaml"), "- {employee: anna, hash: \""+hash+"\"}\n")
	a, _ = reopen(t, dir, secureDoor+door+": {listen: \"127.0.0.1:0\", tls: true}\n")
	start(t, a)
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(cert))
	return a, dir, token, roots
}

const secureDoor = "http: {listen: \"127.0.0.1:0\", tls: {cert_file: cert.pem, key_file: key.pem}}\n"

func TestTheDoorSpeaksTLSAndTakesUpANewCertificate(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("run", func(t *testing.T) {
		_, dir, _ := house(t)
		dir = elsewhere(t, dir)
		first, firstKey := pair(t, 1, time.Now().Add(24*time.Hour))
		second, secondKey := pair(t, 2, time.Now().Add(48*time.Hour))
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(first))
		roots.AppendCertsFromPEM([]byte(second))
		write(t, filepath.Join(dir, "cert.pem"), first)
		write(t, filepath.Join(dir, "key.pem"), firstKey)
		token, hash := auth.NewToken()
		write(t, filepath.Join(dir, "tokens.yaml"), "- {employee: anna, hash: \""+hash+"\"}\n")
		a, log := reopen(t, dir, secureDoor)
		addr := start(t, a)
		log.wait(t, "key.pem") // read once more when the watch begins

		// serial is the number of the certificate that a new connection gets.
		serial := func() int64 {
			t.Helper()
			d := tls.Dialer{Config: &tls.Config{RootCAs: roots}}
			c, err := d.DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		}
		if n := serial(); n != 1 {
			t.Fatalf("certificate %d", n)
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		conn, _, err := websocket.Dial(t.Context(), "wss://"+addr+"/v1/events", &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		if _, m, err := conn.Read(t.Context()); err != nil || !strings.Contains(string(m), `"snapshot"`) {
			t.Fatalf("%s, %v", m, err)
		}

		for name, c := range map[string]*tls.Config{
			"TLS 1.1":      {RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			"HTTP/2 alone": {RootCAs: roots, NextProtos: []string{"h2"}},
		} {
			d := tls.Dialer{Config: c}
			if c, err := d.DialContext(t.Context(), "tcp", addr); err == nil {
				c.Close()
				t.Errorf("%s is spoken", name)
			}
		}
		resp, err := http.Get("http://" + addr + "/v1/me")
		if err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: %v, %v", resp, err)
		}
		if err == nil {
			resp.Body.Close()
		}
		http.DefaultClient.CloseIdleConnections()

		// Between the certificate and its key, and when one is broken, the old one stays.
		write(t, filepath.Join(dir, "cert.pem"), second)
		log.wait(t, "certificate")
		if n := serial(); n != 1 || testutil.ToFloat64(a.met.files.WithLabelValues("certificate")) != 0 {
			t.Errorf("certificate %d by another's key", n)
		}
		write(t, filepath.Join(dir, "key.pem"), "oops")
		log.wait(t, "certificate")
		if n := serial(); n != 1 {
			t.Errorf("certificate %d by a broken key", n)
		}
		write(t, filepath.Join(dir, "key.pem"), secondKey)
		log.wait(t, "key.pem")
		if n := serial(); n != 2 || testutil.ToFloat64(a.met.files.WithLabelValues("certificate")) != 1 {
			t.Errorf("certificate %d when both are there", n)
		}
		write(t, filepath.Join(dir, "cert.pem"), first)
		write(t, filepath.Join(dir, "key.pem"), firstKey)
		if err := a.Reload(); err != nil || serial() != 1 {
			t.Errorf("reload: %v, certificate %d", err, serial())
		}
		if _, body := ask(t, a, "GET", "/metrics"); !strings.Contains(body, "\nearshot_certificate_expiry_timestamp_seconds "+strconv.FormatFloat(float64(a.cert.ends().Unix()), 'g', -1, 64)) {
			t.Error("no metric says when the certificate ends")
		}

		// Who was connected before stays.
		if err := conn.Ping(pinging(t, conn)); err != nil {
			t.Errorf("the stream: %v", err)
		}
	})
}

// pinging reads what comes, so that a pong is seen, and returns a context for the ping.
func pinging(t *testing.T, conn *websocket.Conn) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-read })
	return ctx
}

// elsewhere copies a house's files into a folder of their own: its agent holds the lock on the audit log.
func elsewhere(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"policy.yaml", "tokens.yaml", "clients.yaml", "secret", "earshot.yaml"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(to, name), string(text))
	}
	return to
}

func TestACertificateThatCannotBeUsedKeepsEarshotFromStarting(t *testing.T) {
	_, dir, _ := house(t)
	dir = elsewhere(t, dir)
	path := filepath.Join(dir, "earshot.yaml")
	a, _ := reopen(t, dir, "http: {listen: \"0.0.0.0:0\"}\n")
	a.closeFiles()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(text), "http: {listen: \"0.0.0.0:0\"}\n", secureDoor, 1))
	cfg, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, zerolog.Nop(), "test"); err == nil || !strings.Contains(err.Error(), "cert.pem: no such file") {
		t.Errorf("%v", err)
	}
	if _, err := Check(path); err == nil || !strings.Contains(err.Error(), "earshot.yaml:5:48: http.tls.cert_file: certificate: open ") {
		t.Errorf("%v", err)
	}
	cert, key := pair(t, 1, time.Now().Add(-time.Hour))
	write(t, filepath.Join(dir, "cert.pem"), cert)
	write(t, filepath.Join(dir, "key.pem"), key)
	if warnings, err := Check(path); err != nil || !slices.ContainsFunc(warnings, func(w string) bool {
		return strings.HasSuffix(w, "earshot.yaml: http.tls.cert_file: the certificate has ended")
	}) {
		t.Errorf("%v, %v", warnings, err)
	}
}

func TestPlainHTTPOffLoopbackIsWarnedOf(t *testing.T) {
	for listen, warned := range map[string]bool{
		"127.0.0.1:80": false, "[::1]:80": false, "localhost:80": false, "127.8.8.8:80": false,
		":80": true, "0.0.0.0:80": true, "[::]:80": true, "192.0.2.1:80": true, "pbx.example.com:80": true,
	} {
		c := &Config{HTTP: HTTP{Listen: listen}}
		if got := len(c.warnings()) == 1 && strings.Contains(c.warnings()[0], "http.tls"); got != warned {
			t.Errorf("%s: %v", listen, c.warnings())
		}
		c.HTTP.TLS = TLS{CertFile: "c", KeyFile: "k"}
		if len(c.warnings()) != 0 {
			t.Errorf("%s with TLS: %v", listen, c.warnings())
		}
	}
	_, dir, _ := house(t)
	dir = elsewhere(t, dir)
	a, log := reopen(t, dir, "http: {listen: \"0.0.0.0:0\"}\n")
	start(t, a)
	log.wait(t, "is not on loopback and there is no http.tls")
	warnings, err := Check(filepath.Join(dir, "earshot.yaml"))
	if err != nil || !slices.ContainsFunc(warnings, func(w string) bool {
		return strings.Contains(w, "earshot.yaml: http.listen: 0.0.0.0:0 is not on loopback")
	}) {
		t.Errorf("%v, %v", warnings, err)
	}
}

// jwks is a key set with one key.
func jwks(kid string, key ed25519.PrivateKey) string {
	return fmt.Sprintf(`{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": %q, "x": %q}]}`, kid, base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
}

func TestJSONWebTokensLetInWhomThePolicyKnows(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("run", func(t *testing.T) {
		_, key, _ := ed25519.GenerateKey(rand.Reader)
		_, other, _ := ed25519.GenerateKey(rand.Reader)
		var published atomic.Value
		published.Store(jwks("1", key))
		provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if s := published.Load().(string); s != "" {
				_, _ = io.WriteString(w, s)
				return
			}
			http.Error(w, "away", http.StatusServiceUnavailable)
		}))
		t.Cleanup(provider.Close)
		token := func(key ed25519.PrivateKey, kid, who string, ends time.Time) string {
			t.Helper()
			tok := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"iss": "https://login.example.com", "aud": "earshot", "login": who, "exp": ends.Unix()})
			tok.Header["kid"] = kid
			s, err := tok.SignedString(key)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		_, dir, _ := house(t)
		dir = elsewhere(t, dir)
		own, hash := auth.NewToken()
		write(t, filepath.Join(dir, "tokens.yaml"), "- {employee: anna, hash: \""+hash+"\"}\n")
		a, log := reopen(t, dir, fmt.Sprintf("http: {listen: \"127.0.0.1:0\"}\nauth:\n  jwt: {issuer: \"https://login.example.com\", audience: earshot, jwks_url: %q, employee_claim: login, leeway: 0s}\n", provider.URL))
		addr := start(t, a)
		me := func(token string) int {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/v1/me", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			return resp.StatusCode
		}
		t.Cleanup(http.DefaultClient.CloseIdleConnections)
		hour := time.Now().Add(time.Hour)
		for name, c := range map[string]struct {
			token string
			want  int
		}{
			"anna's": {token(key, "1", "anna", hour), 200}, "anna's own token": {own, 200}, "a stranger's": {token(key, "1", "nobody", hour), 401},
			"another key's": {token(other, "1", "anna", hour), 401}, "an old one": {token(key, "1", "anna", time.Now().Add(-time.Second)), 401},
		} {
			if got := me(c.token); got != c.want {
				t.Errorf("%s: %d", name, got)
			}
		}

		watch := func(token string) *websocket.Conn {
			t.Helper()
			conn, _, err := websocket.Dial(t.Context(), "ws://"+addr+"/v1/events", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.CloseNow() })
			return conn
		}
		// closes reads until the stream has been closed for its credential.
		closes := func(name string, conn *websocket.Conn) {
			t.Helper()
			for {
				_, _, err := conn.Read(t.Context())
				if c := (websocket.CloseError{}); errors.As(err, &c) && c.Code == websocket.StatusPolicyViolation && strings.Contains(c.Reason, "credential") {
					return
				} else if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		}
		closes("its end", watch(token(key, "1", "anna", time.Now().Add(2*time.Second))))

		conn := watch(token(key, "1", "anna", hour))
		published.Store("")
		if err := a.Reload(); err == nil || !strings.Contains(err.Error(), "auth.jwt: fetch keys") || testutil.ToFloat64(a.met.files.WithLabelValues("jwks")) != 0 {
			t.Errorf("the provider is away: %v", err)
		}
		log.wait(t, "those that were loaded last, if any, stay in force")
		if got := me(token(key, "1", "anna", hour)); got != 200 {
			t.Errorf("while the provider is away: %d", got)
		}
		published.Store(jwks("2", other))
		if err := a.Reload(); err != nil || testutil.ToFloat64(a.met.files.WithLabelValues("jwks")) != 1 {
			t.Error(err)
		}
		closes("its key is withdrawn", conn)
		if got := me(token(other, "2", "anna", hour)); got != 200 {
			t.Errorf("the new key: %d", got)
		}
	})
}

func TestKeysInAFileAreCheckedAndFollowed(t *testing.T) {
	_, dir, _ := house(t)
	dir = elsewhere(t, dir)
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	write(t, filepath.Join(dir, "jwks.json"), jwks("1", key))
	a, log := reopen(t, dir, "http: {listen: \"127.0.0.1:0\"}\nauth: {jwt: {issuer: x, audience: y, jwks_file: jwks.json}}\n")
	t.Cleanup(a.closeFiles)
	follow(t, a, log)
	log.wait(t, "jwks.json")
	write(t, filepath.Join(dir, "jwks.json"), "oops")
	log.wait(t, "this is no JWK Set")
	if testutil.ToFloat64(a.met.files.WithLabelValues("jwks")) != 0 || a.jwt.Err() == nil {
		t.Error("no gauge says that the keys are broken")
	}
	if _, err := Check(filepath.Join(dir, "earshot.yaml")); err == nil || !strings.Contains(err.Error(), "earshot.yaml:6:49: auth.jwt.jwks_file: auth: ") {
		t.Errorf("%v", err)
	}
	write(t, filepath.Join(dir, "jwks.json"), jwks("2", key))
	log.wait(t, "read a file")
	if testutil.ToFloat64(a.met.files.WithLabelValues("jwks")) != 1 || a.jwt.Err() != nil {
		t.Error("the gauge is stuck")
	}
}
