package ami

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// Before the log-in a message has no reason to be long, and memory is for those who are known.
const (
	loginBlock  = 4 << 10
	loginFields = 32
)

// linger bounds how long a connection is kept that the server ended, so that its last answer is not lost by what the
// client still sends.
const (
	lingerTime  = time.Second
	lingerBytes = 64 << 10
)

// longAgo as a deadline ends a Read.
var longAgo = time.Unix(1, 0)

func newSession(ctx context.Context, srv *Server, conn net.Conn) *Session {
	s := &Session{
		srv: srv, conn: conn, raw: conn,
		ended:   make(chan struct{}),
		drained: make(chan struct{}),
		done:    make(chan struct{}),
	}
	if secure, ok := conn.(*tls.Conn); ok {
		s.secure, s.raw = true, secure.NetConn()
	}
	s.out = newOutbox(srv.cfg.MaxQueue, srv.cfg.MaxAnswers, srv.flusher(), directOf(conn), s.observe)
	s.mask.Store(uint32(ClassAll))
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	return s
}

// run is the session's reading goroutine, which runs its actions one after the other and outlives its writing one.
func (s *Session) run() {
	go s.write()
	s.end(s.converse(), true)
	<-s.drained
	s.linger()
	_ = s.raw.Close() // the end
	s.srv.leave(s)
	if f := s.srv.cfg.Observer.Ended; f != nil {
		f(s, s.err)
	}
	close(s.done)
}

// linger waits, for a while, until the client has closed its side too. Closing with bytes unread would make the
// client's system throw away what it has not yet read.
func (s *Session) linger() {
	half, ok := s.conn.(interface{ CloseWrite() error })
	if !ok || errors.Is(s.err, io.EOF) || half.CloseWrite() != nil {
		return
	}
	if s.raw.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, s.raw, lingerBytes) // whatever comes
	}
}

// converse greets, and reads and runs actions until the session ends; it returns why.
func (s *Session) converse() (cause error) {
	defer func() {
		if p := recover(); p != nil {
			cause = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	deadline := time.Now().Add(s.srv.cfg.LoginTimeout)
	ctx, cancel := context.WithDeadline(s.ctx, deadline)
	defer cancel()
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	if secure, ok := s.conn.(*tls.Conn); ok {
		if err := secure.HandshakeContext(ctx); err != nil {
			return timely(err)
		}
	}
	s.out.answer([]byte("Asterisk Call Manager/" + s.srv.cfg.Version + "\r\n"))
	r := &actionReader{src: s.conn, limits: s.srv.loginLimits(), repeats: s.srv.cfg.Repeats}
	for s.Err() == nil {
		m, err := r.read()
		if bad := new(ParseError); errors.As(err, &bad) {
			s.refuse(m, bad)
			continue
		}
		if err != nil {
			return timely(err)
		}
		switch name := m.Action(); {
		case len(name) == 0:
			_ = s.Error(m, "Missing action in request") // like every answer below: one that does not go out has ended the session
		case equalFold(name, "Logoff"):
			_ = s.Respond(m, NewResponse("Goodbye").Append("Message", "Thanks for all the fish."))
			s.end(ErrLogoff, true)
		case equalFold(name, "Challenge"):
			s.sendChallenge(m)
		case equalFold(name, "Login"):
			if s.login(ctx, m) {
				r.limits = s.srv.cfg.Limits
				if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
					return err
				}
			}
		case !s.loggedIn.Load():
			_ = s.Denied(m)
		case equalFold(name, "Ping"):
			s.ping(m)
		case equalFold(name, "Events"):
			s.events(m)
		case equalFold(name, "Filter"):
			s.filter(m)
		case s.srv.cfg.Handler == nil:
			_ = s.Unknown(m)
		default:
			s.srv.cfg.Handler.Handle(s.ctx, s, m)
		}
	}
	return s.err
}

// timely says by its name that the time for logging in is over: no other read has a deadline.
func timely(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return ErrLoginTime
	}
	return err
}

