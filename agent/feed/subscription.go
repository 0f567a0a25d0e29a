package feed

import (
	"errors"
	"slices"

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
}

// A Subscription is a bounded queue of batches.
type Subscription struct {
	feed  *Feed
	queue chan Batch
	at    int   // in feed.subs
	err   error // why it ended; set before queue is closed
}

// A place is one subscriber in the row. The queue stands beside it so that handing on touches nothing else.
type place struct {
	queue chan<- Batch
	sub   *Subscription
}

// Subscribe calls begin with the present state and its sequence number (begin must not wait, keep the table or call the
// Feed; it may be nil), and returns a subscription to every batch after it. buffer is how many batches may wait (at least one) before the
// subscriber is cut off. The subscription has to be closed.
func (f *Feed) Subscribe(buffer int, begin func(t *call.Table, seq uint64)) *Subscription {
	s := &Subscription{feed: f, queue: make(chan Batch, max(buffer, 1))}
	f.mu.Lock()
	defer f.mu.Unlock()
	if begin != nil {
		begin(f.table, f.seq)
	}
	if f.closed {
		s.err = ErrClosed
		close(s.queue)
		return s
	}
	s.at = len(f.subs)
	f.subs = append(f.subs, place{s.queue, s})
	return s
}

// Batches returns the queue. It is closed when the subscription has ended; what was queued before that can still be read.
func (s *Subscription) Batches() <-chan Batch { return s.queue }

// Err returns why the subscription ended (ErrSlow, ErrClosed), nil while it runs.
func (s *Subscription) Err() error {
	s.feed.mu.RLock()
	defer s.feed.mu.RUnlock()
	return s.err
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if s.err == nil {
		s.feed.cut(s, ErrClosed)
	}
}

// publish hands the changes to all subscribers. It never waits: who has no room is cut off.
func (f *Feed) publish(ch []call.Change) {
	f.seq++
	if len(f.subs) == 0 {
		return
	}
	b := Batch{Seq: f.seq, Known: f.table.Known(), Changes: slices.Clone(ch)}
	delivered := uint64(0)
	for i := 0; i < len(f.subs); {
		select {
		case f.subs[i].queue <- b:
			delivered++
			i++
		default:
			f.stats.CutOff++
			f.cut(f.subs[i].sub, ErrSlow) // another one takes its place at i
		}
	}
	f.stats.Delivered += delivered
}

// cut ends a subscription that runs. Sending and closing happen under the same lock.
func (f *Feed) cut(s *Subscription, why error) {
	last := len(f.subs) - 1
	f.subs[s.at] = f.subs[last]
	f.subs[s.at].sub.at = s.at
	f.subs[last] = place{}
	f.subs = f.subs[:last]
	s.err = why
	close(s.queue)
}
