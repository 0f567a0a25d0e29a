package recording

import (
	"context"
	"errors"
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
	// OnTurn is told when a spool's folder cannot be read, when it can again, and when another is in its place; nil: nobody is.
	OnTurn func(Turn)
	Now    func() time.Time // nil means time.Now

	Settle time.Duration // how long a file has to rest to be complete; 2 s
	Retry  time.Duration // how long a call is looked for to which a new file belongs; 2 min
	Rest   time.Duration // after how long in which nothing was written it is asked whether a recording still runs; 30 s
	Scan   time.Duration // how often the folders are looked through, as a network file system may tell nothing; 10 min
	Try    time.Duration // how often it is tried whether the spools' folders can be read, and are still the same; 30 s
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
	source string    // by what it is made; empty: nothing was told, and its name has to say whose it is
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
	}{{&cfg.Settle, 2 * time.Second}, {&cfg.Retry, 2 * time.Minute}, {&cfg.Rest, 30 * time.Second}, {&cfg.Scan, 10 * time.Minute}, {&cfg.Try, 30 * time.Second}} {
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
	if cfg.OnTurn == nil {
		cfg.OnTurn = func(Turn) {}
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
func (k *Keeper) Ended(leg string) { k.end(leg) }

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
func (k *Keeper) ARIEnded(name string) { k.end(ariKey + name) }

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
