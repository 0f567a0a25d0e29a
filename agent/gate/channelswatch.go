package gate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// Scene is some changes that all who see the same share. Its ids are holes (see mask.Hole), which stand for the handles of whoever it is read for.
// It holds nothing that one of them may not see, and is never changed.
type Scene struct {
	changes []mask.ChannelChange
	marks   []mark // what the handles are made of that go into the holes

	forms atomic.Pointer[sceneForm] // the last one that was asked for

	note any // nothing has happened: it is what Post was given
}

// sceneForm is what one door has made of a scene.
type sceneForm struct {
	door any
	once sync.Once
	made any
	next *sceneForm // of another door
}

// Changes are what has happened, in order. They are not to be written to.
func (s *Scene) Changes() []mask.ChannelChange { return s.changes }

// Once returns what a door has made of the changes. For each door, which is any comparable value, form is called once, whoever asks first; what it makes
// must not rest on who that is.
func (s *Scene) Once(door any, form func([]mask.ChannelChange) any) any {
	f := s.formOf(door)
	f.once.Do(func() { f.made = form(s.changes) })
	return f.made
}

// formOf is a door's place in a scene.
func (s *Scene) formOf(door any) *sceneForm {
	for {
		last := s.forms.Load()
		for f := last; f != nil; f = f.next {
			if f.door == door {
				return f
			}
		}
		if f := (&sceneForm{door: door, next: last}); s.forms.CompareAndSwap(last, f) {
			return f
		}
	}
}

// Holes is how many different handles the scene has.
func (s *Scene) Holes() int { return len(s.marks) }

// ChannelWatcher is one open stream of what happens to the channels that a subject is shown. Next, TryNext, Wait and Handle are for one goroutine;
// Leave and Close may be called by any.
type ChannelWatcher struct {
	// Under the gate's lock.
	cut   error
	me    policy.Ref
	sees  []glance                // by place of the employee
	views map[policy.LineRef]bool // whether he may view the line, of those that have been asked about
	shown map[call.LegID]*shot    // what he was last told
	waits map[visit]guise         // as whom he knows those who wait; all watchers of one subject have it in common
	dark  bool                    // he came while nothing was known, and has been told nothing since

	mailbox[*Scene]
	reader
	recent [8]recentHandle // in turn
	oldest int

	subject auth.Subject
}

// WatchChannels opens a stream of what changes. Nothing is told of what is there already: Channels has that, and whoever asks after WatchChannels
// misses nothing. He may be told of a change that he has found in Channels already.
func (g *Gate) WatchChannels(s auth.Subject) (*ChannelWatcher, error) {
	w := &ChannelWatcher{reader: reader{gate: g, tag: g.secret.tag(tagSubject, s.Employee())}, subject: s}
	w.open(g.met.deliveries)
	err := error(nil)
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		me, ok := set.Employee(s.Employee())
		switch {
		case g.closed:
			err = CutShutdown
		case !ok:
			err = refusedSubject()
		default:
			g.joinChart(t, set, w, me)
			g.met.watchers.Inc()
		}
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Next waits for the next scene. When there is none any more it returns one of the Cut errors, context.Canceled after Leave or Close, and ctx's
// error when that is over first; a scene that is there already is to be had whatever ctx says.
func (w *ChannelWatcher) Next(ctx context.Context) (*Scene, error) {
	if err := w.await(ctx); err != nil {
		return nil, err
	}
	s, _ := w.pop()
	return s, nil
}

// TryNext returns the next scene if it is there already. It does not wait, and does not tell why there is none.
func (w *ChannelWatcher) TryNext() (*Scene, bool) { return w.pop() }

// recentHandle is a handle that was worked out: the events of a call have the same few.
type recentHandle struct {
	mark mark
	text [mask.HandleLen]byte
}

// Handle returns the handle that goes into the i-th hole of a scene. It is good until the next call.
func (w *ChannelWatcher) Handle(s *Scene, i int) *[mask.HandleLen]byte {
	m := &s.marks[i]
	for at := range w.recent {
		if r := &w.recent[at]; r.mark == *m {
			return &r.text
		}
	}
	r := &w.recent[w.oldest]
	w.oldest = (w.oldest + 1) % len(w.recent)
	r.mark, r.text = *m, *w.handle(m)
	return &r.text
}

// Post puts a word of the reader's own behind the scenes that are there, in a scene without changes that has it as its Note. It reports whether there was
// room. It may be called by any goroutine, also where the gate must not be called, and does not wait.
func (w *ChannelWatcher) Post(note any) bool { return w.push(&Scene{note: note}) }

// Note is what Post was given; nil of a scene of the gate's.
func (s *Scene) Note() any { return s.note }

// Close ends the stream.
func (w *ChannelWatcher) Close() {
	w.gate.locked(func(*call.Table) { w.gate.cutChannels(w, context.Canceled) })
}

// cutChannels ends a stream. Caller holds the lock.
func (g *Gate) cutChannels(w *ChannelWatcher, why error) {
	if w.cut != nil {
		return
	}
	w.cut = why
	// Into memory of its own, as somebody may be going through the watchers.
	c := g.chart
	c.watchers = slices.DeleteFunc(slices.Clone(c.watchers), func(o *ChannelWatcher) bool { return o == w })
	if len(c.watchers) == 0 {
		c.close()
		g.chart = nil
	}
	g.met.watchers.Dec()
	if errors.Is(why, CutSlow) {
		g.met.cutoffs.Inc()
	}
	w.shown, w.sees, w.waits = nil, nil, nil
	w.end(why)
}

// deliver queues a scene for a watcher; one who is too far behind is cut off, so that he never holds up another.
func (g *Gate) deliver(w *ChannelWatcher, s *Scene) {
	if w.cut == nil && !w.push(s) {
		g.cutChannels(w, CutSlow)
	}
}

// cutAllChannels ends every stream of channels. Caller holds the lock.
func (g *Gate) cutAllChannels(why error) {
	for g.chart != nil {
		g.cutChannels(g.chart.watchers[0], why)
	}
}
