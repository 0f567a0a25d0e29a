package eventstream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/eventstream"
	"github.com/earshot-pbx/earshot/agent/gate"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told is a source of what is said to it.
type told struct {
	mu      sync.Mutex
	said    []string
	why     error
	more    chan struct{}
	collect func() // called by Collect; nil: nothing is done
	closed  bool
}

func newTold(said ...string) *told { return &told{said: said, more: make(chan struct{}, 1)} }

func (s *told) say(text string) {
	s.mu.Lock()
	s.said = append(s.said, text)
	s.mu.Unlock()
	s.poke()
}

// over ends the source, behind what was said.
func (s *told) over(why error) {
	s.mu.Lock()
	s.why = why
	s.mu.Unlock()
	s.poke()
}

func (s *told) poke() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *told) Wait() error {
	for {
		s.mu.Lock()
		n, why := len(s.said), s.why
		s.mu.Unlock()
		switch {
		case n > 0:
			return nil
		case why != nil:
			return why
		}
		<-s.more
	}
}

func (s *told) Collect(b []byte) []byte {
	s.mu.Lock()
	said, collect := s.said, s.collect
	s.said = nil
	s.mu.Unlock()
	for _, text := range said {
		b = eventstream.Frame(append(eventstream.Begin(b), text...), len(b))
	}
	if collect != nil {
		collect()
	}
	return b
}

func (s *told) Leave() { s.over(context.Canceled) }

func (s *told) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

var spoke = eventstream.Ending{Word: "spoke", Code: websocket.StatusPolicyViolation, Reason: "be quiet"}

// door serves one stream at a time to each who asks.
type door struct {
	*testing.T
	room  eventstream.Room
	web   *httptest.Server
	ended chan eventstream.Ending
	made  chan *eventstream.Stream
	holds atomic.Bool
}

func open(t *testing.T, source func() eventstream.Source) *door {
	t.Helper()
	d := &door{T: t, ended: make(chan eventstream.Ending, 10), made: make(chan *eventstream.Stream, 10)}
	d.holds.Store(true)
	d.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, err := d.room.Take(r.URL.Path, 2, 3)
		if err != nil {
			http.Error(w, err.Error(), http.StatusTooManyRequests)
			return
		}
		defer leave()
		st := eventstream.New(eventstream.Config{
			Source: source(), Holds: d.holds.Load, Every: time.Hour, Patience: 30 * time.Second, Spoke: spoke, OnEnd: func(e eventstream.Ending) { d.ended <- e },
		})
		var refused *eventstream.Refusal
		if err := st.Accept(w, r, nil); errors.As(err, &refused) {
			w.Header().Set("Upgrade", refused.Header.Get("Upgrade"))
			http.Error(w, "our own words", refused.Status)
			return
		}
		d.made <- st
		d.room.Serve(st)
	}))
	t.Cleanup(func() {
		if err := d.room.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		d.web.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return d
}

func (d *door) dial(path string) *websocket.Conn {
	d.Helper()
	conn, _, err := websocket.Dial(d.Context(), d.web.URL+path, nil)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func (d *door) hears(conn *websocket.Conn, want string) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), 30*time.Second)
	defer cancel()
	if kind, got, err := conn.Read(ctx); err != nil || kind != websocket.MessageText || string(got) != want {
		d.Fatalf("the client hears %.40q, %v", got, err)
	}
}

// isClosed waits until a client is told why.
func (d *door) isClosed(conn *websocket.Conn, want eventstream.Ending) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), 30*time.Second)
	defer cancel()
	_, text, err := conn.Read(ctx)
	var c websocket.CloseError
	if !errors.As(err, &c) || c.Code != want.Code || c.Reason != want.Reason {
		d.Fatalf("the client is told %.40q and %v, not %+v", text, err, want)
	}
}

func TestWhatIsThereIsToldInOrderUntilTheSourceIsOver(t *testing.T) {
	for why, want := range map[error]eventstream.Ending{
		gate.CutSlow: eventstream.Slow, gate.CutShutdown: eventstream.Shutdown, gate.CutUnknown: eventstream.Unknown, errors.New("another"): eventstream.Fault,
	} {
		long := strings.Repeat("m", 2*eventstream.Flush)
		s := newTold("one", "two")
		d := open(t, func() eventstream.Source { return s })
		conn := d.dial("/")
		conn.SetReadLimit(1 << 20)
		d.hears(conn, "one")
		d.hears(conn, "two")
		s.say(long)
		d.hears(conn, long)
		s.say("last")
		s.over(why)
		d.hears(conn, "last")
		d.isClosed(conn, want)
		if e := <-d.ended; e != want || !s.closed {
			t.Errorf("it has ended with %+v, the source is closed: %v", e, s.closed)
		}
	}
}

