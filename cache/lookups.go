package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// lookups is a bounded store of entries with one flight for each key that is being loaded. What is driven out is chosen by SIEVE
// (Zhang et al., NSDI 2024): a queue in order of arrival and a hand that spares once who was read since it last came by. A read
// sets one bit and moves nothing, so readers share the lock.
type lookups struct {
	maxEntries, maxBytes int

	hits, misses, evictions, oversized atomic.Uint64

	mu         sync.RWMutex // protects what follows
	items      map[lookupKey]*item
	head, tail *item // head is the newest
	hand       *item // where the hand stands; nil: at the tail
	bytes      int
	flights    map[lookupKey]*flight
}

type lookupKey struct{ table, key string }

type item struct {
	lookupKey
	entry        Entry
	newer, older *item
	read         atomic.Bool
}

// itemCost is about what an entry takes beside its strings: the item, its place in the map and the string headers there.
const itemCost = 192

func (i *item) size() int { return itemCost + len(i.table) + len(i.key) + len(i.entry.Value) }

// flight is one loading, for which others may wait. entry, err and gone are written before done is closed; forgotten is protected
// by the lock of the lookups.
type flight struct {
	done      chan struct{}
	entry     Entry
	err       error
	gone      bool // the one who loaded gave up: another must
	forgotten bool // meanwhile: not to be remembered
}

func (l *lookups) get(k lookupKey, now time.Time) (Entry, bool) {
	l.mu.RLock()
	i := l.items[k]
	if i == nil {
		l.mu.RUnlock()
		return Entry{}, false
	}
	e := i.entry
	if !i.read.Load() {
		i.read.Store(true)
	}
	l.mu.RUnlock()
	if !now.Before(e.Expires) {
		return Entry{}, false
	}
	return e, true
}

// join returns the flight of a key, and whether the caller is the one to load.
func (l *lookups) join(k lookupKey) (f *flight, lead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.flights[k]; f != nil {
		return f, false
	}
	f = &flight{done: make(chan struct{})}
	l.flights[k] = f
	return f, true
}

var errLoadPanicked = errors.New("cache: loading panicked")

// load loads for all who wait for the flight.
func (l *lookups) load(ctx context.Context, k lookupKey, f *flight, load Load, expires func(Entry) time.Time, now func() time.Time) (Entry, error) {
	f.err = errLoadPanicked // what the others get when load does not come back
	defer func() {
		l.mu.Lock()
		if l.flights[k] == f {
			delete(l.flights, k)
		}
		if f.err == nil && !f.forgotten {
			l.put(k, f.entry, now())
		}
		l.mu.Unlock()
		close(f.done)
	}()
	e, err := load(ctx)
	if err == nil {
		if !e.Found {
			e.Value = ""
		}
		if e.Found {
			err = checkValue("look-up value", e.Value)
		}
	}
	if err != nil {
		f.gone = ctx.Err() != nil
		f.err = err
		return Entry{}, err
	}
	e.Expires = expires(e)
	f.entry, f.err = e, nil
	return e, nil
}

// put remembers; the caller holds the lock.
func (l *lookups) put(k lookupKey, e Entry, now time.Time) {
	if old := l.items[k]; old != nil {
		l.remove(old)
	}
	i := &item{lookupKey: k, entry: e}
	size := i.size()
	if size > l.maxBytes {
		l.oversized.Add(1)
		return
	}
	for len(l.items) >= l.maxEntries || l.bytes+size > l.maxBytes {
		l.evict(now)
	}
	i.older = l.head
	if l.head != nil {
		l.head.newer = i
	} else {
		l.tail = i
	}
	l.head = i
	l.items[k] = i
	l.bytes += size
}

// evict drives one out: the first from the hand on that was not read since the hand last came by, or whose time is over.
func (l *lookups) evict(now time.Time) {
	i := l.hand
	if i == nil {
		i = l.tail
	}
	for now.Before(i.entry.Expires) && i.read.Swap(false) {
		if i = i.newer; i == nil {
			i = l.tail
		}
	}
	l.hand = i.newer
	if now.Before(i.entry.Expires) {
		l.evictions.Add(1)
	}
	l.remove(i)
}

func (l *lookups) remove(i *item) {
	if l.hand == i {
		l.hand = i.newer
	}
	if i.newer != nil {
		i.newer.older = i.older
	} else {
		l.head = i.older
	}
	if i.older != nil {
		i.older.newer = i.newer
	} else {
		l.tail = i.newer
	}
	delete(l.items, i.lookupKey)
	l.bytes -= i.size()
}

func (l *lookups) forget(k lookupKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.items[k]; i != nil {
		l.remove(i)
	}
	if f := l.flights[k]; f != nil {
		f.forgotten = true
		delete(l.flights, k) // who asks from now on must not get what was asked before
	}
}

func (l *lookups) peek(k lookupKey, now time.Time) (Entry, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i := l.items[k]
	if i == nil || !now.Before(i.entry.Expires) {
		return Entry{}, false
	}
	return i.entry, true
}

func (l *lookups) forgetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.items)
	l.head, l.tail, l.hand, l.bytes = nil, nil, nil, 0
	for _, f := range l.flights {
		f.forgotten = true
	}
	clear(l.flights)
}
