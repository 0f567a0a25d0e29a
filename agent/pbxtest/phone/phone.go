// Package phone is a SIP phone for tests: it registers, calls, rings, holds
// and transfers as a desk phone does, sends a sine tone of its own for a voice
// and keeps a record of the tones that it hears.
//
// What is heard is measured, never assumed: a tone counts as heard when it
// stands out in 100 ms of received RTP, and absence is only ever stated beside
// a presence, for a window without received audio says nothing at all.
//
// A [Phone] without a password plays the other side of a trunk just as well:
// it takes calls for any number and may call with any caller id ([As]).
//
// The phone speaks SIP over UDP on the loopback interface (RFC 3261, 3262's
// reliable provisional responses left out; 3264, 3515, 3891) and PCMU with
// telephone-event (RFC 3551, 4733). It knows no proxies: requests in a dialog go
// straight to the peer's Contact.
package phone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Config describes a phone. All fields but User may be left out.
type Config struct {
	User     string // SIP user part and authentication name
	Password string // for digest authentication; without one a challenge is a refusal
	Name     string // display name in From
	Server   string // host:port of the PBX: registrar, and where calls go
	Host     string // loopback address to bind, 127.0.0.1 if empty; a trunk is told apart by one of its own, such as 127.0.0.2
	Tone     Tone   // the phone's voice; 0 sends frames with nothing in them

	// Expires is how long a registration lasts; the phone renews it at half
	// time. 0 means two minutes. The registrar may choose otherwise.
	Expires time.Duration

	// Reaction is what the phone does with an incoming call; SetReaction changes it.
	Reaction Reaction

	// React, if set, is asked for each incoming call instead. It is called
	// before anything but 100 Trying was sent, and may use the call.
	React func(*Call) Reaction
}

// Reaction says what a phone does by itself with an incoming call. The zero
// Reaction rings (180) until somebody answers.
type Reaction struct {
	Silent bool          // send no 180: the phone rings without saying so
	Answer bool          // answer after After
	Reject int           // refuse with this status (such as 486 or 603) after After; wins over Answer
	After  time.Duration // time to ring before Answer or Reject
	Tone   Tone          // voice for this call; 0 is the phone's own
}

// Phone is one SIP user agent. All methods are safe for concurrent use.
type Phone struct {
	cfg    Config
	addr   string // host:port of the SIP socket
	laddr  sip.Addr
	conn   *socket
	ua     *sipgo.UserAgent
	client *sipgo.Client

	life    context.Context // ends with Close
	end     context.CancelFunc
	running sync.WaitGroup

	registration registration

	mu       sync.Mutex
	reaction Reaction
	calls    map[string]*Call // by Call-ID, those that have not ended
	order    []*Call          // the same, oldest first
	offered  []*Call          // incoming and not yet taken by Incoming
	changed  chan struct{}    // closed and replaced when offered grows
	closed   bool
}

var errClosed = errors.New("phone is closed")

// Listen binds a SIP socket on a free loopback port and starts to serve it. It
// sends nothing; see [Phone.Register].
func Listen(cfg Config) (*Phone, error) {
	if cfg.User == "" {
		return nil, errors.New("phone without a user")
	}
	if cfg.Tone > tones {
		return nil, fmt.Errorf("phone %s: %v", cfg.User, cfg.Tone)
	}
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	if cfg.Expires == 0 {
		cfg.Expires = 2 * time.Minute
	}
	conn, err := net.ListenPacket("udp4", net.JoinHostPort(cfg.Host, "0"))
	if err != nil {
		return nil, fmt.Errorf("bind SIP port: %w", err)
	}
	p := &Phone{
		cfg:      cfg,
		addr:     conn.LocalAddr().String(),
		conn:     &socket{PacketConn: conn, reading: make(chan struct{})},
		reaction: cfg.Reaction,
		calls:    make(map[string]*Call),
		changed:  make(chan struct{}),
	}
	udp := conn.LocalAddr().(*net.UDPAddr)
	p.laddr = sip.Addr{IP: udp.IP, Port: udp.Port}
	p.life, p.end = context.WithCancel(context.Background())
	if err := p.serve(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return p, nil
}

func (p *Phone) serve() error {
	quiet := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 4}))
	ua, err := sipgo.NewUA(
		sipgo.WithUserAgent("earshot-phone"),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(quiet),
			// Repeated answers to transactions that are done.
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}),
		),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
	)
	if err != nil {
		return fmt.Errorf("user agent: %w", err)
	}
	client, err := sipgo.NewClient(ua, sipgo.WithClientAddr(p.addr), sipgo.WithClientLogger(quiet))
	if err != nil {
		return fmt.Errorf("SIP client: %w", err)
	}
	server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		return fmt.Errorf("SIP server: %w", err)
	}
	p.ua, p.client = ua, client
	p.route(server)

	p.running.Add(1)
	go func() {
		defer p.running.Done()
		_ = server.ServeUDP(p.conn) // ends when the socket is closed, never otherwise
	}()
	<-p.conn.reading // from now on sipgo sends through this socket
	return nil
}

