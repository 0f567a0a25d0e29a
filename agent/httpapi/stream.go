package httpapi

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// ending is why a stream is over: a word for logs and metrics, and what the client is told (RFC 6455, section 7.4; 1013 is "try again later"
// in IANA's registry). A reason has at most 123 bytes.
type ending struct {
	word   string
	code   websocket.StatusCode
	reason string
}

var (
	endGone     = ending{word: "client_gone"}
	endStuck    = ending{word: "write_timeout"}
	endSilent   = ending{word: "no_pong"}
	endSlow     = ending{"too_slow", websocket.StatusTryAgainLater, gate.CutSlow.Error()}
	endShutdown = ending{"shutdown", websocket.StatusTryAgainLater, gate.CutShutdown.Error()}
	endUnknown  = ending{"unknown_employee", websocket.StatusPolicyViolation, gate.CutUnknown.Error()}
	endRevoked  = ending{"credential_ended", websocket.StatusPolicyViolation, "the credential no longer holds; connect again with another"}
	endSpoke    = ending{"client_sent", websocket.StatusUnsupportedData, "this stream takes no messages; ask by HTTP requests"}
	endFault    = ending{"internal", websocket.StatusInternalError, "something went wrong inside Earshot; connect again"}
)

var ends = [...]ending{endGone, endStuck, endSilent, endSlow, endShutdown, endUnknown, endRevoked, endSpoke, endFault}

func endOf(err error) ending {
	switch {
	case errors.Is(err, gate.CutSlow):
		return endSlow
	case errors.Is(err, gate.CutShutdown):
		return endShutdown
	case errors.Is(err, gate.CutUnknown):
		return endUnknown
	}
	return endFault
}

// stream is one open event stream. The goroutine of its request writes the messages; one reads, so that closes and pongs are seen; one looks
// after it. Whoever finds that it is over calls end; the first that the request's goroutine learns of is what the client is told.
type stream struct {
	subject auth.Subject
	conn    *websocket.Conn
	raw     *wire

	over    chan struct{} // closed by end
	watcher *gate.Watcher // whose reader is to leave then
	once    sync.Once
	why     ending // set before over is closed
}

// end says why the stream is over; the first reason stands. It does not wait.
func (st *stream) end(e ending) {
	st.once.Do(func() {
		st.why = e
		close(st.over)
		st.watcher.Leave()
	})
}

// kill cuts the connection without a word.
func (st *stream) kill() { _ = st.raw.Close() }

// events is GET /v1/events.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange) // ServeHTTP put it there
	who, p := s.authenticate(x, r, true)
	if p == nil {
		p = query(r.URL)
	}
	if p == nil && !speaks(r.Header) {
		p = newProblem(http.StatusBadRequest, "unknown_subprotocol", "Offer the subprotocol earshot.v1, alone or with bearer.TOKEN, or none.")
	}
	if p != nil {
		x.fail(p)
		return
	}
	if p := s.admit(who); p != nil {
		x.fail(p)
		return
	}
	defer s.leave(who)
	watcher, err := s.cfg.Gate.Watch(who)
	if err != nil {
		x.fail(asProblem(err))
		return
	}
	defer watcher.Close()
	x.mute = true // what Accept answers to a handshake that it refuses is plain text, with the client's header in it
	conn, err := websocket.Accept(x, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, OriginPatterns: s.cfg.Origins})
	if err != nil {
		if x.conn == nil {
			x.refused(x.status)
		}
		return
	}
	x.mute = false
	x.conn.patience = s.cfg.WriteTimeout
	st := &stream{subject: who, conn: conn, raw: x.conn, over: make(chan struct{}), watcher: watcher}
	s.enter(st)
	defer s.exit(st)
	var both sync.WaitGroup
	both.Go(st.listen)
	both.Go(func() { s.keep(st) })
	s.deliver(x, st)
	watcher.Close()
	s.hangUp(x, st)
	both.Wait()
}

// flush is how many bytes of messages are written at once, or one message that is longer.
const flush = 32 << 10

// spare are buffers for them. A stream on which nothing happens holds none.
var spare = sync.Pool{New: func() any { return new([]byte) }}

// deliver writes messages until the stream is over: all that are there in one go, so that a watcher who is behind catches up. What is ready
// when another has ended the stream is not sent: the credential may be what has ended.
func (s *Server) deliver(x *exchange, st *stream) {
	for {
		if err := st.watcher.Wait(); err != nil {
			st.end(endOf(err))
			return
		}
		buf := spare.Get().(*[]byte)
		frames, messages := collect((*buf)[:0], st.watcher)
		select {
		case <-st.over:
			return
		default:
		}
		if err := st.raw.send(frames); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				st.end(endStuck)
			}
			st.end(endGone)
			return
		}
		x.sent += messages
		x.bytes += int64(len(frames))
		if cap(frames) <= 2*flush {
			*buf = frames
			spare.Put(buf)
		}
	}
}

// collect appends the messages that are there, each in its frame.
func collect(b []byte, watcher *gate.Watcher) (frames []byte, messages uint64) {
	for len(b) < flush {
		begin := len(b)
		next, ok := watcher.Append(append(b, make([]byte, headroom)...))
		if !ok {
			break
		}
		b = enframe(next, begin)
		messages++
	}
	return b, messages
}

// listen reads until the client closes, goes away, or says something, which is not for it to do.
func (st *stream) listen() {
	if _, _, err := st.conn.Reader(context.Background()); err != nil {
		st.end(endGone)
		return
	}
	st.end(endSpoke)
}

// keep looks now and then whether the client is there and its credential holds.
func (s *Server) keep(st *stream) {
	tick := time.NewTicker(s.cfg.PingInterval)
	defer tick.Stop()
	var expiry <-chan time.Time
	if at := st.subject.Expires(); !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		expiry = t.C
	}
	for {
		// First of all once at once: the credential may have been taken away before Recheck could find this stream.
		if !s.cfg.Auth.Holds(st.subject) {
			st.end(endRevoked)
			return
		}
		select {
		case <-st.over:
			return
		case <-expiry:
		case <-tick.C:
			// Not a context that ends with the stream: a write that is cancelled breaks the connection before the reason is told.
			ctx, cancel := context.WithTimeout(context.Background(), s.cfg.WriteTimeout)
			err := st.conn.Ping(ctx)
			cancel()
			if err != nil {
				st.end(endSilent)
				return
			}
		}
	}
}

// hangUp tells the client why and closes. It may take ten seconds with a client that does not answer.
func (s *Server) hangUp(x *exchange, st *stream) {
	x.ended = st.why.word
	s.met.ends.WithLabelValues(st.why.word).Inc()
	if st.why.code == 0 {
		_ = st.conn.CloseNow()
		return
	}
	_ = st.conn.Close(st.why.code, st.why.reason)
}
