package ariproxy

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// ending is why a stream is over: a word for metrics, and what the client is told (RFC 6455, section 7.4; 1013 is "try again later").
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
	endSpoke    = ending{"client_sent", websocket.StatusPolicyViolation, "this stream takes no requests; ask by HTTP"}
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

// subprotocol is what the stream speaks. A client that offers none gets none.
const subprotocol = "ari"

// stream is one open event stream. The goroutine of its request writes the events; one reads, so that closes and pongs are seen; one looks after it.
// Whoever finds that it is over calls end; the first is what the client is told.
type stream struct {
	server   *Server
	client   *client
	conn     *websocket.Conn
	raw      *wire
	watcher  *gate.ChannelWatcher
	estate   *estate           // set before it is known to anybody else, as are seats
	seats    []*seat           //
	replaced chan *application // that another stream has now

	// Of the goroutine that writes.
	ahead *gate.Scene       // taken, and not told yet
	begun map[string]bool   // phones' legs whose StasisStart, and not whose StasisEnd, was told
	late  map[string][]late // of those that are gone: what is to be told behind StasisEnd
	about about

	fills []byte // the handles of one scene
	text  []byte // of one event

	over chan struct{} // closed by end
	once sync.Once
	why  ending // set before over is closed
}

// end says why the stream is over; the first reason stands. It does not wait.
func (st *stream) end(e ending) {
	st.once.Do(func() {
		st.why = e
		close(st.over)
		st.watcher.Leave()
	})
}

// events is GET /events.
func (x *exchange) events() error {
	names, f := readApps(x.q.params["app"])
	if f != nil {
		return f
	}
	word, asked := x.q.params["subscribeAll"]
	all, ok := truths[word]
	if asked && !ok {
		return faultAll
	}
	if f := x.upgrades(); f != nil {
		return f
	}
	if err := x.admit(); err != nil {
		return err
	}
	defer x.leave()
	watcher, err := x.cfg.Gate.WatchChannels(x.who())
	if err != nil {
		return err
	}
	defer watcher.Close()
	h := &handshake{ResponseWriter: x.w, patience: x.cfg.WriteTimeout, aside: http.Header{}}
	st := &stream{server: x.Server, client: x.client, watcher: watcher, replaced: make(chan *application, maxApps), late: map[string][]late{}, over: make(chan struct{})}
	x.register(st, names, all) // before the client is told, who may ask for his applications then
	defer x.unregister(st)
	if st.conn, err = websocket.Accept(h, x.r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, InsecureSkipVerify: true}); err != nil { // whose page it is has been looked at
		if h.conn != nil {
			_ = h.conn.Close()
			x.status = http.StatusSwitchingProtocols
			return nil
		}
		return faultHandshake
	}
	st.raw, x.status = h.conn, http.StatusSwitchingProtocols
	x.enter(st)
	defer x.exit(st)
	st.conn.SetReadLimit(maxBody)
	var both sync.WaitGroup
	both.Go(st.listen)
	both.Go(st.keep)
	st.deliver()
	watcher.Close()
	st.hangUp()
	both.Wait()
	return nil
}

// upgrades checks a handshake before anything is begun for it.
func (x *exchange) upgrades() *fault {
	if !isUpgrade(x.r.Header) {
		return faultUpgrade
	}
	offered := x.r.Header["Sec-Websocket-Protocol"]
	if x.r.Header.Get("Sec-WebSocket-Version") != "13" || len(x.r.Header["Sec-Websocket-Key"]) != 1 || len(offered) > 0 && !hasToken(offered, subprotocol) {
		return faultHandshake
	}
	return nil
}

// admit counts one stream more of a client's, where there is room for it. Each is given back by leave.
func (x *exchange) admit() error {
	sh := x.client.share
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.closed:
		return faultClosedDoor
	case sh.streams >= x.most(x.client) || x.places >= x.cfg.MaxSessions:
		return faultCrowd
	}
	sh.streams++
	x.places++
	x.open.Add(1)
	return nil
}

func (x *exchange) leave() {
	x.mu.Lock()
	x.client.share.streams--
	x.places--
	x.mu.Unlock()
	x.open.Done()
}

// enter puts a stream among those that are ended from elsewhere. What was done in the meantime is made up for.
func (s *Server) enter(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[st] = struct{}{}
	if s.closed {
		st.end(endShutdown)
	}
}

