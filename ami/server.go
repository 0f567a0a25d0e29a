package ami

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Handler runs the actions of clients that have logged in. Login, Logoff, Challenge, Ping, Events and Filter are the
// session's own.
//
// Actions of one session come one after the other, in order, each when the one before has returned; different sessions'
// come at the same time. The message is valid until Handle returns. A handler that answers later works on a Clone of it.
// ctx ends with the session, and Handle has to return then. A panic ends the session, and nothing else.
//
// Every action must get an answer: [Session.Respond], [Session.Error], [Session.Unknown] or [Session.List].
type Handler interface {
	Handle(ctx context.Context, s *Session, m *Message)
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(ctx context.Context, s *Session, m *Message)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, s *Session, m *Message) { f(ctx, s, m) }

// ServerConfig says who may log in to a [Server] and what it takes. Only Authenticator has to be set.
type ServerConfig struct {
	Authenticator Authenticator
	Handler       Handler // nil: there is no action but the session's own

	// OnLogin, when not nil, is called for each client that has logged in, behind the answer to that and before its next
	// action is read: the place to send FullyBooted and to give the session its events. Ctx ends with the session.
	OnLogin func(ctx context.Context, s *Session)

	// Version is what the greeting says behind "Asterisk Call Manager/"; default 11.0.0, Asterisk 22's.
	Version string

	// Repeats reports whether a header may be there more than once in this action. Nil allows Variable in Originate.
	Repeats func(action, header string) bool

	// Limits are those for actions; default what Asterisk takes: lines of 1,022 bytes, 128 of them, and a message of
	// 128 KiB. Before the log-in there is room for less.
	Limits Limits

	MaxSessions int // connections in all; default 1,000
	MaxPending  int // connections that are not logged in; default 50, Asterisk's authlimit; a new one ends the oldest with ErrCrowded
	MaxPerAddr  int // of those from one IP address (one /64 network with IPv6); default 10; a new one ends the oldest of them that has not tried to log in, likewise

	LoginTimeout time.Duration // from the connection to the log-in, TLS included; default 30 s, Asterisk's authtimeout
	FailureDelay time.Duration // a refused log-in is answered no sooner than this; default 1 s, as in Asterisk
	WriteTimeout time.Duration // for each 64 KiB at most; a client that takes less is cut off with ErrSlow; default 5 s

	// MaxQueue bounds the bytes of events that wait for one client, most of which all sessions share; default 4 MiB.
	MaxQueue int

	// MaxAnswers bounds the bytes of answers that wait for one client: while there are more, its next action waits.
	// Default 512 KiB; one answer may be longer.
	MaxAnswers int

	// Window is about how long an event waits for others to be written with it, so that a write is not made for each of those
	// that come close upon each other. The first after a quiet time waits for an eighth of it at most. Answers are written at
	// once, with what waits before them, and so is what is long.
	// What goes over TCP or a Unix socket as it is, one goroutine writes for many sessions then, as far as the kernel takes
	// it at once; over anything else, each session's own does. Zero, the default, writes all at once; what comes while a
	// write takes its time goes together anyway.
	Window time.Duration

	Observer Observer
}

// Observer is told what happens, for counters and logs. Any function may be nil. They are called on sessions' goroutines,
// many at a time, or on one that writes for many sessions, and have to return soon.
type Observer struct {
	Refused   func(addr net.Addr, cause error)  // a connection that was closed at once, for ErrTooMany
	Login     func(s *Session, err error)       // a log-in; err is why it was refused
	Malformed func(s *Session, err *ParseError) // an action that could not be read
	Wrote     func(events, bytes int)           // one write, with this many events in it
	Ended     func(s *Session, cause error)     // a session is over
}

// Errors that end sessions, and connections that become none.
var (
	ErrTooMany      = errors.New("ami: too many connections")
	ErrLogoff       = errors.New("ami: client logged off")
	ErrLoginTime    = errors.New("ami: client did not log in in time")
	ErrSlow         = errors.New("ami: client does not read what it is sent")
	ErrCrowded      = errors.New("ami: connection gave way to a newer one before its log-in")
	ErrFilters      = errors.New("ami: client's filters take too long")
	ErrServerClosed = errors.New("ami: server closed")
	ErrFills        = errors.New("ami: an event's holes cannot be filled with what was given")
)

