package ami

import (
	"sync"
	"time"
)

// writeChunk is about what one write hands over: as much as is waiting, up to this.
const writeChunk = 64 << 10

// itemCost is what an item in a queue costs beside its bytes, which many sessions share.
const itemCost = 64

// item is something to be written: prepared events with the mask and the filters that were in force when they came, or the
// bytes of an answer.
type item struct {
	events  *Prepared
	filters *filterSet
	fills   int // where what their holes are filled with begins in the outbox's fills
	size    int // what it counts for
	mask    Class
	answer  bool
}

// ready reports whether the bytes to be written are there already: an answer, or events of which all are for this session
// and none has a hole.
func (it *item) ready() bool {
	return it.answer || len(it.events.holes) == 0 && it.filters == nil && it.mask.passes(it.events.class)
}

// append appends what is to be written of events to dst, and returns how many that is.
func (it *item) append(dst, fills []byte) (_ []byte, events int) {
	p := it.events
	if len(p.holes) != 0 {
		fills = fills[it.fills:]
	}
	if it.filters == nil && it.mask.passes(p.class) {
		return p.Append(dst, fills), len(p.parts)
	}
	return p.appendPassing(dst, fills, it.mask, it.filters)
}

// outbox is what a session has to write. Events are taken or refused at once; answers wait for room, which holds up the
// session that asked and no other.
type outbox struct {
	limit  int // bytes of events
	wait   int // bytes of answers
	window time.Duration

	mu      sync.Mutex // guards what follows
	room    sync.Cond  // answers have become fewer, or it is closed
	items   []item
	fills   []byte // what the holes of the items' events are filled with
	events  int    // bytes, with what is being written
	answers int
	closed  bool // nothing more is taken in

	waiting chan struct{} // holds a token when there is something to write, or the end
	urgent  chan struct{} // holds a token when that must not wait for more

	// Owned by the writer.
	last       time.Time // it was given something to write
	taken      []byte    // fills of the items that it has
	spare      []item
	spareFills []byte
}

func newOutbox(limit, wait int, window time.Duration) *outbox {
	o := &outbox{limit: limit, wait: wait, window: window, waiting: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
	o.room.L = &o.mu
	return o
}

// event takes those of the events in that the mask lets through, or reports that it is closed or, then full is true, has
// no room for one. Their holes are filled with fills.
func (o *outbox) event(events []*Prepared, fills []byte, mask Class, filters *filterSet) (ok, full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	kept := -1 // where fills begin
	for _, p := range events {
		wire, holes, any := p.weigh(mask)
		if !any {
			continue
		}
		it := item{events: p, filters: filters, mask: mask, size: wire + itemCost}
		if holes != 0 && kept < 0 {
			it.size += len(fills)
		}
		if o.closed || o.events+it.size > o.limit {
			return false, !o.closed
		}
		if holes != 0 {
			if kept < 0 {
				kept = len(o.fills)
				o.fills = append(o.fills, fills...)
			}
			it.fills = kept
		}
		o.events += it.size
		o.add(it)
	}
	if o.window > 0 && o.events > writeChunk {
		signal(o.urgent)
	}
	return !o.closed, false
}

// answer takes an answer in, when those before it are within the limit, and reports whether it did.
func (o *outbox) answer(wire []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.answers > o.wait && !o.closed {
		o.room.Wait()
	}
	if o.closed {
		return false
	}
	it := item{events: &Prepared{wire: wire}, answer: true, size: len(wire) + itemCost}
	o.answers += it.size
	o.add(it)
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
			o.pause(timer)
		}
		o.mu.Lock()
		items, closed := o.items, o.closed
		o.items, o.taken, o.fills = o.spare, o.fills, o.spareFills
		o.mu.Unlock()
		o.spare, o.spareFills = nil, nil
		if closed {
			signal(o.waiting) // for the end, when the next call finds nothing
			signal(o.urgent)
		}
		if len(items) != 0 || closed {
			if o.window > 0 {
				o.last = time.Now()
			}
			return items
		}
		o.give(items)
	}
}

// pause waits until the window is over that began with the last write, or something is there that is urgent. After a quiet time that is at once: an
// event waits for others only where others came a moment ago.
func (o *outbox) pause(timer *time.Timer) {
	if left := o.window - time.Since(o.last); left > 0 {
		timer.Reset(left)
		select {
		case <-o.urgent:
		case <-timer.C:
		}
		return
	}
	select {
	case <-o.urgent: // is taken along
	default:
	}
}

// give takes back what take returned, to be used again.
func (o *outbox) give(items []item) {
	clear(items)
	const kept, keptFills = 4096, 256 << 10 // a burst's memory is not kept for ever
	if cap(items) <= kept {
		o.spare = items[:0]
	}
	if cap(o.taken) <= keptFills {
		o.spareFills = o.taken[:0]
	}
	o.taken = nil
}

// wrote says that items are off.
func (o *outbox) wrote(items []item) {
	events, answers := 0, 0
	for i := range items {
		if items[i].answer {
			answers += items[i].size
		} else {
			events += items[i].size
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
