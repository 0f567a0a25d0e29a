package ariproxy

import (
	"net/http"
	"slices"
	"strings"
)

// sourceKind is what an application may subscribe to.
type sourceKind uint8

const (
	ofChannel sourceKind = iota
	ofBridge
	ofEndpoint
	ofDevice
	sourceKinds
)

// schemes are what the names of event sources begin with, by kind.
var schemes = [sourceKinds]string{"channel:", "bridge:", "endpoint:", "deviceState:"}

// source is one event source: all of a kind, or one by its id.
type source struct {
	kind sourceKind
	id   string // empty: all
}

// maxSources is how many of a kind an application may subscribe to.
const maxSources = 256

// readSource reads the name of an event source as Asterisk does (res/res_stasis.c, app_event_source_find).
func readSource(text string) (source, *fault) {
	for kind, scheme := range schemes {
		if id, ok := strings.CutPrefix(text, scheme); ok {
			return source{sourceKind(kind), id}, nil
		}
	}
	return source{}, faultScheme
}

// sources are what an application has subscribed to. The zero value is nothing.
type sources struct {
	every [sourceKinds]bool
	named [sourceKinds]map[string]bool // ids, never aliases
}

// listed are the ids of one kind, with others that are there by themselves.
func (s *sources) listed(kind sourceKind, also ...string) []string {
	for id := range s.named[kind] {
		if !slices.Contains(also, id) {
			also = append(also, id)
		}
	}
	slices.Sort(also)
	return also
}

// subscribe adds a source. It reports whether there was room.
func (s *sources) subscribe(o source) bool {
	if o.id == "" {
		s.every[o.kind] = true
		return true
	}
	if s.named[o.kind] == nil {
		s.named[o.kind] = map[string]bool{}
	}
	if !s.named[o.kind][o.id] && len(s.named[o.kind]) >= maxSources {
		return false
	}
	s.named[o.kind][o.id] = true
	return true
}

// makeRoom drops what is there no more, where there is no room otherwise: what is yet to be told of its end is told as long as there is.
func (s *sources) makeRoom(kind sourceKind, there map[source]bool) {
	if len(s.named[kind]) < maxSources {
		return
	}
	for id := range s.named[kind] {
		if !there[source{kind, id}] {
			delete(s.named[kind], id)
		}
	}
}

// unsubscribe takes one away. It reports whether it was there.
func (s *sources) unsubscribe(o source) bool {
	if o.id == "" {
		was := s.every[o.kind]
		s.every[o.kind] = false
		return was
	}
	was := s.named[o.kind][o.id]
	delete(s.named[o.kind], o.id)
	return was
}

// has reports whether an id of a kind is subscribed to, by itself or with all.
func (s *sources) has(kind sourceKind, id string) bool {
	return id != "" && (s.every[kind] || s.named[kind][id])
}

// hasEndpoint is has of an endpoint, which may be subscribed to with all of its technology.
func (s *sources) hasEndpoint(endpoint string) bool {
	technology, _, _ := strings.Cut(endpoint, "/")
	return s.has(ofEndpoint, endpoint) || s.has(ofEndpoint, technology)
}

// subscribe is POST /applications/{applicationName}/subscription. What the client may not see has the answer of what is not there.
func (x *exchange) subscribe() error {
	app, wanted, err := x.sources()
	if err != nil {
		return err
	}
	there, err := x.sourcesThere()
	if err != nil {
		return err
	}
	app.estate.lock.Lock()
	for _, o := range wanted {
		if o.id != "" && !there[o] {
			app.estate.lock.Unlock()
			return faultNoSource
		}
	}
	for _, o := range wanted {
		if app.makeRoom(o.kind, there); !app.sources.subscribe(o) {
			app.estate.lock.Unlock()
			return faultManySources
		}
	}
	app.estate.lock.Unlock()
	return x.answer(http.StatusOK, appendApplication(nil, app))
}

// unsubscribe is DELETE /applications/{applicationName}/subscription.
func (x *exchange) unsubscribe() error {
	app, wanted, err := x.sources()
	if err != nil {
		return err
	}
	app.estate.lock.Lock()
	for _, o := range wanted {
		if !app.sources.unsubscribe(o) {
			app.estate.lock.Unlock()
			return faultNotSubscribed
		}
	}
	app.estate.lock.Unlock()
	return x.answer(http.StatusOK, appendApplication(nil, app))
}

// sources are the application and the event sources that a request names, by their ids.
func (x *exchange) sources() (*application, []source, error) {
	text, ok := x.q.params["eventSource"]
	if !ok || text == "" {
		return nil, nil, faultNoSourceNamed
	}
	app := x.theApplication()
	if app == nil {
		return nil, nil, faultForeign
	}
	var all []source
	for one := range strings.SplitSeq(text, ",") {
		o, f := readSource(one)
		if f != nil {
			return nil, nil, f
		}
		switch {
		case o.id == "":
		case o.kind == ofChannel:
			o.id = app.estate.resolve(idChannel, o.id)
		case o.kind == ofBridge:
			o.id = app.estate.resolve(idBridge, o.id)
		}
		if o.id == "" && one != schemes[o.kind] { // what it is to name is not there yet
			return nil, nil, faultNoSource
		}
		all = append(all, o)
	}
	return app, all, nil
}

// sourcesThere are all that the client is shown, and what it has itself.
func (x *exchange) sourcesThere() (map[source]bool, error) {
	view, err := x.sees()
	if err != nil {
		return nil, err
	}
	there := map[source]bool{}
	for i := range view.All {
		there[source{ofChannel, view.All[i].ID}] = true
		if view.All[i].Bridge != "" {
			there[source{ofBridge, view.All[i].Bridge}] = true
		}
	}
	for i := range view.Presence {
		owner, _ := x.cfg.Gate.Colleague(view.Presence[i].Employee)
		for _, endpoint := range owner.Phones {
			technology, _, _ := strings.Cut(endpoint, "/")
			there[source{ofEndpoint, endpoint}], there[source{ofEndpoint, technology}], there[source{ofDevice, endpoint}] = true, true, true
		}
	}
	if st := x.held(); st != nil {
		has := st.View()
		for i := range has.Channels {
			there[source{ofChannel, has.Channels[i].ID}] = true
		}
		for i := range has.Snoops {
			there[source{ofChannel, has.Snoops[i].ID}] = true
		}
		for i := range has.Bridges {
			there[source{ofBridge, has.Bridges[i].ID}] = true
		}
	}
	return there, nil
}

// Faults of subscriptions, in Asterisk's words (res/ari/resource_applications.c).
var (
	faultNoSourceNamed = &fault{http.StatusBadRequest, "Missing parameter eventSource", "no_event_source_named"}
	faultScheme        = &fault{http.StatusBadRequest, "Invalid event source URI scheme", "event_source_scheme"}
	faultNoSource      = &fault{http.StatusUnprocessableEntity, "Event source does not exist", "no_such_event_source"}
	faultNotSubscribed = &fault{http.StatusUnprocessableEntity, "Event source was not subscribed to", "event_source_not_subscribed"}
	faultManySources   = &fault{http.StatusUnprocessableEntity, "An application has as many event sources as it may", "too_many_event_sources"}
)
