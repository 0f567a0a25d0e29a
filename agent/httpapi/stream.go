package httpapi

import (
	"errors"
	"maps"
	"net/http"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/eventstream"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// endSpoke ends the stream of a client that says something.
var endSpoke = eventstream.Ending{Word: "client_sent", Code: websocket.StatusUnsupportedData, Reason: "this stream takes no messages; ask by HTTP requests"}

var ends = append(eventstream.Endings(), endSpoke)

// messages are what one watcher is told, each in a frame.
type messages struct {
	*gate.Watcher
	collected uint64
}

// Collect implements [eventstream.Source].
func (m *messages) Collect(b []byte) []byte {
	for len(b) < eventstream.Flush {
		next, ok := m.Append(eventstream.Begin(b))
		if !ok {
			break
		}
		b = eventstream.Frame(next, len(b))
		m.collected++
	}
	return b
}

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
	leave, err := s.room.Take(streamsOf(who), s.cfg.PerEmployee, 0)
	if err != nil {
		if errors.Is(err, eventstream.ErrFull) {
			s.met.limited.WithLabelValues(limitStreams).Inc()
		}
		x.fail(asProblem(err))
		return
	}
	defer leave()
	watcher, err := s.cfg.Gate.Watch(who)
	if err != nil {
		x.fail(asProblem(err))
		return
	}
	defer watcher.Close()
	told := &messages{Watcher: watcher}
	st := eventstream.New(eventstream.Config{
		Source: told, Holds: func() bool { return s.cfg.Auth.Holds(who) }, Expires: who.Expires(), Every: s.cfg.PingInterval, Patience: s.cfg.WriteTimeout, Spoke: endSpoke,
		Sent: func(n int) {
			x.sent = told.collected
			x.bytes += int64(n)
		},
		OnEnd: func(e eventstream.Ending) {
			x.ended = e.Word
			s.met.ends.WithLabelValues(e.Word).Inc()
		},
	})
	if err := st.Accept(x, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, OriginPatterns: s.cfg.Origins}); err != nil {
		var refused *eventstream.Refusal
		if errors.As(err, &refused) {
			maps.Copy(x.Header(), refused.Header)
			x.fail(ofStatus(refused.Status))
		}
		return
	}
	s.room.Serve(st)
}
