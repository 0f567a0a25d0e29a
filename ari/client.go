package ari

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Config says where Asterisk is and how to reach it.
type Config struct {
	// BaseURL is the address of the interface, such as "http://127.0.0.1:8088/ari" (with http.conf's prefix, where
	// one is set). It must not have credentials in it.
	BaseURL string
	// Username and Password are those of ari.conf. They go into the Authorization header and nowhere else.
	Username string
	Password string
	// HTTPClient carries requests and the upgrade to a WebSocket. Nil means a client made for Asterisk: no proxy, no
	// redirects (either would carry the password elsewhere), and idle connections given up before Asterisk's own
	// session_keep_alive of 15 s ends them under a request.
	HTTPClient *http.Client
	// Timeout bounds each operation, beside its context. Zero means 10 s; it does not bound a stream.
	Timeout time.Duration
	// MaxResponse is the largest list of channels or bridges accepted, in bytes. Zero means 64 MiB, some 100,000 channels. Any other answer may have 8 MiB of it.
	MaxResponse int64
}

const (
	defaultTimeout     = 10 * time.Second
	defaultMaxResponse = 64 << 20
	maxSingle          = 8 << 20  // of answers that are no lists of channels or bridges
	maxHeader          = 64 << 10 // of what stands before an answer
)

// String names the address and not the credentials.
func (c Config) String() string { return "ari " + c.BaseURL }

// GoString is String, so that %#v does not print the password either.
func (c Config) GoString() string { return c.String() }

// Client performs operations. It is safe for concurrent use and holds no goroutine of its own.
type Client struct {
	base        string // no slash at the end
	username    string
	password    string
	http        *http.Client
	timeout     time.Duration
	maxResponse int64

	born   time.Time
	latest atomic.Int64 // when the last answer came, since born
}

// New checks cfg and makes a Client. It does no I/O.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("ari: base URL: %w", withoutURL(err))
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("ari: base URL: scheme is not http or https")
	case u.Host == "":
		return nil, errors.New("ari: base URL: no host")
	case u.User != nil:
		return nil, errors.New("ari: base URL: credentials belong into Username and Password")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("ari: base URL: query or fragment")
	case cfg.Username == "":
		return nil, errors.New("ari: no user name")
	case strings.Contains(cfg.Username, ":"):
		return nil, errors.New("ari: user name has a colon in it") // RFC 7617, section 2
	case cfg.Timeout < 0 || cfg.MaxResponse < 0:
		return nil, errors.New("ari: negative limit")
	}
	c := &Client{
		base:        strings.TrimRight(cfg.BaseURL, "/"),
		username:    cfg.Username,
		password:    cfg.Password,
		http:        cfg.HTTPClient,
		timeout:     cfg.Timeout,
		maxResponse: cfg.MaxResponse,
		born:        time.Now(),
	}
	if c.http == nil {
		c.http = newHTTPClient()
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.maxResponse == 0 {
		c.maxResponse = defaultMaxResponse
	}
	return c, nil
}

// Close gives up idle connections. Requests and streams that run are not touched.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answered returns when Asterisk last answered an operation, whichever it was and whatever it said; the time at which the client was made when it has not. A stream's
// events and its opening are no answers. So whoever waits for one answer can tell a PBX that is only slow from one that answers nothing.
func (c *Client) Answered() time.Time { return c.born.Add(time.Duration(c.latest.Load())) }

func newHTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			// No Proxy: the environment's would be sent the password.
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second,
			// Asterisk serves 100 sessions by default, everybody's together (sessionlimit in http.conf), and turns the next away; each is a
			// thread of its own. A burst waits here instead, and finds its connections open the next time.
			MaxConnsPerHost:     32,
			MaxIdleConnsPerHost: 32,
			// Below Asterisk's default session_keep_alive (15 s): it closes without a word, and a POST that meets
			// the closing cannot be told from one that was carried out.
			IdleConnTimeout:    10 * time.Second,
			DisableCompression: true,

			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// request is one operation.
type request struct {
	op     string
	method string
	path   []string // segments, unescaped
	query  url.Values
	body   any  // marshalled as JSON; nil for none
	list   bool // of channels or bridges, which may have MaxResponse
}

