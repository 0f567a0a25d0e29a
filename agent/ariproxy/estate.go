package ariproxy

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/eventstream"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// owner is whose something is: one credential, and for whom it asks. Two clients of one employee have two, whatever they call their applications, and
// neither has any way to the other's.
type owner struct{ credential, employee string }

// ownerOf is whose what a subject makes is.
func ownerOf(who auth.Subject) owner { return owner{who.Credential(), who.Employee()} }

// estate is all that one client has at the door: its applications, the ids that it has chosen, and what it steers. It is there as long as one of its
// applications is, and safe for concurrent use. Its lock is taken inside the server's; no question is put to the gate while it is held.
type estate struct {
	aliases
	server  *Server
	subject auth.Subject
	busy    atomic.Bool // it has launched something, or has an alias: events are looked at one by one

	opening sync.Mutex // held while the Stasis is opened or closed
	over    bool       // guarded by opening: nothing is opened any more

	lock    sync.Mutex
	apps    map[string]*application
	steers  stasis // nil while nothing has been steered
	legs    map[string]*launched
	ended   []string              // of legs, those that are gone: the last of them are known yet, as what is told of them comes late
	bridges map[string]*ownBridge // by id
	tapes   map[string]string     // the targets of the recordings that it has begun and that run, by id
	pending int                   // claims that are neither bound nor released
	free    chan struct{}         // closed when none is pending; nil: none is
	waiting []gate.StasisEvent    // told while some were
}

// launched is a channel that an application has launched.
type launched struct {
	app   *application
	args  []string
	snoop bool
	began time.Time // StasisStart was told
	ended bool
}

// ownBridge is a bridge of the client's own.
type ownBridge struct {
	name     string
	made     time.Time
	channels []string // their ids
}

// estate is the client's; nil where it has no application. It is the same for the whole request, though the client's last stream may end meanwhile.
func (x *exchange) estate() *estate {
	if x.known == nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.known = x.estates[ownerOf(x.who())]
	}
	return x.known
}

// names are the aliases; nil where there is no estate.
func (e *estate) names() *aliases {
	if e == nil {
		return nil
	}
	return &e.aliases
}

// stasis is what has been opened; nil where nothing has.
func (e *estate) stasis() stasis {
	if e == nil {
		return nil
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	return e.steers
}

// open is the Stasis, which is made when there is none. One that has ended by itself, such as when nobody could say for a moment whether the credential
// holds, is followed by another, once all that it had has been told to be gone.
func (e *estate) open() (stasis, error) {
	e.opening.Lock()
	defer e.opening.Unlock()
	if e.over {
		return nil, faultNoApplication
	}
	if st := e.stasis(); st != nil {
		if !st.Over() {
			return st, nil
		}
		st.Close()
	}
	st, err := e.server.opens(e.subject, e.told)
	if err != nil {
		return nil, err
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	e.steers = st
	return st, nil
}

// close hangs up what is there, and returns when that has been ordered.
func (e *estate) close() {
	e.opening.Lock()
	defer e.opening.Unlock()
	e.over = true
	if st := e.stasis(); st != nil {
		st.Close()
	}
}

// connected is the application of a name that has a stream; with an empty name any that has. It is nil where there is none.
func (e *estate) connected(name string) *application {
	if e == nil {
		return nil
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	for _, app := range e.apps {
		if app.stream != nil && (name == "" || name == app.name) {
			return app
		}
	}
	return nil
}

// launched notes what an application has launched.
func (e *estate) launched(id string, app *application, args []string) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.legs[id] = &launched{app: app, args: args}
	e.busy.Store(true)
}

// christen gives a bridge its name, which may come before that it is made is told. Of one that is gone it is not kept: that may have been told already.
func (e *estate) christen(id, name string) {
	e.lock.Lock()
	e.christened(id).name = name
	st := e.steers
	e.lock.Unlock()
	if st == nil || slices.ContainsFunc(st.View().Bridges, func(b gate.StasisBridge) bool { return b.ID == id }) {
		return // while it is there its end is not told
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	delete(e.bridges, id)
}

// halt has the client's streams stand still; resume ends that.
func (e *estate) halt() {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.busy.Store(true)
	if e.pending++; e.pending == 1 {
		e.free = make(chan struct{})
	}
}

func (e *estate) resume() {
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.pending--; e.pending > 0 {
		return
	}
	for i := range e.waiting {
		e.take(&e.waiting[i])
	}
	e.waiting = nil
	close(e.free)
	e.free = nil
}

// still is open as long as streams are to stand still; nil: they are not.
func (e *estate) still() <-chan struct{} {
	if !e.busy.Load() {
		return nil
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	return e.free
}

// maxWaiting is how many events may wait for claims. Beyond it the client's streams are cut off as too slow.
const maxWaiting = 1000

// told is told of what happens to what the client steers.
func (e *estate) told(ev gate.StasisEvent) {
	e.lock.Lock()
	defer e.lock.Unlock()
	switch {
	case e.pending == 0:
		e.take(&ev)
	case len(e.waiting) < maxWaiting:
		e.waiting = append(e.waiting, ev)
	default:
		for _, app := range e.apps {
			if app.stream != nil {
				app.stream.End(eventstream.Slow)
			}
		}
	}
}

// pastLegs is how many channels are known that are gone.
const pastLegs = 64

// forgetLeg notes that a channel is gone. Caller holds the lock.
func (e *estate) forgetLeg(id string) {
	l := e.legs[id]
	if l == nil || l.ended {
		return
	}
	l.ended = true
	e.forget(idChannel, id)
	if e.ended = append(e.ended, id); len(e.ended) > pastLegs {
		delete(e.legs, e.ended[0])
		e.ended = e.ended[1:]
	}
}

// dialled are the channels that have an alias and were not launched: of those no StasisEnd tells that they are gone.
func (e *estate) dialled() []string {
	e.lock.Lock()
	defer e.lock.Unlock()
	return slices.DeleteFunc(e.bound(idChannel), func(id string) bool { return e.legs[id] != nil })
}

// expire ends an application to which nobody has come back in time: its channels are hung up, and with the last one all that the client has.
func (e *estate) expire(app *application) {
	s := e.server
	defer s.open.Done()
	s.mu.Lock()
	e.lock.Lock()
	if app.stream != nil || e.apps[app.name] != app {
		e.lock.Unlock()
		s.mu.Unlock()
		return
	}
	delete(e.apps, app.name)
	last := len(e.apps) == 0
	if last {
		delete(s.estates, ownerOf(e.subject))
	}
	var left []string
	for id, l := range e.legs {
		if l.app == app && !l.ended {
			left = append(left, id)
		}
	}
	st := e.steers
	e.lock.Unlock()
	s.mu.Unlock()
	if last {
		e.close()
		return
	}
	slices.Sort(left)
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	for _, id := range left {
		_ = st.HangUp(ctx, id) // it may be gone; what cannot be hung up has a lease
	}
}
