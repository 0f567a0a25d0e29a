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

// turn says whose turn it is to write what waits in an outbox.
type turn uint8

const (
	nobodys  turn = iota // nothing waits
	windows              // the window's: once that is over the flusher sees to it
	flushers             // the flusher's, which is writing
	own                  // the session's own goroutine's, which is writing or has been told to
)

// outbox is what a session has to write. Events are taken or refused at once; answers wait for room, which holds up the
// session that asked and no other.
type outbox struct {
	limit   int      // bytes of events
	wait    int      // bytes of answers
	flusher *flusher // nil: there is no window
	direct  *direct  // nil: the flusher cannot write
	observe func(events, bytes int)

	mu       sync.Mutex // guards what follows
	room     sync.Cond  // answers have become fewer, or it is closed
	items    []item
	fills    []byte // what the holes of the items' events are filled with
	events   int    // bytes, with what is being written
	answers  int
	turn     turn
	filtered bool          // filters will look at some of the items
	closed   bool          // nothing more is taken in
	last     time.Duration // on the flusher's clock: something was taken to be written

	seat seat // guarded by the flusher's lock; whether it is taken its goroutine may read within the outbox's

	told chan struct{} // holds a token when the turn has become the session's own

	// Owned by whose turn it is.
	taken      []byte // fills of the items that he has
	spare      []item
	spareFills []byte
	left       leftover
}

// leftover is what the flusher could not write.
type leftover struct {
	items  []item
	wire   []byte // of them, what is not off
	events int    // of them, what the observer has not been told of
	err    error  // why none of it ever will be
}

func newOutbox(limit, wait int, f *flusher, d *direct, observe func(events, bytes int)) *outbox {
	o := &outbox{limit: limit, wait: wait, flusher: f, direct: d, observe: observe, told: make(chan struct{}, 1)}
	if f != nil {
		o.last = -f.window // nothing has been written
	}
	o.room.L = &o.mu
	return o
}

// event takes those of the events in that the mask lets through, or reports that it is closed or, then full is true, has
// no room for one. Their holes are filled with fills.
func (o *outbox) event(events []*Prepared, fills []byte, mask Class, filters *filterSet) (ok, full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.filtered = o.filtered || filters != nil
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
		o.items = append(o.items, it)
	}
	o.rouse()
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
	o.items = append(o.items, it)
	o.rouse()
	return true
}

// close takes in nothing more; what is there stays to be written.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.rouse()
	o.mu.Unlock()
	o.room.Broadcast()
}

// rouse sees to it that what waits will be written. Caller holds the lock.
func (o *outbox) rouse() {
	switch {
	case o.turn == flushers || o.turn == own:
		return // he looks again when he is done
	case len(o.items) == 0 && !o.closed:
		return
	case o.urgent():
		if o.turn == windows {
			o.flusher.remove(o)
		}
		o.yield()
	case o.turn == nobodys:
		o.turn = windows
		o.flusher.add(o, o.due(o.flusher.now()))
	}
}

// due is when what comes now is to be written: at the next tick after a quiet time, for an event waits for others only where
// others came a moment ago; and else when it has waited for a window, or a tick more has gone by since the last write.
func (o *outbox) due(now time.Duration) time.Duration {
	if f := o.flusher; now < o.last+f.window {
		return min(now, o.last+f.tick) + f.window
	}
	return now
}

// urgent reports whether what waits must not wait for more: answers, a write's worth of events, the end. Caller holds the lock.
func (o *outbox) urgent() bool {
	return o.flusher == nil || o.answers > 0 || o.closed || o.events > writeChunk
}

// yield makes it the turn of the session's own goroutine. Caller holds the lock.
func (o *outbox) yield() {
	o.turn = own
	o.told <- struct{}{} // nobody has told it, or it would be its turn already
}

// take waits until it is the turn of the session's own goroutine, and returns what the flusher could not write, or else
// all that is there, which is nothing when the outbox is closed and empty.
func (o *outbox) take() ([]item, leftover) {
	<-o.told
	o.mu.Lock()
	defer o.mu.Unlock()
	if left := o.left; left.items != nil {
		o.left = leftover{}
		return left.items, left
	}
	if o.flusher != nil {
		o.last = o.flusher.now()
	}
	return o.swap(), leftover{}
}

// swap takes all that is there. Caller holds the lock.
func (o *outbox) swap() []item {
	items := o.items
	o.items, o.taken, o.fills = o.spare, o.fills, o.spareFills
	o.spare, o.spareFills, o.filtered = nil, nil, false
	return items
}

// give takes back what was taken, to be used again.
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

// done ends the turn of who has been writing, behind give.
func (o *outbox) done() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn = nobodys
	o.rouse()
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
