// Package feed is the one place where the call table is written. Facts about the PBX go in one after the other
// ([Feed.Ingest]); out come consistent looks at the table ([Feed.Read]) and subscriptions that begin with the present state
// and go on with every change in order ([Feed.Subscribe]).
//
// The invariant: nothing is delivered before the state that explains it. Whoever is told of a change finds the table at
// least as new as the change; and a subscriber misses none, or is cut off and told so.
package feed

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

const (
	// HoldBack is how long a fact that names a leg not yet seen waits for it. AMI and ARI are two connections, and AMI may
	// be ahead.
	HoldBack = time.Second
	// ResyncEvery is how often at most a resync is asked for.
	ResyncEvery = time.Second
	// maxHeld bounds the facts that wait. Whatever is beyond it counts as having waited in vain.
	maxHeld = 1024
	// beat is how often time is told to the table while something in it waits for time to pass.
	beat = 25 * time.Millisecond
)

// Config says what a [Feed] works with. The zero value works.
type Config struct {
	// Now is Earshot's clock; nil means time.Now. It measures waiting only: when something happened is for Asterisk to say.
	Now func() time.Time
	// Resync asks for a snapshot of the PBX, which is to come by Ingest as a call.Resynced. It is called at most once in
	// ResyncEvery, on the goroutine of Ingest, Tick or RequestResync, and must not wait. Nil means that nobody can be asked.
	Resync func()
	// OnApply is called after each fact that was applied, before any subscriber is told of it, in order and with the table
	// locked: it must not wait and not call the Feed. ch is valid during the call only, and may be empty; so is ev.
	OnApply func(t *call.Table, ev *call.Event, ch []call.Change)
}

// A Feed owns a call.Table. Its methods are safe for concurrent use, but facts are to come from one goroutine, as their order
// is what the table is made of.
type Feed struct {
	now     func() time.Time
	resync  func()
	onApply func(*call.Table, *call.Event, []call.Change)
	wake    chan struct{}

	mu     sync.RWMutex // guards what follows
	table  *call.Table
	seq    uint64
	subs   []*Subscription
	closed bool
	held   []call.Event // facts that wait for a leg, oldest first
	asleep bool         // Run waits for something that time is needed for
	wanted bool         // a resync is to be asked for; a snapshot that is handed in meanwhile does not answer it: it may have been begun before
	asked  time.Time    // when one was last asked for
	stats  Stats
}

// Stats counts what a Feed has done since it was made.
type Stats struct {
	Applied     uint64 // facts applied
	Early       uint64 // facts dropped because the state was not known
	Held        uint64 // facts that had to wait for a leg
	Late        uint64 // facts whose leg did not come in time; each is answered by a resync
	Resyncs     uint64 // resyncs asked for
	Delivered   uint64 // batches handed to subscribers
	CutOff      uint64 // subscribers cut off because they were too slow
	Subscribers int    // subscribers at present
	Legs        int    // legs in the table at present
	Known       bool   // whether the state is known at present
}

// New returns a Feed with an empty table, whose state is not known until a call.Resynced is ingested. Nothing is started;
// somebody has to call Run, or Tick.
func New(c Config) *Feed {
	f := &Feed{now: c.Now, resync: c.Resync, onApply: c.OnApply, wake: make(chan struct{}, 1), table: call.NewTable()}
	if f.now == nil {
		f.now = time.Now
	}
	return f
}

// Ingest takes in one fact and tells subscribers what it changed. It stamps ev.Seen where that is zero; it keeps nothing
// of ev. While the state is not known, all but call.Resynced and call.LinkLost is dropped: the snapshot to come says it all.
//
// Facts of AMI (SpyBegan, SpyEnded, PickedUp, RecordingBegan, RecordingEnded) that name a leg not yet seen wait for it up to HoldBack.
func (f *Feed) Ingest(ev *call.Event) {
	f.mu.Lock()
	now := f.now()
	if ev.Seen.IsZero() {
		ev.Seen = now
	}
	switch {
	case ev.Kind == call.Resynced:
		f.apply(ev)
	case !f.table.Known():
		// LinkLost again, or a fact from before the snapshot.
		if ev.Kind != call.LinkLost {
			f.stats.Early++
		}
	case !f.explained(ev):
		f.hold(ev)
	default:
		if ev.Kind == call.LinkLost {
			f.wanted = false // the next snapshot will have been begun after whatever it was wanted for
		}
		f.apply(ev)
	}
	ask := f.shallAsk(now)
	f.rouse()
	f.mu.Unlock()
	if ask {
		f.resync()
	}
}

// LinkLost says that facts may be missed from now on: subscribers are told that the state is not known until a
// call.Resynced is ingested.
func (f *Feed) LinkLost() { f.Ingest(&call.Event{Kind: call.LinkLost, At: f.now()}) }

