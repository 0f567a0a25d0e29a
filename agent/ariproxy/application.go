package ariproxy

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/agent/eventstream"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// maxApps is how many applications one stream may be of.
const maxApps = 10

// application is a name under which a client is told of events. It goes on under another stream of the same client, and is there for Config.Grace without
// any where the client steers something.
type application struct {
	estate *estate
	name   string
	begin  []byte      // of its events: the name
	plain  atomic.Bool // it is told of everything that its client is shown, as it is shown to all

	// Guarded by the estate's lock.
	stream *stream     // nil: it is not connected
	grace  *time.Timer // runs while it is not
	all    bool        // subscribeAll
	sources
	filter
}

// seat is what a stream has of an application.
type seat struct {
	*application
	gone atomic.Bool // another stream of the same client has it
}

// readApps reads the names of applications. In a list none is empty or there twice.
func readApps(text string) ([]string, *fault) {
	if text == "" {
		return nil, faultNoApp
	}
	names := strings.Split(text, ",")
	for i, name := range names {
		if name == "" || len(name) > 64 || slices.Contains(names[:i], name) || i == maxApps || strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) && (r < '0' || '9' < r) && !strings.ContainsRune("-_.:@", r)
		}) {
			return nil, faultApp
		}
	}
	return names, nil
}

// truths are the words for a truth (main/utils.c, ast_true and ast_false).
var truths = map[string]bool{
	"yes": true, "true": true, "y": true, "t": true, "1": true, "on": true, "no": false, "false": false, "n": false, "f": false, "0": false, "off": false,
}

// register makes the applications of a stream its own. Where another stream of the same client has one of them, that is told that it is replaced, as
// Asterisk does, and stays without it.
func (s *Server) register(st *stream, names []string, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.estates[ownerOf(st.client.subject)]
	if e == nil {
		e = &estate{
			server: s, subject: st.client.subject, apps: map[string]*application{}, legs: map[string]*launched{}, bridges: map[string]*ownBridge{}, tapes: map[string]string{},
		}
		s.estates[ownerOf(e.subject)] = e
	}
	st.estate = e
	e.lock.Lock()
	defer e.lock.Unlock()
	for _, name := range names {
		app := e.apps[name]
		if app == nil {
			app = &application{estate: e, name: name, begin: append(mask.AppendString([]byte(`{"application":`), name), ',')}
			e.apps[name] = app
		}
		if old := app.stream; old != nil {
			old.lose(app)
		}
		if app.grace != nil && app.grace.Stop() {
			s.open.Done()
		}
		app.grace, app.stream, app.all = nil, st, all
		app.plain.Store(all && app.filter.none())
		st.seats = append(st.seats, &seat{application: app})
	}
	st.begun = e.begun()
}

// lose notes that another stream has an application now. Caller holds the estate's lock.
func (st *stream) lose(app *application) {
	for _, at := range st.seats {
		if at.application == app {
			at.gone.Store(true)
			st.post(&news{text: st.server.replacedText(), to: []*application{app}, replaced: true})
		}
	}
}

// unregister gives up what a stream has yet.
func (s *Server) unregister(st *stream) {
	s.mu.Lock()
	e := st.estate
	e.lock.Lock()
	grace := s.cfg.Grace
	if s.room.Closed() || st.Ended() == eventstream.Revoked || st.Ended() == eventstream.Unknown {
		grace = 0
	}
	for _, at := range st.seats {
		app := at.application
		if app.stream != st {
			continue
		}
		app.stream = nil
		if e.steers == nil {
			delete(e.apps, app.name)
			continue
		}
		s.open.Add(1)
		app.grace = time.AfterFunc(grace, func() { e.expire(app) })
	}
	none := len(e.apps) == 0 && s.estates[ownerOf(e.subject)] == e
	if none {
		delete(s.estates, ownerOf(e.subject))
	}
	e.lock.Unlock()
	s.mu.Unlock()
	if none {
		e.close() // what is being opened just now
	}
}

// hurry ends every time of grace of an estate. Caller holds the server's lock.
func (e *estate) hurry() {
	e.lock.Lock()
	defer e.lock.Unlock()
	for _, app := range e.apps {
		if app.grace != nil && app.grace.Stop() {
			app.grace = time.AfterFunc(0, func() { e.expire(app) })
		}
	}
}

// own are the client's own applications that are connected and for which keep holds, by name.
func (x *exchange) own(keep func(name string) bool) (all []*application) {
	e := x.estate()
	if e == nil {
		return nil
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	for name, app := range e.apps {
		if app.stream != nil && keep(name) {
			all = append(all, app)
		}
	}
	slices.SortFunc(all, func(a, b *application) int { return strings.Compare(a.name, b.name) })
	return all
}

// appendApplication appends an Application, as it is now: what it has subscribed to, and what it has by itself of what its client steers. One that is told
// of everything has Asterisk's words for that.
func appendApplication(b []byte, app *application) []byte {
	e := app.estate
	e.lock.Lock()
	defer e.lock.Unlock()
	channels, bridges := app.theirs()
	b = mask.AppendString(append(b, `{"name":`...), app.name)
	for _, l := range []struct {
		name, word string
		all        bool
		ids        []string
	}{
		{"channel_ids", "__AST_CHANNEL_ALL_TOPIC", app.all || app.every[ofChannel], e.aliases.all(idChannel, app.listed(ofChannel, channels...))},
		{"bridge_ids", "__AST_BRIDGE_ALL_TOPIC", app.all || app.every[ofBridge], e.aliases.all(idBridge, app.listed(ofBridge, bridges...))},
		{"endpoint_ids", "__AST_ENDPOINT_ALL_TOPIC", app.all || app.every[ofEndpoint], app.listed(ofEndpoint)},
		{"device_names", "__AST_DEVICE_STATE_ALL_TOPIC", app.every[ofDevice], app.listed(ofDevice)},
	} {
		if l.all {
			l.ids = []string{l.word}
		}
		b = append(append(append(b, `,"`...), l.name...), `":`...)
		b = appendTexts(b, l.ids)
	}
	return append(app.filter.append(b), '}')
}

// applications is GET /applications: the client's own.
func (x *exchange) applications() error {
	return each(x, x.own(func(string) bool { return true }), func(b []byte, app **application) []byte { return appendApplication(b, *app) })
}

// theApplication is the one that the path names; nil: the client has none of that name. To ask something of one that is not there is on record: it may be
// another's.
func (x *exchange) theApplication() *application {
	all := x.own(func(name string) bool { return name == x.vars[0] })
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// application is GET /applications/{applicationName}.
func (x *exchange) application() error {
	app := x.theApplication()
	if app == nil {
		return faultNoApplication
	}
	return x.answer(http.StatusOK, appendApplication(nil, app))
}
