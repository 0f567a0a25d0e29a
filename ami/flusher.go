package ami

import (
	"sync"
	"time"
)

// ticks is how many there are to a window: what is due within one is written together.
const ticks = 8

// flusher writes for many sessions what has waited until its window was over: one goroutine goes from one to the next and
// writes what the kernel takes at once. A timer, and a goroutine to be woken, for each write would cost about as much as
// the write. What cannot be written at once, and all that may take its time, is left to the session's own goroutine, so
// that nobody is held up by anybody else.
//
// Its goroutine is there as long as something waits.
type flusher struct {
	window, tick time.Duration
	epoch        time.Time
	pause        func(time.Duration) // sleeps exactly

	mu      sync.Mutex           // guards what follows, and each outbox's seat; may be locked within an outbox's lock
	wheel   [4 * ticks][]*outbox // by the tick at which they are due; it may be some windows late
	next    int64                // the earliest tick of which there may be some
	waiting int                  // how many there are
	running bool
	sleeps  int64         // until this tick, unless it is awake
	wake    chan struct{} // holds a token when it must not sleep on

	// Owned by its goroutine, as long as it is running.
	due    []*outbox
	timer  *time.Timer
	writer directWriter
}

// coarse is how late a timer may be. The rest is slept exactly.
const coarse = time.Millisecond

// awake is no tick to sleep until.
const awake = -1

// seat is where an outbox waits.
type seat struct {
	tick  int64
	at    int
	taken bool
}

func newFlusher(window time.Duration) *flusher {
	return &flusher{window: window, tick: max(1, window/ticks), epoch: time.Now(), pause: pause, wake: make(chan struct{}, 1)}
}

// now is the time on the flusher's clock.
func (f *flusher) now() time.Duration { return time.Since(f.epoch) }

// list has those that are due at a tick. Caller holds the lock.
func (f *flusher) list(tick int64) *[]*outbox { return &f.wheel[tick%int64(len(f.wheel))] }

// add has the flusher see to an outbox once that is due. Caller holds the outbox's lock.
func (f *flusher) add(o *outbox, due time.Duration) {
	tick := int64((due + f.tick - 1) / f.tick)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.running {
		f.running, f.sleeps, f.next = true, awake, int64(f.now()/f.tick)
		go f.run()
	}
	tick = min(max(tick, f.next), f.next+int64(len(f.wheel))-1) // what is past comes now, and what the wheel has no place for early
	in := f.list(tick)
	o.seat = seat{tick: tick, at: len(*in), taken: true}
	*in = append(*in, o)
	f.waiting++
	if tick < f.sleeps {
		f.sleeps = awake
		signal(f.wake)
	}
}

// remove has the flusher forget an outbox, if it waits there still. Caller holds the outbox's lock.
func (f *flusher) remove(o *outbox) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !o.seat.taken {
		return
	}
	in := f.list(o.seat.tick)
	last := len(*in) - 1
	(*in)[o.seat.at] = (*in)[last]
	(*in)[o.seat.at].seat.at = o.seat.at
	(*in)[last] = nil
	*in = (*in)[:last]
	o.seat.taken = false
	if f.waiting--; f.waiting == 0 {
		f.sleeps = awake
		signal(f.wake) // to end
	}
}

// run sees to what is due until nothing waits any more.
func (f *flusher) run() {
	if f.timer == nil {
		f.timer = time.NewTimer(time.Hour)
	}
	chunk := chunks.Get().(*[]byte)
	defer chunks.Put(chunk)
	for {
		at, sleep, ok := f.turn()
		if !ok {
			return
		}
		if sleep > coarse {
			f.timer.Reset(sleep - coarse)
			select {
			case <-f.timer.C:
			case <-f.wake:
			}
			continue
		}
		if sleep > 0 {
			f.pause(min(sleep, f.tick)) // nothing wakes it, and what is due earlier than that may have come meanwhile
			continue
		}
		for i, o := range f.due {
			f.flush(o, at, *chunk)
			f.due[i] = nil
		}
	}
}

// turn takes what is due at one tick, and says since when it is; or how long nothing will be. Not ok is the end.
func (f *flusher) turn() (since, sleep time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sleeps = awake
	if f.waiting == 0 {
		f.running = false
		return 0, 0, false
	}
	now := f.now()
	for tick := f.next; ; tick++ {
		since = time.Duration(tick) * f.tick
		if since <= now {
			f.next = tick
		}
		in := f.list(tick)
		if len(*in) == 0 {
			continue
		}
		if since > now {
			f.sleeps = tick
			return 0, since - now, true
		}
		f.due, *in = *in, f.due[:0]
		for _, o := range f.due {
			o.seat.taken = false
		}
		f.waiting -= len(f.due)
		if now-since >= f.tick { // it is late: what comes next is not due the sooner
			since = now
		}
		return since, 0, true
	}
}

// flush writes what waits in an outbox, or leaves it to the session's own goroutine.
func (f *flusher) flush(o *outbox, at time.Duration, buf []byte) {
	o.mu.Lock()
	if o.turn != windows { // it has been written meanwhile
		o.mu.Unlock()
		return
	}
	if o.seat.taken { // it has been written, and waits again
		f.remove(o)
	}
	if o.direct == nil || o.filtered || o.urgent() {
		o.yield()
		o.mu.Unlock()
		return
	}
	o.turn, o.last = flushers, at
	items, size := o.swap(), o.events // nothing else is being written
	o.mu.Unlock()

	wire, events := items[0].events.wire, len(items[0].events.parts)
	if len(items) > 1 || !items[0].ready() {
		wire, events = buf[:0], 0
		for i := range items {
			var n int
			wire, n = items[i].append(wire, o.taken)
			events += n
		}
	}
	n, err := f.writer.write(o.direct, wire)
	if n > 0 {
		o.observe(events, n)
		events = 0
	}
	if n == len(wire) {
		o.give(items)
		o.mu.Lock()
		o.events -= size
		o.turn = nobodys
		o.rouse()
		o.mu.Unlock()
		return
	}
	left := leftover{items: items, wire: append([]byte(nil), wire[n:]...), events: events, err: err}
	o.mu.Lock()
	o.left = left
	o.yield()
	o.mu.Unlock()
}