// refuse answers an action that cannot be read. Before the log-in it ends the session, too: what speaks there is no AMI
// client, but perhaps a browser that was sent to this port with AMI in its request's body.
func (s *Session) refuse(m *Message, bad *ParseError) {
	if f := s.srv.cfg.Observer.Malformed; f != nil {
		f(s, bad)
	}
	if ids := m.Values("ActionID"); len(ids) > 1 {
		m.Reset() // which one would it be
	}
	_ = s.Error(m, bad.reply())
	if bad == errLongMessage || !s.loggedIn.Load() {
		s.end(bad, true)
	}
}

// sendChallenge gives a challenge to log in with. As in Asterisk it stays the same for the whole connection.
func (s *Session) sendChallenge(m *Message) {
	if !equalFold([]byte(m.Get("AuthType")), "MD5") {
		_ = s.Error(m, "Must specify AuthType")
		return
	}
	if s.challenge == "" {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		s.challenge = strconv.FormatUint(binary.LittleEndian.Uint64(b[:]), 10)
	}
	_ = s.Respond(m, NewResponse("Success").Append("Challenge", s.challenge))
}

// login lets the client in and reports whether it did so.
func (s *Session) login(ctx context.Context, m *Message) bool {
	if s.loggedIn.Load() {
		_ = s.Success(m, "Already authenticated")
		return false
	}
	begun := time.Now()
	s.srv.tries(s)
	principal, err := s.authenticate(ctx, m)
	s.username, s.principal = m.Get("Username"), principal // also of who has gone meanwhile: Ended is told whom he was taken for
	if s.Err() != nil {
		return false
	}
	if f := s.srv.cfg.Observer.Login; f != nil {
		f(s, err)
	}
	if err != nil {
		s.pause(time.Until(begun.Add(s.srv.cfg.FailureDelay)))
		_ = s.Error(m, "Authentication failed")
		s.end(fmt.Errorf("%w: %w", ErrAuth, err), true)
		return false
	}
	if mask, ok := ParseMask(m.Get("Events")); ok {
		s.mask.Store(uint32(mask))
	}
	s.srv.admit(s)
	_ = s.Success(m, "Authentication accepted")
	s.loggedIn.Store(true) // behind the answer: no event comes before it
	if f := s.srv.cfg.OnLogin; f != nil {
		f(s.ctx, s)
	}
	return true
}

// authenticate asks the application, unless the client gave nothing that could be right.
func (s *Session) authenticate(ctx context.Context, m *Message) (any, error) {
	c := &Credentials{Username: m.Get("Username"), Addr: s.Addr(), Secure: s.secure}
	if c.Username == "" {
		return nil, errors.New("no user name")
	}
	if equalFold([]byte(m.Get("AuthType")), "MD5") {
		c.ByChallenge, c.Challenge, c.Key = true, s.challenge, Secret(m.Get("Key"))
		if c.Challenge == "" || c.Key == "" {
			return nil, errors.New("no challenge or no key")
		}
	} else {
		c.Secret = Secret(m.Get("Secret"))
	}
	return s.srv.cfg.Authenticator.Authenticate(ctx, c)
}

// pause waits, and no longer than the session lasts.
func (s *Session) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ended:
	}
}

func (s *Session) ping(m *Message) {
	now := time.Now()
	stamp := fmt.Sprintf("%d.%06d", now.Unix(), now.Nanosecond()/1000)
	_ = s.Respond(m, NewResponse("Success").Append("Ping", "Pong").Append("Timestamp", stamp))
}

func (s *Session) events(m *Message) {
	mask, ok := ParseMask(m.Get("EventMask"))
	if !ok {
		_ = s.Error(m, "Invalid event mask")
		return
	}
	s.mask.Store(uint32(mask))
	word := "On"
	if mask == 0 {
		word = "Off"
	}
	_ = s.Respond(m, NewResponse("Success").Append("Events", word))
}

func (s *Session) filter(m *Message) {
	if !equalFold([]byte(m.Get("Operation")), "Add") {
		_ = s.Error(m, "Unknown operation")
		return
	}
	old := s.filters.Load()
	one, err := newFilter(m.Get("MatchCriteria"), m.Get("Filter"))
	if err != nil {
		_ = s.Error(m, err.Error())
		return
	}
	if !old.room(one) {
		_ = s.Error(m, "Internal Error. Failed adding filter.")
		return
	}
	s.filters.Store(old.with(one))
	_ = s.Success(m, "Success")
}
