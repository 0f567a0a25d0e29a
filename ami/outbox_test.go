package ami

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial gives the client's end; the server's counts its writes.
func (p *pipes) dial(t testing.TB) (*raw, *countedConn) {
	ours, theirs := net.Pipe()
	counted := &countedConn{Conn: theirs}
	p.conns <- counted
	return &raw{t: t, conn: pipeEnd{ours}, more: time.Minute}, counted
}

// countedConn counts writes.
type countedConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// pretend runs a server on pipes in a bubble of pretended time.
func pretend(t *testing.T, cfg ServerConfig, test func(t *testing.T, l *pipes, server *Server)) {
	synctest.Test(t, func(t *testing.T) {
		if cfg.Authenticator == nil {
			cfg.Authenticator = users
		}
		server, err := NewServer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range server.flushers {
			f.pause = time.Sleep // the kernel's sleep is no pretence
		}
		l := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- server.Serve(ctx, l) }()
		test(t, l, server)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

const loginText = "Action: Login\r\nUsername: panel\r\nSecret: " + testSecret + "\r\n\r\n"

const accepted = "Response: Success\r\nMessage: Authentication accepted\r\n\r\n"

// TestARefusedLogInTellsNothing: who the user is, and what is wrong, makes no difference to words and time.
func TestARefusedLogInTellsNothing(t *testing.T) {
	slow := AuthenticatorFunc(func(ctx context.Context, c *Credentials) (any, error) {
		if c.Username == "panel" { // looking up what is there takes its time
			time.Sleep(300 * time.Millisecond)
		}
		return users(ctx, c)
	})
	var told []error
	cfg := ServerConfig{Authenticator: slow, Observer: Observer{Login: func(_ *Session, err error) { told = append(told, err) }}}
	pretend(t, cfg, func(t *testing.T, l *pipes, _ *Server) {
		for name, fields := range map[string]string{
			"wrong secret":             "Username: panel\r\nSecret: wrong\r\n",
			"nobody":                   "Username: nobody\r\nSecret: wrong\r\n",
			"no secret":                "Username: panel\r\n",
			"no user":                  "Secret: wrong\r\n",
			"nothing":                  "",
			"key without a challenge":  "Username: panel\r\nAuthType: MD5\r\nKey: " + string(challengeKey("", testSecret)) + "\r\n",
			"challenge without a key":  "Username: panel\r\nAuthType: MD5\r\n",
			"challenge and the secret": "Username: panel\r\nAuthType: MD5\r\nSecret: " + testSecret + "\r\n",
		} {
			r, _ := l.dial(t)
			r.expect(greeting22)
			before := time.Now()
			r.send("Action: Login\r\nActionID: 1\r\n" + fields + "\r\n")
			r.expect("Response: Error\r\nActionID: 1\r\nMessage: Authentication failed\r\n\r\n")
			if took := time.Since(before); took != time.Second {
				t.Errorf("%s: refused after %s", name, took)
			}
			r.expectEnd()
		}
		if len(told) != 8 {
			t.Errorf("%d log-ins seen", len(told))
		}
		for _, err := range told {
			if err == nil {
				t.Error("one was told as a good one")
			}
		}
		r, _ := l.dial(t)
		r.expect(greeting22)
		r.send(loginText)
		r.expect(accepted)
		_ = r.conn.Close()
	})
}

func TestNobodyKnowsAnEmptySecret(t *testing.T) {
	for _, c := range []Credentials{{}, {ByChallenge: true, Challenge: "1", Key: Secret(challengeKey("1", ""))}} {
		if c.Prove("") {
			t.Errorf("%+v proves an empty secret", c)
		}
	}
	c := Credentials{ByChallenge: true, Challenge: "1", Key: Secret(challengeKey("1", "a"))}
	if !c.Prove("a") || c.Prove("b") || (&Credentials{Secret: "a", Key: c.Key, Challenge: "1"}).Prove("b") {
		t.Error("a key proves the wrong secret")
	}
	if text := fmt.Sprintf("%+v %#v", c, Credentials{Secret: testSecret}); strings.Contains(text, string(c.Key)) || strings.Contains(text, testSecret) {
		t.Errorf("%s tells secrets", text)
	}
}

func TestTheLogInHasItsTime(t *testing.T) {
	ended := make(chan error, 10)
	asked := make(chan struct{}, 10)
	cfg := ServerConfig{
		LoginTimeout: 30 * time.Second,
		Observer:     Observer{Ended: func(_ *Session, cause error) { ended <- cause }},
		Authenticator: AuthenticatorFunc(func(ctx context.Context, c *Credentials) (any, error) {
			if c.Username == "slow" {
				asked <- struct{}{}
				<-ctx.Done()
			}
			return users(ctx, c)
		}),
	}
	pretend(t, cfg, func(t *testing.T, l *pipes, server *Server) {
		began := time.Now()
		silent, _ := l.dial(t)
		silent.expect(greeting22)
		drip, _ := l.dial(t) // a byte now and then gains no time
		drip.expect(greeting22)
		go func() {
			for range 100 {
				if _, err := io.WriteString(drip.conn, "A"); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		slow, _ := l.dial(t)
		slow.expect(greeting22)
		slow.send("Action: Login\r\nUsername: slow\r\n\r\n")
		<-asked
		in, _ := l.dial(t)
		in.expect(greeting22)
		in.send(loginText)
		in.expect(accepted)

		silent.expectEnd()
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("ended after %s", took)
		}
		drip.expectEnd()
		for range 2 {
			if cause := <-ended; !errors.Is(cause, ErrLoginTime) {
				t.Errorf("ended by %v", cause)
			}
		}
		slow.expect("Response: Error\r\nMessage: Authentication failed\r\n\r\n")
		slow.expectEnd()
		if cause := <-ended; !errors.Is(cause, ErrAuth) {
			t.Errorf("ended by %v", cause)
		}
		time.Sleep(time.Hour) // no limit for who is logged in
		in.send("Action: Events\r\nEventMask: on\r\n\r\n")
		in.expect("Response: Success\r\nEvents: On\r\n\r\n")
		if all, pending := server.Len(); all != 1 || pending != 0 {
			t.Errorf("%d sessions, %d not logged in", all, pending)
		}
		_ = in.conn.Close()
		if cause := <-ended; !errors.Is(cause, io.EOF) {
			t.Errorf("ended by %v", cause)
		}
	})
}

// What comes after a quiet time is written soon, and what comes close behind it goes together.
func TestTheWindowJoinsEvents(t *testing.T) {
	for _, window := range []time.Duration{0, 5 * time.Millisecond} {
		sessions := make(chan *Session, 1)
		var events, writes atomic.Int64
		cfg := ServerConfig{
			Window:  window,
			OnLogin: func(_ context.Context, s *Session) { sessions <- s },
			Observer: Observer{Wrote: func(n, _ int) {
				events.Add(int64(n))
				writes.Add(1)
			}},
		}
		pretend(t, cfg, func(t *testing.T, l *pipes, _ *Server) {
			r, conn := l.dial(t)
			r.expect(greeting22)
			r.send(loginText)
			r.expect(accepted)
			session, p := <-sessions, event(t, "Hangup")
			synctest.Wait() // the observer has been told of the answer
			time.Sleep(window)
			conn.writes.Store(0)
			writes.Store(0)
			go func() { // the client reads all the time
				for range 10 {
					r.expect(string(p.wire))
				}
			}()
			for range 10 {
				session.Send(p)
				time.Sleep(time.Millisecond)
			}
			synctest.Wait()
			time.Sleep(window)
			synctest.Wait()
			want := int64(10)
			if window > 0 {
				want = 3 // at the first tick, a window behind it, and once more
			}
			if got := conn.writes.Load(); got != want || writes.Load() != want || events.Load() != 10 {
				t.Errorf("window %s: %d writes, told %d with %d events", window, got, writes.Load(), events.Load())
			}
			// An answer takes along what waits.
			session.Send(p)
			began := time.Now()
			r.send("Action: Events\r\nEventMask: on\r\n\r\n")
			r.expect(string(p.wire) + "Response: Success\r\nEvents: On\r\n\r\n")
			if took := time.Since(began); took != 0 {
				t.Errorf("window %s: the answer took %s", window, took)
			}
			_ = r.conn.Close()
		})
	}
}

// TestASlowReaderIsCutOffAlone: one client reads nothing while another gets everything; what is kept for it is bounded.
func TestASlowReaderIsCutOffAlone(t *testing.T) {
	s := serve(t, ServerConfig{MaxQueue: 1 << 20})
	_, slow := s.login("")
	quick, other := s.login("")
	p := event(t, "Newchannel", "Text", strings.Repeat("x", 400))
	const n = 50_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		all, err := io.CopyN(io.Discard, quick.conn, int64(n*p.Len()))
		if err != nil {
			t.Errorf("%d bytes, %v", all, err)
		}
	}()
	most, there := 0, true
	for range n {
		there = slow.Send(p) && there
		most = max(most, slow.Queued())
		for other.Queued() > 1<<19 {
			runtime.Gosched()
		}
		if !other.Send(p) {
			t.Fatalf("the one that reads is gone: %v", other.Err())
		}
	}
	<-done
	if there || !errors.Is(slow.Err(), ErrSlow) {
		t.Errorf("the slow one is there: %v", slow.Err())
	}
	if most > 1<<20 {
		t.Errorf("%d bytes were kept", most)
	}
	<-slow.Done()
	if cause := <-s.ended; !errors.Is(cause, ErrSlow) {
		t.Errorf("ended by %v", cause)
	}
	quick.send("Action: Events\r\nEventMask: on\r\n\r\n")
	quick.expect("Response: Success\r\nEvents: On\r\n\r\n")
}

// TestAClientThatReadsNothingIsCutOffInTime, although little waits for it.
func TestAClientThatReadsNothingIsCutOffInTime(t *testing.T) {
	sessions := make(chan *Session, 1)
	cfg := ServerConfig{WriteTimeout: 5 * time.Second, OnLogin: func(_ context.Context, s *Session) { sessions <- s }}
	pretend(t, cfg, func(t *testing.T, l *pipes, _ *Server) {
		r, _ := l.dial(t)
		r.expect(greeting22)
		r.send(loginText)
		r.expect(accepted)
		session := <-sessions
		began := time.Now()
		session.Send(event(t, "Hangup"))
		<-session.Done()
		if took := time.Since(began); took != 5*time.Second || !errors.Is(session.Err(), ErrSlow) {
			t.Errorf("ended after %s by %v", took, session.Err())
		}
	})
}

// TestASlowReaderDoesNotPutOffTheEnd, although it takes something all the time.
func TestASlowReaderDoesNotPutOffTheEnd(t *testing.T) {
	sessions := make(chan *Session, 1)
	cfg := ServerConfig{WriteTimeout: 5 * time.Second, OnLogin: func(_ context.Context, s *Session) { sessions <- s }}
	pretend(t, cfg, func(t *testing.T, l *pipes, _ *Server) {
		r, _ := l.dial(t)
		r.expect(greeting22)
		r.send(loginText)
		r.expect(accepted)
		session := <-sessions
		p := event(t, "Newchannel", "Text", strings.Repeat("x", 1000))
		for range 1000 {
			session.Send(p)
		}
		began := time.Now()
		session.End(nil)
		read := 0
		for part := make([]byte, 100_000); ; time.Sleep(2 * time.Second) {
			n, err := io.ReadFull(r.conn, part)
			if read += n; err != nil {
				break
			}
		}
		<-session.Done()
		if took := time.Since(began); took > 8*time.Second || !errors.Is(session.Err(), ErrServerClosed) {
			t.Errorf("ended after %s by %v", took, session.Err())
		}
		if read < 200_000 {
			t.Errorf("%d bytes of what waited were written", read)
		}
	})
}

// TestAnswersWaitForRoom: who asks faster than it reads is held up, keeps what fits in memory, and gets every answer.
func TestAnswersWaitForRoom(t *testing.T) {
	const words, asked = 10_000, 300
	answered := make(chan int, asked)
	s := serve(t, ServerConfig{MaxAnswers: 100_000, Handler: HandlerFunc(func(_ context.Context, s *Session, m *Message) {
		_ = s.Success(m, strings.Repeat("x", words))
		answered <- s.Queued()
	})})
	r, session := s.login("")
	// Far more than the kernel keeps is asked for without reading.
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		r.send(strings.Repeat("Action: Any\r\n\r\n", asked))
	}()
	want := "Response: Success\r\nMessage: " + strings.Repeat("x", words) + "\r\n\r\n"
	for range asked {
		r.expect(want)
	}
	<-sent
	for range asked {
		if queued := <-answered; queued > 100_000+2*words {
			t.Errorf("%d bytes are kept", queued)
		}
	}
	// Events have room while answers wait.
	if !session.Send(event(t, "Hangup")) {
		t.Error(session.Err())
	}
	r.expect(string(event(t, "Hangup").wire))
}

func TestSendingAllocatesNothing(t *testing.T) {
	s := serve(t, ServerConfig{})
	r, session := s.login("")
	go func() { _, _ = io.Copy(io.Discard, r.conn) }()
	p := event(t, "Newchannel", "Channel", "PJSIP/101-1")
	send := func() {
		for session.Queued() > 1<<16 {
			runtime.Gosched()
		}
		if !session.Send(p) {
			t.Fatal(session.Err())
		}
	}
	for range 50_000 {
		send()
	}
	// Not even a batch allocates, but the runtime does now and then, with the race detector more.
	const n = 50_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		send()
	}
	runtime.ReadMemStats(&after)
	if allocs := after.Mallocs - before.Mallocs; allocs > n/50 {
		t.Errorf("%d allocations for %d events", allocs, n)
	}
}
