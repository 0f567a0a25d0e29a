package fanout

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// changesAhead is how many changes may be under way to the panels: fewer than a watcher may be behind, so that nobody is cut off.
const changesAhead = 64

// crowd are panels that read, and check of each message its type, its number and its last byte: as little as will find one that is lost, doubled, out
// of order or mangled. They are the same for all who send.
type crowd struct {
	told   chan struct{} // from each panel whenever it has read so many messages as may be under way
	wrong  chan error
	of     int
	change func(i int)
	made   int
}

// connect opens n event streams. Each tells when it has read so many messages as come before the changes, and then of each changesAhead of these.
func connect(n, before int, addr, token string, later func(func())) (*crowd, error) {
	c := &crowd{told: make(chan struct{}, n), wrong: make(chan error, n), of: n}
	var readers sync.WaitGroup
	later(readers.Wait)
	for i := range n {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", addr)
		if err != nil {
			return nil, err
		}
		later(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\nX-Earshot-Employee: e%d\r\n\r\n", token, i)
		if err != nil {
			return nil, err
		}
		r := bufio.NewReaderSize(conn, 64<<10)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("the event stream is answered by %s", resp.Status)
		}
		readers.Go(func() {
			got := 0
			c.wrong <- readFrames(r, func() {
				if got++; (got-before)%changesAhead == 0 {
					c.told <- struct{}{}
				}
			})
		})
	}
	return c, nil
}

// wait waits until every panel has told.
func (c *crowd) wait() error {
	for range c.of {
		select {
		case <-c.told:
		case err := <-c.wrong:
			return err
		case <-time.After(30 * time.Second):
			return fmt.Errorf("a panel was not told of all changes")
		}
	}
	return nil
}

// do makes n changes, a multiple of those that may be under way.
func (c *crowd) do(n int) {
	for range n {
		c.change(c.made)
		if c.made++; c.made%changesAhead == 0 {
			must(c.wait())
		}
	}
}

// readFrames reads messages until the connection is closed.
func readFrames(r *bufio.Reader, each func()) error {
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
