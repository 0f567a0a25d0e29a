package ami

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// numbered is an event of 1,000 bytes that differs from each other one.
func numbered(t testing.TB, n int) *Prepared {
	return event(t, "Newstate", "Number", fmt.Sprintf("%06d", n), "Text", strings.Repeat("x", 919))
}

// expectNumbered reads events by their numbers, from one up to before another.
func (r *raw) expectNumbered(from, to int) {
	r.t.Helper()
	for n := from; n < to; n++ {
		r.expect(string(numbered(r.t, n).wire))
	}
}

// crowd lets many clients log in from one address.
func crowd(window time.Duration) ServerConfig {
	return ServerConfig{Window: window, MaxPerAddr: 100, MaxPending: 100}
}

// keepLittle has the kernel keep little of what a client does not read.
func keepLittle(r *raw, session *Session) {
	r.t.Helper()
	for _, size := range []func(int) error{r.conn.(*net.TCPConn).SetReadBuffer, session.conn.(*net.TCPConn).SetWriteBuffer} {
		if err := size(16 << 10); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestWhoReadsSlowlyHoldsUpNobody who is written to beside him, and gets everything in its order once he reads: also what the kernel took a part of.
func TestWhoReadsSlowlyHoldsUpNobody(t *testing.T) {
	const fast, n = 4, 6000
	cfg := crowd(time.Millisecond)
	cfg.MaxQueue, cfg.WriteTimeout = 8<<20, time.Minute
	s := serve(t, cfg)
	slow, late := s.login("")
	keepLittle(slow, late)
	sessions := []*Session{late}
	var readers sync.WaitGroup
	var read [fast]atomic.Int64
	for i := range fast {
		r, session := s.login("")
		sessions = append(sessions, session)
		readers.Go(func() {
			for k := range n {
				r.expectNumbered(k, k+1)
				read[i].Store(int64(k + 1))
			}
		})
	}
	for k := range n {
		p := numbered(t, k)
		for _, session := range sessions {
			if !session.Send(p) {
				t.Fatalf("cut off: %v", session.Err())
			}
		}
		for i := range fast { // they are never far behind; so many go in one write that the kernel takes a part of them
			for wait := time.Now(); k%50 == 0 && read[i].Load() < int64(k); time.Sleep(10 * time.Microsecond) {
				if time.Since(wait) > 30*time.Second {
					t.Fatalf("the others are held up: %d of %d are read", read[i].Load(), k)
				}
			}
		}
	}
	readers.Wait()
	if late.Queued() < 1<<20 {
		t.Errorf("only %d bytes wait for who does not read", late.Queued())
	}
	slow.expectNumbered(0, n)
	for began, i := time.Now(), 0; i < len(sessions); time.Sleep(time.Millisecond) {
		if sessions[i].Queued() == 0 {
			i++
		} else if time.Since(began) > 30*time.Second {
			t.Fatalf("%d bytes are counted of a session that has got everything", sessions[i].Queued())
		}
	}
}

// TestWhoReadsNothingIsCutOffByTheWindow alone too, with a bounded queue.
func TestWhoReadsNothingIsCutOffByTheWindow(t *testing.T) {
	cfg := crowd(time.Millisecond)
	cfg.MaxQueue, cfg.WriteTimeout = 1<<20, time.Minute
	s := serve(t, cfg)
	r, slow := s.login("")
	keepLittle(r, slow)
	quick, other := s.login("")
	sent, most := 0, 0
	for ; slow.Send(numbered(t, sent)) && sent < 100_000; sent++ {
		most = max(most, slow.Queued())
		if !other.Send(numbered(t, sent)) {
			t.Fatal(other.Err())
		}
		quick.expectNumbered(sent, sent+1)
	}
	if <-slow.Done(); !errors.Is(slow.Err(), ErrSlow) || most > 1<<20 {
		t.Errorf("after %d events ended by %v, with %d bytes", sent, slow.Err(), most)
	}
	other.Send(numbered(t, 7))
	quick.expectNumbered(7, 8)
}

// TestTheEndComesBehindWhatWaits, however the flusher is at it: everything that was taken is written, whole and in order, and then the stream ends.
func TestTheEndComesBehindWhatWaits(t *testing.T) {
	s := serve(t, crowd(time.Millisecond))
	var all sync.WaitGroup
	for i := range 40 {
		r, session := s.login("")
		if err := r.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		taken := make(chan int, 1)
		all.Go(func() {
			k := 0
			for ; session.Send(numbered(t, k)); k++ {
				if k == 5*i {
					go session.End(nil)
				}
				time.Sleep(50 * time.Microsecond)
			}
			taken <- k
		})
		all.Go(func() {
			text, err := io.ReadAll(r.conn)
			if err != nil {
				t.Error(err)
			}
			n := <-taken
			var want strings.Builder
			for k := range n {
				want.Write(numbered(t, k).wire)
			}
			if string(text) != want.String() {
				t.Errorf("of %d events that were taken %d bytes are read, not %d", n, len(text), want.Len())
			}
		})
	}
	all.Wait()
}

// TestTheEndMayComeWhileItIsWritten, as may one more event.
func TestTheEndMayComeWhileItIsWritten(t *testing.T) {
	var writing atomic.Pointer[Session]
	second := numbered(t, 1)
	cfg := crowd(time.Millisecond)
	cfg.Observer.Wrote = func(int, int) { // by who writes, in the midst of it
		if session := writing.Swap(nil); session != nil {
			if !session.Send(second) {
				t.Error("it is over already")
			}
			session.End(nil)
		}
	}
	s := serve(t, cfg)
	for range 20 {
		r, session := s.login("")
		time.Sleep(2 * time.Millisecond) // the answer is off
		writing.Store(session)
		session.Send(numbered(t, 0))
		r.expectNumbered(0, 2)
		r.expectEnd()
	}
}

// TestNoWindowIsForgotten where the flusher goes to rest as the next event comes.
func TestNoWindowIsForgotten(t *testing.T) {
	var all sync.WaitGroup
	for range 20 {
		r, session := serve(t, crowd(time.Millisecond)).login("")
		all.Go(func() {
			for k := range 200 {
				session.Send(numbered(t, k))
				r.expectNumbered(k, k+1)
			}
		})
	}
	all.Wait()
}

// TestWhoGoesAwayEndsAlone, although it is the flusher that hears of it.
func TestWhoGoesAwayEndsAlone(t *testing.T) {
	s := serve(t, crowd(time.Millisecond))
	stays, other := s.login("")
	for range 20 {
		r, session := s.login("")
		if err := r.conn.(*net.TCPConn).SetLinger(0); err != nil { // the connection is reset
			t.Fatal(err)
		}
		_ = r.conn.Close()
		for session.Send(numbered(t, 0)) {
			other.Send(numbered(t, 1))
			stays.expectNumbered(1, 2)
		}
		if <-session.Done(); session.Err() == nil || errors.Is(session.Err(), ErrSlow) {
			t.Errorf("ended by %v", session.Err())
		}
	}
}

// TestAnswersKeepTheirPlaceAmongEvents, whoever writes those.
func TestAnswersKeepTheirPlaceAmongEvents(t *testing.T) {
	s := serve(t, crowd(time.Millisecond))
	var all sync.WaitGroup
	for range 10 {
		r, session := s.login("")
		all.Go(func() {
			for k := range 200 {
				for i := range k % 4 {
					session.Send(numbered(t, i))
				}
				time.Sleep(time.Duration(k%17) * 100 * time.Microsecond) // the flusher is about to write, writes, has written
				r.send("Action: Events\r\nEventMask: on\r\n\r\n")
				r.expectNumbered(0, k%4)
				r.expect("Response: Success\r\nEvents: On\r\n\r\n")
			}
		})
	}
	all.Wait()
}

// TestFiltersHoldInAWindow, and when they take too long it is their session's own time, and its end, as without one.
func TestFiltersHoldInAWindow(t *testing.T) {
	cfg := crowd(time.Millisecond)
	cfg.MaxQueue = 64 << 20
	s := serve(t, cfg)
	r, session := s.login("")
	r.send("Action: Filter\r\nOperation: Add\r\nFilter: Number: 00000[0-4]\r\n\r\n")
	r.expect("Response: Success\r\nMessage: Success\r\n\r\n")
	for range 100 {
		for k := range 10 {
			session.Send(numbered(t, k))
		}
		r.expectNumbered(0, 5)
	}
	costly, other := s.login("")
	costly.send("Action: Filter\r\nOperation: Add\r\nFilter: !(.?){240}\\|x\r\n\r\n")
	costly.expect("Response: Success\r\nMessage: Success\r\n\r\n")
	long := event(t, "Newchannel", "Text", strings.Repeat("a", 10<<10))
	for range 5000 {
		if !other.Send(long) {
			break
		}
		session.Send(numbered(t, 1))
		r.expectNumbered(1, 2)
	}
	if err := other.Err(); !errors.Is(err, ErrFilters) {
		t.Errorf("ended by %v", err)
	}
}

// TestAWindowJoinsEventsOverTLS, where the connection has a Write of its own that nothing may pass by.
func TestAWindowJoinsEventsOverTLS(t *testing.T) {
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS()
	defer web.Close()
	const n = 500
	var events, writes atomic.Int64
	cfg := crowd(5 * time.Millisecond)
	cfg.Observer.Wrote = func(n, _ int) {
		if n > 0 {
			events.Add(int64(n))
			writes.Add(1)
		}
	}
	s := serve(t, cfg, func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12})
	})
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := &raw{t: t, conn: conn}
	r.expect(greeting22)
	r.send(loginText)
	r.expect(accepted)
	session := <-s.logins
	plain, other := func() (*raw, *Session) { // a connection that is not TLS has the same in the same time
		here := serve(t, cfg)
		return here.login("")
	}()
	go func() {
		for k := range n {
			session.Send(numbered(t, k))
			other.Send(numbered(t, k))
			time.Sleep(100 * time.Microsecond)
		}
	}()
	r.expectNumbered(0, n)
	plain.expectNumbered(0, n)
	_ = conn.Close()
	<-session.Done()
	other.End(nil)
	<-other.Done()
	if events.Load() != 2*n || writes.Load() > n {
		t.Errorf("%d events in %d writes", events.Load(), writes.Load())
	}
}

