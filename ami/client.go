package ami

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Client is one connection to Asterisk, logged in. Its methods are safe for concurrent use. It does not connect again
// when the connection is lost; [Run] does.
type Client struct {
	cfg      Config
	conn     net.Conn
	secure   bool
	greeting string
	idPrefix string
	stray    atomic.Uint64

	reader   *Reader // owned by the reading goroutine, like the next
	loggedIn bool
	patient  *patientReader // what reader reads from

	writing chan struct{} // holds one token, taken while bytes go out; guards out
	out     []byte

	mu      sync.Mutex // guards the next three
	pending map[string]*call
	lastID  uint64
	err     error
	open    atomic.Int64 // len(pending), so that events need no lock while nothing is asked

	closing chan struct{} // closed with err set: the connection is given up
	done    chan struct{} // closed when both goroutines have ended
}

// Dial connects, reads the greeting and logs in. The whole of it is bounded by ctx and Config.LoginTimeout; ctx is not
// used afterwards. A refused log-in is [ErrAuth]. The caller has to Close the client.
//
// Events may come, in Config.OnEvent, before Dial has returned.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return dial(ctx, cfg)
}

// dial is Dial with a configuration whose defaults are filled in.
func dial(ctx context.Context, cfg Config) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.LoginTimeout)
	defer cancel()
	conn, err := connect(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("ami: connect: %w", err)
	}
	c := newClient(cfg, conn)
	if err := c.greet(ctx); err != nil {
		_ = conn.Close() // the greeting's error is the one to tell
		return nil, fmt.Errorf("ami: greeting: %w", err)
	}
	go c.read()
	if err := c.login(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func connect(ctx context.Context, cfg Config) (net.Conn, error) {
	open := cfg.DialContext
	if open == nil {
		open = new(net.Dialer).DialContext
	}
	conn, err := open(ctx, "tcp", cfg.Addr)
	if err != nil || cfg.TLS == nil {
		return conn, err
	}
	settings := cfg.TLS.Clone()
	if settings.ServerName == "" {
		if host, _, err := net.SplitHostPort(cfg.Addr); err == nil {
			settings.ServerName = host
		}
	}
	secure := tls.Client(conn, settings)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error is the one to tell
		return nil, err
	}
	return secure, nil
}

func newClient(cfg Config, conn net.Conn) *Client {
	_, secure := conn.(*tls.Conn)
	c := &Client{
		cfg:      cfg,
		conn:     conn,
		secure:   secure,
		idPrefix: newIDPrefix(),
		writing:  make(chan struct{}, 1),
		pending:  make(map[string]*call),
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	// Each read may last as long as a ping and its answer need. The time in OnEvent does not count: a slow handler
	// must not make a living peer look dead.
	c.patient = &patientReader{conn: conn, patience: cfg.PingInterval + cfg.PingTimeout, born: time.Now()}
	c.reader = NewReader(c.patient, cfg.Limits)
	return c
}

// Greeting returns the line with which Asterisk began: "Asterisk Call Manager/9.0.0".
func (c *Client) Greeting() string { return c.greeting }

// Stray returns how many answers came that belong to no action, such as one without an ActionID. They are dropped: an
// answer that nobody can be told to have asked for must reach nobody.
func (c *Client) Stray() uint64 { return c.stray.Load() }

// Close gives up the connection, completes every waiting Do and List with [ErrClosed], and returns when the client's
// goroutines have ended: OnEvent is not called after that. It must not be called from OnEvent, which ends the
// connection by returning an error.
func (c *Client) Close() {
	c.fail(ErrClosed)
	<-c.done
}

// Done is closed when the connection is gone and OnEvent has returned for the last time.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended: [ErrClosed], [ErrSilent], io.EOF when Asterisk closed it, a [LimitError], the
// error of OnEvent, … It is nil as long as the connection is in use.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail gives up the connection for this reason, unless it has been given up before. Both goroutines notice.
func (c *Client) fail(cause error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = cause
		close(c.closing)
	}
	c.mu.Unlock()
	if first {
		_ = c.conn.Close() // nothing is left to be lost
	}
}