// RequestResync asks for a snapshot, at once or as soon as ResyncEvery allows; for a witness who heard what does not fit.
func (f *Feed) RequestResync() {
	f.mu.Lock()
	f.wanted = true
	ask := f.shallAsk(f.now())
	f.rouse()
	f.mu.Unlock()
	if ask {
		f.resync()
	}
}

// Tick lets time pass: moves end, and facts that have waited in vain are counted and answered by a resync. Run calls it when
// it is needed; a test may call it by itself.
func (f *Feed) Tick() {
	f.mu.Lock()
	now := f.now()
	if f.table.Moving() {
		f.apply(&call.Event{Kind: call.TimePassed, At: now, Seen: now})
	}
	for len(f.held) > 0 && now.Sub(f.held[0].Seen) >= HoldBack {
		f.held = append(f.held[:0], f.held[1:]...)
		f.late()
	}
	ask := f.shallAsk(now)
	f.mu.Unlock()
	if ask {
		f.resync()
	}
}

// Run calls Tick whenever something waits for time to pass, until ctx ends; it returns ctx's error. While nothing waits it
// sleeps.
func (f *Feed) Run(ctx context.Context) error {
	timer := time.NewTimer(beat)
	defer timer.Stop()
	for {
		f.mu.Lock()
		f.asleep = !f.waiting()
		asleep := f.asleep
		f.mu.Unlock()
		if asleep {
			timer.Stop()
		} else {
			timer.Reset(beat)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.wake:
		case <-timer.C:
			f.Tick()
		}
	}
}

// waiting reports whether something waits for time to pass.
func (f *Feed) waiting() bool {
	return f.table.Moving() || len(f.held) > 0 || f.wanted && f.resync != nil && f.table.Known()
}

func (f *Feed) rouse() {
	if f.asleep && f.waiting() {
		f.asleep = false
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// shallAsk reports whether a resync is to be asked for now. While the state is not known one is under way anyhow.
func (f *Feed) shallAsk(now time.Time) bool {
	if !f.wanted || f.resync == nil || !f.table.Known() || !f.asked.IsZero() && now.Sub(f.asked) < ResyncEvery {
		return false
	}
	f.wanted, f.asked = false, now
	f.stats.Resyncs++
	return true
}

func (f *Feed) late() {
	f.stats.Late++
	f.wanted = true
}

// explained reports whether the table has every leg that an AMI fact names, or has had it.
func (f *Feed) explained(ev *call.Event) bool {
	switch ev.Kind {
	case call.SpyBegan, call.PickedUp:
		return f.met(ev.Channel.ID) && f.met(ev.Peer.ID)
	case call.SpyEnded, call.RecordingBegan, call.RecordingEnded:
		return f.met(ev.Channel.ID)
	}
	return true
}

func (f *Feed) met(id call.LegID) bool { return f.table.Leg(id) != nil || f.table.Gone(id) }

func (f *Feed) hold(ev *call.Event) {
	f.stats.Held++
	if len(f.held) == maxHeld {
		f.late()
		return
	}
	f.held = append(f.held, call.Event{
		Kind: ev.Kind, At: ev.At, Seen: ev.Seen,
		Channel: call.Channel{ID: call.LegID(strings.Clone(string(ev.Channel.ID))), Name: strings.Clone(ev.Channel.Name)},
		Peer:    call.Channel{ID: call.LegID(strings.Clone(string(ev.Peer.ID))), Name: strings.Clone(ev.Peer.Name)},
	})
}

// apply writes the table and tells everybody, and then of what has waited for a leg that this fact brought.
func (f *Feed) apply(ev *call.Event) {
	f.tell(ev, f.table.Apply(ev))
	f.release()
}

// release applies what has waited for a leg that the table has now.
func (f *Feed) release() {
	for i := 0; i < len(f.held); {
		if !f.explained(&f.held[i]) {
			i++
			continue
		}
		waited := f.held[i]
		f.held = append(f.held[:i], f.held[i+1:]...)
		f.tell(&waited, f.table.Apply(&waited))
	}
}

func (f *Feed) tell(ev *call.Event, ch []call.Change) {
	f.stats.Applied++
	if f.onApply != nil {
		f.onApply(f.table, ev, ch)
	}
	if len(ch) > 0 {
		f.publish(ch)
	}
}

// Read calls look with the table, which does not change meanwhile. Several may look at once. look must not keep the table or
// its legs, not wait, and not call the Feed.
func (f *Feed) Read(look func(t *call.Table)) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	look(f.table)
}

// Stats returns the counts of now.
func (f *Feed) Stats() Stats {
	f.mu.RLock()
	defer f.mu.RUnlock()
	s := f.stats
	s.Subscribers, s.Legs, s.Known = len(f.subs), f.table.Len(), f.table.Known()
	return s
}

// Close ends all subscriptions with ErrClosed. Facts are taken in as before.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for len(f.subs) > 0 {
		f.cut(f.subs[len(f.subs)-1], ErrClosed)
	}
}
