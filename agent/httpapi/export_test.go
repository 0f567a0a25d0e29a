package httpapi

import (
	"net/http"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// Remembered is how many keys a limiter knows.
const Remembered = remembered

// Address is where a request comes from, as a door with this configuration sees it.
func Address(c Config, r *http.Request) string { return (&Server{cfg: c}).address(r) }

// Guesser is an address as failures are counted for it.
func Guesser(address string) string { return guesser(address) }

// Bucket is a limiter of its own.
type Bucket struct{ l *limiter }

// NewBucket makes one.
func NewBucket(r Rate, clock func() time.Time) Bucket { return Bucket{newLimiter(r, clock)} }

// Take, Charge, Owes and Size are the limiter's.
func (b Bucket) Take(key string) time.Duration { return b.l.take(key) }

// Charge counts one although there may be none left.
func (b Bucket) Charge(key string) { b.l.charge(key) }

// Owes tells how long to wait.
func (b Bucket) Owes(key string) time.Duration { return b.l.owes(key) }

// Size is how many keys it knows.
func (b Bucket) Size() int { return len(b.l.buckets.byKey) + b.l.buckets.order.Len() }

// Collect appends the messages that are there, each in its frame.
func Collect(b []byte, w *gate.Watcher) (frames []byte, count uint64) {
	m := messages{Watcher: w}
	b = m.Collect(b)
	return b, m.collected
}
