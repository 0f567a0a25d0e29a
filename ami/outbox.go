package ami

import (
	"sync"
	"time"
)

// writeChunk is about what one write hands over: as much as is waiting, up to this.
const writeChunk = 64 << 10

// itemCost is what a queued event costs beside its bytes, which many sessions share.
const itemCost = 64

// item is something to be written: an answer's own bytes, or an event with the filters that were in force when it came.
type item struct {
	answer  []byte
	event   *Prepared
	filters *filterSet
}

// wire returns what is to be written, and how many events that is. It is nothing when the filters keep an event back.
func (it *item) wire() (wire []byte, events int) {
	switch {
	case it.event == nil:
		return it.answer, 0
	case it.filters.pass(it.event):
		return it.event.wire, 1
	}
	return nil, 0
}

// outbox is what a session has to write. Events are taken or refused at once; answers wait for room, which holds up the
// session that asked and no other.
type outbox struct {
	limit  int // bytes of events, and of answers
	window time.Duration

	mu      sync.Mutex // guards what follows
	room    sync.Cond  // answers have become fewer, or it is closed
	items   []item
	events  int // bytes, with what is being written
	answers int
	closed  bool // nothing more is taken in

	waiting chan struct{} // holds a token when there is something to write, or the end
	urgent  chan struct{} // holds a token when that must not wait for more

	spare []item // owned by the writer
}

func newOutbox(limit int, window time.Duration) *outbox {
	o := &outbox{limit: limit, window: window, waiting: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
	o.room.L = &o.mu
	return o
}

// event takes an event in, or reports that it is closed or, then full is true, has no room.
func (o *outbox) event(p *Prepared, filters *filterSet) (ok, full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	size := len(p.wire) + itemCost
	if o.closed || o.events+size > o.limit {
		return false, !o.closed
	}
	o.events += size
	o.add(item{event: p, filters: filters})
	if o.window > 0 && o.events > writeChunk {
		signal(o.urgent)
	}
	return true, false
}

// answer takes an answer in, when those before it are within the limit, and reports whether it did.
func (o *outbox) answer(wire []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.answers > o.limit && !o.closed {
		o.room.Wait()
	}
	if o.closed {
		return false
	}
	o.answers += len(wire) + itemCost
	o.add(item{answer: wire})
	signal(o.urgent)
	return true
}

func (o *outbox) add(it item) {
	o.items = append(o.items, it)
	if len(o.items) == 1 {
		signal(o.waiting)
	}
}

// close takes in nothing more; what is there stays to be written.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.room.Broadcast()
	signal(o.waiting)
	signal(o.urgent)
}

// take waits for something to write and returns all of it, and nothing when the outbox is closed and empty.
func (o *outbox) take(timer *time.Timer) []item {
	for {
		<-o.waiting
		if o.window > 0 {
			timer.Reset(o.window)
			select {
			case <-o.urgent:
			case <-timer.C:
			}
		}
		o.mu.Lock()
		items, closed := o.items, o.closed
		o.items = o.spare
		o.mu.Unlock()
		o.spare = nil
		if closed {
			signal(o.waiting) // for the end, when the next call finds nothing
			signal(o.urgent)
		}
		if len(items) != 0 || closed {
			return items
		}
		o.spare = items
	}
}

// give takes back what take returned, to be used again.
func (o *outbox) give(items []item) {
	clear(items)
	const kept = 4096 // a burst's memory is not kept for ever
	if cap(items) <= kept {
		o.spare = items[:0]
	}
}

// wrote says that items are off.
func (o *outbox) wrote(items []item) {
	events, answers := 0, 0
	for i := range items {
		if p := items[i].event; p != nil {
			events += len(p.wire) + itemCost
		} else {
			answers += len(items[i].answer) + itemCost
		}
	}
	o.mu.Lock()
	o.events -= events
	o.answers -= answers
	o.mu.Unlock()
	if answers != 0 {
		o.room.Broadcast()
	}
}

func (o *outbox) queued() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.events + o.answers
}

// signal leaves a token, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
