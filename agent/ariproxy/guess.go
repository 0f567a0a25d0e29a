package ariproxy

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many credentials from one address may prove nobody: so many at once, and then one each guessEvery. How many addresses, and how many credentials that
// have proven somebody, are known; of more the first are forgotten: an address that may guess a few times more, or a credential that counts as not proven.
const (
	guessBurst = 20
	guessEvery = 6 * time.Second
	guessKnown = 8192
)

// guesses bounds how many credentials are tried from one address. One that has proven somebody is looked at whatever others there have tried: an office may
// have one address for all. The zero value is ready for use, and safe for concurrent use.
type guesses struct {
	mu     sync.Mutex
	from   recent[netip.Prefix, *rate.Limiter]
	proven recent[[sha256.Size]byte, struct{}]
}

// may reports whether a credential from an address is looked at.
func (g *guesses) may(remote, secret string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.from.of[guesser(remote)]
	if !ok || l.TokensAt(now) >= 1 {
		return true
	}
	_, ok = g.proven.of[sha256.Sum256([]byte(secret))]
	return ok
}

// failed counts one that has proven nobody. What so many tried at once is paid for later, up to as many again.
func (g *guesses) failed(remote string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := guesser(remote)
	l, ok := g.from.of[from]
	if !ok {
		l = rate.NewLimiter(rate.Every(guessEvery), guessBurst)
		g.from.put(from, l)
	}
	if l.TokensAt(now) > -guessBurst {
		l.ReserveN(now, 1)
	}
}

// held notes one that has proven somebody.
func (g *guesses) held(secret string) {
	sum := sha256.Sum256([]byte(secret))
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.proven.of[sum]; !ok {
		g.proven.put(sum, struct{}{})
	}
}

// guesser is an address as far as one who guesses cannot change it: in IPv6 he has at least a network of 64 bits.
func guesser(remote string) netip.Prefix {
	a, err := netip.ParseAddr(remote)
	if err != nil {
		return netip.Prefix{}
	}
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // never fails of an address without a zone
	return p
}

// recent has guessKnown entries at most. The zero value is ready for use.
type recent[K comparable, V any] struct {
	of    map[K]V
	order []K
}

// put adds what is not there.
func (r *recent[K, V]) put(key K, value V) {
	if r.of == nil {
		r.of = map[K]V{}
	}
	r.of[key] = value
	if r.order = append(r.order, key); len(r.order) > guessKnown {
		delete(r.of, r.order[0])
		r.order = r.order[1:]
	}
}

// faultGuesses is what an address is told that has tried too much.
var faultGuesses = &fault{http.StatusTooManyRequests, "Too many credentials from your address were not valid; wait a little", "too_many_failures"}
