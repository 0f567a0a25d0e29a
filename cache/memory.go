package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the bounds of a Memory. The zero value has the defaults.
type Options struct {
	Entries      int // look-ups; 100,000
	Bytes        int // of look-ups; 64 MiB
	Sessions     int // sessions, and as many deleted ones; 10,000
	SessionBytes int // of sessions; 16 MiB

	Now  func() time.Time // the clock; time.Now
	Rand func() float64   // from 0 up to 1, for jitter; math/rand/v2
}

// keptOverlays is how many generations' overlays a Memory keeps: the one in force, the one before for who is just changing over, and
// one to come.
const keptOverlays = 3

// Memory is a Cache that shares with nobody. What it holds is bounded, and gone with the process. Make it with NewMemory.
type Memory struct {
	o        Options
	lookups  lookups
	sessions sessions
	hub      hub
	members  members

	documents documents
	logs      logs
	made      time.Time

	overlayMu sync.Mutex // serialises writers of overlays
	overlays  atomic.Pointer[[]*Overlay]
}

var _ Cache = (*Memory)(nil)

// NewMemory makes a Memory. A bound that is zero or less is the default.
func NewMemory(o Options) *Memory {
	for _, b := range []struct {
		bound *int
		usual int
	}{{&o.Entries, 100_000}, {&o.Bytes, 64 << 20}, {&o.Sessions, 10_000}, {&o.SessionBytes, 16 << 20}} {
		if *b.bound <= 0 {
			*b.bound = b.usual
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	m := &Memory{o: o, made: o.Now()}
	m.lookups.maxEntries, m.lookups.maxBytes = o.Entries, o.Bytes
	m.lookups.items, m.lookups.flights = make(map[lookupKey]*item), make(map[lookupKey]*flight)
	m.sessions.max, m.sessions.maxBytes = o.Sessions, o.SessionBytes
	m.sessions.byID, m.sessions.deleted = make(map[string]*record), make(map[string]*record)
	m.sessions.byOwner = make(map[string]map[string]*record)
	m.overlays.Store(new([]*Overlay))
	return m
}

// Lookup implements Lookups.
func (m *Memory) Lookup(t Table, key string) (Entry, bool) {
	e, known := m.lookups.get(lookupKey{t.Name, key}, m.o.Now())
	if known {
		m.lookups.hits.Add(1)
	} else {
		m.lookups.misses.Add(1)
	}
	return e, known
}

// Fill implements Lookups.
func (m *Memory) Fill(ctx context.Context, t Table, key string, load Load) (Entry, error) {
	if err := t.Validate(key); err != nil {
		return Entry{}, err
	}
	if e, known := m.Lookup(t, key); known {
		return e, nil
	}
	k := lookupKey{t.Name, key}
	for {
		if err := ctx.Err(); err != nil {
			return Entry{}, context.Cause(ctx)
		}
		f, lead := m.lookups.join(k)
		// Another may have filled it between the look and the join; then there is nothing to load.
		if lead {
			if e, known := m.lookups.get(k, m.o.Now()); known {
				load = func(context.Context) (Entry, error) { return e, nil }
			}
			return m.lookups.load(ctx, k, f, load, func(e Entry) time.Time { return m.expires(t, e) }, m.o.Now)
		}
		select {
		case <-ctx.Done():
			return Entry{}, context.Cause(ctx)
		case <-f.done:
			if !f.gone {
				return f.entry, f.err
			}
		}
	}
}

// expires is when an entry that was just loaded is to be forgotten.
func (m *Memory) expires(t Table, e Entry) time.Time {
	ttl := t.TTL
	if !e.Found {
		ttl = t.MissTTL
	}
	at := m.o.Now().Add(ttl - time.Duration(t.Jitter*m.o.Rand()*float64(ttl)))
	if !e.Expires.IsZero() && e.Expires.Before(at) {
		return e.Expires
	}
	return at
}

// Forget implements Lookups. It does not fail.
func (m *Memory) Forget(_ context.Context, t Table, key string) error {
	m.lookups.forget(lookupKey{t.Name, key})
	return nil
}

// Peek returns what Lookup would and does not count as a read. It is for a cache that keeps a Memory over a shared store.
func (m *Memory) Peek(t Table, key string) (Entry, bool) {
	return m.lookups.peek(lookupKey{t.Name, key}, m.o.Now())
}

// ForgetAll forgets all look-ups; what is being loaded meanwhile is not remembered. It is for a cache that keeps a Memory over a
// shared store and may have missed a Forget.
func (m *Memory) ForgetAll() { m.lookups.forgetAll() }

// Session implements Sessions.
func (m *Memory) Session(id string) (Session, bool) { return m.sessions.get(id, m.o.Now()) }

// AppendSessions implements Sessions.
func (m *Memory) AppendSessions(dst []Session, owner string) []Session {
	return m.sessions.appendOwned(dst, owner, m.o.Now())
}

// AppendSessionIDs appends the ids of all sessions that are held, in no order; some may just have expired. It is for a cache that
// keeps a Memory over a shared store.
func (m *Memory) AppendSessionIDs(dst []string) []string { return m.sessions.appendIDs(dst) }

// WasDeleted reports whether a session was deleted and would not have expired yet. It is for a cache that keeps a Memory over a
// shared store.
func (m *Memory) WasDeleted(id string) bool { return m.sessions.wasDeleted(id) }

// PutSession implements Sessions.
func (m *Memory) PutSession(_ context.Context, s Session, ttl time.Duration) error {
	if err := errors.Join(s.Validate(), checkTTL(ttl)); err != nil {
		return &WriteError{Op: "session", Err: err}
	}
	now := m.o.Now()
	s.Expires = now.Add(ttl)
	changed, err := m.sessions.put(s, now)
	if err != nil {
		return &WriteError{Op: "session", Err: err}
	}
	if changed {
		m.hub.tell(Change{Kind: ChangeSession, ID: s.ID, Owner: s.Owner})
	}
	return nil
}

// ExpireSession implements Sessions.
func (m *Memory) ExpireSession(_ context.Context, id string, ttl time.Duration) (bool, error) {
	if err := checkTTL(ttl); err != nil {
		return false, &WriteError{Op: "session", Err: err}
	}
	now := m.o.Now()
	s, ok := m.sessions.expire(id, now.Add(ttl), now)
	if ok {
		m.hub.tell(Change{Kind: ChangeSession, ID: id, Owner: s.Owner})
	}
	return ok, nil
}

// DeleteSession implements Sessions. It does not fail.
func (m *Memory) DeleteSession(_ context.Context, id string) error {
	if s, ok := m.sessions.delete(id, m.o.Now()); ok {
		m.hub.tell(Change{Kind: ChangeSessionGone, ID: id, Owner: s.Owner})
	}
	return nil
}

// Overlay implements Overlays.
func (m *Memory) Overlay(generation uint64) (*Overlay, time.Duration) {
	for _, o := range *m.overlays.Load() {
		if o.generation == generation {
			return o, 0
		}
	}
	return nil, Never
}

// Follow implements Overlays.
func (m *Memory) Follow(_ context.Context, generation uint64) (*Overlay, error) {
	if o, _ := m.Overlay(generation); o != nil {
		return o, nil
	}
	return nil, ErrNoOverlay
}

// PutOverlay implements Overlays. Of more than three generations the lowest is forgotten.
func (m *Memory) PutOverlay(_ context.Context, o *Overlay) error {
	if o == nil {
		return &WriteError{Op: "overlay", Err: ErrNoOverlay}
	}
	m.overlayMu.Lock()
	m.putOverlayLocked(o)
	m.overlayMu.Unlock()
	m.hub.tell(Change{Kind: ChangeOverlay, Generation: o.generation})
	return nil
}

// PutEdition implements Overlays.
func (m *Memory) PutEdition(_ context.Context, name string, before uint64, d Document, carry *Overlay) error {
	return m.putDocument(name, d, func(was Document) error {
		m.overlayMu.Lock()
		defer m.overlayMu.Unlock()
		from := before
		if carry != nil {
			from = carry.generation
		}
		if now, _ := m.Overlay(from); was.Version != before || from != d.Version && now != nil && now != carry {
			return ErrMoved
		}
		if carry == nil {
			return nil
		}
		if has, _ := m.Overlay(d.Version); has == nil {
			m.putOverlayLocked(carry.In(d.Version))
			m.hub.tell(Change{Kind: ChangeOverlay, Generation: d.Version})
		}
		return nil
	})
}

func (m *Memory) putOverlayLocked(o *Overlay) {
	next := slices.DeleteFunc(slices.Clone(*m.overlays.Load()), func(old *Overlay) bool { return old.generation == o.generation })
	next = append(next, o)
	slices.SortFunc(next, func(a, b *Overlay) int {
		if a.generation < b.generation {
			return -1
		}
		return 1
	})
	if len(next) > keptOverlays {
		next = slices.Clone(next[len(next)-keptOverlays:])
	}
	m.overlays.Store(&next)
}

// Age implements Cache: what nobody else changes is never old.
func (m *Memory) Age() time.Duration { return 0 }

// Status implements Cache.
func (m *Memory) Status() Status {
	s := Status{State: Local, Since: m.made, Memory: m.usage()}
	for _, o := range *m.overlays.Load() {
		s.Overlays = append(s.Overlays, OverlayStatus{Generation: o.generation, Known: true})
	}
	return s
}

func (m *Memory) usage() Usage {
	l, s := &m.lookups, &m.sessions
	u := Usage{
		MaxEntries: l.maxEntries, MaxBytes: l.maxBytes, MaxSessions: s.max, MaxSessionBytes: s.maxBytes,
		Hits: l.hits.Load(), Misses: l.misses.Load(), Evictions: l.evictions.Load(), Oversized: l.oversized.Load(),
	}
	l.mu.RLock()
	u.Entries, u.Bytes = len(l.items), l.bytes
	l.mu.RUnlock()
	s.mu.RLock()
	u.Sessions, u.SessionBytes, u.Deleted, u.Refused = len(s.byID), s.bytes, len(s.deleted), s.refused
	s.mu.RUnlock()
	return u
}

// Watch implements Cache.
func (m *Memory) Watch() *Watcher { return m.hub.watch() }

// Tell tells the watchers of a change that the Memory itself did not make. It is for a cache that keeps a Memory over a shared store.
func (m *Memory) Tell(c Change) { m.hub.tell(c) }

// Run implements Cache: there is nothing to keep in step.
func (m *Memory) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// String says what it is; it does not list what it holds.
func (m *Memory) String() string {
	u := m.usage()
	return fmt.Sprintf("memory cache of %d look-ups and %d sessions", u.Entries, u.Sessions)
}
