package recording

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"sync"
	"time"
)

// Errors that a Book gives.
var (
	ErrNoCall = errors.New("no call has that leg")
	ErrKnown  = errors.New("the book has that file already")
)

// By what a recording is made.
const (
	SourceMixMonitor = "mixmonitor"
	SourceARI        = "ari"
	SourceSpool      = "spool" // nobody knows: its file was there
)

// Entry is a recording as a Book takes it in.
type Entry struct {
	Call   string
	Leg    string // the unique id by which it was found
	Spool  string
	File   string
	Source string
	Began  time.Time // zero where that is not known
}

// Book is where recordings are written down: the journal. Its methods may wait.
type Book interface {
	// CallOf returns the call that a leg was on at a moment; ErrNoCall if there is none.
	CallOf(ctx context.Context, leg string, at time.Time) (string, error)
	// Find returns the id of the recording in a file, "" if there is none, and whether it is complete.
	Find(ctx context.Context, at Place) (id string, complete bool, err error)
	// Add takes one in and returns its id; ErrNoCall, ErrKnown.
	Add(ctx context.Context, e Entry) (string, error)
	// End takes in that one is complete.
	End(ctx context.Context, id string, ended time.Time, size int64) error
}

// KeeperConfig says what a Keeper works with. Spools and Book are required.
type KeeperConfig struct {
	Spools *Spools
	Book   Book
	// Variable reads a variable of a channel; an error where it cannot be told. Nil: MixMonitor's files are found by their names alone.
	Variable func(ctx context.Context, leg, name string) (string, error)
	// Runs says whether something is still recorded of which no end was told: for SourceMixMonitor by the leg, for SourceARI by the recording's name; an
	// error where that cannot be told now. Nil: nobody is asked, and what was told is all.
	Runs func(ctx context.Context, source, of string) (bool, error)
	// OnError is told when the book cannot be written, or a folder not be read; nil: nobody is. The error has no name of a file in it.
	OnError func(error)
	Now     func() time.Time // nil means time.Now

	Settle time.Duration // how long a file has to rest to be complete; 2 s
	Retry  time.Duration // how long a call is looked for to which a new file belongs; 2 min
	Rest   time.Duration // after how long in which nothing was written it is asked whether a recording still runs; 30 s
	Scan   time.Duration // how often the folders are looked through, as a network file system may tell nothing; 10 min
}

// Stats are a Keeper's counts.
type Stats struct {
	Kept      uint64 // recordings that were written down
	Unmatched uint64 // files that belong to no call that the journal has: nobody is shown them
	Waiting   int    // files that are looked after
	Dropped   uint64 // facts that came too fast; what they told of is found when the folders are looked through
}

// Keeper finds recordings and writes them down. Began, Ended, ARIBegan, ARIEnded and Resumed may be called under locks: they do not wait.
type Keeper struct {
	cfg   KeeperConfig
	facts chan *candidate // that MixMonitor has begun, and of which the file has to be asked for

	mu      sync.Mutex
	stats   Stats
	open    map[string][]*candidate // whose end is to be told, by what it is told of: a leg, or ariKey and a name
	waiting map[Place]*candidate
	done    map[Place]uint64 // files that need no look any more, with the last look through the folders that saw them
	sweep   uint64           // which look through the folders it is
}

// candidate is a file that is looked after: one that has no call yet, or one whose end is awaited. What was told of it stays until it is in the book, however
// long that cannot be written: most names have nothing in them that would bind the file otherwise. The keeper's lock guards it.
type candidate struct {
	at     Place
	since  time.Time // when it was first seen, or told of
	id     string    // of the recording; empty while it is not in the book
	source string    // what was told: "mixmonitor", "ari"; empty: nothing, its name has to say whose it is
	leg    string    // whose call it is of
	of     string    // what is recorded, for Runs
	over   time.Time // when it was told that it is not written any more; zero: not yet
	doubt  bool      // its end may not have been told
	asked  time.Time // when it was asked whether it runs
}

// key is what its end is told of.
func (c *candidate) key() string {
	if c.source == SourceARI {
		return ariKey + c.of
	}
	return c.of
}

const (
	maxFacts   = 4096
	maxWaiting = 10000
	maxDone    = 200000

	ariKey = "ari:"
)

// NewKeeper makes a keeper. Nothing is started.
func NewKeeper(cfg KeeperConfig) *Keeper {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&cfg.Settle, 2 * time.Second}, {&cfg.Retry, 2 * time.Minute}, {&cfg.Rest, 30 * time.Second}, {&cfg.Scan, 10 * time.Minute}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	return &Keeper{cfg: cfg, facts: make(chan *candidate, maxFacts), open: map[string][]*candidate{}, waiting: map[Place]*candidate{}, done: map[Place]uint64{}}
}

