package ami

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// from connects from one of loopback's many addresses. What is closed at once gives a client that reads the end.
func (s *served) from(addr string) *raw {
	s.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	conn, err := d.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return &raw{t: s.t, conn: conn}
}

func TestConnectionsAreLimited(t *testing.T) {
	refused := make(chan error, 100)
	s := serve(t, ServerConfig{
		MaxSessions: 6, MaxPending: 4, MaxPerAddr: 3,
		Observer: Observer{Refused: func(addr net.Addr, cause error) {
			if addr == nil {
				t.Error("refused without an address")
			}
			refused <- cause
		}},
	})
	deny := func(r *raw) {
		t.Helper()
		r.expectEnd() // and no greeting
		if cause := <-refused; !errors.Is(cause, ErrTooMany) {
			t.Errorf("refused for %v", cause)
		}
	}
	let := func(r *raw) *raw {
		t.Helper()
		r.expect(greeting22)
		return r
	}
	givesWay := func(r *raw) {
		t.Helper()
		r.expectEnd()
		if cause := <-s.ended; !errors.Is(cause, ErrCrowded) {
			t.Errorf("ended by %v", cause)
		}
	}
	first := let(s.from("127.0.0.2"))
	oldest := let(s.from("127.0.0.2"))
	one := let(s.from("127.0.0.2"))
	third := let(s.from("127.0.0.2")) // three from one address
	givesWay(first)
	let(s.from("127.0.0.3"))
	let(s.from("127.0.0.4")) // four in all
	givesWay(oldest)
	one.send(loginText)
	one.expect(accepted)
	let(s.from("127.0.0.2")).send(loginText) // who is logged in does not count there
	<-s.logins
	<-s.logins
	last := let(s.from("127.0.0.4"))
	if all, pending := s.server.Len(); all != 6 || pending != 4 {
		t.Errorf("%d sessions, %d not logged in", all, pending)
	}
	last.send(loginText)
	<-s.logins
	deny(s.from("127.0.0.5")) // six sessions
	_ = one.conn.Close()
	s.awaitEnd()
	let(s.from("127.0.0.5"))
	_ = last.conn.Close()
	s.awaitEnd()
	let(s.from("127.0.0.6")) // five sessions, and four that are not logged in
	givesWay(third)
}

// Who only connects keeps out nobody who comes from the same address, as all do behind one proxy. Who tries to log in keeps his place until he is answered, so
// that from one address no more are tried at a time than there are places.
func TestWhoOnlyConnectsGivesWayToOthersOfHisAddressAndWhoTriesDoesNot(t *testing.T) {
	refused := make(chan error, 1)
	tried, answer := make(chan struct{}, 2), make(chan struct{})
	s := serve(t, ServerConfig{
		MaxPerAddr: 2, FailureDelay: time.Millisecond,
		Authenticator: AuthenticatorFunc(func(ctx context.Context, c *Credentials) (any, error) {
			if string(c.Secret) == "wrong" {
				tried <- struct{}{}
				<-answer
			}
			return users.Authenticate(ctx, c)
		}),
		Observer: Observer{Refused: func(_ net.Addr, cause error) { refused <- cause }},
	})
	for range 5 {
		s.from("127.0.0.2").expect(greeting22)
	}
	one := s.from("127.0.0.2")
	one.expect(greeting22)
	one.send(loginText)
	one.expect(accepted)
	for range 4 {
		if cause := <-s.ended; !errors.Is(cause, ErrCrowded) {
			t.Errorf("ended by %v", cause)
		}
	}
	var guesses []*raw
	for range 2 {
		r := s.from("127.0.0.2")
		r.expect(greeting22)
		r.send("Action: Login\r\nUsername: panel\r\nSecret: wrong\r\n\r\n")
		<-tried
		guesses = append(guesses, r)
	}
	s.from("127.0.0.2").expectEnd()
	if cause := <-refused; !errors.Is(cause, ErrTooMany) {
		t.Errorf("refused for %v", cause)
	}
	close(answer)
	for _, r := range guesses {
		r.expect("Response: Error\r\nMessage: Authentication failed\r\n\r\n")
	}
	for cause := range s.ended { // one of the five, who gave way to the guesses, and the guesses
		if errors.Is(cause, ErrAuth) {
			break
		}
	}
	s.from("127.0.0.3").expect(greeting22)
}

