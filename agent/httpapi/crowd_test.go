package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// watchAs opens the event stream as an employee of the company.
func (w *world) watchAs(employee string) *watcher {
	w.t.Helper()
	conn, _, err := websocket.Dial(w.t.Context(), w.web.URL+"/v1/events", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token["panel"]}, "X-Earshot-Employee": {employee}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	w.t.Cleanup(func() { _ = conn.CloseNow() })
	return &watcher{t: w.t, conn: conn}
}

// crowd are clients that read, and check of each message its type, its number and its last byte: as little as will find one that is lost,
// doubled, out of order or mangled. They are the same for Earshot and for the floor.
type crowd struct {
	b     *testing.B
	ahead int
	told  chan struct{} // a tick from each client whenever it has read so many messages
	reads []int
	wrong chan error
	done  sync.WaitGroup
	conns []net.Conn
	leave []func() // ends each
}

// count notes that a client has read messages more, and tells when they are as many as come before the changes, or another ahead of these.
func (c *crowd) count(i, before, messages int) {
	for range messages {
		c.reads[i]++
		if (c.reads[i]-before)%c.ahead == 0 {
			c.told <- struct{}{}
		}
	}
}

// newCrowd connects n clients. Each tells when it has read so many messages as come before the changes, and then of each ahead of these.
func newCrowd(b *testing.B, n, before, ahead int, addr, token string) *crowd {
	b.Helper()
	c := &crowd{b: b, ahead: ahead, told: make(chan struct{}, n), reads: make([]int, n), wrong: make(chan error, n)}
	for i := range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\nX-Earshot-Employee: e%d\r\n\r\n", token, i%employees)
		if err != nil {
			b.Fatal(err)
		}
		r := bufio.NewReaderSize(conn, 64<<10)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			b.Fatal(resp, err)
		}
		_ = resp.Body.Close()
		c.conns = append(c.conns, conn)
		c.leave = append(c.leave, func() { _ = conn.Close() })
		c.done.Go(func() {
			err := read(r, func() { c.count(i, before, 1) })
			if err != nil && !errors.Is(err, net.ErrClosed) {
				c.wrong <- err
			}
		})
	}
	return c
}

// wait waits until every client has told.
func (c *crowd) wait() {
	for range c.conns {
		select {
		case <-c.told:
		case err := <-c.wrong:
			c.b.Fatal(err)
		}
	}
}

// read reads messages until the connection is closed.
func read(r *bufio.Reader, each func()) error {
	begin := make([]byte, 0, 64)
	for seq := uint64(1); ; seq++ {
		h, err := r.Peek(4)
		if err != nil {
			return err
		}
		n := int(h[1])
		switch {
		case h[0] != 0x81:
			return fmt.Errorf("message %d begins with %x", seq, h[0])
		case n < 126:
			_, _ = r.Discard(2)
		case n == 126:
			n = int(binary.BigEndian.Uint16(h[2:]))
			_, _ = r.Discard(4)
		default:
			return fmt.Errorf("message %d is too long", seq)
		}
		if seq == 1 && n > r.Size() { // a snapshot
			if _, err := r.Discard(n); err != nil {
				return err
			}
			each()
			continue
		}
		m, err := r.Peek(n)
		if err != nil {
			return err
		}
		begin = append(begin[:0], `{"type":"employee","seq":`...)
		if seq == 1 && bytes.HasPrefix(m, []byte(`{"type":"snapshot"`)) {
			begin = append(begin[:0], `{"type":"snapshot","seq":`...)
		}
		begin = append(strconv.AppendUint(begin, seq, 10), ',')
		if !bytes.HasPrefix(m, begin) || m[n-1] != '}' {
			return fmt.Errorf("message %d is %s", seq, m)
		}
		_, _ = r.Discard(n)
		each()
	}
}

// check ends it, and fails if any client has not read exactly so many messages.
func (c *crowd) check(messages int) {
	for _, leave := range c.leave {
		leave()
	}
	c.done.Wait()
	for i, n := range c.reads {
		if n != messages {
			c.b.Errorf("client %d has read %d messages of %d", i, n, messages)
		}
	}
}

// floor is a plain broadcaster: the least that has to be done for the same messages to reach the same clients.
type floor struct {
	web  *httptest.Server
	mu   sync.Mutex
	out  []chan []byte
	all  chan struct{}
	size int
}

func newFloor(b *testing.B, n int) *floor {
	f := &floor{all: make(chan struct{}), size: n}
	f.web = httptest.NewServer(http.HandlerFunc(f.serve))
	b.Cleanup(func() {
		for _, c := range f.out {
			close(c)
		}
		f.web.Close()
	})
	return f
}

func (f *floor) serve(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	if rw.Flush() != nil {
		return
	}
	c := make(chan []byte, 512)
	f.mu.Lock()
	f.out = append(f.out, c)
	if len(f.out) == f.size {
		close(f.all)
	}
	f.mu.Unlock()
	drain(c, func(frames []byte, _ int) error {
		_, err := conn.Write(frames)
		return err
	})
}

// drain writes whatever is in a queue in one go, until it is closed.
func drain(c <-chan []byte, write func(frames []byte, messages int) error) {
	var buf []byte
	for m := range c {
		n := 1
		buf = append(buf[:0], m...)
		for more := true; more && len(buf) < 32<<10; {
			select {
			case m, more = <-c:
				if more {
					buf = append(buf, m...)
					n++
				}
			default:
				more = false
			}
		}
		if write(buf, n) != nil {
			return
		}
	}
}

// send hands one message to all connections.
func (f *floor) send(b *testing.B, m gate.Message) {
	data, err := json.Marshal(&m)
	if err != nil {
		b.Fatal(err)
	}
	frame := make([]byte, 0, len(data)+4)
	frame = binary.BigEndian.AppendUint16(append(frame, 0x81, 126), uint16(len(data)))
	frame = append(frame, data...)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.out {
		select {
		case c <- frame:
		default:
			b.Fatal("a reader is too slow")
		}
	}
}
