package cachetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// join joins and waits until all see it.
func join(t *testing.T, c cache.Cache, name string) cache.Member {
	t.Helper()
	m, err := c.Join(name)
	must(t, err)
	t.Cleanup(func() { _ = m.Leave(context.Background()) })
	waitFor(t, name, func() bool {
		return m.Standing() == cache.Joined && slices.Contains(c.AppendMembers(nil), name)
	})
	return m
}

func rows(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	a := join(t, c, "a")
	b := join(t, c, "b")
	if got := c.AppendMembers([]string{"x"}); !slices.Equal(got, []string{"x", "a", "b"}) {
		t.Errorf("%v", got)
	}
	w := c.Watch()
	defer w.Close()
	must(t, a.Show("1", "one"))
	if got := next(t, w); got != (cache.Change{Kind: cache.ChangeRow, Owner: "a", ID: "1"}) {
		t.Errorf("%+v", got)
	}
	must(t, a.Show("2", "two"))
	must(t, a.Show("2", "two, changed"))
	must(t, b.Show("1", "of b"))
	is := func(member string, want ...cache.Row) {
		t.Helper()
		waitFor(t, fmt.Sprint(want), func() bool { return slices.Equal(c.AppendRows(nil, member), want) })
	}
	is("a", cache.Row{Key: "1", Value: "one"}, cache.Row{Key: "2", Value: "two, changed"})
	is("b", cache.Row{Key: "1", Value: "of b"})
	if v, ok := c.Row("a", "2"); !ok || v != "two, changed" {
		t.Errorf("%q %v", v, ok)
	}
	if _, ok := c.Row("b", "2"); ok {
		t.Error("a row of another")
	}
	a.Hide("1")
	a.Hide("never shown")
	is("a", cache.Row{Key: "2", Value: "two, changed"})
	if c.RowsAge() == cache.Never {
		t.Error("never read")
	}
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if s := fmt.Sprintf(format, []any{cache.Row{Value: "secret"}, cache.Command{Body: "secret"}}); strings.Contains(s, "secret") {
			t.Errorf("%s prints %s", format, s)
		}
	}
}

func leaving(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	a := join(t, c, "a")
	must(t, a.Show("1", "one"))
	waitFor(t, "the row", func() bool { _, ok := c.Row("a", "1"); return ok })
	must(t, a.Leave(t.Context()))
	must(t, a.Leave(t.Context()))
	waitFor(t, "its end", func() bool { return len(c.AppendMembers(nil)) == 0 })
	if _, ok := c.Row("a", "1"); ok || a.Standing() != cache.Left {
		t.Error("its row is there")
	}
	must(t, a.Show("1", "one"))
	if _, err := a.Next(t.Context()); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("%v", err)
	}
	join(t, c, "a") // another
	if rows := c.AppendRows(nil, "a"); len(rows) != 0 {
		t.Error("it has the rows of the one before")
	}
}

func rowBounds(t *testing.T, open Open) {
	a := join(t, open(t, cache.Options{}), "a")
	for key, value := range map[string]string{"": "x", "a\nb": "x", strings.Repeat("k", cache.MaxName+1): "x", "large": strings.Repeat("x", cache.MaxValue+1)} {
		if a.Show(key, value) == nil {
			t.Errorf("%.10q is shown", key)
		}
	}
	large := strings.Repeat("x", cache.MaxValue)
	n := 0
	for a.Show(fmt.Sprintf("%5d", n), large) == nil {
		n++
	}
	if n != cache.MaxRowBytes/(cache.MaxValue+5) {
		t.Errorf("%d rows of %d bytes", n, cache.MaxValue)
	}
	if err := a.Show("large", large); !errors.Is(err, cache.ErrFull) {
		t.Errorf("%v", err)
	}
	must(t, a.Show("    0", "less")) // in place of one there is room
	must(t, a.Show("large", large))
}

func oneName(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	join(t, c, "a")
	if _, err := c.Join("a"); err == nil {
		t.Error("two have one name")
	}
	for _, name := range []string{"", "a b", "a:b", "a}", strings.Repeat("x", cache.MaxWord+1)} {
		if _, err := c.Join(name); err == nil {
			t.Errorf("%q is a member", name)
		}
	}
}

