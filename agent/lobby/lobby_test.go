package lobby_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/lobby"
)

// house is a server behind a lobby. Who asks for /me has proven himself, unless the lobby has closed his connection; /slow is answered when it is told to.
type house struct {
	*testing.T
	addr   string
	lobby  *lobby.Lobby
	closed chan string
	asked  chan struct{}
	answer chan struct{}
}

func open(t *testing.T, most int, patience time.Duration) *house {
	t.Helper()
	h := &house{T: t, closed: make(chan string, 100), asked: make(chan struct{}, 100), answer: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/me", func(_ http.ResponseWriter, r *http.Request) {
		if !lobby.Prove(r.Context()) {
			t.Error("a connection was closed while it was asked on")
		}
	})
	mux.HandleFunc("/stranger", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) {
		h.asked <- struct{}{}
		<-h.answer
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	h.lobby = lobby.New(most, patience, func(why string) { h.closed <- why })
	h.lobby.Serve(s)
	h.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return h
}

// from connects from one of loopback's addresses, and waits until the lobby has n.
func (h *house) from(addr string, n int) net.Conn {
	h.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}).Dial("tcp", h.addr)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	h.has(n)
	return conn
}

func (h *house) has(n int) {
	h.Helper()
	for limit := time.Now().Add(30 * time.Second); h.lobby.Len() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			h.Fatalf("%d are in the lobby, not %d", h.lobby.Len(), n)
		}
	}
}

func ask(t *testing.T, conn net.Conn, path string) {
	t.Helper()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	answered(t, conn)
}

func answered(t *testing.T, conn net.Conn) {
	t.Helper()
	b := make([]byte, 4096)
	if n, err := conn.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "HTTP/1.1 200") {
		t.Fatalf("%s %v", b[:n], err)
	}
}

// gone makes sure that the server has closed a connection.
func gone(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("it is there yet")
	}
}

func TestWhoDoesNotProveHimselfDoesNotStay(t *testing.T) {
	h := open(t, 10, 300*time.Millisecond)
	silent, stranger, slow, known := h.from("127.0.0.2", 1), h.from("127.0.0.2", 2), h.from("127.0.0.2", 3), h.from("127.0.0.2", 4)
	ask(t, stranger, "/stranger")
	ask(t, known, "/me")
	if _, err := io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-h.asked
	gone(t, silent)
	gone(t, stranger)
	h.has(1) // whose request is answered is not cut off in the middle of it
	h.answer <- struct{}{}
	answered(t, slow)
	gone(t, slow)
	ask(t, known, "/me")
	for range 3 {
		if why := <-h.closed; why != lobby.TimedOut {
			t.Errorf("closed for %s", why)
		}
	}
	h.has(0)
}

// Where there is no room, who comes from where most come from makes it: a crowd from one address keeps out itself.
func TestACrowdMakesRoomItself(t *testing.T) {
	h := open(t, 4, time.Minute)
	lone := h.from("127.0.0.3", 1)
	known := h.from("127.0.0.2", 2)
	ask(t, known, "/me")
	h.has(1)
	crowd := []net.Conn{h.from("127.0.0.2", 2), h.from("127.0.0.2", 3), h.from("127.0.0.2", 4)}
	for range 3 {
		crowd = append(crowd, h.from("127.0.0.2", 4))
		gone(t, crowd[0])
		crowd = crowd[1:]
		if why := <-h.closed; why != lobby.Crowded {
			t.Errorf("closed for %s", why)
		}
	}
	ask(t, lone, "/me")
	ask(t, known, "/me")
	h.has(3)
	for _, c := range crowd {
		ask(t, c, "/me")
	}
	h.has(0)
}

func TestWhereThereIsNoLobbyThereIsNothingToProve(t *testing.T) {
	if !lobby.Prove(context.Background()) {
		t.Error("it was closed")
	}
}

// A connection that has become a stream is no longer the lobby's, and proven: neither time nor a crowd closes it.
func TestAStreamIsNotTheLobbys(t *testing.T) {
	proven, done := make(chan bool, 2), make(chan struct{})
	l := lobby.New(1, 50*time.Millisecond, func(string) {})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proven <- lobby.Prove(r.Context())
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			defer close(done)
			defer conn.Close()
			for _, word := range []string{"one", "two"} {
				if _, err := buffered.ReadByte(); err != nil {
					t.Error(err)
				}
				if _, err := io.WriteString(conn, word); err != nil {
					t.Error(err)
				}
			}
			proven <- lobby.Prove(r.Context())
		}()
	}))
	l.Serve(s.Config)
	s.Start()
	defer s.Close()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func(text, want string) {
		t.Helper()
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
	ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n.", "one")
	for range 3 { // a crowd
		stranger, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
	}
	for began := time.Now(); l.Len() != 0 && time.Since(began) < 10*time.Second; {
		time.Sleep(10 * time.Millisecond) // they are let go by time
	}
	ask(".", "two")
	<-done
	if first, later := <-proven, <-proven; !first || !later {
		t.Error("the stream is taken for one that the lobby has closed")
	}
}