// socket tells when it is first read from, for sipgo has no other sign that a
// listener has been taken over, and can be made deaf before it is closed: a
// request that sipgo has read but not yet handled by then would open a new socket
// that nobody owns.
type socket struct {
	net.PacketConn
	once    sync.Once
	reading chan struct{} // closed with the first read

	mu   sync.Mutex
	deaf bool
	last time.Time // when a packet was last let through
}

func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	s.once.Do(func() { close(s.reading) })
	for {
		n, from, err := s.PacketConn.ReadFrom(b)
		s.mu.Lock()
		deaf := s.deaf
		s.last = time.Now()
		s.mu.Unlock()
		if err != nil || !deaf {
			return n, from, err
		}
	}
}

// deafen lets nothing more through and waits until what was is handled.
func (s *socket) deafen() {
	const settle = 10 * time.Millisecond
	s.mu.Lock()
	s.deaf = true
	wait := settle - time.Since(s.last)
	s.mu.Unlock()
	<-time.After(wait)
}

// Addr is the host:port of the phone's SIP socket.
func (p *Phone) Addr() string { return p.addr }

// User is the phone's user part.
func (p *Phone) User() string { return p.cfg.User }

// Tone is the phone's voice.
func (p *Phone) Tone() Tone { return p.cfg.Tone }

// SetReaction changes what the phone does with the incoming calls from now on.
func (p *Phone) SetReaction(r Reaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaction = r
}

// Calls lists the calls that have not ended, oldest first.
func (p *Phone) Calls() []*Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*Call(nil), p.order...)
}

// Incoming waits for an incoming call that has not been returned before and
// has not ended, and returns the oldest.
func (p *Phone) Incoming(ctx context.Context) (*Call, error) {
	for {
		p.mu.Lock()
		for len(p.offered) > 0 {
			c := p.offered[0]
			p.offered = p.offered[1:]
			if c.State() != Ended {
				p.mu.Unlock()
				return c, nil
			}
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-p.life.Done():
			return nil, errClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("no incoming call at %s: %w", p.cfg.User, ctx.Err())
		}
	}
}

// Close hangs up all calls, ends the registration, and returns when every
// goroutine of the phone has ended. A PBX that does not answer delays it by a second.
func (p *Phone) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	calls := append([]*Call(nil), p.order...)
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var farewell sync.WaitGroup
	for _, c := range calls {
		farewell.Go(func() {
			_ = c.Hangup(ctx) // the peer may be gone; the call ends here all the same
			c.finish(Ending{})
		})
	}
	farewell.Go(func() { p.forget(ctx) })
	farewell.Wait()

	p.end()
	p.conn.deafen()
	err := p.conn.Close()
	p.running.Wait()
	return errors.Join(err, p.ua.Close()) // ends the transactions that are left
}

// enter counts a goroutine of sipgo's among those that Close waits for. It
// reports false once the phone is closing.
func (p *Phone) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.running.Add(1)
	return true
}

// add makes a call known, unless the phone is closed or has one of that id.
func (p *Phone) add(c *Call) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	if p.calls[c.id] != nil {
		return fmt.Errorf("second call with Call-ID %s", c.id)
	}
	p.calls[c.id] = c
	p.order = append(p.order, c)
	return nil
}

func (p *Phone) remove(c *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls[c.id] != c {
		return
	}
	delete(p.calls, c.id)
	for i, other := range p.order {
		if other == c {
			p.order = append(p.order[:i:i], p.order[i+1:]...)
			break
		}
	}
}

// offer hands an incoming call to whoever waits in Incoming.
func (p *Phone) offer(c *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offered = append(p.offered, c)
	close(p.changed)
	p.changed = make(chan struct{})
}

// call finds the call that a request inside a dialog belongs to.
func (p *Phone) call(req *sip.Request) *Call {
	id := req.CallID()
	if id == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[id.Value()]
}

func (p *Phone) contact() sip.Header {
	return sip.NewHeader("Contact", fmt.Sprintf("<sip:%s@%s>", escapeUser(p.cfg.User), p.addr))
}

// escapeUser makes what was dialled fit for a URI (RFC 3261 25.1).
func escapeUser(user string) string { return strings.ReplaceAll(user, "#", "%23") }