// answering answers each command with what it asks, until the test ends.
func answering(t *testing.T, m cache.Member) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := m.Next(ctx)
			if err != nil {
				return
			}
			if err := m.Answer(context.WithoutCancel(ctx), c.ID, c.From+" asked "+c.Body); err != nil {
				t.Errorf("%v", err)
			}
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func commands(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	a, b := join(t, c, "a"), join(t, c, "b")
	answering(t, b)
	for _, body := range []string{"", "one", strings.Repeat("\x00", cache.MaxValue-10)} {
		answer, err := a.Send(patient(t), "b", body)
		if err != nil || answer != "a asked "+body {
			t.Errorf("%.20q: %v", answer, err)
		}
	}
	answering(t, a)
	if answer, err := a.Send(patient(t), "a", "oneself"); err != nil || answer != "a asked oneself" {
		t.Errorf("%q: %v", answer, err)
	}
	if _, err := a.Send(t.Context(), "b", strings.Repeat("x", cache.MaxValue+1)); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// failed holds that a command failed so.
func failed(t *testing.T, err error, want error, mayBeDone bool) {
	t.Helper()
	var w *cache.WriteError
	if !errors.Is(err, want) || !errors.As(err, &w) || w.MayBeDone != mayBeDone {
		t.Errorf("%v, and not: %v", err, want)
	}
}

func lateCommand(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	a, b := join(t, c, "a"), join(t, c, "b")
	must(t, b.Leave(t.Context()))
	waitFor(t, "its end", func() bool { return len(c.AppendMembers(nil)) == 1 })
	b = join(t, c, "b")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := a.Send(ctx, "b", "too little time")
	var w *cache.WriteError
	if !errors.As(err, &w) { // who takes commands may have had it already, although nobody has begun with it
		t.Errorf("%v", err)
	}
	answer := make(chan error, 1)
	go func() { _, err := a.Send(patient(t), "b", "the next"); answer <- err }()
	cmd, err := b.Next(patient(t))
	must(t, err)
	if cmd.Body != "the next" {
		t.Errorf("somebody gets a command whose time is over")
	}
	if left := time.Until(cmd.Deadline); left <= 0 || left > 20*time.Second {
		t.Errorf("%v", left)
	}
	must(t, b.Answer(t.Context(), cmd.ID, ""))
	must(t, <-answer)
	failed(t, b.Answer(t.Context(), cmd.ID, "again"), cache.ErrLate, false)
	failed(t, b.Answer(t.Context(), "unknown", ""), cache.ErrLate, false)
}

func takingBack(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	a, b := join(t, c, "a"), join(t, c, "b")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	send := func(ctx context.Context) (cache.Command, chan error) {
		t.Helper()
		done := make(chan error, 1)
		go func() { _, err := a.Send(ctx, "b", "x"); done <- err }()
		cmd, err := b.Next(patient(t))
		must(t, err)
		return cmd, done
	}
	back := func(cmd cache.Command, want bool) {
		t.Helper()
		if is, err := b.TakeBack(patient(t), cmd.ID); err != nil || is != want {
			t.Errorf("taken back: %v, %v", is, err)
		}
	}
	cmd, done := send(patient(t))
	must(t, b.Answer(patient(t), cmd.ID, ""))
	must(t, <-done)
	back(cmd, false) // he has it
	cmd, done = send(ctx)
	back(cmd, true)
	failed(t, b.Answer(patient(t), cmd.ID, ""), cache.ErrLate, false)
	failed(t, <-done, cache.ErrUnanswered, true)
}

func unanswered(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	a, b := join(t, c, "a"), join(t, c, "b")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	answer := make(chan error, 1)
	go func() { _, err := a.Send(ctx, "b", "x"); answer <- err }()
	cmd, err := b.Next(patient(t))
	must(t, err)
	failed(t, <-answer, cache.ErrUnanswered, true)
	if err := ctx.Err(); err != nil {
		_ = b.Answer(t.Context(), cmd.ID, "too late") // whether it is told or not: the sender has gone
	}
	answering(t, b)
	if got, err := a.Send(patient(t), "b", "y"); err != nil || got != "a asked y" {
		t.Errorf("%q %v", got, err)
	}
}

func noReceiver(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	a := join(t, c, "a")
	_, err := a.Send(patient(t), "b", "x")
	failed(t, err, cache.ErrNoMember, false)
	must(t, a.Leave(t.Context()))
	_, err = a.Send(patient(t), "a", "x")
	var w *cache.WriteError
	if !errors.As(err, &w) || w.MayBeDone {
		t.Errorf("%v", err)
	}
}

func receiverLeaves(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	a, b := join(t, c, "a"), join(t, c, "b")
	taken := make(chan error, 1)
	go func() { _, err := a.Send(patient(t), "b", "taken"); taken <- err }()
	_, err := b.Next(patient(t))
	must(t, err)
	must(t, b.Leave(t.Context()))
	failed(t, <-taken, cache.ErrUnanswered, true)
}

func manyCommands(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	a, b := join(t, c, "a"), join(t, c, "b")
	var mu sync.Mutex
	done := make(map[string]int)
	ctx, cancel := context.WithCancel(t.Context())
	var workers, senders sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for {
				cmd, err := b.Next(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				done[cmd.Body]++
				mu.Unlock()
				if err := b.Answer(t.Context(), cmd.ID, cmd.Body); err != nil {
					t.Error(err)
				}
			}
		})
	}
	const each, of = 25, 8
	for s := range of {
		senders.Go(func() {
			for i := range each {
				body := fmt.Sprint(s, "/", i)
				if answer, err := a.Send(patient(t), "b", body); err != nil || answer != body {
					t.Errorf("%q: %q %v", body, answer, err)
				}
			}
		})
	}
	senders.Wait()
	cancel()
	workers.Wait()
	if len(done) != each*of {
		t.Errorf("%d of %d", len(done), each*of)
	}
	for body, n := range done {
		if n != 1 {
			t.Errorf("%q was carried out %d times", body, n)
		}
	}
}
