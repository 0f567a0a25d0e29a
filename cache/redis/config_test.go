package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redis"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

func TestTheLineIsReadWhole(t *testing.T) {
	for line, want := range map[string]redis.Config{
		"redis://localhost":            {Addrs: []string{"localhost:6379"}},
		"redis://10.0.0.1:7000/3":      {Addrs: []string{"10.0.0.1:7000"}, DB: 3},
		"redis://[::1]:7000/?poll=1s":  {Addrs: []string{"[::1]:7000"}, Poll: time.Second},
		"rediss://r?ca_file=ca.pem":    {Addrs: []string{"r:6379"}, TLS: true, CAFile: "/etc/earshot/ca.pem"},
		"redis://a,b:1?cluster=true":   {Addrs: []string{"a:6379", "b:1"}, Cluster: true},
		"redis://a:1,b:2?master=m":     {Addrs: []string{"a:1", "b:2"}, Master: "m"},
		"redis://a?password_file=/k/p": {Addrs: []string{"a:6379"}, PasswordFile: "/k/p"},
		"redis://a?username_file=u&password_file=p&prefix=test-1&timeout=100ms": {Addrs: []string{"a:6379"},
			UsernameFile: "/etc/earshot/u", PasswordFile: "/etc/earshot/p", Prefix: "test-1", Timeout: 100 * time.Millisecond},
		"rediss://a?server_name=n&cert_file=c&key_file=k&master=m&sentinel_password_file=s": {Addrs: []string{"a:6379"}, TLS: true,
			ServerName: "n", CertFile: "/etc/earshot/c", KeyFile: "/etc/earshot/k", Master: "m", SentinelPasswordFile: "/etc/earshot/s"},
	} {
		got, err := redis.Parse(line, "/etc/earshot")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, want\n%+v: %v", line, got, want, err)
		}
	}
}

func TestAWrongLineIsRefusedAndNotRepeated(t *testing.T) {
	for line, want := range map[string]string{
		"":                                     "write redis://host:port",
		"localhost:6379":                       "write redis://host:port",
		"http://localhost":                     "write redis://host:port",
		"redis://":                             "the host is missing",
		"redis:///1":                           "the host is missing",
		"redis://a:x":                          "a port is a number",
		"redis://a:0":                          "a port is a number",
		"redis://a:1:2":                        "an address is host:port",
		"redis://a,,b?cluster=true":            "an address is host:port",
		"redis://a/x":                          "the database after the slash",
		"redis://:hunter2@a":                   "password_file",
		"redis://anna:hunter2@a/1?poll=1s":     "password_file",
		"redis://a?password=hunter2":           "password does not belong here",
		"redis://a?pasword_file=x":             `"pasword_file" is unknown; known are`,
		"redis://a?hunter2@=x":                 "a key is unknown",
		"redis://a?poll=5":                     "poll: a time with its unit",
		"redis://a?poll=1ms":                   "poll: from 50ms",
		"redis://a?timeout=2h":                 "timeout: from 50ms",
		"redis://a?poll=1s&poll=2s":            `"poll": give it one value`,
		"redis://a?ca_file=":                   `"ca_file": give it one value`,
		"redis://a?cluster=maybe":              "cluster: true or false",
		"redis://a?prefix={x}":                 "prefix: lower-case",
		"redis://a?%zz=1":                      "key=value",
		"redis://a,b":                          "several addresses",
		"redis://a/1?cluster=true":             "a cluster has no databases",
		"redis://a?cluster=true&master=m":      "exclude each other",
		"redis://a?ca_file=x":                  "need rediss://",
		"rediss://a?cert_file=x":               "belong together",
		"redis://a?sentinel_password_file=x":   "needs master",
		"redis://a?username_file=x":            "needs password_file",
		"redis://a:x?poll=5&cluster=maybe&q=1": "a port is a number",
	} {
		c, err := redis.Parse(line, "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the password is in the error: %v", line, err)
		}
		if !reflect.DeepEqual(c, redis.Config{}) {
			t.Errorf("%s: %+v", line, c)
		}
	}
	_, err := redis.Parse("redis://a:x?poll=5&cluster=maybe&q=1", "")
	if n := strings.Count(err.Error(), "cache.redis:"); n != 4 {
		t.Errorf("%d errors of four: %v", n, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{"redis://a:1,b/3?poll=1s&x=y", "rediss://[::1]:1?ca_file=a%20b", "redis://u:p@h", "redis://,?&&="} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := redis.Parse(line, "/d")
		if err == nil && (c.Validate() != nil || len(c.Addrs) == 0 || strings.Contains(fmt.Sprint(c.Addrs), "@")) {
			t.Errorf("%q: %+v", line, c)
		}
		for _, a := range c.Addrs {
			if host, _, err := net.SplitHostPort(a); err != nil || host == "" {
				t.Errorf("%q: %q", line, a)
			}
		}
	})
}