// ownWrites is a listener whose connections are TCP ones with a Write of their own.
type ownWrites struct {
	net.Listener
	bytes *atomic.Int64
}

type ownWrite struct {
	*net.TCPConn
	bytes *atomic.Int64
}

func (l ownWrites) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return ownWrite{conn.(*net.TCPConn), l.bytes}, nil
}

func (c ownWrite) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.TCPConn.Write(p)
}

// TestAConnectionsOwnWriteIsNotPassedBy, although below it is one that the flusher could write to.
func TestAConnectionsOwnWriteIsNotPassedBy(t *testing.T) {
	var bytes atomic.Int64
	s := serve(t, crowd(time.Millisecond), func(l net.Listener) net.Listener { return ownWrites{l, &bytes} })
	r, session := s.login("")
	before, want := bytes.Load(), int64(0)
	for k := range 100 {
		session.Send(numbered(t, k))
		want += int64(numbered(t, k).Len())
		r.expectNumbered(k, k+1)
	}
	if got := bytes.Load() - before; got != want {
		t.Errorf("%d of %d bytes went through it", got, want)
	}
}

// TestEverySessionHasAFlusher, also where an int has no room for how many there have been: with GOARCH=386 it can fail.
func TestEverySessionHasAFlusher(t *testing.T) {
	s := serve(t, crowd(time.Millisecond)).server
	s.flushers = append(s.flushers, newFlusher(time.Millisecond), newFlusher(time.Millisecond))
	s.opened.Store(1<<31 - 4)
	for range 8 {
		if s.flusher() == nil {
			t.Fatal("there is none")
		}
	}
}

// TestNothingRunsForWhoHasGone: a session that ends does not wait for its window, and leaves nothing behind.
func TestNothingRunsForWhoHasGone(t *testing.T) {
	s := serve(t, crowd(time.Hour))
	r, session := s.login("")
	session.Send(numbered(t, 0)) // waits, since the answer has just been written
	for _, f := range s.server.flushers {
		f.mu.Lock()
		if f == session.out.flusher && (!f.running || f.waiting != 1) {
			t.Errorf("%d wait, running: %t", f.waiting, f.running)
		}
		f.mu.Unlock()
	}
	session.End(nil)
	r.expectNumbered(0, 1)
	r.expectEnd()
	f := session.out.flusher
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		running, waiting := f.running, f.waiting
		f.mu.Unlock()
		if !running && waiting == 0 {
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%d wait, running: %t", waiting, running)
		}
	}
}