// Server speaks AMI as Asterisk does, to clients made for Asterisk. See [NewServer] and [Server.Serve].
//
// Before a client has logged in it is told the greeting and the answers to its own actions, which are the same for users
// who are there and who are not.
type Server struct {
	cfg      ServerConfig
	flushers []*flusher    // none without a window
	opened   atomic.Uint32 // sessions so far

	mu       sync.Mutex // guards the rest, and Session.place
	sessions map[*Session]struct{}
	pending  map[netip.Addr]int // not logged in, by address
	waiting  list.List          // the same, *Session, the oldest first
}

// place says which of a server's limits a session counts for.
type place struct {
	addr    netip.Addr
	waiting *list.Element // nil: it does not wait for a log-in
	tried   bool          // to log in
}

// NewServer makes a server that serves nothing yet.
func NewServer(cfg ServerConfig) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, sessions: map[*Session]struct{}{}, pending: map[netip.Addr]int{}}
	if cfg.Window > 0 {
		for range max(1, runtime.GOMAXPROCS(0)/2) {
			s.flushers = append(s.flushers, newFlusher(cfg.Window))
		}
	}
	return s, nil
}

// flusher is the next session's, nil without a window. There are some, so that a machine of many processors has more
// than one of them write.
func (s *Server) flusher() *flusher {
	if len(s.flushers) == 0 {
		return nil
	}
	return s.flushers[uint(s.opened.Add(1))%uint(len(s.flushers))]
}

func (c ServerConfig) withDefaults() (ServerConfig, error) {
	var errs []error
	if c.Authenticator == nil {
		errs = append(errs, errors.New("no Authenticator"))
	}
	if c.Version == "" {
		c.Version = "11.0.0"
	}
	if len(c.Version) > 64 || hasControl([]byte(c.Version)) {
		errs = append(errs, errors.New("no usable Version"))
	}
	for _, n := range []struct {
		name string
		v    *int
		def  int
	}{
		{"MaxSessions", &c.MaxSessions, 1000}, {"MaxPending", &c.MaxPending, 50}, {"MaxPerAddr", &c.MaxPerAddr, 10}, {"MaxQueue", &c.MaxQueue, 4 << 20},
		{"MaxAnswers", &c.MaxAnswers, 512 << 10},
		{"Limits.Line", &c.Limits.Line, maxActionLine}, {"Limits.Fields", &c.Limits.Fields, maxActionFields}, {"Limits.Block", &c.Limits.Block, 128 << 10},
	} {
		errs = append(errs, defaultTo(n.name, n.v, n.def))
	}
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"LoginTimeout", &c.LoginTimeout, 30 * time.Second}, {"FailureDelay", &c.FailureDelay, time.Second}, {"WriteTimeout", &c.WriteTimeout, 5 * time.Second},
		{"Window", &c.Window, 0},
	} {
		errs = append(errs, defaultTo(d.name, d.v, d.def))
	}
	c.Limits = c.Limits.withDefaults()
	if c.Repeats == nil {
		c.Repeats = repeatVariable
	}
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("ami: server: %w", err)
	}
	return c, nil
}

// defaultTo sets what is zero, and refuses what is below.
func defaultTo[T int | time.Duration](name string, v *T, def T) error {
	if *v < 0 {
		return fmt.Errorf("%s is negative", name)
	}
	if *v == 0 {
		*v = def
	}
	return nil
}

func (s *Server) loginLimits() Limits {
	l := s.cfg.Limits
	l.Block, l.Fields = min(l.Block, loginBlock), min(l.Fields, loginFields)
	return l
}