// do performs r and returns the body of a successful answer, as a string that the caller owns.
func (c *Client) do(ctx context.Context, r request) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	address, err := c.address(r.path, r.query)
	if err != nil {
		return "", &RequestError{Op: r.op, Err: err}
	}
	var body io.Reader
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return "", &RequestError{Op: r.op, Err: err}
		}
		body = bytes.NewReader(b)
	}
	// From the moment there is a connection, bytes may leave; before it, none can have left.
	sent := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }})
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return "", &RequestError{Op: r.op, Err: withoutURL(err)}
	}
	req.SetBasicAuth(c.username, c.password)
	if body != nil {
		// Asterisk reads a body of this type and of no other kind of JSON (res_ari.c).
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", &RequestError{Op: r.op, Sent: sent, Err: withoutURL(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	c.latest.Store(int64(time.Since(c.born)))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", &StatusError{Op: r.op, Status: resp.StatusCode, Message: refusal(resp.Body)}
	}
	limit := c.maxResponse
	if !r.list {
		limit = min(limit, maxSingle)
	}
	text, err := readAll(resp.Body, resp.ContentLength, limit)
	if err != nil {
		return "", &RequestError{Op: r.op, Sent: true, Err: err}
	}
	return text, nil
}

// call performs r and decodes the answer into out with encoding/json.
func (c *Client) call(ctx context.Context, r request, out any) error {
	text, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		return &RequestError{Op: r.op, Sent: true, Err: fmt.Errorf("answer: %w", err)}
	}
	return nil
}

// listOf performs r, whose answer is a list of elements that have least bytes on an average, and decodes each with encoding/json. What is inside of an element
// may be small and many, so such a list has the limit of single answers.
func listOf[T any](ctx context.Context, c *Client, r request, least int) ([]T, error) {
	text, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	var list []T
	var d decoder
	err = d.list(text, least, func(element string) error {
		var v T
		if err := json.Unmarshal([]byte(element), &v); err != nil {
			return err
		}
		list = append(list, v)
		return nil
	})
	if err != nil {
		return nil, &RequestError{Op: r.op, Sent: true, Err: fmt.Errorf("answer: %w", err)}
	}
	return list, nil
}

// act performs r and drops the answer's body.
func (c *Client) act(ctx context.Context, r request) error {
	_, err := c.do(ctx, r)
	return err
}

// address builds the URL for path and query.
func (c *Client) address(path []string, query url.Values) (string, error) {
	var b strings.Builder
	b.WriteString(c.base)
	for _, segment := range path {
		b.WriteByte('/')
		if err := appendSegment(&b, segment); err != nil {
			return "", err
		}
	}
	if len(query) > 0 {
		b.WriteByte('?')
		b.WriteString(query.Encode())
	}
	return b.String(), nil
}

// appendSegment percent-encodes one path segment. Asterisk splits the path before it decodes, stops at an empty
// segment, cuts at a decoded NUL and takes "+" for a space (http.c, res_ari.c); so everything but RFC 3986's
// unreserved characters is encoded, and what would still be misread is refused.
func appendSegment(b *strings.Builder, s string) error {
	const hexdigits = "0123456789ABCDEF"
	if s == "" || s == "." || s == ".." {
		return errors.New("empty or dot path segment")
	}
	if !utf8.ValidString(s) {
		return errors.New("path segment is not UTF-8")
	}
	for i := range len(s) {
		ch := s[i]
		switch {
		case ch < 0x20 || ch == 0x7f:
			return errors.New("control character in a path segment")
		case 'a' <= ch && ch <= 'z', 'A' <= ch && ch <= 'Z', '0' <= ch && ch <= '9',
			ch == '-', ch == '.', ch == '_', ch == '~':
			b.WriteByte(ch)
		default:
			b.WriteByte('%')
			b.WriteByte(hexdigits[ch>>4])
			b.WriteByte(hexdigits[ch&15])
		}
	}
	return nil
}

// refusal reads Asterisk's {"message": "..."} and gives "" for anything else.
func refusal(body io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(body, 4096))
	if err != nil {
		return ""
	}
	var answer struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &answer) != nil {
		return ""
	}
	return answer.Message
}

// readAll reads r to its end; length is the announced one, or -1.
func readAll(r io.Reader, length, limit int64) (string, error) {
	if length > limit {
		return "", ErrTooLarge
	}
	var b strings.Builder
	if length > 0 {
		b.Grow(int(length))
	}
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err != nil {
		return "", err
	}
	if n > limit {
		return "", ErrTooLarge
	}
	return b.String(), nil
}
