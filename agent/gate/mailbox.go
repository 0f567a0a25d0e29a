package gate

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// backlog is how many messages may wait for a watcher, beside those that his reader has taken already, before he is cut off.
const backlog = 512

// mailbox is the queue between the gate and one who reads. Leave may be called by any goroutine, push and end are the gate's, the rest is for
// one goroutine that reads.
type mailbox[T any] struct {
	deliveries prometheus.Counter

	mu      sync.Mutex // guards what follows; taken inside the gate's lock too, and held for nothing that waits
	waiting bool
	left    bool  // the reader wants no more
	over    error // the stream ends after the items
	items   []T
	wake    chan struct{} // tells one who waits that there is something, or that the stream is over

	// Of the goroutine that reads.
	taken []T // out of the queue
	next  int // the first of them that was not given out yet
}

// open makes the mailbox ready; deliveries counts what is taken from it.
func (w *mailbox[T]) open(deliveries prometheus.Counter) {
	w.deliveries, w.wake = deliveries, make(chan struct{}, 1)
}

// push queues a message. It reports whether there was room.
func (w *mailbox[T]) push(it T) bool {
	w.mu.Lock()
	if len(w.items) == backlog {
		w.mu.Unlock()
		return false
	}
	w.items = append(w.items, it)
	waiting := w.waiting
	w.waiting = false
	w.mu.Unlock()
	if waiting {
		w.rouse()
	}
	return true
}

// end ends the stream behind what is queued.
func (w *mailbox[T]) end(why error) {
	w.mu.Lock()
	w.over, w.waiting = why, false
	w.mu.Unlock()
	w.rouse()
}

// Leave ends the stream for who reads it: Wait returns context.Canceled from now on, though messages may be there. It does not wait and needs no
// lock of the gate; Close is to follow.
func (w *mailbox[T]) Leave() {
	w.mu.Lock()
	w.left, w.waiting = true, false
	w.mu.Unlock()
	w.rouse()
}

func (w *mailbox[T]) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take gets what is in the queue, all that was taken before having been given out. When nothing is there it tells why the stream is over, or
// notes whether somebody waits.
func (w *mailbox[T]) take(wait bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left {
		return context.Canceled
	}
	if len(w.items) == 0 {
		w.waiting = wait && w.over == nil
		return w.over
	}
	w.items, w.taken, w.next = w.taken[:0], w.items, 0
	w.deliveries.Add(float64(len(w.taken)))
	return nil
}

// ready reports whether there is a message that was taken and not given out.
func (w *mailbox[T]) ready() bool { return w.next < len(w.taken) }

// Wait returns nil once there is a message to be had without waiting, one of the Cut errors when there is none any more, and context.Canceled
// after Leave or Close.
func (w *mailbox[T]) Wait() error {
	for !w.ready() {
		if err := w.take(true); err != nil {
			return err
		}
		if !w.ready() {
			<-w.wake // and no context beside it: that would cost as much as all the rest
		}
	}
	return nil
}

// await is Wait that gives up with ctx's error when that is over first; a message that is there already is to be had whatever ctx says.
func (w *mailbox[T]) await(ctx context.Context) error {
	for !w.ready() {
		if err := w.take(true); err != nil {
			return err
		}
		if w.ready() {
			break
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// pop gives out one message that has been taken from the queue, or is there to be taken.
func (w *mailbox[T]) pop() (it T, ok bool) {
	if !w.ready() && (w.take(false) != nil || !w.ready()) {
		return it, false
	}
	var none T
	it, w.taken[w.next] = w.taken[w.next], none
	w.next++
	return it, true
}
