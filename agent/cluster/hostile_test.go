package cluster_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/cluster"
	"github.com/earshot-pbx/earshot/cache"
)

// between is a cache with somebody between it and its members.
type between struct {
	*cache.Memory
	wrap func(cache.Member) cache.Member
}

func (b between) Join(name string) (cache.Member, error) {
	m, err := b.Memory.Join(name)
	if err != nil {
		return nil, err
	}
	return b.wrap(m), nil
}

// deaf is a member that does not hear what became of its answers, nor, for some times, of what it takes back.
type deaf struct {
	cache.Member
	answers bool // they arrive
	times   atomic.Int64
}

func (d *deaf) lost() error {
	return &cache.WriteError{Op: "command", MayBeDone: true, Err: cache.ErrAway}
}

func (d *deaf) Answer(ctx context.Context, id, answer string) error {
	if d.answers {
		_ = d.Member.Answer(ctx, id, answer)
	}
	return d.lost()
}

func (d *deaf) TakeBack(ctx context.Context, id string) (bool, error) {
	if d.times.Add(-1) >= 0 {
		return false, d.lost()
	}
	return d.Member.TakeBack(ctx, id)
}

// thief is a member whose commands are taken out of the store before anybody has them, so that the store knows of none.
type thief struct {
	cache.Member
	why  error
	loot chan string
}

func (t thief) Send(_ context.Context, _, body string) (string, error) {
	t.loot <- body
	return "", &cache.WriteError{Op: "command", Err: t.why}
}

func TestWhatMayBePutBackIsNotReportedAsNotDone(t *testing.T) {
	for _, why := range []error{cache.ErrLate, cache.ErrNoMember, cache.ErrFull} {
		t.Run(why.Error(), func(t *testing.T) {
			m := memory(t)
			done := make(chan struct{}, 1)
			starts(t, m, "pbx-a", func(c *cluster.Config) {
				c.Perform = func(context.Context, string, []byte) ([]byte, func()) {
					done <- struct{}{}
					return nil, nil
				}
			})
			var way cache.Member
			loot := make(chan string, 1)
			b := starts(t, between{m, func(c cache.Member) cache.Member { way = c; return thief{c, why, loot} }}, "pbx-b", nil)
			b.sees("pbx-a")
			_, err := b.Send(within(t, time.Second), "pbx-a", []byte("supervise"))
			isDone(t, err, true, why)
			if _, err := way.Send(within(t, 5*time.Second), "pbx-a", <-loot); err != nil {
				t.Error(err)
			}
			<-done // it is, after it was reported
		})
	}
}

// freezer is a store whose reader gets one row as it was, once it is frozen.
type freezer struct {
	*cache.Memory
	frozen atomic.Pointer[cache.Row]
}

func (f *freezer) Row(member, key string) (string, bool) {
	if r := f.frozen.Load(); r != nil && r.Key == key {
		return r.Value, true
	}
	return f.Memory.Row(member, key)
}

func (f *freezer) AppendRows(dst []cache.Row, member string) []cache.Row {
	r := f.frozen.Load()
	for _, is := range f.Memory.AppendRows(nil, member) {
		if r == nil || r.Key != is.Key {
			dst = append(dst, is)
		}
	}
	if r != nil && member == "pbx-a" {
		dst = append(dst, *r)
	}
	return dst
}

func TestARowThatIsHeldBackLeavesItsPBXUnknown(t *testing.T) {
	m := memory(t)
	hasty := func(c *cluster.Config) { c.Beat, c.Stale = 20*time.Millisecond, 300*time.Millisecond }
	a := starts(t, m, "pbx-a", hasty)
	f := &freezer{Memory: m}
	b := starts(t, f, "pbx-b", hasty)
	a.Show("holds", []byte("true"))
	b.sees("pbx-a", "holds", "true")
	var frozen cache.Row
	for _, r := range m.AppendRows(nil, "pbx-a") {
		if r.Key != "hello" {
			frozen = r
		}
	}
	// The control: all rows are sealed anew many times, of which nobody is told, and it goes on being known.
	a.Show("other", []byte("1"))
	again := make(map[string]bool)
	eventually(t, "the row sealed anew", func() bool {
		raw, _ := m.Row("pbx-a", frozen.Key)
		again[raw] = true
		return len(again) > 30
	})
	if told := b.told(); told != "pbx-a true true\npbx-a true false\npbx-a holds=true\npbx-a true false\npbx-a other=1" && told != "pbx-a true true\npbx-a holds=true\npbx-a true false\npbx-a other=1" {
		t.Error(told)
	}
	raw, _ := m.Row("pbx-a", frozen.Key)
	f.frozen.Store(&cache.Row{Key: frozen.Key, Value: raw})
	a.Hide("holds")
	a.Show("other", []byte("2"))
	b.loses("pbx-a")
	f.frozen.Store(nil)
	b.sees("pbx-a", "other", "2")
}

func TestWhatWasAnsweredIsLeftDoneAlthoughTheWordOfItIsLost(t *testing.T) {
	for name, tc := range map[string]struct {
		arrives bool
		deaf    int64
		undone  bool
	}{
		"the answer arrived":                   {true, 0, false},
		"it arrived, which is known late":      {true, 3, false},
		"it did not":                           {false, 0, true},
		"it did not, which is known late":      {false, 3, true},
		"it did not, and nobody ever knows":    {false, 1000, false},
		"it arrived, and nobody ever knows it": {true, 1000, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := memory(t)
			var undone atomic.Bool
			of := &deaf{answers: tc.arrives}
			of.times.Store(tc.deaf)
			a := starts(t, between{m, func(c cache.Member) cache.Member { of.Member = c; return of }}, "pbx-a", func(c *cluster.Config) {
				c.Perform = func(context.Context, string, []byte) ([]byte, func()) {
					return []byte("done"), func() { undone.Store(true) }
				}
			})
			b := starts(t, m, "pbx-b", nil)
			b.sees("pbx-a")
			answer, err := b.Send(within(t, 700*time.Millisecond), "pbx-a", []byte("lock"))
			if tc.arrives && (err != nil || string(answer) != "done") {
				t.Errorf("%q %v", answer, err)
			}
			if !tc.arrives {
				isDone(t, err, true, cache.ErrUnanswered)
			}
			if tc.deaf < 1000 {
				eventually(t, "word of it", func() bool { return of.times.Load() < 0 })
			}
			a.stop() // what it was asked to carry out has ended
			if undone.Load() != tc.undone {
				t.Errorf("undone: %v", undone.Load())
			}
		})
	}
}