func TestConnectionsOfAnIPv6NetworkCountTogether(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1":          "192.0.2.1",
		"::ffff:192.0.2.1":   "192.0.2.1",
		"2001:db8:1:2::3":    "2001:db8:1:2::",
		"2001:db8:1:2:ff::4": "2001:db8:1:2::",
		"2001:db8:1:3::3":    "2001:db8:1:3::",
	} {
		if got := addressOf(addressed{&net.TCPAddr{IP: net.ParseIP(text), Port: 1}}); got.String() != want {
			t.Errorf("%s counts as %s, want %s", text, got, want)
		}
	}
	if got := addressOf(addressed{&net.UnixAddr{Name: "x"}}); got.IsValid() {
		t.Errorf("a socket without an address counts as %s", got)
	}
	if got := addressOf(addressed{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}}); got.String() != "fe80::" {
		t.Errorf("an address with a zone counts as %s", got)
	}
}

// addressed is a connection of which only the far end's address matters.
type addressed struct{ addr net.Addr }

func (a addressed) RemoteAddr() net.Addr           { return a.addr }
func (addressed) LocalAddr() net.Addr              { return nil }
func (addressed) Read([]byte) (int, error)         { return 0, io.EOF }
func (addressed) Write(p []byte) (int, error)      { return len(p), nil }
func (addressed) Close() error                     { return nil }
func (addressed) SetDeadline(time.Time) error      { return nil }
func (addressed) SetReadDeadline(time.Time) error  { return nil }
func (addressed) SetWriteDeadline(time.Time) error { return nil }

// TestTenThousandConnectionsWithoutALogIn: as many stay as are within the limit, the others are closed, who is logged in notices
// nothing, and with room for all of them each costs little.
func TestTenThousandConnectionsWithoutALogIn(t *testing.T) {
	const n = 10_000
	s := serve(t, ServerConfig{MaxPending: 50, MaxPerAddr: 10})
	in, session := s.login("")
	flood := func(addr string, n int) {
		for range n {
			conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}).Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:gocritic // they stay till the flood ends
		}
		for range n - 10 {
			s.awaitEnd()
		}
		if _, pending := s.server.Len(); pending != 10 {
			t.Errorf("%d connections are kept", pending)
		}
		session.Send(event(t, "Hangup"))
		in.expect(string(event(t, "Hangup").wire))
		for _, from := range []string{"127.0.0.9", addr} {
			other := s.from(from)
			other.expect(greeting22)
			other.send(loginText)
			other.expect(accepted)
		}
		s.awaitEnd() // one gives way to who comes from where they come from
	}
	for range 10 {
		flood("127.0.0.2", n/10)
		for range 9 {
			s.awaitEnd()
		}
	}
}

