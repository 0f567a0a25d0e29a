package httpapi

import (
	"crypto/sha256"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is how often something may be done: so many times in a row, and then as often as a minute's worth comes back.
type Rate struct {
	PerMinute int
	Burst     int
}

// Limits are how often one may ask. A zero Rate takes the default that is named.
type Limits struct {
	Commands Rate // what one employee may begin or change; 60 a minute, 20 at once
	Reads    Rate // what one employee may look at or end; 1200 a minute, 300 at once
	Exports  Rate // what one employee may export; 2 a minute, 4 at once
	Failures Rate // credentials from one address that prove nobody; 10 a minute, 20 at once
}

func (l *Limits) fill() {
	for _, r := range []struct {
		rate     *Rate
		standard Rate
	}{{&l.Commands, Rate{60, 20}}, {&l.Reads, Rate{1200, 300}}, {&l.Exports, Rate{2, 4}}, {&l.Failures, Rate{10, 20}}} {
		if *r.rate == (Rate{}) {
			*r.rate = r.standard
		}
	}
}

// remembered is how many keys a limiter and how many tokens the proven know. Who was not seen for longest is forgotten first: a subject that
// starts afresh, an address that may guess a few times more, a token that counts as not proven yet.
const remembered = 8192

// limiter gives each key a bucket of its own. It is safe for concurrent use.
type limiter struct {
	rate  Rate
	clock func() time.Time

	mu      sync.Mutex
	buckets recent[string, *rate.Limiter]
}

func newLimiter(r Rate, clock func() time.Time) *limiter {
	return &limiter{rate: r, clock: clock, buckets: recent[string, *rate.Limiter]{max: remembered}}
}

// take counts one for a key. When there are none left it counts nothing, and returns how long to wait for the next.
func (l *limiter) take(key string) (wait time.Duration) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.bucket(key).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// charge counts one for a key although there may be none left. What so many did at once is paid for later, up to a burst.
func (l *limiter) charge(key string) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.bucket(key); b.TokensAt(now) > -float64(l.rate.Burst) {
		b.ReserveN(now, 1)
	}
}

// owes returns how long a key has to wait until it could be counted again. It counts nothing.
func (l *limiter) owes(key string) time.Duration {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets.get(key)
	if !ok {
		return 0
	}
	missing := 1 - b.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(missing * float64(time.Minute) / float64(l.rate.PerMinute)))
}

func (l *limiter) bucket(key string) *rate.Limiter {
	b, ok := l.buckets.get(key)
	if !ok {
		b = rate.NewLimiter(rate.Limit(float64(l.rate.PerMinute)/60), l.rate.Burst)
		l.buckets.put(key, b)
	}
	return b
}

// proven knows the tokens by which somebody proved himself lately, by their hashes. Who has one does not guess, so the failures of others at
// his address (a proxy's, an office's) do not keep him out, and his own (a panel that names one who has left) do not count.
type proven struct {
	mu     sync.Mutex
	tokens recent[[sha256.Size]byte, struct{}]
}

func (p *proven) add(token string) {
	sum := sha256.Sum256([]byte(token))
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.tokens.get(sum); !ok {
		p.tokens.put(sum, struct{}{})
	}
}

func (p *proven) has(token string) bool {
	sum := sha256.Sum256([]byte(token))
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.tokens.get(sum)
	return ok
}
