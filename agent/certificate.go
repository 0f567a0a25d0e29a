package agent

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// certificate is the HTTP door's, which may be replaced while it is in use: who connects gets the one that was loaded last.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

// openCertificate loads a certificate and its key.
func openCertificate(t TLS) (*certificate, error) {
	c := &certificate{certFile: t.CertFile, keyFile: t.KeyFile}
	if err := c.reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// reload loads the files again. When they cannot be used, or do not fit each other, as between the writing of one and of the other, the
// certificate that was loaded before stays in use.
func (c *certificate) reload() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c.current.Store(&pair)
	return nil
}

// ends is when the certificate does.
func (c *certificate) ends() time.Time { return c.current.Load().Leaf.NotAfter }

// config is for listeners and servers that speak TLS with it.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// secure makes a server speak TLS. It stays with HTTP/1.1: event streams are WebSockets, which take a connection each, and a browser that
// was offered HTTP/2 would open another for them.
func (c *certificate) secure(s *http.Server) {
	s.TLSConfig = c.config()
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
}
