package recording

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"
)

// Errors that a Book gives.
var (
	ErrNoCall = errors.New("no call has that leg")
	ErrKnown  = errors.New("the book has that file already")
)

// Entry is a recording as a Book takes it in.
type Entry struct {
	Call   string
	Leg    string // the unique id by which it was found
	Spool  string
	File   string
	Source string    // "mixmonitor", "ari", "spool"
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
	// OnError is told when the book cannot be written, or a folder not be read; nil: nobody is. The error has no name of a file in it.
	OnError func(error)
	Now     func() time.Time // nil means time.Now

	Settle time.Duration // how long a file has to rest to be complete; 2 s
	Retry  time.Duration // how long a call is looked for to which a new file belongs; 2 min
	Scan   time.Duration // how often the folders are looked through, as a network file system may tell nothing; 10 min
}

// Stats are a Keeper's counts.
type Stats struct {
	Kept      uint64 // recordings that were written down
	Unmatched uint64 // files that belong to no call that the journal has: nobody is shown them
	Waiting   int    // files that are looked after
	Dropped   uint64 // facts that came too fast; what they told of is found when the folders are looked through
}

// Keeper finds recordings and writes them down. Began, Ended, ARIBegan and ARIEnded may be called under locks: they do not wait.
type Keeper struct {
	cfg   KeeperConfig
	facts chan fact

	mu      sync.Mutex
	stats   Stats
	open    map[string][]string // ids of recordings under way, by leg; the key "ari:NAME" too
	waiting map[Place]*candidate
	done    map[Place]struct{} // files that need no look any more
}

type factKind uint8

const (
	mixMonitorBegan factKind = iota
	recordingEnded
	ariBegan
)

type fact struct {
	kind         factKind
	leg          string
	name, format string
	at           time.Time
}

// candidate is a file that is looked after: one that has no call yet, or one whose end is awaited.
type candidate struct {
	at    Place
	since time.Time // when it was first seen
	id    string    // of the recording; empty while it has no call
	over  bool      // it is not written any more, as far as was told
}

const (
	maxFacts   = 4096
	maxWaiting = 10000
)

// NewKeeper makes a keeper. Nothing is started.
func NewKeeper(cfg KeeperConfig) *Keeper {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&cfg.Settle, 2 * time.Second}, {&cfg.Retry, 2 * time.Minute}, {&cfg.Scan, 10 * time.Minute}} {
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
	return &Keeper{cfg: cfg, facts: make(chan fact, maxFacts), open: map[string][]string{}, waiting: map[Place]*candidate{}, done: map[Place]struct{}{}}
}

// Began takes in that MixMonitor records a leg.
func (k *Keeper) Began(leg string, at time.Time) {
	k.tell(fact{kind: mixMonitorBegan, leg: leg, at: at})
}

// Ended takes in that a leg is recorded no more, or gone.
func (k *Keeper) Ended(leg string, at time.Time) {
	k.mu.Lock()
	_, open := k.open[leg]
	k.mu.Unlock()
	if open || len(k.facts) > 0 { // its beginning may be on the way still
		k.tell(fact{kind: recordingEnded, leg: leg, at: at})
	}
}

// ARIBegan takes in that ARI records a leg under a name.
func (k *Keeper) ARIBegan(leg, name, format string, at time.Time) {
	k.tell(fact{kind: ariBegan, leg: leg, name: name, format: format, at: at})
}

// ARIEnded takes in that one of ARI's recordings is over.
func (k *Keeper) ARIEnded(name string, at time.Time) {
	k.tell(fact{kind: recordingEnded, leg: ariKey + name, at: at})
}

const ariKey = "ari:"

