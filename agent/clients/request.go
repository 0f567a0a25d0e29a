package clients

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/earshot-pbx/earshot/agent/strict"
)

// endpoint is a foreign system as it is asked: the configuration with what its files say.
type endpoint struct {
	client  *http.Client
	method  string
	address template
	body    template
	headers http.Header
	timeout time.Duration
	limit   int64
	absent  int
	fields  Fields
	people  mapping
}

// ask asks about a number in E.164. Every error is a *failure.
func (e *endpoint) ask(ctx context.Context, number string) (c Client, found bool, err error) {
	// Readers of foreign text that panic must not take down the process.
	defer func() {
		if p := recover(); p != nil {
			c, found, err = Client{}, false, fail(kindMalformed, "the answer cannot be read")
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	var body io.Reader
	if e.body != "" {
		body = strings.NewReader(e.body.body(number))
	}
	req, err := http.NewRequestWithContext(ctx, e.method, e.address.address(number), body)
	if err != nil {
		return Client{}, false, fail(kindConnect, "its address cannot be used")
	}
	req.Header = e.headers.Clone()
	resp, err := e.client.Do(req)
	if err != nil {
		return Client{}, false, transportFailure(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == e.absent {
		return Client{}, false, nil
	}
	if resp.StatusCode != http.StatusOK {
		return Client{}, false, statusFailure(resp.StatusCode)
	}
	if err := checkType(resp.Header.Get("Content-Type")); err != nil {
		return Client{}, false, err
	}
	data, err := strict.ReadAll(resp.Body, e.limit)
	switch {
	case errors.Is(err, strict.ErrTooLarge):
		return Client{}, false, fail(kindSize, "the answer has more than %d bytes", e.limit)
	case err == nil:
		err = ctx.Err() // the transport may take an answer that was cut off by it for a whole one
	}
	if err != nil {
		return Client{}, false, transportFailure(err)
	}
	c, found, err = e.fields.read(data, e.people)
	if err != nil {
		return Client{}, false, fail(kindMalformed, "%v", err)
	}
	c.Number = number
	return c, found, nil
}

func statusFailure(status int) *failure {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fail(kindStatus, "it answers with status %d: the credential is not, or no longer, good", status)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return fail(kindStatus, "it answers with status %d: it is asked too often, or is down", status)
	default:
		return fail(kindStatus, "it answers with status %d", status)
	}
}

// checkType refuses what says that it is something else than JSON in UTF-8. What says nothing may be it.
func checkType(header string) error {
	if header == "" {
		return nil
	}
	t, params, err := mime.ParseMediaType(header)
	if err != nil || t != "application/json" && t != "text/json" && !(strings.HasPrefix(t, "application/") && strings.HasSuffix(t, "+json")) {
		return fail(kindType, "the answer is not application/json but something else; a login page, perhaps")
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fail(kindType, "the answer is not in UTF-8")
	}
	return nil
}

// newClient makes the client of a system. It follows redirects to the same place only, and none unless it is told to.
func newClient(transport http.RoundTripper, redirects int) *http.Client {
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			first := via[0].URL
			if len(via) > redirects || req.URL.Scheme != first.Scheme || req.URL.Host != first.Host || req.URL.User != nil {
				return errRedirect
			}
			return nil
		},
	}
}

func newTransport(roots *x509.CertPool, connections int) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, IdleConnTimeout: 90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
	}
}

// readRoots reads the authorities that are trusted in place of the system's; none: the system's.
func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s: certificates in PEM belong there", path)
	}
	return pool, nil
}

const headerLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// readHeaders reads a secret file of header lines, "Name: value". The errors tell the line and not what stands there.
func readHeaders(path string) (http.Header, error) {
	headers := http.Header{}
	if path == "" {
		return headers, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := bufio.NewScanner(bytes.NewReader(data))
	for line := 1; s.Scan(); line++ {
		if strings.TrimSpace(s.Text()) == "" {
			continue
		}
		name, value, ok := strings.Cut(s.Text(), ":")
		value = strings.TrimSpace(value)
		if !ok || name == "" || strings.Trim(name, headerLetters) != "" || value == "" || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, fmt.Errorf("%s:%d: a header such as \"Authorization: Bearer …\" belongs here", path, line)
		}
		switch name = textproto.CanonicalMIMEHeaderKey(name); name {
		case "Host", "Content-Length", "Content-Type", "Accept", "Accept-Encoding", "Connection", "Transfer-Encoding", "Upgrade":
			return nil, fmt.Errorf("%s:%d: this header follows from the configuration and cannot be set", path, line)
		}
		headers.Add(name, value)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return headers, nil
}

// readSecret reads a file that holds one line, a secret.
func readSecret(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	s := strings.TrimRight(string(data), "\r\n")
	if s == "" || len(s) > 4096 || strings.ContainsAny(s, "\r\n\x00") {
		return "", fmt.Errorf("%s: one line belongs there, the secret alone", path)
	}
	return s, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
