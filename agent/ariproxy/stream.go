package ariproxy

import (
	"errors"
	"net/http"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/eventstream"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// endSpoke ends the stream of a client that says something.
var endSpoke = eventstream.Ending{Word: "client_sent", Code: websocket.StatusPolicyViolation, Reason: "this stream takes no requests; ask by HTTP"}

var ends = append(eventstream.Endings(), endSpoke)

// subprotocol is what the stream speaks. A client that offers none gets none.
const subprotocol = "ari"

// stream is one open event stream, and what it is made of.
type stream struct {
	*eventstream.Stream
	server  *Server
	client  *client
	watcher *gate.ChannelWatcher
	estate  *estate // set before it is known to anybody else, as are seats
	seats   []*seat

	// Of the goroutine that writes.
	ahead *gate.Scene       // taken, and not told yet
	begun map[string]bool   // phones' legs whose StasisStart, and not whose StasisEnd, was told
	late  map[string][]late // of those that are gone: what is to be told behind StasisEnd
	about about

	fills  []byte // the handles of one scene
	frames []byte // of what is being told
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
	leave, err := x.room.Take(x.client.name(), x.most(x.client), x.cfg.MaxSessions)
	switch {
	case errors.Is(err, eventstream.ErrClosed):
		return faultClosedDoor
	case err != nil:
		return faultCrowd
	}
	defer leave()
	watcher, err := x.cfg.Gate.WatchChannels(x.who())
	if err != nil {
		return err
	}
	defer watcher.Close()
	st := &stream{server: x.Server, client: x.client, watcher: watcher, late: map[string][]late{}}
	st.Stream = eventstream.New(eventstream.Config{
		Source: st, Holds: func() bool { return x.holds(st.client) }, Expires: st.client.subject.Expires(), Every: x.cfg.Recheck, Patience: x.cfg.WriteTimeout,
		// Asterisk takes requests in frames, past the read-only right of the user and the addresses that he may come from; here there are none.
		Spoke: endSpoke, OnSpoke: func() { x.note(st.client, "GET /events", faultInStream.code) },
		OnEnd: func(e eventstream.Ending) { x.met.ends.WithLabelValues(e.Word).Inc() },
	})
	x.register(st, names, all) // before the client is told, who may ask for his applications then
	defer x.unregister(st)
	if err := st.Accept(x.w, x.r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, InsecureSkipVerify: true}); err != nil { // whose page it is has been looked at
		var refused *eventstream.Refusal
		if errors.As(err, &refused) {
			return faultHandshake
		}
		x.status = http.StatusSwitchingProtocols
		return nil
	}
	x.status = http.StatusSwitchingProtocols
	x.room.Serve(st.Stream)
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

// closeStreams ends every stream and takes no new one. What clients steer whose streams have ended goes at once.
func (s *Server) closeStreams() {
	s.room.Shut()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	for _, e := range s.estates {
		e.hurry()
	}
}

// Leave implements [eventstream.Source].
func (st *stream) Leave() { st.watcher.Leave() }

// Close implements [eventstream.Source].
func (st *stream) Close() { st.watcher.Close() }

// Wait implements [eventstream.Source]: for a scene, and until what is just being made is there.
func (st *stream) Wait() error {
	if st.ahead == nil {
		if err := st.watcher.Wait(); err != nil {
			return err
		}
	}
	if free := st.estate.still(); free != nil {
		select {
		case <-free:
		case <-st.Over(): // also with a scene in hand
		}
	}
	return nil
}

// Collect implements [eventstream.Source]. When the stream has been ended nothing more is collected.
func (st *stream) Collect(b []byte) []byte {
	st.frames = b
	st.collect()
	b, st.frames = st.frames, nil // which is another's then
	return b
}

func (st *stream) collect() {
	for len(st.frames) < eventstream.Flush {
		select {
		case <-st.Over():
			return
		default:
		}
		scene := st.ahead
		if st.ahead = nil; scene == nil {
			var ok bool
			if scene, ok = st.watcher.TryNext(); !ok {
				return
			}
		}
		if st.estate.still() != nil { // looked at behind the scene, which may be of what is being made
			st.ahead = scene
			return
		}
		st.scene(scene)
	}
}

// scene collects what one is to each of the applications.
func (st *stream) scene(scene *gate.Scene) {
	if n, ok := scene.Note().(*news); ok {
		st.news(n)
		return
	}
	r := scene.Once(st.server, st.server.form).(*rendering)
	if len(r.events) == 0 {
		return
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
			st.chosen(at, r)
			continue
		}
		for i := range r.events {
			begin := st.begin(at)
			st.frames = r.events[i].fill(st.frames, st.fills)
			st.frame(begin)
		}
	}
}

// begin begins a frame of an application's: its name is there, and what is appended to st.frames up to frame comes behind it.
func (st *stream) begin(at *seat) (begin int) {
	begin = len(st.frames)
	st.frames = append(eventstream.Begin(st.frames), at.begin...)
	return begin
}

// frame ends one.
func (st *stream) frame(begin int) { st.frames = eventstream.Frame(st.frames, begin) }

// text collects a text of an application's, in a frame.
func (st *stream) text(at *seat, text []byte) {
	begin := st.begin(at)
	st.frames = append(st.frames, text...)
	st.frame(begin)
}
