package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// leaseFor is how long a membership holds after Redis has heard of it: three polls may fail.
func leaseFor(poll time.Duration) time.Duration { return max(2*time.Second, 4*poll) }

// maxRowsAtOnce bounds how many rows one step shows.
const maxRowsAtOnce = 500

// Join implements cache.Members.
func (c *Cache) Join(name string) (cache.Member, error) {
	if err := cache.CheckMember(name); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == ended {
		return nil, cache.ErrClosed
	}
	if c.joined[name] != nil {
		return nil, errors.New("cache.redis: the name is taken by another member of this process")
	}
	m := &member{
		c: c, name: name, renewed: -1, rows: make(map[string]string), dirty: make(map[string]struct{}), bell: make(chan struct{}, 1), gone: make(chan struct{}),
		taken: make(map[string]*taken), sent: make(map[string]*sent),
	}
	c.joined[name] = m
	c.lookAt(lookMembers)
	return m, nil
}

// member is a membership of this sidecar. What it shows is here; Redis and the copy have it from here.
type member struct {
	c    *Cache
	name string

	mu          sync.Mutex // protects what follows
	incarnation string     // random, of the lease that holds; empty: none does
	standing    cache.Standing
	leases      uint64 // how often it was joined
	renewed     int64  // as Cache.verified: when the last request left that renewed the lease
	left        bool
	rows        map[string]string
	bytes       int
	dirty       map[string]struct{} // keys of rows that Redis must be told
	all         bool                // Redis has none of the rows

	queue []cache.Command
	open  int               // of taken: not answered
	taken map[string]*taken // by id: commands of which Redis has said that they are this incarnation's
	sent  map[string]*sent  // by id: commands that wait for their answer
	bell  chan struct{}     // capacity 1: the queue is not empty
	gone  chan struct{}     // closed when it was left
}

// taken is a command from another. It stays for a while after it was answered: Redis may be set back, and nothing is carried out twice.
type taken struct {
	entry    string // of the stream
	from     string // incarnation
	queued   bool   // nobody has had it from Next yet
	answered bool
	forget   time.Time
}

// sent is a command to another.
type sent struct {
	name   string
	to     string      // incarnation of that name
	answer chan result // capacity 1
}

// result is what came of a command. Done is set when it was answered.
type result struct {
	answer string
	done   bool
	err    error
	maybe  bool
}

// Standing implements cache.Member.
func (m *member) Standing() cache.Standing {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stands()
}

// Lease implements cache.Member.
func (m *member) Lease() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leases
}

// stands is Standing under the lock: a lease is over by the clock, whether or not Redis has said so.
func (m *member) stands() cache.Standing {
	if m.standing == cache.Joined && m.c.ageOf(m.renewed) >= m.c.lease {
		return cache.Waiting
	}
	return m.standing
}

// stand tells of another standing; the caller holds the lock.
func (m *member) stand(s cache.Standing) {
	if m.standing == s {
		return
	}
	m.standing = s
	m.c.local.Tell(cache.Change{Kind: cache.ChangeStanding, Owner: m.name})
}

// Show implements cache.Member.
func (m *member) Show(key, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, had := m.rows[key]
	count, bytes := len(m.rows), m.bytes
	if had {
		count, bytes = count-1, bytes-len(key)-len(old)
	}
	if err := cache.CheckRow(key, value, count, bytes); err != nil {
		return err
	}
	if m.left || had && old == value {
		return nil
	}
	m.rows[key], m.bytes = value, bytes+len(key)+len(value)
	m.dirty[key] = struct{}{}
	m.c.lookAt(lookShow)
	return nil
}

// Hide implements cache.Member.
func (m *member) Hide(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, had := m.rows[key]; had {
		delete(m.rows, key)
		m.bytes -= len(key) + len(old)
		m.dirty[key] = struct{}{}
		m.c.lookAt(lookShow)
	}
}

// Leave implements cache.Member.
func (m *member) Leave(ctx context.Context) error {
	m.mu.Lock()
	if m.left {
		m.mu.Unlock()
		return nil
	}
	incarnation := m.incarnation
	m.end()
	m.mu.Unlock()
	m.c.mu.Lock()
	delete(m.c.joined, m.name)
	m.c.mu.Unlock()
	if incarnation == "" {
		return nil
	}
	_, err := call(ctx, m.c, func(ctx context.Context) (any, error) {
		return leaveScript.Run(ctx, m.c.client, m.c.memberKeys(), m.c.tag, m.name, incarnation, m.c.channel).Result()
	})
	if err != nil {
		return writeError("membership", err)
	}
	return nil
}

