package ari_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/ari"
)

// piped listens, in a bubble, to an Asterisk that is played by script; onPing says whether a ping is answered. What Asterisk writes is buffered, what is written
// to it waits until it is read. All is over when the function returns that is given back.
func piped(t *testing.T, onPing func() bool, script func(*websocket.Conn)) (*ari.Stream, func()) {
	ours, theirs := net.Pipe()
	var served sync.WaitGroup
	far := buffered{Conn: theirs, wire: make(chan []byte, 100), closed: make(chan struct{}), once: new(sync.Once)}
	served.Go(far.carry)
	once := &oneConn{conn: far, closed: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		defer served.Done()
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OnPingReceived: func(context.Context, []byte) bool {
			return onPing()
		}})
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		script(conn)
	})}
	served.Go(func() { _ = server.Serve(once) })
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}
	c, err := ari.New(ari.Config{BaseURL: "http://asterisk/ari", Username: "earshot", HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Listen(t.Context(), "earshot", ari.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		s.Close()
		_ = server.Close()
		served.Wait()
	}
}

// buffered is a pipe's end that takes what is written at once.
type buffered struct {
	net.Conn
	wire   chan []byte
	closed chan struct{}
	once   *sync.Once
}

func (b buffered) Write(p []byte) (int, error) {
	select {
	case b.wire <- bytes.Clone(p):
		return len(p), nil
	case <-b.closed:
		return 0, net.ErrClosed
	}
}

func (b buffered) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Conn.Close()
}

func (b buffered) carry() {
	for {
		select {
		case p := <-b.wire:
			if _, err := b.Conn.Write(p); err != nil {
				return
			}
		case <-b.closed:
			return
		}
	}
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

func TestASlowReaderIsNotTakenForASilentAsterisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		pings := 0
		seen := func() int {
			mu.Lock()
			defer mu.Unlock()
			return pings
		}
		s, over := piped(t, func() bool { mu.Lock(); defer mu.Unlock(); pings++; return true }, func(conn *websocket.Conn) {
			_ = conn.Write(context.Background(), websocket.MessageText, []byte(`{"type":"A"}`)) // the answers are behind it
			hold(conn)
		})
		defer over()
		time.Sleep(10 * time.Minute)
		if n := seen(); n != 1 {
			t.Errorf("%d pings have been sent while nobody read, want one", n)
		}
		if e, err := s.Next(t.Context()); err != nil || e.Type != "A" {
			t.Errorf("then %v, %v", e, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Next(ctx); err != context.DeadlineExceeded || seen() < 4 {
			t.Errorf("a minute later there are %d pings and %v", seen(), err)
		}
	})
}

// A farewell follows the ping that is on its way, rather than to break it off.
func TestCloseLetsAPingBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := make(chan websocket.StatusCode, 1)
		pings := 0
		s, over := piped(t, func() bool { pings++; return true }, func(conn *websocket.Conn) {
			time.Sleep(17 * time.Second) // does not even read
			_, _, err := conn.Read(context.Background())
			status <- websocket.CloseStatus(err)
		})
		defer over()
		time.Sleep(16 * time.Second)
		s.Close()
		if got := <-status; got != websocket.StatusNormalClosure || pings != 1 {
			t.Errorf("Asterisk sees %v after %d pings", got, pings)
		}
	})
}

// While Next is not called, what is left for the answer does not become less: a look each time that so little is over would be a busy loop.
func TestABusyReaderDoesNotMakeThePingLookAgainAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const left = 10 * time.Microsecond
		s, over := piped(t, func() bool { return false }, func(conn *websocket.Conn) {
			go hold(conn)
			time.Sleep(25*time.Second - left) // the ping has come at 15 s
			_ = conn.Write(context.Background(), websocket.MessageText, []byte(`{"type":"A"}`))
			time.Sleep(time.Minute)
		})
		defer over()
		began := time.Now()
		if _, err := s.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		_, err := s.Next(t.Context())
		// The second look is an eighth of PingTimeout after the first.
		if took := time.Since(began); err == nil || took != 26250*time.Millisecond {
			t.Errorf("after %s it ended with %v", took, err)
		}
	})
}

func TestAStreamTellsHowLateItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late atomic.Int64
		late.Store(int64(3 * time.Second))
		s, over := piped(t, func() bool { time.Sleep(time.Duration(late.Load())); return true }, hold)
		defer over()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		go func() { _, _ = s.Next(ctx) }()
		for _, look := range []struct{ at, want time.Duration }{
			{14 * time.Second, 0}, {16 * time.Second, time.Second}, {19 * time.Second, 3 * time.Second}, {32 * time.Second, 3 * time.Second}, // the first ping is at 15 s
		} {
			time.Sleep(look.at - time.Since(began))
			if got := s.Latency(); got != look.want {
				t.Errorf("%v after the beginning it is %v late, not %v", look.at, got, look.want)
			}
		}
		late.Store(0)
		time.Sleep(20 * time.Second)
		if got := s.Latency(); got != 0 {
			t.Errorf("when all is well again it is %v late", got)
		}
		cancel()
		synctest.Wait()
	})
}
