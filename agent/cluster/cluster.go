// Package cluster joins the Earshots beside several PBXs over the cache that they share: each shows to the others what it has, and has
// them carry out what only they can.
//
// Invariant: what comes out of it was said by a sidecar that has the key, lives now, and said it there and for this one: who can write into
// the shared store can hide, hold back and delay, and neither read nor make up nor repeat. What cannot be verified any more is told as not known.
//
// A sidecar has an incarnation: 16 random bytes. All that it says is sealed by AES-256-GCM with a key that is made, by HKDF-SHA256, of the
// shared one, its PBX's name and its incarnation; the nonce is a revision that only rises. The additional data binds it to its place. Members
// show each other the incarnations that they have met, and each takes what another says only while that one names the present one: a row
// from an earlier run is nobody's.
package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/earshot-pbx/earshot/cache"
)

// Store is what is needed of a cache.
type Store interface {
	cache.Members
	Status() cache.Status
	Watch() *cache.Watcher
}

// Row is something that a PBX shows, under its key. A nil Value: it was taken back. The value is not to be changed.
type Row struct {
	Key   string
	Value []byte
}

// String hides it: it tells about people.
func (r Row) String() string { return "[row]" }

// GoString hides it.
func (r Row) GoString() string { return r.String() }

// News is what another PBX shows now.
type News struct {
	PBX     string
	Known   bool // false: it has gone, or is out of reach: nothing that it showed counts any more
	Whole   bool // the rows are all that it shows; otherwise they are what has changed, and may be none where Partial has
	Partial bool // there is more that it would show and that does not fit into the bounds of the cache
	Rows    []Row
}

// Config is what a Cluster is made of. All but Expected and the durations is required.
type Config struct {
	PBX   string // the name of the PBX that this sidecar is beside
	Key   []byte // that all sidecars have, of MinKey bytes or more
	Store Store
	Log   zerolog.Logger

	// News is told what another PBX shows, by one goroutine, in order.
	News func(News)
	// Perform carries out what another PBX's sidecar asks, before ctx ends, and returns the answer. Undo, unless it is nil, is called
	// when the answer was not given and never will be: while that is not known it is left done, since who asked may have been told so. It
	// is called by many goroutines.
	Perform func(ctx context.Context, from string, request []byte) (answer []byte, undo func())
	// Expected returns the names of the PBXs that have to have a sidecar, one's own among them or not. It is called at any time, and must not
	// wait. None, and without it: nobody says who has to be there, so that who was known once is missed.
	Expected func() []string

	Stale   time.Duration // how old what is known of the store may be; 3s
	Beat    time.Duration // how often it is told that this sidecar lives; 2s
	Silence time.Duration // for how long another need not tell it; 6s
	Patience
}

// Patience is how long Enter waits.
type Patience struct {
	Taken time.Duration // for a name that another holds, whose lease may have to end; 5s
	Away  time.Duration // for the store; 3s
}

// atOnce is how many commands are carried out at the same time. More wait until their deadlines.
const atOnce = 64

// Cluster is one's own membership. Make it with New and run it with Run. Safe for concurrent use.
type Cluster struct {
	cfg    Config
	pbx    string
	keys   keys
	member cache.Member
	now    func() time.Time
	met    *counters
	slots  chan struct{}
	nudge  chan struct{} // capacity 1: the hello is to be sealed anew

	mu      sync.Mutex // guards what follows; nothing waits under it
	me      incarnation
	rows    map[string]shown
	unshown map[string]struct{} // keys of rows that did not fit
	partial bool                // the hello says that there are such
	sealRow sealer
	sealCmd sealer
	lives   []*life // the last one is that of the present incarnation
	echoes  map[string]string
	peers   map[string]address   // those that are known
	seen    map[string]bool      // every one that was known in this run, and whether it is
	carried map[string]time.Time // commands that were taken, and when they can be forgotten
	told    map[string]struct{}  // refusals that stand in the log
	foreign []string             // members whose hello is not sealed with this key, by name
	ended   bool                 // nothing is shown any more
	taken   bool                 // the name was another's when it was last looked at
	lease   uint64               // of the membership, in which the incarnation is shown; 0: none was seen yet
	joined  time.Time            // since when the name is one's own; zero: it is not
}

// shown is a row of one's own.
type shown struct {
	value    string
	place    string
	revision uint64 // under which it was sealed last
}

