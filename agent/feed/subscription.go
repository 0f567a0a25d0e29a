package feed

import (
	"context"
	"errors"
	"sync"

	"github.com/earshot-pbx/earshot/agent/call"
)

// Why a subscription ended.
var (
	// ErrSlow ends a subscription whose buffer was full. Nothing is lost silently: subscribe again, and begin anew with the
	// present state.
	ErrSlow = errors.New("feed: subscriber is too slow")
	// ErrClosed ends a subscription that was closed, or whose feed was.
	ErrClosed = errors.New("feed: subscription is closed")
)

// A Batch is what one fact changed. It is shared by all subscribers and must not be written.
type Batch struct {
	// Seq is one more than that of the batch before; a subscription's first one is one more than what Subscribe told.
	Seq uint64
	// Known tells whether the state is known after these changes. While it is not, what was shown before may be wrong.
	Known   bool
	Changes []call.Change

	room [1]call.Change // for the one change that most facts make
}

// A Subscription is a bounded queue of batches. Take is for one goroutine.
type Subscription struct {
	feed   *Feed
	buffer int
	at     int           // in feed.subs
	taken  []*Batch      // what Take returned last
	wake   chan struct{} // tells Take that there is something, or nothing more to come

	mu      sync.Mutex // guards what follows; taken inside the feed's lock too, and held for nothing that waits
	queue   []*Batch
	waiting bool
	err     error // why it ended
}

// Subscribe calls begin with the present state and its sequence number (begin must not wait, keep the table or call the
// Feed; it may be nil), and returns a subscription to every batch after it. buffer is how many batches may wait (at least one) before the
// subscriber is cut off. The subscription has to be closed.
func (f *Feed) Subscribe(buffer int, begin func(t *call.Table, seq uint64)) *Subscription {
	s := &Subscription{feed: f, buffer: max(buffer, 1), wake: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if begin != nil {
		begin(f.table, f.seq)
	}
	if f.closed {
		s.err = ErrClosed
		return s
	}
	s.at = len(f.subs)
	f.subs = append(f.subs, s)
	return s
}

// Take waits until there is a batch, and returns all that are there, in order; the slice is the caller's until the next Take. When the subscription
// has ended it returns first what was queued before that, then why: ErrSlow or ErrClosed. When ctx is over before there is anything, it
// returns ctx's error.
func (s *Subscription) Take(ctx context.Context) ([]*Batch, error) {
	clear(s.taken)
	s.taken = s.taken[:0]
	for {
		if err := s.swap(); err != nil || len(s.taken) > 0 {
			return s.taken, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// swap gets what is queued, and gives the memory of what was taken before for what comes next.
func (s *Subscription) swap() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.waiting = s.err == nil
		return s.err
	}
	s.queue, s.taken = s.taken, s.queue
	return nil
}

// push queues a batch. It reports whether there was room.
func (s *Subscription) push(b *Batch) bool {
	s.mu.Lock()
	if len(s.queue) == s.buffer {
		s.mu.Unlock()
		return false
	}
	s.queue = append(s.queue, b)
	waiting := s.waiting
	s.waiting = false
	s.mu.Unlock()
	if waiting {
		s.rouse()
	}
	return true
}

func (s *Subscription) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Err returns why the subscription ended (ErrSlow, ErrClosed), nil while it runs.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if s.Err() == nil {
		s.feed.cut(s, ErrClosed)
	}
}

// publish hands the changes to all subscribers. It never waits: who has no room is cut off.
func (f *Feed) publish(ch []call.Change) {
	f.seq++
	if len(f.subs) == 0 {
		return
	}
	b := &Batch{Seq: f.seq, Known: f.table.Known()}
	b.Changes = append(b.room[:0], ch...)
	delivered := uint64(0)
	for i := 0; i < len(f.subs); {
		if f.subs[i].push(b) {
			delivered++
			i++
			continue
		}
		f.stats.CutOff++
		f.cut(f.subs[i], ErrSlow) // another one takes its place at i
	}
	f.stats.Delivered += delivered
}

// cut ends a subscription that runs.
func (f *Feed) cut(s *Subscription, why error) {
	last := len(f.subs) - 1
	f.subs[s.at] = f.subs[last]
	f.subs[s.at].at = s.at
	f.subs[last] = nil
	f.subs = f.subs[:last]
	s.mu.Lock()
	s.err, s.waiting = why, false
	s.mu.Unlock()
	s.rouse()
}
