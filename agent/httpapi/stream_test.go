package httpapi_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
)

func TestAStreamIsASnapshotAndThenEachChangeInOrder(t *testing.T) {
	w := newWorld(t)
	carl := w.watch("carl")
	m := carl.next()
	if m.Type != gate.MessageSnapshot || m.Seq != 1 || m.Board == nil || !m.Board.Known || len(m.Board.Employees) != 6 {
		t.Fatalf("%+v", m)
	}
	w.talking(ivanov, "1", "PJSIP/101", "101")
	var states []string
	seq := m.Seq
	next := func(kind string) gate.Message {
		t.Helper()
		m := carl.next()
		seq++
		if m.Seq != seq || m.Type != kind {
			t.Fatalf("message %d of type %s, want %d of type %s", m.Seq, m.Type, seq, kind)
		}
		return m
	}
	for len(states) == 0 || states[len(states)-1] != mask.Talking {
		row := next(gate.MessageEmployee).Employee
		if row.ID != "anna" {
			t.Fatalf("%+v", row)
		}
		states = append(states, row.State)
	}
	if got := strings.Join(states, " "); !strings.HasPrefix(got, "ringing ") {
		t.Fatalf("the states were %s", got)
	}
	// A supervision comes on the same stream.
	a := w.ask("carl", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"whisper"}`)
	if a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if v := next(gate.MessageSupervision).Supervision; v.State != "ringing" || v.Mode != "whisper" {
		t.Fatalf("%+v", v)
	}
	w.ingest(call.Event{Kind: call.LinkLost})
	if m := next(gate.MessageUnknown); m.Board != nil {
		t.Fatalf("%+v", m)
	}
	if a := w.ask("carl", http.MethodGet, "/v1/employees", ""); !strings.Contains(string(a.body), `"known":false`) {
		t.Fatalf("%s", a.body)
	}
}

func TestAnInterceptIsToldOnTheStream(t *testing.T) {
	w := newWorld(t)
	w.people[ivanov.number] = clientOf("boris")
	w.ingest(ivanov.rings("1", "PJSIP/101", "101", 10)...)
	boris := w.watch("boris")
	row := boris.next().Board.Employees[0]
	if strings.Join(row.Can, " ") != "intercept" || row.Calls[0].Peer == nil {
		t.Fatalf("%+v", row)
	}
	a := w.ask("boris", http.MethodPost, "/v1/intercepts", fmt.Sprintf(`{"target":"anna","call":%q}`, row.Calls[0].ID))
	var v mask.Intercept
	a.decode(t, &v)
	if a.status != 201 || v.State != "ringing" || v.Phone != "PJSIP/102" || v.Call != row.Calls[0].ID {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if m := boris.next(); m.Type != gate.MessageIntercept || m.Intercept.ID != v.ID {
		t.Fatalf("%+v", m)
	}
	if o := recv(t, w.pbx.taken); o.Ringing != "1.p" {
		t.Fatalf("%+v", o)
	}
}

func TestABrowserSendsItsTokenAsASubprotocol(t *testing.T) {
	w := newWorld(t)
	conn, resp, err := websocket.Dial(t.Context(), w.web.URL+"/v1/events", &websocket.DialOptions{
		Subprotocols: []string{"earshot.v1", "bearer." + w.token["dora"]},
		HTTPHeader:   http.Header{"Origin": {w.web.URL}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if conn.Subprotocol() != "earshot.v1" {
		t.Fatalf("answered with %q", conn.Subprotocol())
	}
	for k, v := range resp.Header {
		if strings.Contains(strings.Join(v, " "), w.token["dora"]) {
			t.Fatalf("the token came back in %s", k)
		}
	}
	s := &watcher{t, conn}
	if m := s.next(); m.Board.Me.ID != "dora" {
		t.Fatalf("%+v", m)
	}
}

// TestAHandshakeThatIsRefusedSaysWhy covers what is wrong with a handshake, each a problem like all others.
func TestAHandshakeThatIsRefusedSaysWhy(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.Origins = []string{"panel.example.com"} })
	upgrade := func(more ...string) http.Header {
		h := http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Authorization": {"Bearer " + w.token["carl"]},
		}
		for i := 0; i < len(more); i += 2 {
			h.Del(more[i])
			if more[i+1] != "" {
				h.Set(more[i], more[i+1])
			}
		}
		return h
	}
	for _, c := range []struct {
		name   string
		header http.Header
		status int
		code   string
	}{
		{"a page of another host", upgrade("Origin", "https://evil.example.com"), 403, "foreign_origin"},
		{"a page of a host that only ends like one of ours", upgrade("Origin", "https://xpanel.example.com"), 403, "foreign_origin"},
		{"an Origin that is none", upgrade("Origin", "null"), 403, "foreign_origin"},
		{"no upgrade", upgrade("Upgrade", ""), 426, "websocket_required"},
		{"another version", upgrade("Sec-Websocket-Version", "8"), 400, "malformed_request"},
		{"no key", upgrade("Sec-Websocket-Key", ""), 400, "malformed_request"},
		{"another subprotocol", upgrade("Sec-Websocket-Protocol", "mqtt"), 400, "unknown_subprotocol"},
		{"a token without the subprotocol", upgrade("Authorization", "", "Sec-Websocket-Protocol", "bearer."+w.token["carl"]), 400, "unknown_subprotocol"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.web.URL+"/v1/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = c.header
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			a := answer{resp.StatusCode, resp.Header, body}
			if p := a.problem(t); a.status != c.status || p.Code != c.code || strings.Contains(string(body), "evil") {
				t.Fatalf("%d %s", a.status, body)
			}
			checkHeaders(t, a)
		})
	}
	for _, origin := range []string{"", w.web.URL, "https://panel.example.com"} {
		conn, _, err := websocket.Dial(t.Context(), w.web.URL+"/v1/events", &websocket.DialOptions{HTTPHeader: upgrade("Origin", origin)})
		if err != nil {
			t.Fatalf("Origin %q: %v", origin, err)
		}
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}
}

func TestAClientThatSpeaksIsSentAway(t *testing.T) {
	w := newWorld(t)
	for _, typ := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
		s := w.watch("carl")
		s.next()
		if err := s.conn.Write(t.Context(), typ, []byte(`{"type":"subscribe"}`)); err != nil {
			t.Fatal(err)
		}
		if c := s.end(); c.Code != websocket.StatusUnsupportedData || c.Reason != "this stream takes no messages; ask by HTTP requests" {
			t.Fatalf("%+v", c)
		}
	}
	w.logged(t, `"ended":"client_sent"`)
}

func TestATokenThatIsTakenAwayEndsItsStreamsAndNoOther(t *testing.T) {
	w := newWorld(t)
	dora, again, carl := w.watch("dora"), w.watch("dora"), w.watch("carl")
	dora.next()
	again.next()
	carl.next()
	w.door.Recheck() // nothing has changed
	w.talking(ivanov, "1", "PJSIP/101", "101")
	dora.next()
	w.revoke("dora")
	w.door.Recheck()
	for _, s := range []*watcher{dora, again} {
		if c := s.end(); c.Code != websocket.StatusPolicyViolation || !strings.HasPrefix(c.Reason, "the credential no longer holds") {
			t.Fatalf("%+v", c)
		}
	}
	if a := w.ask("dora", http.MethodGet, "/v1/me", ""); a.status != 401 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.ingest(ends("1", 40)...)
	for m := carl.next(); m.Employee.State != mask.Idle; m = carl.next() {
	}
}

func TestATokenThatExpiresEndsItsStreamByItself(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.PingInterval = 20 * time.Millisecond })
	token, hash := auth.NewToken()
	if err := auth.AddToken(w.file, auth.Entry{Employee: "carl", Hash: hash, Expires: start.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := w.tokens.Reload(); err != nil {
		t.Fatal(err)
	}
	w.token["short"] = token
	s := w.watch("short")
	s.next()
	w.ingest(ivanov.rings("1", "PJSIP/101", "101", 10)...)
	s.next()
	w.clock.Store(start.Add(time.Hour).Unix())
	if c := s.end(); c.Code != websocket.StatusPolicyViolation {
		t.Fatalf("%+v", c)
	}
}

func TestAnEmployeeWhomAnotherPolicyDoesNotKnowIsSentAway(t *testing.T) {
	w := newWorld(t)
	s := w.watch("boris")
	s.next()
	w.gate.SetPolicy(w.policy(strings.Replace(policyText, "boris:", "bodo:", 1)))
	if c := s.end(); c.Code != websocket.StatusPolicyViolation || c.Reason != gate.CutUnknown.Error() {
		t.Fatalf("%+v", c)
	}
}

func TestClosingTellsEveryStreamAndTakesNoMore(t *testing.T) {
	for _, first := range []string{"the door", "the gate"} {
		t.Run(first, func(t *testing.T) {
			w := newWorld(t)
			one, two := w.watch("carl"), w.watch("dora")
			one.next()
			two.next()
			closed := make(chan error, 1)
			go func() {
				if first == "the gate" {
					closed <- w.gate.Close(context.Background())
				} else {
					closed <- w.door.Close(context.Background())
				}
			}()
			for _, s := range []*watcher{one, two} {
				if c := s.end(); c.Code != websocket.StatusTryAgainLater || c.Reason != gate.CutShutdown.Error() {
					t.Fatalf("%+v", c)
				}
			}
			if err := recv(t, closed); err != nil {
				t.Fatal(err)
			}
			a := w.ask("carl", http.MethodGet, "/v1/events", "")
			if p := a.problem(t); a.status != 503 || p.Code != "stopping" {
				t.Fatalf("%d %s", a.status, a.body)
			}
		})
	}
}

// deaf opens a stream by hand and never reads from it. Both ends have small buffers, so that they are full soon.
func (w *world) deaf(who string) *net.TCPConn {
	w.t.Helper()
	d := net.Dialer{}
	c, err := d.DialContext(w.t.Context(), "tcp", w.web.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	tcp := c.(*net.TCPConn)
	if err := tcp.SetReadBuffer(4 << 10); err != nil {
		w.t.Fatal(err)
	}
	_, err = io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer "+w.token[who]+"\r\n\r\n")
	if err != nil {
		w.t.Fatal(err)
	}
	return tcp
}

// TestASlowReaderIsCutOffAlone lets one stream stand while another goes on. The slow one is told, once it reads again, after all that was
// queued for it and in order.
func TestASlowReaderIsCutOffAlone(t *testing.T) {
	w := newWorld(t)
	fast, slow := w.watch("carl"), w.deaf("dora")
	fast.next()
	r := bufio.NewReader(slow)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	seq := uint64(1)
	for w.watching() > 1 {
		w.gate.SetPolicy(w.gate.Policy()) // a snapshot for everybody
		if m := fast.next(); m.Seq != seq+1 {
			t.Fatalf("the fast one got %d after %d", m.Seq, seq)
		}
		seq++
		if seq > 20000 {
			t.Fatal("the slow one was never cut off")
		}
	}
	_ = slow.SetReadBuffer(1 << 20) // it makes haste now
	_ = slow.SetReadDeadline(time.Now().Add(60 * time.Second))
	want := uint64(1)
	for {
		op, payload := frame(t, r)
		if op == 8 {
			if code := int(payload[0])<<8 | int(payload[1]); code != 1013 || string(payload[2:]) != gate.CutSlow.Error() {
				t.Fatalf("closed with %d %s", code, payload[2:])
			}
			break
		}
		if !strings.HasPrefix(string(payload), fmt.Sprintf(`{"type":"snapshot","seq":%d,`, want)) {
			t.Fatalf("message %d is %.60s", want, payload)
		}
		want++
	}
	w.ingest(ivanov.rings("1", "PJSIP/101", "101", 10)...)
	if m := fast.next(); m.Seq != seq+1 || m.Type != gate.MessageEmployee {
		t.Fatalf("%+v", m)
	}
}

// frame reads one frame of the server's.
func frame(t *testing.T, r *bufio.Reader) (op byte, payload []byte) {
	t.Helper()
	var h [2]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		t.Fatal(err)
	}
	n := int(h[1] & 0x7f)
	if long := map[int]int{126: 2, 127: 8}[n]; long > 0 {
		l := make([]byte, 8)
		if _, err := io.ReadFull(r, l[8-long:]); err != nil {
			t.Fatal(err)
		}
		n = int(binary.BigEndian.Uint64(l))
		if n < 126 || long == 8 && n <= 0xffff {
			t.Fatalf("the length %d is told in more bytes than it takes", n)
		}
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		t.Fatal(err)
	}
	return h[0] & 0x0f, payload
}

func TestAReaderThatStandsStillIsNotWaitedForLongerThanTheWriteTimeout(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.WriteTimeout = 100 * time.Millisecond })
	fast := w.watch("carl")
	fast.next()
	w.deaf("dora")
	for seq := uint64(1); !strings.Contains(w.log.String(), `"ended":"write_timeout"`); seq++ {
		w.gate.SetPolicy(w.gate.Policy())
		if m := fast.next(); m.Seq != seq+1 {
			t.Fatalf("%d after %d", m.Seq, seq)
		}
	}
}

func TestAClientThatIsGoneWithoutAWordIsFoundByAPing(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.PingInterval, c.WriteTimeout = 20*time.Millisecond, 100*time.Millisecond })
	alive := w.watch("carl")
	alive.next()
	w.deaf("dora")
	// The one that is there answers pings while it reads, and outlives the other.
	read := make(chan gate.Message, 1)
	go func() { read <- alive.next() }()
	w.logged(t, `"ended":"no_pong"`)
	w.ingest(ivanov.rings("1", "PJSIP/101", "101", 10)...)
	if m := recv(t, read); m.Type != gate.MessageEmployee {
		t.Fatalf("%+v", m)
	}
}

func TestCloseDoesNotWaitForADeafClientLongerThanItsContext(t *testing.T) {
	w := newWorld(t)
	c := w.deaf("dora")
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := w.door.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Fatalf("it took %v", took)
	}
}
