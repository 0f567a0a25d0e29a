// Package redis keeps a cache over a Redis that several sidecars share: what is read comes from a copy in memory, which one
// goroutine keeps fresh, told by a channel and by polling; what is written goes to Redis first. The keys are listed in package cache.
//
// Invariant: nothing that is read waits for Redis, and nothing that Redis does (being away, slow, full, emptied, replaced or set
// back) adds a right. What it is told on the channel is only a hint to look; only what was read from the keys in one step is believed.
package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/cache"
)

// layout is the version of the keys' layout; a Redis with another one is not touched.
const layout = "1"

// maxPendingDeletes bounds the deletions of which Redis must still be told, and shareQueue the look-ups waiting to be shared.
const (
	maxPendingDeletes = 10_000
	shareQueue        = 1024
)

// Cache is a cache.Cache over Redis. Make it with Open.
type Cache struct {
	cfg    Config
	now    func() time.Time
	made   time.Time
	name   string // random: which hints are its own
	local  *cache.Memory
	max    int // sessions
	maxMem int // bytes of sessions
	client goredis.UniversalClient

	tag                                                                    string // how all keys on which one step depends begin
	keyMeta, keySessions, keyExpiry, keyChanges, keyBeat, keyRows, channel string
	lease                                                                  time.Duration

	kick     chan struct{} // capacity 1: look now
	where    atomic.Uint32 // and at what: parts
	sharing  chan shareItem
	turn     chan struct{} // capacity 1: held by who reads from Redis into the copy, so that an older answer never follows a newer one
	verified atomic.Int64  // time since made at which the last request left that confirmed the sessions; negative: never
	follows  atomic.Pointer[[]*followed]
	dropped  atomic.Uint64
	latency  atomic.Int64 // of the last beat
	peers    peers
	texts    texts

	calls sync.WaitGroup // exchanges with Redis under way

	mu       sync.Mutex // protects what follows
	phase    phase
	state    cache.State
	reason   string
	since    time.Time
	hearing  bool // the channel
	replaced uint64
	unread   int
	epoch    string
	version  int64               // of the sessions, as last read
	newest   int64               // the highest that Redis has told, in an answer to a write too
	anew     bool                // read everything, not only what changed
	own      map[string]int64    // sessions that were written from here, by version, until they were read back
	ends     map[string]int64    // when each session of the copy ends, as Redis has it
	pending  map[string]struct{} // deletions of which Redis must still be told
	joined   map[string]*member  // by name
	ahead    time.Duration       // of Redis' clock before the local one, or a little more
	clocked  bool                // ahead is known
}

type phase uint8

const (
	notRun phase = iota
	running
	ended
)

type shareItem struct {
	table cache.Table
	key   string
}

var _ cache.Cache = (*Cache)(nil)

// Open makes the cache and reads the files that the configuration names. It connects to nothing: Run does, and until then
// nothing shared is known and nothing can be written.
func Open(cfg Config) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.Memory.Now == nil {
		cfg.Memory.Now = time.Now
	}
	client, err := cfg.client()
	if err != nil {
		return nil, err
	}
	// What may be put is bounded before it is written to Redis. The copy has room for more, so that everything fits that several
	// sidecars write at the same moment.
	usual := cache.NewMemory(cfg.Memory).Status().Memory
	copied := cfg.Memory
	copied.Sessions, copied.SessionBytes = 2*usual.MaxSessions, 2*usual.MaxSessionBytes
	tag := "{" + cfg.Prefix + "}:"
	c := &Cache{
		cfg: cfg, now: cfg.Memory.Now, made: cfg.Memory.Now(), name: rand.Text(), local: cache.NewMemory(copied), client: client,
		max: usual.MaxSessions, maxMem: usual.MaxSessionBytes,
		keyMeta: tag + "meta", keySessions: tag + "sessions", keyExpiry: tag + "sessions:expiry", keyChanges: tag + "sessions:changes",
		keyBeat: tag + "beat", keyRows: tag + "rows:changes", channel: tag + "changes", tag: tag, lease: leaseFor(cfg.Poll), joined: make(map[string]*member),
		kick: make(chan struct{}, 1), sharing: make(chan shareItem, shareQueue), turn: make(chan struct{}, 1),
		reason: errNotConnected.reason, since: cfg.Memory.Now(),
		own: make(map[string]int64), ends: make(map[string]int64), pending: make(map[string]struct{}),
	}
	c.verified.Store(-1)
	c.latency.Store(-1)
	c.peers.verified.Store(-1)
	c.follows.Store(new([]*followed))
	return c, nil
}