// Began takes in that MixMonitor records a leg.
func (k *Keeper) Began(leg string, at time.Time) {
	c := &candidate{since: at, source: SourceMixMonitor, leg: leg, of: leg}
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case k.facts <- c:
		k.open[leg] = append(k.open[leg], c) // now, since its end may be told before its file is
	default:
		k.stats.Dropped++
	}
}

// Ended takes in that a leg is recorded no more, or gone.
func (k *Keeper) Ended(leg string, _ time.Time) { k.end(leg) }

// ARIBegan takes in that ARI records a leg under a name. That may be told more than once.
func (k *Keeper) ARIBegan(leg, name, format string, at time.Time) {
	place, ok := k.cfg.Spools.ofARI(name, format)
	if !ok {
		return
	}
	c := &candidate{at: place, since: at, source: SourceARI, leg: leg, of: name}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.await(c) {
		k.open[c.key()] = append(k.open[c.key()], c)
	}
}

// ARIEnded takes in that one of ARI's recordings is over.
func (k *Keeper) ARIEnded(name string, _ time.Time) { k.end(ariKey + name) }

func (k *Keeper) end(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.open[key] {
		c.over = k.cfg.Now()
	}
	delete(k.open, key)
}

// Resumed takes in that the PBX was out of sight for a while: of each recording whose end is awaited it is asked whether it still runs.
func (k *Keeper) Resumed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, list := range k.open {
		for _, c := range list {
			c.doubt = true
		}
	}
}

// await has a file of which something was told looked after, and reports whether that is new. Caller holds the lock.
func (k *Keeper) await(c *candidate) bool {
	before := k.waiting[c.at]
	switch {
	case before != nil && before.source != "":
		return false
	case before != nil:
		c.id = before.id
	case len(k.waiting) >= maxWaiting:
		k.stats.Dropped++
		return false
	}
	delete(k.done, c.at)
	k.waiting[c.at] = c
	return true
}

// forget ends the wait for a recording's end. Caller holds the lock.
func (k *Keeper) forget(c *candidate) {
	if k.waiting[c.at] == c {
		delete(k.waiting, c.at)
	}
	if left := slices.DeleteFunc(k.open[c.key()], func(o *candidate) bool { return o == c }); len(left) > 0 {
		k.open[c.key()] = left
	} else {
		delete(k.open, c.key())
	}
}

// Stats returns the counts of now.
func (k *Keeper) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stats
	s.Waiting = len(k.waiting)
	return s
}

// take finds out which file MixMonitor writes.
func (k *Keeper) take(ctx context.Context, c *candidate) {
	at, ok := Place{}, false
	if k.cfg.Variable != nil {
		if file, err := k.cfg.Variable(ctx, c.leg, "MIXMONITOR_FILENAME"); err == nil && file != "" {
			at, ok = k.cfg.Spools.placeOf(path.Clean(file))
		} // else the leg is gone, or not told; the file's name may say whose it is
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.at = at; !ok || !k.await(c) {
		k.forget(c)
	}
}

// notice takes in that there is a file.
func (k *Keeper) notice(at Place) {
	if !isName(at.File) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, done := k.done[at]; done {
		k.done[at] = k.sweep
		return
	}
	if k.waiting[at] != nil || len(k.waiting) >= maxWaiting {
		return // one beyond the bound is found when the folders are looked through again
	}
	k.waiting[at] = &candidate{at: at, since: k.cfg.Now()}
}

// settle notes that a file needs no look any more. Of more files than are remembered some are looked at again each time. Caller holds the lock.
func (k *Keeper) settle(c *candidate) {
	k.forget(c)
	for at := range k.done {
		if len(k.done) < maxDone {
			break
		}
		delete(k.done, at)
	}
	k.done[c.at] = k.sweep
}

// swept forgets of the files that need no look those that were not seen in the folders since they were last looked through.
func (k *Keeper) swept() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for at, seen := range k.done {
		if seen < k.sweep {
			delete(k.done, at)
		}
	}
	k.sweep++
}

// work looks after the files that wait.
func (k *Keeper) work(ctx context.Context) {
	k.mu.Lock()
	list := slices.Collect(maps.Values(k.waiting))
	k.mu.Unlock()
	for _, c := range list {
		if ctx.Err() != nil {
			return
		}
		if k.look(ctx, c) {
			k.mu.Lock()
			if k.waiting[c.at] == c { // and nothing has been told of it meanwhile
				k.settle(c)
			}
			k.mu.Unlock()
		}
	}
}

