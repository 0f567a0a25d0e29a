package amiproxy

import (
	"context"
	"errors"
	"sync"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

// stream sends one session the events that are made of what its subject's watcher is shown. It is owned by one goroutine.
type stream struct {
	*Server
	session *ami.Session
	watcher *gate.ChannelWatcher
	form    func([]mask.ChannelChange) any
	fills   []byte // the handles of one scene
}

// follow opens the watcher of a session that has a subject, so that whatever happens from now on is told, and a list which the client asks for next
// leaves no gap before the events. What happens is sent once begin is called, which must be.
func (s *Server) follow(ctx context.Context, session *ami.Session, c *client) (begin func(), err error) {
	if !c.subject.Known() {
		s.log.Warn().Str("who", c.name()).Msg("this panel hears of no call, since the policy has no entry of its name: give it one with `panel: true` that may observe, and --acts-for with its own name")
		return func() {}, nil // for nobody in particular there is nothing to tell
	}
	watcher, err := s.cfg.Gate.WatchChannels(c.subject)
	if err != nil {
		return nil, err
	}
	st := &stream{Server: s, session: session, watcher: watcher, form: s.render}
	return func() {
		s.streams.Go(func() {
			defer watcher.Close()
			defer context.AfterFunc(ctx, watcher.Leave)()
			if err := st.run(); !errors.Is(err, context.Canceled) {
				session.End(err)
			}
		})
	}, nil
}

// run tells what happens until the session or the watcher is over.
func (st *stream) run() error {
	for {
		if err := st.watcher.Wait(); err != nil {
			return err
		}
		for scene, ok := st.watcher.TryNext(); ok; scene, ok = st.watcher.TryNext() {
			if err := st.tell(scene); err != nil {
				return err
			}
		}
	}
}

// tell sends the events of one scene, which are rendered once for all sessions, with the handles of this one's subject.
func (st *stream) tell(scene *gate.Scene) error {
	r := scene.Once(st.Server, st.form).(*rendering)
	if r.err != nil {
		return r.err
	}
	if !r.wanted(st.session) {
		return nil
	}
	st.fills = st.fills[:0]
	for i := range r.events.Fills() / mask.HandleLen {
		st.fills = append(st.fills, st.watcher.Handle(scene, i)[:]...)
	}
	st.session.SendFilled(st.fills, r.events) // fails for a session that is over
	return nil
}

// rendering is what a scene is over the wire, with holes where each session's own handles go.
type rendering struct {
	events  *ami.Prepared // nil for none
	classes []ami.Class   // of the events, each once
	err     error
}

// wanted reports whether a session's event mask lets any of it through.
func (r *rendering) wanted(s *ami.Session) bool {
	for _, c := range r.classes {
		if s.Wants(c) {
			return true
		}
	}
	return false
}

// tellers are what events are made by: their memory has grown to the size of a scene.
var tellers = sync.Pool{New: func() any {
	return &teller{events: ami.Builder{Holes: ami.Holes{Width: mask.HandleLen, Next: mask.NextHole}}}
}}

// render makes the events of a scene.
func (s *Server) render(changes []mask.ChannelChange) any {
	t := tellers.Get().(*teller)
	defer tellers.Put(t)
	t.context, t.colleague, t.classes, t.err = s.cfg.Context, s.cfg.Gate.Colleague, nil, nil
	for i := range changes {
		t.change(&changes[i])
	}
	return &rendering{events: t.events.Done(), classes: t.classes, err: t.err}
}