// files writes files into a folder of their own.
func files(t *testing.T, content map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range content {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestAMissingFileIsToldAtTheStart(t *testing.T) {
	dir := files(t, map[string]string{"empty": "\n", "two": "a\nb\n", "no.pem": "x"})
	for line, want := range map[string]string{
		"redis://a?password_file=none":                "password_file",
		"redis://a?password_file=empty":               "does not hold one line",
		"redis://a?password_file=two":                 "does not hold one line",
		"redis://a?username_file=none&password_file=": "password_file",
		"rediss://a?ca_file=none":                     "ca_file",
		"rediss://a?ca_file=no.pem":                   "holds no certificate",
		"rediss://a?cert_file=no.pem&key_file=no.pem": "cert_file and key_file",
		"redis://a?master=m&sentinel_password_file=x": "sentinel_password_file",
	} {
		cfg, err := redis.Parse(line, dir)
		if err == nil {
			_, err = redis.Open(cfg)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := redis.Open(redis.Config{}); err == nil {
		t.Error("no address")
	}
}

// account is what an account of Redis must be allowed to do.
const account = "~{earshot}:* ~earshot:look:* &{earshot}:changes +@read +@write +@pubsub +@connection +@scripting +time"

func TestAnAccountWithItsRightsAloneSuffices(t *testing.T) {
	s := start(t)
	must(t, s.Admin.Do(t.Context(), append([]any{"ACL", "SETUSER", "earshot", "on", ">hunter2"}, words(account)...)...).Err())
	dir := files(t, map[string]string{"user": "earshot\n", "password": "wrong\n"})
	s.Do("ACL", "SETUSER", "default", "resetpass", ">adminpw")
	cfg, err := redis.Parse("redis://"+s.Addr+"?poll=50ms&timeout=2s&username_file=user&password_file=password", dir)
	must(t, err)
	c := open(t, cfg, cache.Away)
	await(t, c, func(st cache.Status) bool { return st.Reason == "credentials refused" })
	// The file is read again, so the password may be put right while it runs.
	must(t, os.WriteFile(filepath.Join(dir, "password"), []byte("hunter2"), 0o600))
	await(t, c, func(st cache.Status) bool { return st.State == cache.Up && st.Reason == "" })
	everything(t, c)
	must(t, os.Remove(filepath.Join(dir, "password")))
	if c.Status().State != cache.Up {
		t.Error("a connection that is there needs no password")
	}
}

func TestAnAccountThatMayNotListenIsSaid(t *testing.T) {
	s := start(t)
	s.Do("ACL", "SETUSER", "default", "resetchannels")
	c, err := redis.Open(s.config())
	must(t, err)
	run(t, c)
	await(t, c, func(st cache.Status) bool { return st.State == cache.Up && st.Reason == "not told of changes" })
	put(t, c, "a")
	other, err := redis.Open(s.config())
	must(t, err)
	run(t, other)
	eventually(t, other, func() bool { return has(other, "a") })
}

func words(s string) (w []any) {
	for _, f := range strings.Fields(s) {
		w = append(w, f)
	}
	return w
}

// everything does each kind of exchange once.
func everything(t *testing.T, c cache.Cache) {
	t.Helper()
	put(t, c, "a")
	if ok, err := c.ExpireSession(t.Context(), "a", time.Hour); !ok || err != nil {
		t.Error(ok, err)
	}
	must(t, c.DeleteSession(t.Context(), "a"))
	must(t, c.PutDocument(t.Context(), "policy", cache.Document{Version: 1, Data: "x"}))
	c.FollowDocument("policy")
	eventually(t, c, func() bool { d, _ := c.Document("policy"); return d.Data == "x" })
	_, err := c.AppendLog(t.Context(), "audit", 0, 1, []string{"x"}, 10)
	must(t, err)
	_, _, err = c.LogEnd(t.Context(), "audit")
	must(t, err)
	m := join(t, c, "pbx-a")
	must(t, m.Show("call", "x"))
	eventually(t, c, shows(c, "pbx-a", "call", "x"))
	done := make(chan error, 1)
	go func() { _, err := m.Send(within(t, 20*time.Second), "pbx-a", "x"); done <- err }()
	cmd, err := m.Next(within(t, 20*time.Second))
	must(t, err)
	must(t, m.Answer(t.Context(), cmd.ID, ""))
	must(t, <-done)
	_, err = m.Send(within(t, 200*time.Millisecond), "pbx-a", "x") // and is taken back
	if err == nil {
		t.Error("nobody answered")
	}
	must(t, m.Leave(t.Context()))
	must(t, c.PutOverlay(t.Context(), overlay(t, 1, "boris")))
	if o, err := c.Follow(t.Context(), 1); err != nil || !o.Excluded("anna", "boris") {
		t.Error(err)
	}
	_, err = c.Fill(t.Context(), table, "1", found("x"))
	must(t, err)
	must(t, c.Forget(t.Context(), table, "1"))
	if st := c.Status(); st.State != cache.Up {
		t.Errorf("%+v", st)
	}
}

func TestOverTLS(t *testing.T) {
	dir := certificates(t)
	addr := redistest.FreePort(t)
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	_ = start(t, "--tls-port", port, "--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"),
		"--tls-ca-cert-file", filepath.Join(dir, "cert.pem"), "--tls-auth-clients", "yes")
	line := "rediss://" + addr + "?poll=50ms&timeout=2s&ca_file=cert.pem&cert_file=cert.pem&key_file=key.pem"
	cfg, err := redis.Parse(line, dir)
	must(t, err)
	everything(t, open(t, cfg, cache.Up))

	cfg.CAFile = ""
	c := open(t, cfg, cache.Away)
	await(t, c, func(st cache.Status) bool { return st.Reason == "its certificate is not trusted" })
}

// certificates makes a certificate for 127.0.0.1 that signs itself.
func certificates(t *testing.T) (dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return files(t, map[string]string{
		"cert.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
		"key.pem":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	})
}

func TestOnACluster(t *testing.T) {
	s := start(t, "--cluster-enabled", "yes")
	s.Do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	cfg, err := redis.Parse("redis://"+s.Addr+"?cluster=true&poll=50ms&timeout=2s", "")
	must(t, err)
	a, b := open(t, cfg, cache.Up), open(t, cfg, cache.Up)
	everything(t, a)
	put(t, a, "b")
	eventually(t, b, func() bool { return has(b, "b") })
}

func TestBehindSentinels(t *testing.T) {
	master := start(t)
	host, port, err := net.SplitHostPort(master.Addr)
	must(t, err)
	conf := filepath.Join(files(t, map[string]string{"sentinel.conf": "sentinel monitor phones " + host + " " + port + " 1\n"}), "sentinel.conf")
	sentinel := redistest.StartSentinel(t, conf)
	cfg, err := redis.Parse("redis://"+sentinel.Addr+"?master=phones&poll=50ms&timeout=2s", "")
	must(t, err)
	everything(t, open(t, cfg, cache.Up))
}
