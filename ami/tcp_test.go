package ami

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
)

// listen plays the script for one connection on a loopback port.
func listen(t *testing.T, wrap func(net.Conn) net.Conn, script func(*peer)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close() // wakes Accept when nobody came
		wg.Wait()
	})
	wg.Go(func() {
		if conn, err := l.Accept(); err == nil {
			play(t, wrap(conn), script)
		}
	})
	return l.Addr().String()
}

func TestDialOverTCP(t *testing.T) {
	addr := listen(t, func(c net.Conn) net.Conn { return c }, logged((*peer).rest))
	c := connectTo(t, Config{Addr: addr, Username: "earshot", Secret: testSecret})
	if m, err := c.Do(t.Context(), NewAction("Ping")); err != nil || m.Get("Ping") != "Pong" {
		t.Errorf("ping: %v, %v", m, err)
	}
}

func TestDialOverTLSVerifiesTheName(t *testing.T) {
	// httptest has a certificate for 127.0.0.1 and example.com.
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS()
	defer web.Close()
	server := &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	serve := func(c net.Conn) net.Conn { return tls.Server(c, server) }

	c := connectTo(t, Config{
		Addr: listen(t, serve, logged((*peer).rest)), Username: "earshot", Secret: testSecret,
		TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, // the name is that of Addr
	})
	if _, err := c.Do(t.Context(), NewAction("Ping")); err != nil {
		t.Error(err)
	}

	for name, settings := range map[string]*tls.Config{
		"another name":   {RootCAs: roots, ServerName: "pbx.invalid", MinVersion: tls.VersionTLS12},
		"unknown issuer": {RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12},
	} {
		addr := listen(t, serve, func(p *peer) { p.write(greeting) })
		c, err := Dial(context.Background(), Config{Addr: addr, Username: "earshot", TLS: settings})
		if err == nil {
			c.Close()
			t.Errorf("%s is accepted", name)
		}
	}
}