func (k *Keeper) tell(f fact) {
	select {
	case k.facts <- f:
	default:
		k.mu.Lock()
		k.stats.Dropped++
		k.mu.Unlock()
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

// take does what a fact asks for.
func (k *Keeper) take(ctx context.Context, f fact) {
	switch f.kind {
	case mixMonitorBegan:
		if k.cfg.Variable == nil {
			return
		}
		file, err := k.cfg.Variable(ctx, f.leg, "MIXMONITOR_FILENAME")
		if err != nil || file == "" {
			return // the leg is gone, or not told; the file's name may say whose it is
		}
		if at, ok := k.cfg.Spools.placeOf(path.Clean(file)); ok {
			k.bind(ctx, at, "mixmonitor", f.leg, f.leg, f.at)
		}
	case ariBegan:
		if at, ok := k.cfg.Spools.ofARI(f.name, f.format); ok {
			k.bind(ctx, at, "ari", f.leg, ariKey+f.name, f.at)
		}
	case recordingEnded:
		k.mu.Lock()
		ids := k.open[f.leg]
		delete(k.open, f.leg)
		for _, c := range k.waiting {
			for _, id := range ids {
				c.over = c.over || c.id == id
			}
		}
		k.mu.Unlock()
	}
}

// bind writes down a recording whose leg is known, and awaits its end.
func (k *Keeper) bind(ctx context.Context, at Place, source, leg, key string, began time.Time) {
	call, err := k.cfg.Book.CallOf(ctx, leg, began)
	var id string
	if err == nil {
		id, err = k.cfg.Book.Add(ctx, Entry{Call: call, Leg: leg, Spool: at.Spool, File: at.File, Source: source, Began: began})
	}
	switch {
	case errors.Is(err, ErrKnown), errors.Is(err, ErrNoCall):
		return // what the name says decides
	case err != nil:
		k.cfg.OnError(fmt.Errorf("keep a recording: %w", err))
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stats.Kept++
	delete(k.done, at)
	k.waiting[at] = &candidate{at: at, since: began, id: id}
	k.open[key] = append(k.open[key], id)
}

// notice takes in that there is a file.
func (k *Keeper) notice(at Place) {
	if !isName(at.File) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, done := k.done[at]; done || k.waiting[at] != nil || len(k.waiting) >= maxWaiting {
		return // one beyond the bound is found when the folders are looked through again
	}
	k.waiting[at] = &candidate{at: at, since: k.cfg.Now()}
}

// work looks after the files that wait.
func (k *Keeper) work(ctx context.Context) {
	k.mu.Lock()
	list := make([]*candidate, 0, len(k.waiting))
	for _, c := range k.waiting {
		list = append(list, c)
	}
	k.mu.Unlock()
	for _, c := range list {
		if ctx.Err() != nil {
			return
		}
		if k.look(ctx, c) {
			k.mu.Lock()
			delete(k.waiting, c.at)
			k.done[c.at] = struct{}{}
			k.mu.Unlock()
		}
	}
}

// look sees what has become of one file, and reports whether it needs no look any more.
func (k *Keeper) look(ctx context.Context, c *candidate) (done bool) {
	now := k.cfg.Now()
	size, modified, err := k.cfg.Spools.stat(c.at)
	rests := err == nil && now.Sub(modified) >= k.cfg.Settle
	k.mu.Lock()
	id, over := c.id, c.over
	k.mu.Unlock()
	if err != nil {
		// Asterisk makes the file some time after it has said that it records; one that never came, or that is gone, is no recording.
		return id == "" || over || now.Sub(c.since) > k.cfg.Retry
	}
	if id == "" {
		known, complete, err := k.cfg.Book.Find(ctx, c.at)
		switch {
		case err != nil:
			k.cfg.OnError(fmt.Errorf("look for a recording: %w", err))
			return false
		case complete:
			return true
		case known != "":
			// One of an Earshot before this one, that has not seen its end.
			id, over = known, now.Sub(modified) > k.cfg.Retry
		case !rests:
			return false // its exact binding may be on the way
		default:
			return k.match(ctx, c.at, size, modified, now)
		}
	}
	if !over || !rests {
		return false
	}
	if err := k.cfg.Book.End(ctx, id, modified, size); err != nil {
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
			id, err = k.cfg.Book.Add(ctx, Entry{Call: call, Leg: leg, Spool: at.Spool, File: at.File, Source: "spool"})
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
