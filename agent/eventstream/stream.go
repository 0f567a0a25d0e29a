// Package eventstream serves clients with events over WebSockets, one stream for each: what is there is told in one write, who is behind catches up or is
// cut off, who has gone is found out, and whoever finds that a stream is over has the client told why.
//
// Its invariant: it knows nothing of what it sends. A stream takes frames of a Source and no bytes of anybody else's, sends none once it is over, and none
// behind the frame that closes it; a credential that no longer holds ends it.
package eventstream

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// Ending is why a stream is over: a word for logs and metrics, and what the client is told (RFC 6455, section 7.4; 1013 is "try again later" in IANA's
// registry), of which a reason has at most 123 bytes. Without a code the client is told nothing.
type Ending struct {
	Word   string
	Code   websocket.StatusCode
	Reason string
}

// The endings that streams have by themselves. A door has one more, of a client that says something.
var (
	Gone     = Ending{Word: "client_gone"}
	Stuck    = Ending{Word: "write_timeout"}
	Silent   = Ending{Word: "no_pong"}
	Slow     = Ending{"too_slow", websocket.StatusTryAgainLater, gate.CutSlow.Error()}
	Shutdown = Ending{"shutdown", websocket.StatusTryAgainLater, gate.CutShutdown.Error()}
	Unknown  = Ending{"unknown_employee", websocket.StatusPolicyViolation, gate.CutUnknown.Error()}
	Revoked  = Ending{"credential_ended", websocket.StatusPolicyViolation, "the credential no longer holds; connect again with another"}
	Fault    = Ending{"internal", websocket.StatusInternalError, "something went wrong inside Earshot; connect again"}
)

// Endings are all of those.
func Endings() []Ending {
	return []Ending{Gone, Stuck, Silent, Slow, Shutdown, Unknown, Revoked, Fault}
}

func endingOf(err error) Ending {
	switch {
	case errors.Is(err, gate.CutSlow):
		return Slow
	case errors.Is(err, gate.CutShutdown):
		return Shutdown
	case errors.Is(err, gate.CutUnknown):
		return Unknown
	}
	return Fault
}

// Source is what a stream tells. Wait, Collect and Close are called by one goroutine, Leave by any.
type Source interface {
	// Wait waits until there is something to tell, and returns an error when there will be nothing any more: one of the gate's Cut errors where it has one.
	Wait() error
	// Collect appends what is there in frames, as Begin and Frame make them: of about Flush bytes, or one that is longer. What is left has Wait return at once.
	Collect(frames []byte) []byte
	// Leave has Wait return.
	Leave()
	// Close gives back what the source has. It may be called more than once.
	Close()
}

// Config is what a Stream is made of.
type Config struct {
	Source   Source
	Holds    func() bool   // whether the client's credential still does
	Expires  time.Time     // when it ends by itself; zero: it does not
	Every    time.Duration // how often that is looked at, and whether the client is there
	Patience time.Duration // how long a write is waited for, and at most half as long again; an answer to a ping, so long
	Spoke    Ending        // of a client that says something, which is not for it to do
	OnSpoke  func()        // is told of that before the stream ends; may be nil
	Sent     func(n int)   // is told of what was sent, in bytes; may be nil
	OnEnd    func(Ending)  // is told once why it is over, before the client is; may be nil
}

// Stream is one open event stream. The goroutine that serves it writes the frames; one reads, so that closes and pongs are seen; one looks after it. Whoever
// finds that it is over calls End; the first is what the client is told.
type Stream struct {
	cfg  Config
	conn *websocket.Conn
	raw  *wire

	over chan struct{} // closed by End
	once sync.Once
	why  Ending // set before over is closed
}

// New makes a stream that is to be accepted and served yet. It may be ended before.
func New(cfg Config) *Stream { return &Stream{cfg: cfg, over: make(chan struct{})} }

// End says why the stream is over; the first reason stands. It does not wait.
func (st *Stream) End(e Ending) {
	st.once.Do(func() {
		st.why = e
		close(st.over)
		st.cfg.Source.Leave()
	})
}

// Over is closed when the stream is over.
func (st *Stream) Over() <-chan struct{} { return st.over }

// Ended is why the stream is over; nothing while it is not.
func (st *Stream) Ended() Ending {
	select {
	case <-st.over:
		return st.why
	default:
		return Ending{}
	}
}

// kill cuts the connection without a word.
func (st *Stream) kill() { _ = st.raw.Close() }

// serve tells the client what there is until the stream is over, tells it why, and closes.
func (st *Stream) serve() {
	var both sync.WaitGroup
	both.Go(st.listen)
	both.Go(st.keep)
	st.deliver()
	st.cfg.Source.Close()
	if st.cfg.OnEnd != nil {
		st.cfg.OnEnd(st.why)
	}
	st.hangUp()
	both.Wait()
}

// spare are buffers for frames. A stream on which nothing happens holds none.
var spare = sync.Pool{New: func() any { return new([]byte) }}

// deliver writes messages until the stream is over: all that are there in one go, so that a client who is behind catches up. What is ready when another has
// ended the stream is not sent: the credential may be what has ended.
func (st *Stream) deliver() {
	for {
		if err := st.cfg.Source.Wait(); err != nil {
			st.End(endingOf(err))
			return
		}
		buf := spare.Get().(*[]byte)
		frames := st.cfg.Source.Collect((*buf)[:0])
		select {
		case <-st.over:
			return
		default:
		}
		if err := st.raw.send(frames); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				st.End(Stuck)
			}
			st.End(Gone)
			return
		}
		if st.cfg.Sent != nil {
			st.cfg.Sent(len(frames))
		}
		if cap(frames) <= 2*Flush {
			*buf = frames
			spare.Put(buf)
		}
	}
}

// listen reads until the client closes, goes away, or says something.
func (st *Stream) listen() {
	if _, _, err := st.conn.Reader(context.Background()); err != nil {
		st.End(Gone)
		return
	}
	if st.cfg.OnSpoke != nil {
		st.cfg.OnSpoke()
	}
	st.End(st.cfg.Spoke)
}

// keep looks now and then whether the client is there and its credential holds.
func (st *Stream) keep() {
	tick := time.NewTicker(st.cfg.Every)
	defer tick.Stop()
	var expiry <-chan time.Time
	if at := st.cfg.Expires; !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		expiry = t.C
	}
	for {
		// First of all once at once: the credential may have been taken away before Recheck could find this stream.
		if !st.cfg.Holds() {
			st.End(Revoked)
			return
		}
		select {
		case <-st.over:
			return
		case <-expiry:
		case <-tick.C:
			// Not a context that ends with the stream: a write that is cancelled breaks the connection before the reason is told.
			ctx, cancel := context.WithTimeout(context.Background(), st.cfg.Patience)
			err := st.conn.Ping(ctx)
			cancel()
			if err != nil {
				st.End(Silent)
				return
			}
		}
	}
}

// hangUp tells the client why and closes. It may take ten seconds with a client that does not answer.
func (st *Stream) hangUp() {
	if st.why.Code == 0 {
		_ = st.conn.CloseNow()
		return
	}
	_ = st.conn.Close(st.why.Code, st.why.Reason)
}
