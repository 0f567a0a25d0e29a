package cluster_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/earshot-pbx/earshot/agent/cluster"
	"github.com/earshot-pbx/earshot/cache"
)

// leased is a member whose leases end as the test has it.
type leased struct {
	cache.Member
	more atomic.Uint64
}

func (l *leased) Lease() uint64 { return l.Member.Lease() + l.more.Load() }

// keeper is a member whose commands wait until they may leave; of what has left it keeps the last.
type keeper struct {
	cache.Member
	begun, leave chan struct{}
	body         string
}

func (k *keeper) Send(ctx context.Context, to, body string) (string, error) {
	k.begun <- struct{}{}
	<-k.leave
	k.body = body
	return k.Member.Send(ctx, to, body)
}

// renews has a sidecar's lease end and another begin, and waits until it is another incarnation.
func renews(t *testing.T, m *cache.Memory, s *station, l *leased, by *station) {
	t.Helper()
	was, _ := m.Row(s.PBX(), "hello")
	l.more.Add(1)
	by.Show("to have it look", []byte(was))
	eventually(t, "another incarnation", func() bool {
		is, _ := m.Row(s.PBX(), "hello")
		return is[1:17] != was[1:17]
	})
}

func TestWhoAsksAnIncarnationThatIsOverIsAnsweredOnce(t *testing.T) {
	m := memory(t)
	var l *leased
	var performed atomic.Int64
	a := starts(t, between{m, func(c cache.Member) cache.Member { l = &leased{Member: c}; return l }}, "pbx-a", func(c *cluster.Config) {
		c.Perform = func(context.Context, string, []byte) ([]byte, func()) {
			performed.Add(1)
			return []byte("done"), nil
		}
	})
	var k *keeper
	b := starts(t, between{m, func(c cache.Member) cache.Member {
		k = &keeper{Member: c, begun: make(chan struct{}, 1), leave: make(chan struct{})}
		return k
	}}, "pbx-b", nil)
	b.sees("pbx-a")
	a.sees("pbx-b")
	ask := func(lives int) error {
		t.Helper()
		done := make(chan error, 1)
		go func() {
			answer, err := b.Send(within(t, 2*time.Second), "pbx-a", []byte("supervise"))
			if err == nil && string(answer) != "done" {
				t.Errorf("%q", answer)
			}
			done <- err
		}()
		<-k.begun
		for range lives {
			renews(t, m, a, l, b)
		}
		k.leave <- struct{}{}
		return <-done
	}
	if err := ask(1); err != nil || performed.Load() != 1 {
		t.Errorf("%v; it was carried out %d times", err, performed.Load())
	}
	// Whoever puts it back has it carried out no second time.
	_, err := k.Member.Send(within(t, 200*time.Millisecond), "pbx-a", k.body)
	isDone(t, err, true, cache.ErrUnanswered)
	if n := testutil.ToFloat64(a.Refusals("command", "repeated")); n != 1 || performed.Load() != 1 {
		t.Errorf("%v are refused; it was carried out %d times", n, performed.Load())
	}
	// Of those that are long over nothing is known.
	isDone(t, ask(5), true, cache.ErrUnanswered)
	if n := testutil.ToFloat64(a.Refusals("command", "unreadable")); n != 1 || performed.Load() != 1 {
		t.Errorf("%v are refused; it was carried out %d times", n, performed.Load())
	}
}

// blind is a store whose reader sees a member as it was, once it is blind.
type blind struct {
	*cache.Memory
	was atomic.Pointer[[]cache.Row]
}

func (b *blind) AppendRows(dst []cache.Row, member string) []cache.Row {
	if was := b.was.Load(); was != nil && member == "pbx-a" {
		return append(dst, *was...)
	}
	return b.Memory.AppendRows(dst, member)
}

func (b *blind) Row(member, key string) (string, bool) {
	for _, r := range b.AppendRows(nil, member) {
		if r.Key == key {
			return r.Value, true
		}
	}
	return "", false
}

func TestWhatWasTakenBackBeforeAnotherIncarnationIsMetIsGone(t *testing.T) {
	m := memory(t)
	var l *leased
	a := starts(t, between{m, func(c cache.Member) cache.Member { l = &leased{Member: c}; return l }}, "pbx-a", nil)
	eye := &blind{Memory: m}
	b := starts(t, eye, "pbx-b", func(c *cluster.Config) { c.Stale = 200 * time.Millisecond })
	a.Show("1", []byte("ends"))
	a.Show("2", []byte("stays"))
	b.sees("pbx-a", "1", "ends", "2", "stays")
	a.sees("pbx-b")
	was := m.AppendRows(nil, "pbx-a")
	eye.was.Store(&was)
	a.Hide("1")
	renews(t, m, a, l, b)
	eye.was.Store(nil)
	a.Show("3", []byte("begins"))
	b.sees("pbx-a", "2", "stays", "3", "begins")
	if n := b.log.count("has gone"); n != 0 {
		t.Errorf("it was away %d times", n)
	}
}
