package ariproxy

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/earshot-pbx/earshot/agent/mask"
)

// idKind is what an id is of. Each kind has ids of its own.
type idKind uint8

const (
	idChannel   idKind = iota // a phone's leg, or a snoop
	idBridge                  //
	idPlayback                //
	idRecording               // its name
	idKinds
)

// The bounds of aliases.
const (
	maxAlias   = 64  // characters of one
	maxAliases = 64  // that one client has at a time, of a kind
	pastIDs    = 256 // ids of what is gone that are yet told by the alias that they had
)

// aliases are the ids that one client has chosen for what it makes. They stand for the ids that Earshot has given, in what the client asks and in what it
// is told, and go nowhere else. The zero value is ready for use, and of a nil one there are none; it is safe for concurrent use.
type aliases struct {
	some atomic.Bool // there has been one: ids have to be looked up

	mu   sync.Mutex
	real [idKinds]map[string]string // the id by the alias; empty while what it is for is about to be made
	by   [idKinds]map[string]string // the alias by the id, also such as are gone: what is told of their ends may come late
	past []pastID                   // the last of those that are gone
}

type pastID struct {
	kind idKind
	real string
}

// isAlias reports whether a text is an id that a client may choose: 1 to 64 of A-Z, a-z, 0-9 and ._:- , and nothing that could be an id of Earshot's own.
func isAlias(s string) bool {
	if s == "" || len(s) > maxAlias || isHandle(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) && (r < '0' || '9' < r) && !strings.ContainsRune("._:-", r)
	})
}

// isHandle reports whether a text could be an id of Earshot's own, whatever of: a handle, or the id of a supervision, which is one shorter.
func isHandle(s string) bool {
	return (len(s) == mask.HandleLen || len(s) == mask.HandleLen-1) &&
		!strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || 'z' < r) && (r < '0' || '9' < r) })
}

// claim takes an alias for what is about to be made. Behind it is bind, or release.
func (a *aliases) claim(kind idKind, alias string) *fault {
	if !isAlias(alias) {
		return faultID
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch _, taken := a.real[kind][alias]; {
	case taken:
		return faultTaken
	case len(a.real[kind]) == maxAliases:
		return faultManyIDs
	case a.real[kind] == nil:
		a.real[kind], a.by[kind] = map[string]string{}, map[string]string{}
	}
	a.real[kind][alias] = ""
	return nil
}

// bind says what an alias stands for.
func (a *aliases) bind(kind idKind, alias, real string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.real[kind][alias], a.by[kind][real] = real, alias
	a.some.Store(true)
}

// release gives up an alias that was claimed for what has not been made.
func (a *aliases) release(kind idKind, alias string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.real[kind], alias)
}

// forget frees the alias of what is gone, if it has one.
func (a *aliases) forget(kind idKind, real string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	alias, ok := a.by[kind][real]
	if !ok || a.real[kind][alias] != real {
		return
	}
	delete(a.real[kind], alias)
	if a.past = append(a.past, pastID{kind, real}); len(a.past) > pastIDs {
		delete(a.by[a.past[0].kind], a.past[0].real)
		a.past = a.past[1:]
	}
}

// bound are the ids for which aliases of a kind stand.
func (a *aliases) bound(kind idKind) (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, real := range a.real[kind] {
		if real != "" {
			all = append(all, real)
		}
	}
	return all
}

// resolve is the id that a client means: what the alias stands for, or the id itself. Of an alias that stands for nothing yet it is empty.
func (a *aliases) resolve(kind idKind, id string) string {
	if a == nil {
		return id
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if real, ok := a.real[kind][id]; ok {
		return real
	}
	return id
}

// shown is what a client is told for an id: the alias, or the id itself.
func (a *aliases) shown(kind idKind, real string) string {
	if a == nil || !a.some.Load() {
		return real
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if alias, ok := a.by[kind][real]; ok {
		return alias
	}
	return real
}

// all is shown of several.
func (a *aliases) all(kind idKind, real []string) []string {
	if a == nil || !a.some.Load() {
		return real
	}
	out := make([]string, len(real))
	for i := range real {
		out[i] = a.shown(kind, real[i])
	}
	return out
}

// channel is a channel with the aliases that its ids have.
func (a *aliases) channel(c *mask.Channel) *mask.Channel {
	id, linked := a.shown(idChannel, c.ID), a.shown(idChannel, c.Linked)
	if id == c.ID && linked == c.Linked {
		return c
	}
	named := *c
	named.ID, named.Linked = id, linked
	return &named
}