// life is of one incarnation of this very sidecar: what it has to know of it to be asked something and to answer. Those before the present one are
// known for a while: who has not met the present one yet asks one of them.
type life struct {
	of      incarnation
	answers sealer
	hellos  []sealedHello // of the last time, oldest first
}

// maxLives bounds them, whoever has the lease end again and again.
const maxLives = 4

// sealedHello is when a hello was sealed.
type sealedHello struct {
	revision uint64
	at       time.Time
}

// address is where a command is sent.
type address struct {
	of    incarnation
	hello uint64 // the revision of its hello that was seen last
}

// New joins. It does not wait: see Enter.
func New(cfg Config) (*Cluster, error) {
	for _, d := range []struct {
		is    *time.Duration
		usual time.Duration
	}{{&cfg.Stale, 3 * time.Second}, {&cfg.Beat, 2 * time.Second}, {&cfg.Silence, 6 * time.Second}, {&cfg.Taken, 5 * time.Second}, {&cfg.Away, 3 * time.Second}} {
		if *d.is <= 0 {
			*d.is = d.usual
		}
	}
	k, err := newKeys(cfg.Key)
	if err != nil {
		return nil, err
	}
	cfg.Key = nil // it is not needed any more
	c := &Cluster{
		cfg: cfg, pbx: cfg.PBX, keys: k, now: time.Now, met: newCounters(), slots: make(chan struct{}, atOnce), nudge: make(chan struct{}, 1),
		rows: make(map[string]shown), unshown: make(map[string]struct{}), echoes: make(map[string]string), peers: make(map[string]address), seen: make(map[string]bool),
		carried: make(map[string]time.Time), told: make(map[string]struct{}),
	}
	c.begin()
	if c.member, err = cfg.Store.Join(cfg.PBX); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return c, nil
}

// begin begins a new incarnation; the caller holds the lock, or is the only one.
func (c *Cluster) begin() {
	c.me = newIncarnation()
	c.sealRow, c.sealCmd = c.keys.sealer(rowKind, c.pbx, c.me), c.keys.sealer(commandKind, c.pbx, c.me)
	c.lives = append(c.lives[max(0, len(c.lives)-maxLives+1):], &life{of: c.me, answers: c.keys.sealer(answerKind, c.pbx, c.me)})
}

// PBX is the name of the PBX that this sidecar is beside.
func (c *Cluster) PBX() string { return c.pbx }

// Secret is the same in the whole cluster and known to nobody else; another for each purpose.
func (c *Cluster) Secret(purpose string) [32]byte { return c.keys.of("secret", purpose) }

// self is the present incarnation.
func (c *Cluster) self() incarnation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.me
}

// slack is how much older than its sending a command may be by the hello that it names.
func (c *Cluster) slack() time.Duration { return c.cfg.Silence + c.cfg.Stale + time.Second }

// renew begins a new incarnation and shows everything in it: the others may have met another under this name, and take nothing more of
// the one before.
func (c *Cluster) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.rows {
		c.member.Hide(s.place)
	}
	c.begin()
	c.greet()
	for key, s := range c.rows {
		s.place = c.keys.place(c.pbx, c.me, key)
		c.rows[key] = s
		_ = c.put(key, s)
	}
}

// Run tells news and carries out commands until ctx ends. Then it shows nothing more, which the others know at once, ends what it was asked
// to carry out, and returns nil. The name is kept until Leave. The cache must run for longer.
func (c *Cluster) Run(ctx context.Context) error {
	w := c.cfg.Store.Watch()
	defer w.Close()
	var wg sync.WaitGroup
	wg.Go(func() { c.serve(ctx) })
	wg.Go(func() { c.beat(ctx) })
	err := c.watch(ctx, w)
	c.mu.Lock()
	c.ended = true
	c.member.Hide(helloPlace) // without which nothing else of it counts
	c.mu.Unlock()
	wg.Wait()
	return err
}

// Leave gives the name back: when this sidecar has let go of its PBX, and Run has returned. An error means that the others take the name for
// held until the lease is over.
func (c *Cluster) Leave(ctx context.Context) error {
	if err := c.member.Leave(ctx); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}

// beat seals the hello anew all the time.
func (c *Cluster) beat(ctx context.Context) {
	tick := time.NewTicker(c.cfg.Beat)
	defer tick.Stop()
	for {
		c.mu.Lock()
		c.refresh()
		c.greet()
		c.fill(triesOfBeat)
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.nudge:
		}
	}
}
