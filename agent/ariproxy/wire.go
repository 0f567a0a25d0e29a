package ariproxy

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// wire is a stream's connection, under the WebSocket: it can hold back what the WebSocket writes, so that what is there to be told goes out in one write
// to the kernel and not in one for each event.
type wire struct {
	net.Conn
	patience time.Duration // a write is waited for that long, and at most half as long again

	mu    sync.Mutex // held while a write waits for the other side, as within net.Conn itself; the patience bounds it
	until time.Time  // the deadline that is set
	hold  bool
	held  []byte
}

// flush is how much is held back, or one event that is longer.
const flush = 32 << 10

// Write is the WebSocket's, of whole frames one after the other.
func (c *wire) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hold {
		c.bound()
		return c.Conn.Write(p)
	}
	if c.held = append(c.held, p...); len(c.held) >= flush {
		if err := c.out(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// begin holds back what is written from now on, until release.
func (c *wire) begin() {
	c.mu.Lock()
	c.hold = true
	c.mu.Unlock()
}

// release sends what was held back.
func (c *wire) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = false
	return c.out()
}

func (c *wire) out() error {
	if len(c.held) == 0 {
		return nil
	}
	c.bound()
	_, err := c.Conn.Write(c.held)
	if c.held = c.held[:0]; cap(c.held) > 2*flush {
		c.held = nil
	}
	return err
}

// bound sees to it that there is a deadline for the write to come. It is not set anew as long as there is enough of it left.
func (c *wire) bound() {
	if now := time.Now(); c.until.Sub(now) < c.patience {
		c.until = now.Add(c.patience + c.patience/2)
		_ = c.SetWriteDeadline(c.until)
	}
}

// handshake is a response that a WebSocket is made of: it keeps hold of the connection, and drops what is said of a handshake that is refused, which has
// the client's headers in it.
type handshake struct {
	http.ResponseWriter
	patience time.Duration
	conn     *wire // once it is taken over
	aside    http.Header
}

// Header is the answer's, or one that nobody reads.
func (h *handshake) Header() http.Header { return h.aside }

// WriteHeader passes on nothing but that the protocol is switched.
func (h *handshake) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		for name, values := range h.aside {
			h.ResponseWriter.Header()[name] = values
		}
		h.ResponseWriter.WriteHeader(status)
	}
}

// Write drops.
func (h *handshake) Write(p []byte) (int, error) { return len(p), nil }

// Hijack hands the connection over.
func (h *handshake) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	from, ok := h.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over")
	}
	conn, rw, err := from.Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = &wire{Conn: conn, patience: h.patience}
	rw.Writer.Reset(h.conn)
	return h.conn, rw, nil
}