// end ends it here; the caller holds the lock.
func (m *member) end() {
	m.left = true
	m.lose()
	m.stand(cache.Left)
	close(m.gone)
}

// lose takes that the incarnation holds no more: what it has sent may have been done, and what it has taken and nobody began with is not; the
// caller holds the lock. The others have counted it as unanswered.
func (m *member) lose() {
	m.incarnation, m.renewed = "", -1
	clear(m.dirty)
	m.queue = nil
	clear(m.taken)
	m.open = 0
	for id, s := range m.sent {
		s.tell(result{err: cache.ErrUnanswered, maybe: true})
		delete(m.sent, id)
	}
}

func (s *sent) tell(r result) {
	select {
	case s.answer <- r:
	default: // it knows already
	}
}

// serve keeps a membership: joins, renews the lease, shows what changed, fetches commands and answers. Only keep calls it.
func (m *member) serve(ctx context.Context, polled bool) error {
	m.mu.Lock()
	left, incarnation := m.left, m.incarnation
	m.mu.Unlock()
	if left {
		return nil
	}
	if incarnation == "" {
		if err := m.join(ctx); err != nil {
			return err
		}
	}
	shown := m.show(ctx)
	if err := m.fetch(ctx, polled); err != nil { // whatever came of showing: a Redis that is full renews leases
		return err
	}
	return shown
}

// join asks Redis for the name under a new incarnation.
func (m *member) join(ctx context.Context) error {
	c, incarnation, sentAt := m.c, rand.Text(), m.c.moment()
	out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
		return joinScript.Run(ctx, c.client, c.memberKeys(), c.known(), c.tag, m.name, incarnation, c.lease.Milliseconds(), c.channel).Slice()
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.left:
	case str(out, 0) == "ok":
		m.incarnation, m.renewed, m.all = incarnation, sentAt, true
		m.leases++
		m.stand(cache.Joined)
		c.lookAt(lookRows)
	case str(out, 0) == "taken":
		m.stand(cache.Taken)
	default:
		m.stand(cache.Waiting) // emptied a moment ago
		c.look()
	}
	return nil
}

// show tells Redis what changed of the rows.
func (m *member) show(ctx context.Context) error {
	for {
		m.mu.Lock()
		if m.all {
			for key := range m.rows {
				m.dirty[key] = struct{}{}
			}
			m.all = false
		}
		incarnation := m.incarnation
		args := []any{m.c.known(), m.c.tag, m.name, incarnation, m.c.lease.Milliseconds(), m.c.channel}
		var told []string
		for key := range m.dirty {
			if len(told) == maxRowsAtOnce {
				break
			}
			told = append(told, key)
			if value, shown := m.rows[key]; shown {
				args = append(args, "+", key, value)
			} else {
				args = append(args, "-", key, "")
			}
			delete(m.dirty, key)
		}
		m.mu.Unlock()
		if incarnation == "" || len(told) == 0 {
			return nil
		}
		sentAt := m.c.moment()
		word, err := call(ctx, m.c, func(ctx context.Context) (string, error) {
			return showScript.Run(ctx, m.c.client, m.c.memberKeys(), args...).Text()
		})
		if err != nil {
			m.mu.Lock()
			if m.incarnation == incarnation {
				for _, key := range told { // it may have been done; doing it again does no harm
					m.dirty[key] = struct{}{}
				}
			}
			m.mu.Unlock()
			return err
		}
		m.heard(incarnation, word == "ok", sentAt)
	}
}

// heard takes whether Redis still knows the incarnation.
func (m *member) heard(incarnation string, holds bool, sentAt int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.incarnation != incarnation {
		return
	}
	if holds {
		m.renewed = sentAt
		m.stand(cache.Joined)
		if len(m.queue) > 0 {
			m.ring()
		}
		return
	}
	m.lose()
	m.stand(cache.Waiting)
	m.c.lookAt(lookMembers)
}
