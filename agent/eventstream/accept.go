package eventstream

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// Refusal is a handshake that is not accepted. Nothing was answered.
type Refusal struct {
	Status int
	Header http.Header // that belongs to an answer with it
	cause  error       // with the client's header in it
}

// Error tells no more than the status.
func (r *Refusal) Error() string {
	return fmt.Sprintf("the WebSocket's handshake is refused with %d", r.Status)
}

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.cause }

// errTaken is a handshake that has failed when there was no answering any more.
var errTaken = errors.New("the connection was taken over and could not be used")

// Accept takes a connection over, or returns a Refusal, which is for the caller to answer. Behind any other error the connection is closed.
func (st *Stream) Accept(w http.ResponseWriter, r *http.Request, o *websocket.AcceptOptions) error {
	h := &handshake{ResponseWriter: w, patience: st.cfg.Patience, aside: http.Header{}}
	conn, err := websocket.Accept(h, r, o)
	if err != nil {
		if h.conn != nil {
			_ = h.conn.Close()
			return fmt.Errorf("%w: %w", errTaken, err)
		}
		return &Refusal{h.status, h.aside, err}
	}
	st.conn, st.raw = conn, h.conn
	return nil
}

// handshake is a response that a WebSocket is made of: it keeps hold of the connection, and keeps back what is said of a handshake that is refused, which is
// plain text with the client's header in it.
type handshake struct {
	http.ResponseWriter
	patience time.Duration
	conn     *wire // once it is taken over
	aside    http.Header
	status   int
}

// Header is the answer's, or one that is kept back.
func (h *handshake) Header() http.Header { return h.aside }

// WriteHeader passes on nothing but that the protocol is switched.
func (h *handshake) WriteHeader(status int) {
	if h.status = status; status == http.StatusSwitchingProtocols {
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