// What was collected when somebody ends the stream is not sent, and the first reason is what the client is told.
func TestNothingIsToldOnceAStreamHasBeenEnded(t *testing.T) {
	s := newTold("before")
	d := open(t, func() eventstream.Source { return s })
	conn := d.dial("/")
	d.hears(conn, "before")
	st := <-d.made
	if st.Ended() != (eventstream.Ending{}) {
		t.Errorf("it is over with %+v", st.Ended())
	}
	s.mu.Lock()
	s.collect = func() { st.End(eventstream.Revoked); st.End(eventstream.Fault) }
	s.mu.Unlock()
	s.say("behind")
	d.isClosed(conn, eventstream.Revoked)
	if st.Ended() != eventstream.Revoked {
		t.Errorf("it is over with %+v", st.Ended())
	}
}

func TestAClientThatSpeaksOrHasNoCredentialAnyMoreIsSentAway(t *testing.T) {
	d := open(t, func() eventstream.Source { return newTold() })
	speaks, stays := d.dial("/"), d.dial("/")
	if err := speaks.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	d.isClosed(speaks, spoke)
	if e := <-d.ended; e != spoke {
		t.Errorf("it has ended with %+v", e)
	}
	st := <-d.made
	if st.Ended() == spoke {
		st = <-d.made
	}
	d.room.Recheck()
	if st.Ended() != (eventstream.Ending{}) {
		t.Errorf("whose credential holds is sent away: %+v", st.Ended())
	}
	d.holds.Store(false)
	d.room.Recheck()
	d.isClosed(stays, eventstream.Revoked)
}

func TestARefusedHandshakeIsTheCallersToAnswer(t *testing.T) {
	d := open(t, func() eventstream.Source { return newTold() })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, d.web.URL+"/", nil)
	w := httptest.NewRecorder()
	d.web.Config.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusUpgradeRequired || w.Header().Get("Upgrade") != "websocket" || w.Body.String() != "our own words\n" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestARoomHasSoManyPlacesForEachAndForAll(t *testing.T) {
	var room eventstream.Room
	take := func(whose string, want error) func() {
		t.Helper()
		leave, err := room.Take(whose, 2, 3)
		if !errors.Is(err, want) || (leave == nil) != (err != nil) {
			t.Fatalf("a place for %s: %v, not %v", whose, err, want)
		}
		return leave
	}
	one, two := take("anna", nil), take("anna", nil)
	take("anna", eventstream.ErrFull)
	three := take("boris", nil)
	take("carl", eventstream.ErrFull) // of all there are as many as may be
	one()
	one = take("carl", nil)
	two()
	two = take("anna", nil)
	if _, err := room.Take("dora", 2, 0); err != nil {
		t.Errorf("where all have no bound: %v", err)
	}
	for _, leave := range []func(){one, two, three} {
		leave()
	}
	room.Shut()
	if take("anna", eventstream.ErrClosed); !room.Closed() {
		t.Error("it is not shut")
	}
}

// Close tells all, takes no more, and waits until the last has left.
func TestCloseTellsAllWhoAreThere(t *testing.T) {
	d := open(t, func() eventstream.Source { return newTold("hello") })
	a, b := d.dial("/a"), d.dial("/b")
	d.hears(a, "hello")
	d.hears(b, "hello")
	if n := d.room.Len(); n != 2 {
		t.Errorf("%d are there", n)
	}
	closed := make(chan error, 1)
	go func() { closed <- d.room.Close(context.WithoutCancel(t.Context())) }()
	d.isClosed(a, eventstream.Shutdown)
	d.isClosed(b, eventstream.Shutdown)
	if err := <-closed; err != nil || d.room.Len() != 0 {
		t.Errorf("%v, %d are there", err, d.room.Len())
	}
	if _, resp, err := websocket.Dial(t.Context(), d.web.URL+"/a", nil); err == nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("another is let in: %v", err)
	}
}