func (s *Server) exit(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st)
}

// closeStreams ends every stream and takes no new one. What clients steer whose streams have ended goes at once.
func (s *Server) closeStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.stop()
	for st := range s.streams {
		st.end(endShutdown)
	}
	for _, e := range s.estates {
		e.hurry()
	}
}

// killStreams cuts off those that have not ended when ctx is over.
func (s *Server) killStreams(ctx context.Context) {
	done := make(chan struct{})
	go func() { s.open.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	for st := range s.streams {
		_ = st.raw.Close()
	}
	s.mu.Unlock()
	<-done
}

// deliver writes events until the stream is over: all that are there in one go, so that a client who is behind catches up.
func (st *stream) deliver() {
	for {
		if st.ahead == nil {
			if err := st.watcher.Wait(); err != nil {
				st.end(endOf(err))
				return
			}
		}
		if free := st.estate.still(); free != nil {
			select {
			case <-free:
			case <-st.over:
			}
		}
		select {
		case <-st.over: // also with a scene in hand
			return
		default:
		}
		st.raw.begin()
		err := st.tell()
		if out := st.raw.release(); err == nil {
			err = out
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				st.end(endStuck)
			}
			st.end(endGone)
			return
		}
	}
}

// tell writes the scenes that are there. What is ready when the stream has been ended is not told: the credential may be what has ended.
func (st *stream) tell() error {
	for {
		select {
		case <-st.over:
			return nil
		default:
		}
		scene := st.ahead
		if st.ahead = nil; scene == nil {
			var ok bool
			if scene, ok = st.watcher.TryNext(); !ok {
				return nil
			}
		}
		if st.estate.still() != nil { // looked at behind the scene, which may be of what is being made
			st.ahead = scene
			return nil
		}
		if err := st.scene(scene); err != nil {
			return err
		}
	}
}

// scene writes what one is to each of the applications.
func (st *stream) scene(scene *gate.Scene) error {
	if n, ok := scene.Note().(*news); ok {
		return st.news(n)
	}
	r := scene.Once(st.server, st.server.form).(*rendering)
	if len(r.events) == 0 {
		return nil
	}
	st.fills = st.fills[:0]
	for i := range r.handles {
		st.fills = append(st.fills, st.watcher.Handle(scene, i)[:]...)
	}
	for _, at := range st.seats {
		if at.gone.Load() {
			continue
		}
		if !at.plain.Load() || st.estate.busy.Load() {
			if err := st.chosen(at, r); err != nil {
				return err
			}
			continue
		}
		for i := range r.events {
			st.text = r.events[i].fill(append(st.text[:0], at.begin...), st.fills)
			if err := st.write(st.text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (st *stream) write(text []byte) error {
	return st.conn.Write(context.Background(), websocket.MessageText, text)
}

// listen reads until the client closes, goes away, or says something. Asterisk takes requests in frames, past the read-only right of the user and the
// addresses that he may come from; here there are none.
func (st *stream) listen() {
	if _, _, err := st.conn.Reader(context.Background()); err != nil {
		st.end(endGone)
		return
	}
	st.server.note(st.client, "GET /events", faultInStream.code)
	st.end(endSpoke)
}

// keep looks now and then whether the client is there and its credential holds, and tells it what has been replaced.
func (st *stream) keep() {
	s := st.server
	tick := time.NewTicker(s.cfg.Recheck)
	defer tick.Stop()
	var expiry <-chan time.Time
	if at := st.client.subject.Expires(); !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		expiry = t.C
	}
	for {
		// First of all once at once: the credential may have been taken away before Recheck could find this stream.
		if !s.holds(st.client) {
			st.end(endRevoked)
			return
		}
		select {
		case <-st.over:
			return
		case <-expiry:
			expiry = nil
		case app := <-st.replaced:
			text := append(append([]byte(nil), app.begin...), s.replacedText()...)
			if err := st.conn.Write(context.Background(), websocket.MessageText, text); err != nil {
				st.end(endGone)
				return
			}
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
func (st *stream) hangUp() {
	st.server.met.ends.WithLabelValues(st.why.word).Inc()
	if st.why.code == 0 {
		_ = st.conn.CloseNow()
		return
	}
	_ = st.conn.Close(st.why.code, st.why.reason)
}
