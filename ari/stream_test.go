package ari_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/ari"
)

// send writes events to conn.
func send(t *testing.T, conn *websocket.Conn, texts ...string) {
	for _, text := range texts {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Errorf("write: %v", err)
		}
	}
}

// hold reads (and so answers pings) until the other end goes away.
func hold(conn *websocket.Conn) {
	for {
		if _, _, err := conn.Read(context.Background()); err != nil {
			return
		}
	}
}

func listen(t *testing.T, a *asterisk, options ari.ListenOptions) *ari.Stream {
	t.Helper()
	s, err := a.client().Listen(t.Context(), "earshot", options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestEventsArriveInOrderWithTheirRawForm(t *testing.T) {
	texts := append(corpus(200), `{"type":"NobodyKnowsThis","new":{"a":[1]}}`, stasisStart)
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) {
		send(t, conn, texts...)
		hold(conn)
	}
	s := listen(t, a, ari.ListenOptions{SubscribeAll: true})
	for i, text := range texts {
		e, err := s.Next(t.Context())
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if e.Raw != text || e.Type != parse(t, text).Type {
			t.Fatalf("event %d is %s", i, e.Raw)
		}
	}
	r := a.last()
	if r.uri != "/ari/events?app=earshot&subscribeAll=true" || r.user != "earshot" || r.password != "s3cret:x" {
		t.Errorf("asked for %s as %s", r.uri, r.user)
	}
}

func TestTheEventFilterIsSetBeforeListenReturns(t *testing.T) {
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) { hold(conn) }
	listen(t, a, ari.ListenOptions{Disallow: []string{ari.TypeChannelVarset}})
	if r := a.last(); r.method != "PUT" || r.body != `{"disallowed":[{"type":"ChannelVarset"}]}` {
		t.Errorf("last request is %+v", r)
	}

	gone := make(chan struct{})
	a.says(404, `{}`)
	a.events = func(conn *websocket.Conn, r *http.Request) { hold(conn); close(gone) }
	if _, err := a.client().Listen(t.Context(), "earshot", ari.ListenOptions{Disallow: []string{"X"}}); !errors.Is(err, ari.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
	<-gone // the connection without a filter does not stay
}

func TestListenTellsWhyItIsRefused(t *testing.T) {
	a := newAsterisk(t)
	a.says(401, `{"message":"Authentication required"}`)
	if _, err := a.client().Listen(t.Context(), "earshot", ari.ListenOptions{}); !errors.Is(err, ari.ErrUnauthorized) {
		t.Errorf("error is %v", err)
	}
	a.says(200, `{}`)
	var request *ari.RequestError
	if _, err := a.client().Listen(t.Context(), "earshot", ari.ListenOptions{}); err == nil {
		t.Error("an answer that is no upgrade was accepted")
	}
	for _, app := range []string{"", "a,b"} {
		if _, err := a.client().Listen(t.Context(), app, ari.ListenOptions{}); !errors.As(err, &request) || request.Sent {
			t.Errorf("application %q: %v", app, err)
		}
	}
	if _, err := a.client().Listen(t.Context(), "a", ari.ListenOptions{MaxEvent: -1}); err == nil {
		t.Error("a negative limit was accepted")
	}
	a.Server.Close()
	if _, err := a.client().Listen(t.Context(), "earshot", ari.ListenOptions{}); !errors.As(err, &request) || request.Sent || strings.Contains(err.Error(), "earshot") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestAnEventThatCannotBeDecodedIsAnErrorAndTheStreamGoesOn(t *testing.T) {
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) {
		send(t, conn, `{"type":`, `{"type":"A"}`)
		hold(conn)
	}
	s := listen(t, a, ari.ListenOptions{})
	var bad *ari.DecodeError
	if _, err := s.Next(t.Context()); !errors.As(err, &bad) {
		t.Errorf("error is %v", err)
	}
	if e, err := s.Next(t.Context()); err != nil || e.Type != "A" {
		t.Errorf("then %v, %v", e, err)
	}
}

func TestAnEventOverTheLimitEndsTheStream(t *testing.T) {
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) {
		send(t, conn, `{"type":"A"}`, `{"type":"`+strings.Repeat("x", 20000)+`"}`)
		hold(conn)
	}
	s := listen(t, a, ari.ListenOptions{MaxEvent: 10000})
	if _, err := s.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Next(t.Context()); !errors.Is(err, ari.ErrTooLarge) {
			t.Errorf("error is %v", err)
		}
	}
}