// Serve takes connections from l until ctx ends, and closes l. A listener from [tls.NewListener] makes them TLS ones; the
// handshake counts for LoginTimeout. When ctx ends, the sessions are ended with [ErrServerClosed] as [Session.End]
// does, and Serve returns, when all are over and every handler is back, nil. Any other error is the listener's.
//
// One server may serve several listeners at a time, with one set of limits for all.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // wakes Accept
	mine := map[*Session]struct{}{}
	var mu sync.Mutex // guards mine
	err := s.accept(ctx, l, func(session *Session) {
		mu.Lock()
		mine[session] = struct{}{}
		mu.Unlock()
		running.Go(func() {
			session.run()
			mu.Lock()
			delete(mine, session)
			mu.Unlock()
		})
	})
	if ctx.Err() != nil {
		err = nil
	}
	if stop() {
		_ = l.Close() // its error told already
	}
	mu.Lock()
	left := slices.Collect(maps.Keys(mine))
	mu.Unlock()
	for _, session := range left {
		session.End(ErrServerClosed)
	}
	running.Wait()
	cancel()
	return err
}

// accept starts a session for each connection that the limits have room for.
func (s *Server) accept(ctx context.Context, l net.Listener, start func(*Session)) error {
	const longest = time.Second
	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
		if err != nil {
			if temporary := net.Error(nil); !errors.As(err, &temporary) || !temporary.Temporary() { //nolint:staticcheck // what net/http's server does when files run out
				return fmt.Errorf("ami: accept: %w", err)
			}
			pause = min(max(2*pause, 5*time.Millisecond), longest)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			continue
		}
		pause = 0
		// A session's context outlives Serve's: it ends with the session, which is ended with a cause.
		session := newSession(context.WithoutCancel(ctx), s, conn)
		crowded, ok := s.enter(session)
		if crowded != nil {
			crowded.end(ErrCrowded, false)
		}
		if !ok {
			session.cancel(ErrTooMany)
			_ = conn.Close() // nothing was said
			if f := s.cfg.Observer.Refused; f != nil {
				f(conn.RemoteAddr(), ErrTooMany)
			}
			continue
		}
		start(session)
	}
}

// enter counts a new session, when there is room for it. Where too many are not logged in, of all or of one address, the
// oldest of those gives way: who only connects keeps nobody out who logs in, also nobody whom a proxy or an office lends the
// same address. Only who has tried to log in keeps his place among those of his address, so that he cannot try more often
// than that many places allow.
func (s *Server) enter(session *Session) (crowded *Session, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	addr := addressOf(session.raw)
	switch {
	case len(s.sessions) >= s.cfg.MaxSessions:
		return nil, false
	case s.pending[addr] >= s.cfg.MaxPerAddr:
		if crowded = s.idle(addr); crowded == nil {
			return nil, false
		}
	case s.waiting.Len() >= s.cfg.MaxPending:
		crowded, _ = s.waiting.Front().Value.(*Session)
	}
	if crowded != nil {
		s.settle(crowded)
		delete(s.sessions, crowded) // it takes nobody's place while it ends
	}
	s.sessions[session] = struct{}{}
	session.place = place{addr: addr, waiting: s.waiting.PushBack(session)}
	s.pending[addr]++
	return crowded, true
}

// idle is the oldest session from an address that has not tried to log in; nil for none. Caller holds the lock.
func (s *Server) idle(addr netip.Addr) *Session {
	for e := s.waiting.Front(); e != nil; e = e.Next() {
		if session, _ := e.Value.(*Session); session.place.addr == addr && !session.place.tried {
			return session
		}
	}
	return nil
}

// tries notes that a session tries to log in.
func (s *Server) tries(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session.place.tried = true
}

// admit takes a session off those that are not logged in.
func (s *Server) admit(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(session)
}

// settle is admit. Caller holds the lock.
func (s *Server) settle(session *Session) {
	if session.place.waiting == nil {
		return
	}
	s.waiting.Remove(session.place.waiting)
	session.place.waiting = nil
	if s.pending[session.place.addr]--; s.pending[session.place.addr] == 0 {
		delete(s.pending, session.place.addr)
	}
}

// leave forgets a session.
func (s *Server) leave(session *Session) {
	s.admit(session)
	s.mu.Lock()
	delete(s.sessions, session)
	s.mu.Unlock()
}

// Len returns the number of connections, and how many of them are not logged in.
func (s *Server) Len() (all, pending int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions), s.waiting.Len()
}

// addressOf is what connections are counted by: an address with IPv4, a network with IPv6, of which one client has as many
// addresses as it likes. Connections without either count together.
func addressOf(conn net.Conn) netip.Addr {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap()
	if addr.Is4() {
		return addr
	}
	network, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return network.Addr()
}
