package eventstream

import (
	"context"
	"errors"
	"sync"
)

// Why there is no place for a stream.
var (
	ErrClosed = errors.New("the door is closed")
	ErrFull   = errors.New("as many event streams are open as may be")
)

// Room has the streams of one door: so many at most, of each that they are counted by too, and all that ends them together. It is safe for concurrent use,
// and its zero value is ready.
type Room struct {
	mu      sync.Mutex // guards the rest, but for open
	closed  bool       // no stream is admitted any more
	cutting bool       // and those that are left are not waited for
	streams map[*Stream]struct{}
	places  map[string]int // by whose they are, with those that are about to begin; no zero
	taken   int            // of all
	open    sync.WaitGroup // those; Add under mu and not after closed
}

// Take reserves a place for a stream that is about to begin, of so many for whose it is and so many of all (zero: as many as there are), so that Close waits
// for it from here on. It is given back by leave.
func (r *Room) Take(whose string, each, all int) (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, ErrClosed
	case r.places[whose] >= each, all > 0 && r.taken >= all:
		return nil, ErrFull
	}
	if r.places == nil {
		r.places = map[string]int{}
	}
	r.places[whose]++
	r.taken++
	r.open.Add(1)
	return func() { r.leave(whose) }, nil
}

func (r *Room) leave(whose string) {
	r.mu.Lock()
	if r.places[whose]--; r.places[whose] == 0 {
		delete(r.places, whose)
	}
	r.taken--
	r.mu.Unlock()
	r.open.Done()
}

// Serve serves a stream that has a place and was accepted. It returns when the stream is over and closed.
func (r *Room) Serve(st *Stream) {
	r.enter(st)
	defer r.exit(st)
	st.serve()
}

// enter puts a stream among those that Close and Recheck reach. What they did in the meantime is made up for.
func (r *Room) enter(st *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams == nil {
		r.streams = map[*Stream]struct{}{}
	}
	r.streams[st] = struct{}{}
	if r.closed {
		st.End(Shutdown)
	}
	if r.cutting {
		st.kill()
	}
}

func (r *Room) exit(st *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.streams, st)
}

// Len is how many streams are being served.
func (r *Room) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.streams)
}

// Recheck ends every stream whose credential no longer holds.
func (r *Room) Recheck() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for st := range r.streams {
		if !st.cfg.Holds() {
			st.End(Revoked)
		}
	}
}

// Shut ends every stream and takes no new one. It does not wait.
func (r *Room) Shut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for st := range r.streams {
		st.End(Shutdown)
	}
}

// Closed reports whether it is shut.
func (r *Room) Closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// Close is Shut that waits until all have left. When ctx is over first, it cuts those that are left, waits for them and returns ctx's error.
func (r *Room) Close(ctx context.Context) error {
	r.Shut()
	done := make(chan struct{})
	go func() { r.open.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	r.cutting = true
	for st := range r.streams {
		st.kill()
	}
	r.mu.Unlock()
	<-done
	return ctx.Err()
}