// Run implements cache.Cache: it connects, comes back after every failure, and returns nil when ctx has ended, every exchange is
// over and the connections are closed, which takes no longer than Config.Timeout. An error: it was run before.
func (c *Cache) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.phase != notRun {
		c.mu.Unlock()
		return errors.New("cache.redis: run a second time")
	}
	c.phase = running
	c.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { c.listen(ctx) })
	wg.Go(func() { c.share(ctx) })
	c.keep(ctx)
	wg.Wait()
	c.mu.Lock()
	c.phase = ended
	left := slices.Collect(maps.Values(c.joined))
	clear(c.joined)
	c.mu.Unlock()
	for _, m := range left { // the others see it when the lease is over
		m.mu.Lock()
		m.end()
		m.mu.Unlock()
	}
	c.calls.Wait()
	err := c.client.Close()
	c.setState(cache.Away, "closed")
	if err != nil {
		return fmt.Errorf("cache.redis: close: %w", err)
	}
	return nil
}

// part is something of the copy that may be looked at by itself.
type part uint32

const (
	lookSessions part = 1 << iota // and overlays, and what Redis must be told of them
	lookDocuments
	lookMembers // one's own memberships
	lookShow    // what they show
	lookRows    // what all show

	everything part = 1<<iota - 1
)

// keep reads what changed: when it was told to look, and at each poll.
func (c *Cache) keep(ctx context.Context) {
	poll := time.NewTimer(0)
	defer poll.Stop()
	due := time.Now() // not the clock of what is kept, which a test may stop
	for {
		polled := false
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			polled = true
		case <-c.kick:
			polled = !time.Now().Before(due) // nobody who is told all the time forgets to poll
		}
		parts := part(c.where.Swap(0))
		if polled || !c.isUp() {
			parts = everything
		}
		c.step(ctx, parts, polled)
		if polled {
			// Not all sidecars at the same moment.
			due = time.Now().Add(c.cfg.Poll - time.Duration(mathrand.Int64N(int64(c.cfg.Poll)/10)))
		}
		poll.Reset(max(0, time.Until(due)))
	}
}

// look has everything read.
func (c *Cache) look() { c.lookAt(everything) }

