package gate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// fakeCluster joins the gates of several offices in memory. What one shows the others are told of in order, each by a goroutine of its own, as a real one
// does it; settle waits until there is nothing more to tell. The zero value is none; see newFakeCluster.
type fakeCluster struct {
	mu      sync.Mutex
	changed *sync.Cond
	members map[string]*fakeMember
	pumps   sync.WaitGroup
	closed  bool

	// lose is asked when the gate asked has answered a request: true, and the sender never learns of it. Nil loses nothing.
	lose func(from, to string) bool
}

// fakeMember is the way of one gate to the others: the gate.Cluster of its Config.
type fakeMember struct {
	of      *fakeCluster
	name    string
	gate    *gate.Gate
	away    bool // nobody reaches it, and it reaches nobody
	shown   map[string][]byte
	waiting []gate.News // for its gate
	telling bool

	shows, hides int // how often it has been asked for
}

func newFakeCluster(t testing.TB) *fakeCluster {
	c := &fakeCluster{members: map[string]*fakeMember{}}
	c.changed = sync.NewCond(&c.mu)
	t.Cleanup(c.close)
	return c
}

// close ends the telling. It comes after the offices, whose cleanups were put on later, are closed.
func (c *fakeCluster) close() {
	c.mu.Lock()
	c.closed = true
	c.changed.Broadcast()
	c.mu.Unlock()
	c.pumps.Wait()
}

// office opens an office beside the PBX of that name, with the policy of text as it is there.
func (c *fakeCluster) office(t testing.TB, name, text string, change ...func(*gate.Config)) *office {
	t.Helper()
	m := c.member(name)
	o := newOffice(t, text, append([]func(*gate.Config){func(g *gate.Config) { g.Cluster, g.Policy = m, set(t, text).Beside(name) }}, change...)...)
	m.serve(o.gate)
	return o
}

// member is the way of a gate that is yet to be made, which serve is told of then.
func (c *fakeCluster) member(name string) *fakeMember {
	m := &fakeMember{of: c, name: name, shown: map[string][]byte{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.members {
		if !o.away {
			m.waiting = append(m.waiting, o.whole())
		}
	}
	c.members[name] = m
	return m
}

// serve begins to tell the gate what the others show.
func (m *fakeMember) serve(g *gate.Gate) {
	m.of.mu.Lock()
	m.gate = g
	m.of.mu.Unlock()
	m.of.pumps.Add(1)
	go m.pump()
	m.of.settle()
}

// settle waits until every gate has been told all that was shown.
func (c *fakeCluster) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed && slices.ContainsFunc(slices.Collect(maps.Values(c.members)), func(m *fakeMember) bool { return m.telling || len(m.waiting) > 0 && m.gate != nil }) {
		c.changed.Wait()
	}
}

// cut takes a member out of reach of the others, and them of it, until it is joined again.
func (c *fakeCluster) cut(name string) { c.reach(name, true) }

func (c *fakeCluster) join(name string) { c.reach(name, false) }

func (c *fakeCluster) reach(name string, away bool) {
	c.mu.Lock()
	m := c.members[name]
	m.away = away
	for _, o := range c.members {
		switch {
		case o == m:
		case away:
			o.waiting, m.waiting = append(o.waiting, gate.News{PBX: name}), append(m.waiting, gate.News{PBX: o.name})
		case !o.away:
			o.waiting, m.waiting = append(o.waiting, m.whole()), append(m.waiting, o.whole())
		}
	}
	c.changed.Broadcast()
	c.mu.Unlock()
	c.settle()
}

// whole is all that a member shows.
func (m *fakeMember) whole() gate.News {
	n := gate.News{PBX: m.name, Known: true, Whole: true}
	for _, key := range slices.Sorted(maps.Keys(m.shown)) {
		n.Shown = append(n.Shown, gate.Shown{Key: key, Value: m.shown[key]})
	}
	return n
}

func (m *fakeMember) pump() {
	defer m.of.pumps.Done()
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	for {
		for len(m.waiting) == 0 && !m.of.closed {
			m.of.changed.Wait()
		}
		if m.of.closed {
			return
		}
		n := m.waiting[0]
		m.waiting, m.telling = m.waiting[1:], true
		m.of.mu.Unlock()
		m.gate.Elsewhere(n)
		m.of.mu.Lock()
		m.telling = false
		m.of.changed.Broadcast()
	}
}

func (m *fakeMember) PBX() string { return m.name }

func (m *fakeMember) Secret(purpose string) [32]byte { return sha256.Sum256([]byte(purpose)) }

func (m *fakeMember) Show(key string, value []byte) {
	m.tell(key, bytes.Clone(value))
}

func (m *fakeMember) Hide(key string) { m.tell(key, nil) }

func (m *fakeMember) tell(key string, value []byte) {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	if value == nil {
		m.hides++
		delete(m.shown, key)
	} else {
		m.shows++
		m.shown[key] = value
	}
	for _, o := range m.of.members {
		if o != m && !m.away && !o.away {
			o.waiting = append(o.waiting, gate.News{PBX: m.name, Known: true, Shown: []gate.Shown{{Key: key, Value: value}}})
		}
	}
	m.of.changed.Broadcast()
}

// performer is the side of a gate that carries out what others ask.
type performer interface {
	Perform(ctx context.Context, from string, request []byte) (answer []byte, undo func())
}

var errOutOfReach = errors.New("that PBX is out of reach")

func (m *fakeMember) Send(ctx context.Context, pbx string, request []byte) ([]byte, error) {
	m.of.mu.Lock()
	o := m.of.members[pbx]
	reached := o != nil && o.gate != nil && !o.away && !m.away
	m.of.mu.Unlock()
	if !reached {
		return nil, errOutOfReach
	}
	p, ok := any(o.gate).(performer)
	if !ok {
		return nil, errOutOfReach
	}
	answer, undo := p.Perform(ctx, m.name, bytes.Clone(request))
	m.of.mu.Lock()
	lose := m.of.lose
	m.of.mu.Unlock()
	if lose != nil && lose(m.name, pbx) {
		if undo != nil {
			undo()
		}
		return nil, gate.ErrMayBeDone
	}
	return answer, nil
}

// keys are those under which a member shows something, without those of other kinds.
func (c *fakeCluster) keys(name, prefix string) (keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.members[name].shown {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