func TestALongEventArrivesWhole(t *testing.T) {
	long := `{"type":"ChannelVarset","value":"` + strings.Repeat("абв", 50000) + `"}`
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) {
		send(t, conn, long, `{"type":"A"}`)
		hold(conn)
	}
	s := listen(t, a, ari.ListenOptions{})
	if e, err := s.Next(t.Context()); err != nil || e.Raw != long || len(e.Value) != 300000 {
		t.Errorf("the event is %.60v, %v", e, err)
	}
	if e, err := s.Next(t.Context()); err != nil || e.Type != "A" {
		t.Errorf("then %v, %v", e, err)
	}
}

func TestReplacementEndsTheStream(t *testing.T) {
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) {
		send(t, conn, `{"type":"ApplicationReplaced","application":"another"}`, `{"type":"ApplicationReplaced","application":"earshot"}`)
		_ = conn.Write(context.Background(), websocket.MessageText, []byte(`{"type":"A"}`)) // the stream, and even the test, may be over
		hold(conn)
	}
	s := listen(t, a, ari.ListenOptions{})
	if e, err := s.Next(t.Context()); err != nil || e.Application != "another" {
		t.Errorf("another application's: %v, %v", e, err)
	}
	for range 2 {
		if _, err := s.Next(t.Context()); err != ari.ErrReplaced {
			t.Errorf("error is %v", err)
		}
	}
	if s.Err() != ari.ErrReplaced {
		t.Errorf("Err is %v", s.Err())
	}
}

func TestABrokenConnectionIsAnError(t *testing.T) {
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) { send(t, conn, `{"type":"A"}`) } // and closes at once
	s := listen(t, a, ari.ListenOptions{})
	if _, err := s.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, first := s.Next(t.Context())
	_, second := s.Next(t.Context())
	if first == nil || first != second || s.Err() != first {
		t.Errorf("errors are %v, %v, %v", first, second, s.Err())
	}
}

func TestNextEndsWithItsContextAndAsteriskIsTold(t *testing.T) {
	status := make(chan websocket.StatusCode, 1)
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) {
		_, _, err := conn.Read(context.Background())
		status <- websocket.CloseStatus(err)
	}
	s := listen(t, a, ari.ListenOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the stream goes on: %v", err)
	}
	if got := <-status; got != websocket.StatusNormalClosure {
		t.Errorf("Asterisk sees %v", got)
	}
}

func TestNextEndsWithItsContextThoughNobodyAnswersTheFarewell(t *testing.T) {
	release := make(chan struct{})
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) { <-release }
	defer close(release)
	s := listen(t, a, ari.ListenOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	s.Close()
	// The library would wait for five seconds.
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestCloseWakesNextAndTellsAsterisk(t *testing.T) {
	status := make(chan websocket.StatusCode, 1)
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) {
		send(t, conn, `{"type":"A"}`)
		_, _, err := conn.Read(context.Background())
		status <- websocket.CloseStatus(err)
	}
	s := listen(t, a, ari.ListenOptions{})
	ended := make(chan error)
	first := make(chan struct{})
	go func() {
		_, err := s.Next(t.Context())
		close(first)
		if err == nil {
			_, err = s.Next(t.Context())
		}
		ended <- err
	}()
	<-first
	s.Close()
	if err := <-ended; err != ari.ErrClosed {
		t.Errorf("Next gives %v", err)
	}
	if got := <-status; got != websocket.StatusNormalClosure {
		t.Errorf("Asterisk sees %v", got)
	}
	s.Close()
}

func TestASilentAsteriskIsNoticed(t *testing.T) {
	release := make(chan struct{})
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) { <-release } // it reads nothing, so it answers no ping
	defer close(release)
	s := listen(t, a, ari.ListenOptions{PingInterval: 5 * time.Millisecond, PingTimeout: 20 * time.Millisecond})
	if _, err := s.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "ping") {
		t.Errorf("error is %v", err)
	}
}

// What is sent to it is lost on the way, while its events arrive as ever.
func TestAnAsteriskThatHearsNothingIsNoticedThoughItSpeaks(t *testing.T) {
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) {
		for conn.Write(context.Background(), websocket.MessageText, []byte(`{"type":"A"}`)) == nil { // it reads nothing, so it answers no ping
			time.Sleep(time.Millisecond)
		}
	}
	s := listen(t, a, ari.ListenOptions{PingInterval: 5 * time.Millisecond, PingTimeout: 20 * time.Millisecond})
	for {
		if _, err := s.Next(t.Context()); err != nil {
			if !strings.Contains(err.Error(), "ping") {
				t.Errorf("error is %v", err)
			}
			return
		}
	}
}

func BenchmarkStream(b *testing.B) {
	text := []byte(corpus(1)[0])
	server := newEventServer(b, text)
	c, err := ari.New(ari.Config{BaseURL: server, Username: "u"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	s, err := c.Listen(b.Context(), "earshot", ari.ListenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := s.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
