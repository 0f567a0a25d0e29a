package eventstream

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// Flush is how many bytes of frames are written at once, or one frame that is longer.
const Flush = 32 << 10

// wire is a hijacked connection to which two write: the WebSocket its control frames, and the stream its messages, several at a time, for
// which the WebSocket has no means: it has one write to the kernel for each. A frame is written whole before the next begins, and no message
// follows a close frame (RFC 6455, section 5.5.1).
type wire struct {
	net.Conn
	patience time.Duration // a write is waited for that long, and at most half as long again

	mu     sync.Mutex // held while a write waits for the other side, as within net.Conn itself; the patience bounds it
	until  time.Time  // the deadline that is set
	closed bool       // a close frame is out

	beside  sync.Mutex // guards what follows; held for nothing that waits
	sending bool       // messages are being written
	aside   []byte     // pings and pongs that go out behind those
}

// opClose is the first byte of a close frame, which is never in parts.
const opClose = 0x88

// maxAside is how many bytes of pings and pongs wait for a client who takes nothing. It is owed one of each, which has 127.
const maxAside = 1 << 10

// Write is the WebSocket's. It brings one control frame, whole, as none is longer than its buffer.
//
// A ping or a pong does not wait for messages that a client is slow to take: the WebSocket has five seconds for each, whatever the patience is, and breaks
// the connection then.
func (c *wire) Write(frame []byte) (int, error) {
	closing := len(frame) > 0 && frame[0] == opClose
	if !closing && c.putAside(frame) {
		return len(frame), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = c.closed || closing
	c.bound()
	return c.Conn.Write(frame)
}

// putAside leaves a frame to who is sending, if somebody is. Of those for which there is no room none goes out.
func (c *wire) putAside(frame []byte) bool {
	c.beside.Lock()
	defer c.beside.Unlock()
	if c.sending && len(c.aside)+len(frame) <= maxAside {
		c.aside = append(c.aside, frame...)
	}
	return c.sending
}

// send writes messages that are in frames already.
func (c *wire) send(frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.beside.Lock()
	c.sending = true
	c.beside.Unlock()
	c.bound() // once: what was put aside has what is left of it, or who goes on with pings would hold the stream for ever
	for more := frames; len(more) > 0; more = c.left() {
		if _, err := c.Conn.Write(more); err != nil {
			return err // and nothing more is sent
		}
	}
	return nil
}

// left is what was put aside meanwhile; when nothing was, nobody is sending any more.
func (c *wire) left() []byte {
	c.beside.Lock()
	defer c.beside.Unlock()
	left := c.aside
	c.aside, c.sending = nil, len(left) > 0
	return left
}

// bound sees to it that there is a deadline for the write to come. It is the connection's and not a context's, which would cost a timer for each
// write, and it is not set anew as long as there is enough of it left.
func (c *wire) bound() {
	if now := time.Now(); c.until.Sub(now) < c.patience {
		c.until = now.Add(c.patience + c.patience/2)
		_ = c.SetWriteDeadline(c.until)
	}
}

// A text message in one frame begins with this byte and the length of what follows: in 7 bits, or 16 or 64 that come after (RFC 6455, section 5.2).
const (
	opText   = 0x81
	length16 = 126
	length64 = 127
)

// headroom is what is left free before a message for the header that most have.
const headroom = 4

// Begin begins a frame behind b: what is appended to what it returns is the message, up to Frame.
func Begin(b []byte) []byte { return append(b, make([]byte, headroom)...) }

// Frame makes a text message's frame of what was appended to b since Begin, before which it had the length at.
func Frame(b []byte, at int) []byte {
	n := len(b) - at - headroom
	b[at] = opText
	switch {
	case n < length16:
		b[at+1] = byte(n) //nolint:gosec // fewer than 126
		copy(b[at+2:], b[at+headroom:])
		return b[:len(b)-2]
	case n <= 0xffff:
		b[at+1] = length16
		binary.BigEndian.PutUint16(b[at+2:], uint16(n))
		return b
	}
	b = append(b, 0, 0, 0, 0, 0, 0)
	copy(b[at+headroom+6:], b[at+headroom:])
	b[at+1] = length64
	binary.BigEndian.PutUint64(b[at+2:], uint64(n))
	return b
}