// lookAt has parts read, told or both.
func (c *Cache) lookAt(p part) {
	c.where.Or(uint32(p))
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// step brings the copy up to date and tells Redis what it must still be told. At a poll, and when the state was not the best, it
// learns by a write of its own whether writes work.
func (c *Cache) step(ctx context.Context, parts part, polled bool) {
	err := c.inTurn(ctx, func() error {
		if parts&lookSessions != 0 {
			if err := c.stepSessions(ctx); err != nil {
				return err
			}
		}
		if parts&lookDocuments != 0 {
			if err := c.readTexts(ctx); err != nil {
				return err
			}
		}
		if c.known() == "" {
			return nil // not even what Redis it is: told by the sessions, which are read first
		}
		if parts&(lookMembers|lookShow) != 0 {
			if err := c.serve(ctx, parts&lookMembers != 0, polled); err != nil {
				return err
			}
		}
		if parts&lookRows != 0 {
			return c.readRows(ctx)
		}
		return nil
	})
	if err == nil && (polled || !c.isUp()) {
		err = c.beat(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		c.setState(cache.Up, "")
		return
	}
	c.mu.Lock()
	c.anew = true // as in setHearing
	c.mu.Unlock()
	var own *stateError
	if errors.As(err, &own) {
		c.setState(own.state, own.reason)
		return
	}
	t := diagnose(err)
	c.setState(t.state, t.reason)
}

func (c *Cache) stepSessions(ctx context.Context) error {
	if err := c.readSessions(ctx); err != nil {
		return err
	}
	for _, f := range *c.follows.Load() {
		if err := c.readOverlay(ctx, f); err != nil {
			return err
		}
	}
	return c.deletePending(ctx)
}

// serve serves one's own memberships: shows what changed, and, if fetching, all that a membership is.
func (c *Cache) serve(ctx context.Context, fetching, polled bool) error {
	c.mu.Lock()
	all := slices.Collect(maps.Values(c.joined))
	c.mu.Unlock()
	for _, m := range all {
		err := error(nil)
		if fetching {
			err = m.serve(ctx, polled)
		} else {
			err = m.show(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// known is the epoch of the Redis that was last read; empty: none was.
func (c *Cache) known() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// memberKeys are the keys that every script of members names. The others that it touches begin with the tag, so they are on the same node.
func (c *Cache) memberKeys() []string { return []string{c.keyMeta, c.tag + "members", c.keyRows} }

// setClock takes that it was now by Redis at the local time at, or a little later.
func (c *Cache) setClock(now int64, at time.Time) {
	c.mu.Lock()
	c.ahead, c.clocked = time.UnixMilli(now).Sub(at), true
	c.mu.Unlock()
}

// storeTime is the time by Redis after d, or a little more, in milliseconds.
func (c *Cache) storeTime(d time.Duration) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Add(c.ahead + d).UnixMilli(), c.clocked
}

// stateError is a trouble that Earshot finds in what Redis holds.
type stateError struct {
	state  cache.State
	reason string
}

func (e *stateError) Error() string { return "cache.redis: " + e.reason }

// inTurn runs f when no other reads into the copy.
func (c *Cache) inTurn(ctx context.Context, f func() error) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
		return f()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// beat learns whether writes work. The key tells nobody anything.
func (c *Cache) beat(ctx context.Context) error {
	sent := c.moment()
	_, err := call(ctx, c, func(ctx context.Context) (string, error) {
		return c.client.Set(ctx, c.keyBeat, layout, 10*time.Second).Result()
	})
	if err == nil {
		c.latency.Store(c.moment() - sent)
	}
	return err
}

// call has one exchange with Redis, bounded by Config.Timeout. The client looks at the deadline of a context and not at its
// cancelling, so the exchange has a goroutine that Run waits for, and a caller who gives up goes at once.
func call[T any](ctx context.Context, c *Cache, exchange func(context.Context) (T, error)) (T, error) {
	var zero T
	c.mu.Lock()
	switch c.phase {
	case notRun:
		c.mu.Unlock()
		return zero, errNotConnected
	case ended:
		c.mu.Unlock()
		return zero, cache.ErrClosed
	case running:
	}
	c.calls.Add(1) // under the lock: Run waits only after it set the phase
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		defer c.calls.Done()
		v, err := exchange(ctx)
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

func (c *Cache) isUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == cache.Up
}

// deaf is the reason when reading and writing work and the channel does not: what others change is seen at the next poll.
const deaf = "not told of changes"

func (c *Cache) setState(s cache.State, reason string) {
	c.mu.Lock()
	if s == cache.Up && !c.hearing {
		reason = deaf
	}
	changed := c.state != s || c.reason != reason
	if c.state != s {
		c.since = c.now()
	}
	c.state, c.reason = s, reason
	c.mu.Unlock()
	if changed {
		c.local.Tell(cache.Change{Kind: cache.ChangeStatus})
	}
}

func (c *Cache) setHearing(h bool) {
	c.mu.Lock()
	c.hearing = h
	if h {
		// What broke the channel may have been a failover that lost writes and counted on from there, and every other connection
		// may have been made anew without an error: what changed since is then not all that is different.
		c.anew = true
	}
	up := c.state == cache.Up
	c.mu.Unlock()
	if up {
		c.setState(cache.Up, "")
	}
}

// Age implements cache.Cache.
func (c *Cache) Age() time.Duration { return c.ageOf(c.verified.Load()) }

// moment is the present as it is kept in verified.
func (c *Cache) moment() int64 { return int64(c.now().Sub(c.made)) }

func (c *Cache) ageOf(verified int64) time.Duration {
	if verified < 0 {
		return cache.Never
	}
	return max(0, time.Duration(c.moment()-verified))
}

// Status implements cache.Cache.
func (c *Cache) Status() cache.Status {
	s := c.local.Status()
	s.Age, s.Dropped, s.Overlays = c.Age(), c.dropped.Load(), nil
	s.RowsAge, s.Latency = c.RowsAge(), time.Duration(c.latency.Load())
	s.Memory.MaxSessions, s.Memory.MaxSessionBytes = c.max, c.maxMem
	c.mu.Lock()
	defer c.mu.Unlock()
	s.State, s.Reason, s.Since = c.state, c.reason, c.since
	s.Replaced, s.Unread, s.Pending = c.replaced, c.unread, len(c.pending)
	for _, f := range *c.follows.Load() {
		s.Overlays = append(s.Overlays, cache.OverlayStatus{
			Generation: f.generation, Known: f.overlay.Load() != nil, Age: c.ageOf(f.verified.Load()), Reason: f.reason,
		})
	}
	return s
}

// Watch implements cache.Cache.
func (c *Cache) Watch() *cache.Watcher { return c.local.Watch() }

// found gives an empty Redis its epoch.
func (c *Cache) found(ctx context.Context) error {
	_, err := call(ctx, c, func(ctx context.Context) (any, error) {
		return foundScript.Run(ctx, c.client, []string{c.keyMeta}, rand.Text(), layout).Result()
	})
	return err
}