// look sees what has become of one file, and reports whether it needs no look any more.
func (k *Keeper) look(ctx context.Context, c *candidate) (done bool) {
	now := k.cfg.Now()
	size, modified, err := k.cfg.Spools.stat(c.at)
	rests := err == nil && now.Sub(modified) >= k.cfg.Settle
	k.doubts(ctx, c, now, err != nil || now.Sub(modified) >= k.cfg.Rest)
	k.mu.Lock()
	id, told, over := c.id, c.source != "", c.over
	k.mu.Unlock()
	if err != nil {
		// Asterisk makes the file some time after it has said that it records; one that never came, or that is gone, is no recording.
		late := !over.IsZero() && now.Sub(over) > k.cfg.Retry
		return !told || late && (id == "" || k.finish(ctx, id, over, 0))
	}
	if id == "" {
		known, complete, err := k.cfg.Book.Find(ctx, c.at)
		switch {
		case err != nil:
			k.cfg.OnError(fmt.Errorf("look for a recording: %w", err))
			return false
		case complete:
			return true
		case known == "" && told:
			known = k.bind(ctx, c, now)
		case known == "" && !rests:
			return false // its exact binding may be on the way
		case known == "":
			return k.match(ctx, c.at, size, modified, now)
		case !told && now.Sub(modified) > k.cfg.Retry:
			over = modified // one of an Earshot before this one, that has not seen its end
		}
		if id = known; id == "" {
			return false
		}
		k.mu.Lock()
		if told { // of what an Earshot before has left, nobody tells
			c.id = id
		}
		k.mu.Unlock()
	}
	return !over.IsZero() && rests && k.finish(ctx, id, modified, size)
}

// doubts asks whether something is still recorded whose end may have been lost: after the PBX was out of sight, and now and then while nothing is written.
func (k *Keeper) doubts(ctx context.Context, c *candidate, now time.Time, idle bool) {
	k.mu.Lock()
	pause := k.cfg.Rest
	if c.doubt {
		pause = min(pause, time.Second)
	}
	ask := k.cfg.Runs != nil && c.source != "" && c.over.IsZero() && (c.doubt || idle && now.Sub(c.since) >= k.cfg.Rest) && now.Sub(c.asked) >= pause
	if ask {
		c.asked = now
	}
	k.mu.Unlock()
	if !ask {
		return
	}
	runs, err := k.cfg.Runs(ctx, c.source, c.of)
	if err != nil {
		return // it is asked again
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.doubt = false; !runs && c.over.IsZero() {
		c.over = now
	}
}

// bind writes down a recording whose leg is known, and returns its id, or nothing, when it is to be tried again.
func (k *Keeper) bind(ctx context.Context, c *candidate, now time.Time) (id string) {
	call, err := k.cfg.Book.CallOf(ctx, c.leg, c.since)
	if err == nil {
		id, err = k.cfg.Book.Add(ctx, Entry{Call: call, Leg: c.leg, Spool: c.at.Spool, File: c.at.File, Source: c.source, Began: c.since})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case errors.Is(err, ErrKnown):
		return "" // it is found the next time
	case errors.Is(err, ErrNoCall):
		// What the name says decides, once it is whole; of one whose name says nothing, what was told is all that there is.
		if !c.over.IsZero() && (now.Sub(c.over) > k.cfg.Retry || k.cfg.Spools.tells(c.at)) {
			k.forget(c)
			k.waiting[c.at] = &candidate{at: c.at, since: now}
		}
		return ""
	case err != nil:
		k.cfg.OnError(fmt.Errorf("keep a recording: %w", err))
		return ""
	}
	k.stats.Kept++
	return id
}

// finish writes down that a recording is complete, and reports whether that is written.
func (k *Keeper) finish(ctx context.Context, id string, ended time.Time, size int64) bool {
	if err := k.cfg.Book.End(ctx, id, ended, size); err != nil {
		k.cfg.OnError(fmt.Errorf("keep a recording's end: %w", err))
		return false
	}
	return true
}

// match finds the call of a file by its name.
func (k *Keeper) match(ctx context.Context, at Place, size int64, modified, now time.Time) (done bool) {
	p, err := k.cfg.Spools.named(at.Spool)
	if err != nil {
		return true
	}
	for _, leg := range p.pattern.ids(path.Base(at.File)) {
		call, err := k.cfg.Book.CallOf(ctx, leg, modified)
		if errors.Is(err, ErrNoCall) {
			continue
		}
		var id string
		if err == nil {
			id, err = k.cfg.Book.Add(ctx, Entry{Call: call, Leg: leg, Spool: at.Spool, File: at.File, Source: SourceSpool})
		}
		if err == nil {
			err = k.cfg.Book.End(ctx, id, modified, size)
		}
		switch {
		case errors.Is(err, ErrKnown):
			return true
		case err != nil:
			k.cfg.OnError(fmt.Errorf("keep a recording: %w", err))
			return false
		}
		k.mu.Lock()
		k.stats.Kept++
		k.mu.Unlock()
		return true
	}
	if now.Sub(modified) <= k.cfg.Retry {
		return false // its call may not be written yet
	}
	k.mu.Lock()
	k.stats.Unmatched++
	k.mu.Unlock()
	return true
}
