package eventstream

import (
	"net"
	"time"
)

// Wire is a connection to which a WebSocket writes control frames and a stream messages.
type Wire struct{ *wire }

// NewWire makes one.
func NewWire(c net.Conn, patience time.Duration) Wire {
	return Wire{&wire{Conn: c, patience: patience}}
}

// Send writes messages.
func (w Wire) Send(frames []byte) error { return w.send(frames) }
