package clients

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/earshot-pbx/earshot/cache"
)

// Environment is what sources work with. Only the Cache is required, and that by those that ask foreign systems.
type Environment struct {
	// Cache remembers what foreign systems answered. Its bounds are theirs.
	Cache cache.Lookups
	// Known reports whether there is an employee of this id; nil: everybody is known. It must not block.
	Known func(employee string) bool
	// OnChange is told a number, normalised, of which something else is known now, or none when that may be so of every number. It is
	// called outside all locks, by several goroutines, and holds up the source that calls it. What gets too old is not told of: it is unknown
	// from then on to whoever asks.
	OnChange func(number string)
	// Report is told when a foreign system begins to fail, and nil when it answers again. The error has no number in it.
	Report func(source string, err error)
	// Metrics are counted in; nil: in none.
	Metrics *Metrics
	// Transport is what requests go through; nil: one that checks certificates.
	Transport http.RoundTripper
}

func (e Environment) complete() Environment {
	if e.Known == nil {
		e.Known = func(string) bool { return true }
	}
	if e.OnChange == nil {
		e.OnChange = func(string) {}
	}
	if e.Report == nil {
		e.Report = func(string, error) {}
	}
	if e.Metrics == nil {
		e.Metrics = NewMetrics(nil)
	}
	return e
}

const (
	rest       = 5 * time.Second // after a look-up that failed its number is not asked about
	maxResting = 1000
	renewal    = 4 // an answer is renewed while it is asked for in the last quarter of its time
)

// Remote is a Source that asks a foreign system over HTTP. Find answers from the cache at once; a number of which nothing is known
// is asked about in the background, by Run. Short numbers are not asked about: they are nobody's here. Make it with NewRemote.
type Remote struct {
	name     string
	region   string
	config   HTTP // complete
	original HTTP
	env      Environment
	met      remoteMetrics
	eras     *eras
	lately   *recent[string] // numbers as they were told, normalised; empty when they are none
	endpoint atomic.Pointer[endpoint]
	token    atomic.Pointer[string] // of the webhook; nil: nobody has one
	breaker  *gobreaker.CircuitBreaker[cache.Entry]
	queue    chan *flight

	mu      sync.Mutex // guards what follows, and that a flight in the queue is among flights
	flights map[string]*flight
	resting map[string]time.Time // until when

	reporting sync.Mutex // one Report at a time
	failing   bool
}

var _ Source = (*Remote)(nil)

// flight is a number that is being asked about.
type flight struct {
	number    string
	table     cache.Table // where it stands
	kept      cache.Entry // what was known before, good until it expires; the zero one when nothing was
	forgotten bool        // meanwhile; guarded by Remote.mu
}

// NewRemote makes a source; name stands in metrics and errors and is lower-case letters, digits and hyphens. It reads the files that the
// configuration names and opens no connection.
func NewRemote(name, region string, h HTTP, env Environment) (*Remote, error) {
	env = env.complete()
	r := &Remote{
		name: name, region: region, config: h.complete(), original: h, env: env, met: env.Metrics.ofRemote(name), lately: newRecent[string](),
		flights: make(map[string]*flight), resting: make(map[string]time.Time),
	}
	var errs []error
	h.faults(func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("clients: %s: %s: %s", name, key, fmt.Sprintf(format, args...)))
	})
	if env.Cache == nil {
		errs = append(errs, fmt.Errorf("clients: %s: there is no cache", name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := r.Reload(); err != nil {
		return nil, err
	}
	r.eras = newEras(env.Cache, name, &r.config)
	r.queue = make(chan *flight, r.config.Queue)
	r.breaker = gobreaker.NewCircuitBreaker[cache.Entry](gobreaker.Settings{
		Name: name, MaxRequests: 1, Timeout: r.config.Breaker.Pause,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return int64(c.ConsecutiveFailures) >= int64(r.config.Breaker.Failures) },
		IsExcluded:    func(err error) bool { return kindOf(err) == kindStopped },
		OnStateChange: func(_ string, _, to gobreaker.State) { r.met.breaker(to) },
	})
	r.met.breaker(gobreaker.StateClosed)
	return r, nil
}

// Reload reads the files anew that the configuration names: address, headers, authorities, token. When one cannot be used, what was read
// before stays in use. Another address forgets all answers.
func (r *Remote) Reload() error {
	e, err1 := r.original.endpoint(r.env.Transport)
	token, err2 := r.config.Webhook.read()
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("clients: %s: %w", r.name, err)
	}
	r.token.Store(token)
	before := r.endpoint.Swap(e)
	if before == nil {
		return nil
	}
	before.client.CloseIdleConnections()
	if before.address != e.address {
		return r.ForgetAll(context.Background())
	}
	return nil
}

