package cache

import (
	"context"
	"sync"
)

// ChangeKind says what changed.
type ChangeKind uint8

const (
	// ChangeMany means that more changed than the watcher fetched; read anew all that is of interest. It is the zero value.
	ChangeMany ChangeKind = iota
	// ChangeSession means that a session was put or its end was moved. ID and Owner are set.
	ChangeSession
	// ChangeSessionGone means that a session was deleted here or elsewhere. ID and Owner are set. That a session expires is not told: its
	// Expires does.
	ChangeSessionGone
	// ChangeOverlay means that the overlay of Generation is another one.
	ChangeOverlay
	// ChangeStatus means that the State or its reason is another one, or the shared store was replaced.
	ChangeStatus
	// ChangeDocument means that a followed document is another one, or gone. ID is its name.
	ChangeDocument
	// ChangeMember means that a member has come, gone, or come back; of its rows no more is told, all are new. Owner is its name.
	ChangeMember
	// ChangeRow means that a member shows something else. Owner is the member and ID the row's key.
	ChangeRow
	// ChangeStanding means that one's own membership stands otherwise. Owner is its name.
	ChangeStanding
)

// Change is one change of a cache. It tells where to look, not what is there now.
type Change struct {
	Kind       ChangeKind
	ID, Owner  string
	Generation uint64
}

// maxPending is how many changes a watcher may leave unfetched before they become one ChangeMany.
const maxPending = 256

// Watcher gives the changes since Watch, in order. A slow one holds up nobody and misses nothing: its changes become ChangeMany.
// One goroutine calls Next; Close may be called by any.
type Watcher struct {
	hub  *hub
	bell chan struct{} // capacity 1: something is pending, or closed

	mu      sync.Mutex // protects what follows
	pending []Change
	closed  bool
}

// Next returns the next change, waiting for it until ctx ends. After Close the error is ErrClosed.
func (w *Watcher) Next(ctx context.Context) (Change, error) {
	for {
		w.mu.Lock()
		if w.closed {
			w.mu.Unlock()
			return Change{}, ErrClosed
		}
		if len(w.pending) > 0 {
			c := w.pending[0]
			w.pending = w.pending[1:]
			w.mu.Unlock()
			return c, nil
		}
		w.mu.Unlock()
		select {
		case <-w.bell:
		case <-ctx.Done():
			return Change{}, context.Cause(ctx)
		}
	}
}

// Close ends the watching. Calling it again is harmless.
func (w *Watcher) Close() {
	w.hub.mu.Lock()
	delete(w.hub.watchers, w)
	w.hub.mu.Unlock()
	w.mu.Lock()
	w.closed, w.pending = true, nil
	w.mu.Unlock()
	w.ring()
}

func (w *Watcher) ring() {
	select {
	case w.bell <- struct{}{}:
	default:
	}
}

func (w *Watcher) tell(c Change) {
	w.mu.Lock()
	switch {
	case w.closed:
	case len(w.pending) >= maxPending:
		w.pending = append(w.pending[:0:0], Change{Kind: ChangeMany})
	case len(w.pending) == 1 && w.pending[0].Kind == ChangeMany: // says it already
	default:
		w.pending = append(w.pending, c)
	}
	w.mu.Unlock()
	w.ring()
}

// hub tells watchers. The zero value is ready.
type hub struct {
	mu       sync.Mutex
	watchers map[*Watcher]struct{}
}

func (h *hub) watch() *Watcher {
	w := &Watcher{hub: h, bell: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil {
		h.watchers = make(map[*Watcher]struct{})
	}
	h.watchers[w] = struct{}{}
	return w
}

func (h *hub) tell(c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		w.tell(c)
	}
}
