package ari_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/ari"
)

// asterisk is a server that says what the test tells it to, for faults that a real Asterisk does not make on demand.
type asterisk struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	requests []received
	status   int
	answer   string

	// events, when set, has each WebSocket.
	events func(conn *websocket.Conn, r *http.Request)
}

// received is a request as it came over the wire.
type received struct {
	method, uri, body, contentType, user, password string
}

func newAsterisk(t *testing.T) *asterisk {
	a := &asterisk{t: t, status: http.StatusOK, answer: "{}"}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Server.Close)
	return a
}

func (a *asterisk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Errorf("body: %v", err)
	}
	user, password, _ := r.BasicAuth()
	a.mu.Lock()
	a.requests = append(a.requests, received{r.Method, r.RequestURI, string(body), r.Header.Get("Content-Type"), user, password})
	status, answer, events := a.status, a.answer, a.events
	a.mu.Unlock()
	if r.Header.Get("Upgrade") != "" && events != nil {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			a.t.Errorf("accept: %v", err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		events(conn, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer) // a client that has gone away is part of some tests
}

// says sets the answer to all further requests.
func (a *asterisk) says(status int, answer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status, a.answer = status, answer
}

// last gives the request that came last.
func (a *asterisk) last() received {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.requests) == 0 {
		a.t.Fatal("no request has come")
	}
	return a.requests[len(a.requests)-1]
}

// client gives a client of a.
func (a *asterisk) client() *ari.Client {
	a.t.Helper()
	return clientOf(a.t, a.URL+"/ari", 0)
}

func clientOf(t *testing.T, base string, timeout time.Duration) *ari.Client {
	t.Helper()
	c, err := ari.New(ari.Config{BaseURL: base, Username: "earshot", Password: "s3cret:x", Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// newEventServer sends text over each WebSocket for as long as it is read.
func newEventServer(b *testing.B, text []byte) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			b.Errorf("accept: %v", err)
			return
		}
		ctx := conn.CloseRead(context.Background())
		for conn.Write(ctx, websocket.MessageText, text) == nil {
		}
		_ = conn.CloseNow()
	}))
	b.Cleanup(server.Close)
	return server.URL
}