// Find implements [Source]. It never waits. A number that is told in E.164 and known takes no allocation, but for a list of who else has
// access.
func (r *Remote) Find(number string) (Client, Answer) {
	var buf [maxNumber]byte
	clean, ok := squeeze(buf[:0], number)
	if !ok || clean[0] != '+' && len(clean) <= maxShort {
		return Client{}, r.met.told(Stranger)
	}
	table, era := r.eras.table()
	if era && clean[0] == '+' && len(clean) == len(number) { // in E.164 already if it is known
		if e, known := r.env.Cache.Lookup(table, number); known {
			return r.known(table, number, e)
		}
	}
	normal := r.lately.get(clean, r.normal)
	if normal == "" {
		return Client{}, r.met.told(Stranger)
	}
	if era && normal != number {
		if e, known := r.env.Cache.Lookup(table, normal); known {
			return r.known(table, normal, e)
		}
	}
	if e, known := r.ask(&flight{number: normal, table: table}); known {
		return r.answer(normal, e)
	}
	return Client{}, r.met.told(Unknown)
}

func (r *Remote) normal(clean string) string {
	normal, _ := normalise(clean, r.region)
	return normal
}

// known answers, and has it asked again when it is about to get too old.
func (r *Remote) known(table cache.Table, number string, e cache.Entry) (Client, Answer) {
	ttl := r.config.TTL
	if !e.Found {
		ttl = r.config.MissTTL
	}
	if time.Until(e.Expires) < ttl/renewal {
		r.ask(&flight{number: number, table: table, kept: e})
	}
	return r.answer(number, e)
}

func (r *Remote) answer(number string, e cache.Entry) (Client, Answer) {
	if !e.Found {
		return Client{}, r.met.told(Stranger)
	}
	return decode(number, e.Value), r.met.told(Found)
}

// ask queues a number, unless it is asked about already: then it returns what is known while that is being renewed.
func (r *Remote) ask(f *flight) (kept cache.Entry, known bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.flights[f.number]; other != nil {
		return other.kept, other.table.Name == f.table.Name && now.Before(other.kept.Expires)
	}
	if f.table.Name != "" {
		// A flight that ended since Find looked has left its answer.
		if e, known := r.env.Cache.Lookup(f.table, f.number); known && e.Expires.After(f.kept.Expires) {
			return e, true
		}
	}
	if now.Before(r.resting[f.number]) {
		return cache.Entry{}, false
	}
	select {
	case r.queue <- f:
		r.flights[f.number] = f
	default:
		r.met.dropped.Inc()
	}
	return cache.Entry{}, false
}

// Run asks until ctx ends, so many at a time as the configuration says, and returns nil once none is under way. Call it once.
func (r *Remote) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range r.config.Concurrency {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case f := <-r.queue:
					r.work(ctx, f)
				}
			}
		})
	}
	wg.Wait()
	r.endpoint.Load().client.CloseIdleConnections()
	return nil
}

// Forget forgets what is known of numbers, in whatever form, here and at the other sidecars. An error means that those were not told.
func (r *Remote) Forget(ctx context.Context, numbers ...string) error {
	table, err := r.eras.learn(ctx)
	if err != nil {
		return fmt.Errorf("clients: %s: forget: %w", r.name, err)
	}
	var errs []error
	for _, number := range numbers {
		normal, ok := Normalise(number, r.region)
		if !ok {
			continue // nothing is known of it
		}
		r.mu.Lock()
		if f := r.flights[normal]; f != nil {
			f.forgotten = true
			delete(r.flights, normal)
		}
		delete(r.resting, normal)
		r.mu.Unlock()
		errs = append(errs, r.env.Cache.Forget(ctx, table, normal))
		r.env.OnChange(normal)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clients: %s: forget: %w", r.name, err)
	}
	return nil
}

// ForgetAll forgets what is known of all numbers, here and at the other sidecars. An error means that those were not told.
func (r *Remote) ForgetAll(ctx context.Context) error {
	r.mu.Lock()
	for _, f := range r.flights {
		f.forgotten = true
	}
	clear(r.flights)
	clear(r.resting)
	r.mu.Unlock()
	err := r.eras.end(ctx)
	r.env.OnChange("")
	if err != nil {
		return fmt.Errorf("clients: %s: forget: %w", r.name, err)
	}
	return nil
}