func TestAConnectionWithoutALogInCostsLittle(t *testing.T) {
	const n = 10_000
	server, err := NewServer(ServerConfig{Authenticator: users, MaxSessions: n, MaxPending: n, MaxPerAddr: n, LoginTimeout: time.Hour, WriteTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	l := newPipes()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // pools let go at the second
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := heap()
	clients := make([]net.Conn, n)
	var wg sync.WaitGroup
	for i := range clients {
		r, _ := l.dial(t)
		clients[i] = r.conn
		if i%100 != 0 && i != n-1 { // does not even read; the last does, by which all are known to be counted
			continue
		}
		wg.Go(func() { // sends what is never to end
			r.expect(greeting22)
			_, _ = io.WriteString(r.conn, "X: "+strings.Repeat("x", 2000))
		})
	}
	wg.Wait()
	if all, pending := server.Len(); all != n || pending != n {
		t.Fatalf("%d connections, %d without a log-in", all, pending)
	}
	each := (heap() - before) / n
	t.Logf("%d bytes for each connection", each)
	if each > 32<<10 {
		t.Errorf("%d bytes for each connection", each)
	}
	cancel()
	for _, c := range clients {
		_ = c.Close()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	web := httptest.NewUnstartedServer(nil) // has a certificate for 127.0.0.1
	web.StartTLS()
	defer web.Close()
	settings := &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	s := serve(t, ServerConfig{Authenticator: AuthenticatorFunc(func(ctx context.Context, c *Credentials) (any, error) {
		if !c.Secure {
			return nil, errors.New("not secure")
		}
		return users(ctx, c)
	})}, func(l net.Listener) net.Listener { return tls.NewListener(l, settings) })
	c := connectTo(t, Config{Addr: s.addr, Username: "panel", Secret: testSecret, PlainLogin: true, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	if session := <-s.logins; !session.Secure() {
		t.Error("the session is not secure")
	}
	if m, err := c.Do(t.Context(), NewAction("Ping")); err != nil || m.Get("Ping") != "Pong" {
		t.Errorf("ping: %v, %v", m, err)
	}
	// What is no TLS is told nothing of AMI.
	r := &raw{t: t}
	var err error
	if r.conn, err = net.Dial("tcp", s.addr); err != nil {
		t.Fatal(err)
	}
	defer r.conn.Close()
	r.send("Action: Login\r\n\r\n")
	if got, _ := io.ReadAll(r.conn); bytes.Contains(got, []byte("Asterisk")) {
		t.Errorf("told %q", got)
	}
	if cause := <-s.ended; cause == nil || errors.Is(cause, io.EOF) {
		t.Errorf("ended by %v", cause)
	}
}

// TestServeEndsEverySession: with what waits written, handlers back and nothing left.
func TestServeEndsEverySession(t *testing.T) {
	server, err := NewServer(ServerConfig{Authenticator: users, Handler: HandlerFunc(func(ctx context.Context, s *Session, m *Message) {
		_ = s.Success(m, "begun")
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), ErrServerClosed) || s.Success(m, "late") == nil {
			t.Errorf("the handler's context ended with %v", context.Cause(ctx))
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	s := &served{t: t, addr: l.Addr().String()}
	idle, busy := s.connect(), s.connect()
	busy.send(loginText + "Action: Any\r\n\r\n")
	busy.expect(accepted + "Response: Success\r\nMessage: begun\r\n\r\n")
	cancel()
	idle.expectEnd()
	busy.expectEnd()
	_ = idle.conn.Close()
	_ = busy.conn.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if all, pending := server.Len(); all != 0 || pending != 0 {
		t.Errorf("%d sessions are left, %d not logged in", all, pending)
	}
	if conn, err := net.Dial("tcp", s.addr); err == nil {
		_ = conn.Close()
		t.Error("the listener is open")
	}
}

func TestServeTellsWhatIsWrongWithTheListener(t *testing.T) {
	server, err := NewServer(ServerConfig{Authenticator: users})
	if err != nil {
		t.Fatal(err)
	}
	l := newPipes()
	_ = l.Close()
	if err := server.Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	// Running out of files passes.
	s := &served{t: t}
	short := &shortListener{faults: 3}
	s = serve(t, ServerConfig{}, func(l net.Listener) net.Listener { short.Listener = l; return short })
	s.login("")
}

// shortListener has no connection to give at first.
type shortListener struct {
	net.Listener
	faults int
}

func (l *shortListener) Accept() (net.Conn, error) {
	if l.faults--; l.faults >= 0 {
		return nil, tooManyFiles{}
	}
	return l.Listener.Accept()
}

type tooManyFiles struct{}

func (tooManyFiles) Error() string   { return "too many open files" }
func (tooManyFiles) Timeout() bool   { return false }
func (tooManyFiles) Temporary() bool { return true }

func TestServerConfig(t *testing.T) {
	for name, c := range map[string]ServerConfig{
		"no Authenticator":         {},
		"MaxPending is negative":   {Authenticator: users, MaxPending: -1},
		"MaxAnswers is negative":   {Authenticator: users, MaxAnswers: -1},
		"WriteTimeout is negative": {Authenticator: users, WriteTimeout: -1},
		"no usable Version":        {Authenticator: users, Version: "1\r\nResponse: x"},
		"Limits.Line is negative":  {Authenticator: users, Limits: Limits{Line: -1}},
	} {
		if _, err := NewServer(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
