package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/httpapi"
)

// comes opens a connection of its own and sends a text.
func (w *world) comes(text string) net.Conn {
	w.t.Helper()
	conn, err := new(net.Dialer).DialContext(w.t.Context(), "tcp", w.web.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// cut waits until the door has closed a connection.
func cut(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("it is there yet")
	}
}

func headerOf(token, path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n"
}

// Who does not prove himself in time does not stay, whether he says nothing or what is no credential; who does stays for as long as he likes.
func TestStrangersDoNotStayAtTheDoor(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.StrangerTime = 500 * time.Millisecond })
	stream, known := w.watch("carl"), w.comes(headerOf(w.token["anna"], "/v1/me"))
	stream.next()
	answers := bufio.NewReader(known)
	me := func() {
		t.Helper()
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp.StatusCode, err)
		}
	}
	me()
	for _, text := range []string{"", "GET /v1/me HTTP/1.1\r\nHost: x\r\n", headerOf("x", "/v1/me"), "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"} {
		cut(t, w.comes(text))
	}
	w.metric(t, `earshot_http_strangers_closed_total{reason="login_timeout"}`, 4)
	w.metric(t, `earshot_http_strangers_closed_total{reason="crowded_out"}`, 0)
	// These have been there for longer.
	if _, err := io.WriteString(known, headerOf(w.token["anna"], "/v1/me")); err != nil {
		t.Fatal(err)
	}
	me()
	w.talking(ivanov, "1", "PJSIP/101", "101")
	stream.next()
}

// halted is who looks at credentials, and waits with one employee's until he is told to go on.
type halted struct {
	auth.Authenticator
	who   string
	looks chan struct{}
	goes  chan struct{}
}

func (h *halted) Authenticate(ctx context.Context, c auth.Credential) (auth.Subject, error) {
	s, err := h.Authenticator.Authenticate(ctx, c)
	if s.Employee() == h.who {
		h.looks <- struct{}{}
		<-h.goes
	}
	return s, err
}

// A connection that makes room for a newer one while somebody proves himself on it is closed, and nobody would hear what came of the request: so it is not carried out.
func TestARequestWhoseConnectionHasMadeRoomIsNotCarriedOut(t *testing.T) {
	for most, want := range map[int]bool{1: false, 2: true} {
		t.Run(fmt.Sprintf("room for %d", most), func(t *testing.T) {
			h := &halted{who: "carl", looks: make(chan struct{}), goes: make(chan struct{})}
			w := newWorld(t, func(c *httpapi.Config) {
				h.Authenticator = c.Auth
				c.Auth, c.MaxStrangers = h, most
			})
			w.talking(ivanov, "1", "PJSIP/101", "101")
			const body = `{"target":"anna","mode":"spy"}`
			conn := w.comes(fmt.Sprintf("POST /v1/supervisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", w.token["carl"], len(body), body))
			<-h.looks
			w.comes("") // the newer one
			if !want {
				cut(t, conn)
			}
			close(h.goes)
			if want {
				first := make([]byte, 12)
				if _, err := io.ReadFull(conn, first); err != nil || string(first) != "HTTP/1.1 201" {
					t.Fatalf("%q, %v", first, err)
				}
			} else {
				w.logged(t, "crowded_out")
				w.metric(t, `earshot_http_strangers_closed_total{reason="crowded_out"}`, 1)
			}
			if got := len(w.book.All()) > 0; got != want {
				t.Errorf("whether it is on record: %v", got)
			}
		})
	}
}

// One employee may have so many streams, and so many by each panel's token; who has them is refused the next until one has ended, and keeps nobody else out.
func TestAnEmployeeHasSoManyStreamsAndNoMore(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.PerEmployee = 2 })
	w.panel("crm", "carl", "dora")
	open := func(who string, header ...string) *websocket.Conn {
		t.Helper()
		h := http.Header{"Authorization": {"Bearer " + w.token[who]}}
		for pair := range slices.Chunk(header, 2) {
			h.Set(pair[0], pair[1])
		}
		conn, _, err := websocket.Dial(t.Context(), w.web.URL+"/v1/events", &websocket.DialOptions{HTTPHeader: h})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		return conn
	}
	refused := func(who string, header ...string) {
		t.Helper()
		wantLimited(t, w.ask(who, http.MethodGet, "/v1/events", "", header...), "too_many_streams", "10")
	}
	first := open("carl")
	open("carl")
	refused("carl")
	refused("carl")
	open("dora")
	byPanel := []string{"X-Earshot-Employee", "carl"}
	open("crm", byPanel...)
	open("crm", byPanel...)
	refused("crm", byPanel...)
	open("crm", "X-Earshot-Employee", "dora")
	if a := w.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Errorf("other requests: %d", a.status)
	}
	w.metric(t, `earshot_http_limited_total{limit="streams"}`, 3)
	if err := first.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(30 * time.Second)
	for w.watching() > 5 { // the stream gives its place back behind its watcher
		if time.Now().After(late) {
			t.Fatal("a stream that has been closed is there yet")
		}
		time.Sleep(time.Millisecond)
	}
	for {
		conn, _, err := websocket.Dial(t.Context(), w.web.URL+"/v1/events", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token["carl"]}}})
		if err == nil {
			_ = conn.CloseNow()
			break
		}
		if time.Now().After(late) {
			t.Fatalf("there is no room again: %v", err)
		}
	}
}
