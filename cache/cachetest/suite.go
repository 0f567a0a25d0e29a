// Package cachetest is the suite that every cache.Cache passes.
//
// Invariant: it speaks of the interface alone, so what it holds for the memory holds for Redis, and the other way round.
package cachetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// Clock is a clock that is moved by hand. Safe for concurrent use.
type Clock struct{ at atomic.Pointer[time.Time] }

// NewClock makes a clock that stands at the present.
func NewClock() *Clock {
	c := new(Clock)
	now := time.Now()
	c.at.Store(&now)
	return c
}

// Now is where the clock stands.
func (c *Clock) Now() time.Time { return *c.at.Load() }

// Advance moves it.
func (c *Clock) Advance(d time.Duration) {
	for {
		old := c.at.Load()
		if now := old.Add(d); c.at.CompareAndSwap(old, &now) {
			return
		}
	}
}

// Open makes an empty cache with these options, running and, if it shares, connected; it is closed by t.Cleanup.
type Open func(t *testing.T, o cache.Options) cache.Cache

// Suite runs the suite.
func Suite(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"look-ups are remembered, misses too":             lookups,
		"jitter shortens and never lengthens":             jitter,
		"look-ups that fail are not remembered":           failures,
		"many who ask at once load once":                  singleFlight,
		"each who waits for a look-up may give up":        giveUp,
		"what is forgotten while it loads is not kept":    forgetWhileLoading,
		"a look-up that panics holds up nobody":           panics,
		"look-ups are bounded":                            bounds,
		"malformed tables and keys are refused":           badTables,
		"sessions are put, found, listed and deleted":     sessions,
		"sessions expire, sooner and later":               expiry,
		"a deleted session never comes back":              noReturn,
		"sessions are bounded":                            sessionBounds,
		"malformed sessions are refused":                  badSessions,
		"an overlay is of one generation":                 overlays,
		"an overlay is read whole while it is replaced":   wholeOverlays,
		"there is no empty overlay where none was put":    noOverlay,
		"watchers learn of changes":                       watch,
		"a slow watcher holds up nobody and is told":      slowWatcher,
		"what it holds is not printed":                    redacted,
		"writes of many at once are all there":            concurrent,
		"who has no time loads nothing and still deletes": ended,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

var table = cache.Table{Name: "client", TTL: time.Hour, MissTTL: time.Minute}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func value(v string) cache.Load {
	return func(context.Context) (cache.Entry, error) { return cache.Entry{Value: v, Found: true}, nil }
}

func miss(context.Context) (cache.Entry, error) { return cache.Entry{}, nil }

func lookups(t *testing.T, open Open) {
	clock := NewClock()
	c := open(t, cache.Options{Now: clock.Now})
	if e, known := c.Lookup(table, "1"); known || e != (cache.Entry{}) {
		t.Fatal("it knows what nobody asked for")
	}
	e, err := c.Fill(t.Context(), table, "1", value("anna"))
	must(t, err)
	if !e.Found || e.Value != "anna" || !e.Expires.Equal(clock.Now().Add(time.Hour)) {
		t.Fatalf("%#v until %v", e.Value, e.Expires)
	}
	_, err = c.Fill(t.Context(), table, "2", miss)
	must(t, err)
	for range 2 {
		e, err := c.Fill(t.Context(), table, "1", func(context.Context) (cache.Entry, error) {
			t.Error("it was loaded again")
			return cache.Entry{}, nil
		})
		if err != nil || e.Value != "anna" {
			t.Errorf("%v %v", e, err)
		}
	}
	if e, known := c.Lookup(table, "2"); !known || e.Found || e.Value != "" {
		t.Errorf("a miss: %v %v", e, known)
	}
	if _, known := c.Lookup(cache.Table{Name: "other"}, "1"); known {
		t.Error("one table knows what another was told")
	}
	clock.Advance(time.Minute)
	if _, known := c.Lookup(table, "2"); known {
		t.Error("a miss outlives its time")
	}
	if _, known := c.Lookup(table, "1"); !known {
		t.Error("a hit is gone with the misses")
	}
	clock.Advance(time.Hour)
	if _, known := c.Lookup(table, "1"); known {
		t.Error("a hit outlives its time")
	}
	soon := clock.Now().Add(time.Second)
	e, err = c.Fill(t.Context(), table, "3", func(context.Context) (cache.Entry, error) {
		return cache.Entry{Value: "x", Found: true, Expires: soon}, nil
	})
	if err != nil || !e.Expires.Equal(soon) {
		t.Errorf("it expires at %v instead of %v: %v", e.Expires, soon, err)
	}
	e, err = c.Fill(t.Context(), table, "4", func(context.Context) (cache.Entry, error) {
		return cache.Entry{Value: "x", Found: true, Expires: clock.Now().Add(24 * time.Hour)}, nil
	})
	if err != nil || !e.Expires.Equal(clock.Now().Add(time.Hour)) {
		t.Errorf("it is remembered longer than the table says, until %v: %v", e.Expires, err)
	}
	must(t, c.Forget(t.Context(), table, "3"))
	if _, known := c.Lookup(table, "3"); known {
		t.Error("it was not forgotten")
	}
}

func jitter(t *testing.T, open Open) {
	clock := NewClock()
	c := open(t, cache.Options{Now: clock.Now, Rand: func() float64 { return 0.5 }})
	j := table
	j.Jitter = 0.2
	e, err := c.Fill(t.Context(), j, "1", value("x"))
	must(t, err)
	if got := e.Expires.Sub(clock.Now()); got != 54*time.Minute {
		t.Errorf("it is remembered for %v", got)
	}
}

func failures(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	broken := errors.New("broken")
	_, err := c.Fill(t.Context(), table, "1", func(context.Context) (cache.Entry, error) {
		return cache.Entry{Value: "x", Found: true}, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	_, err = c.Fill(t.Context(), table, "1", value(strings.Repeat("x", cache.MaxValue+1)))
	if !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if _, known := c.Lookup(table, "1"); known {
		t.Error("a failure is remembered")
	}
	if e, err := c.Fill(t.Context(), table, "1", value("x")); err != nil || e.Value != "x" {
		t.Errorf("%v %v", e, err)
	}
}

// waitFor gives others the processor until a condition holds, of which no event tells.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatal("the test's time is over; waited for " + what)
		case <-tick.C:
		}
	}
}

func singleFlight(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	var loads atomic.Int32
	begun, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			e, err := c.Fill(t.Context(), table, "1", func(context.Context) (cache.Entry, error) {
				if loads.Add(1) == 1 {
					close(begun)
				}
				<-release
				return cache.Entry{Value: "x", Found: true}, nil
			})
			if err != nil || e.Value != "x" {
				t.Errorf("%v %v", e, err)
			}
		})
	}
	<-begun
	// All have looked and found nothing; whoever did not join yet finds the result when he does.
	waitFor(t, "twenty misses", func() bool { return c.Status().Memory.Misses >= 20 })
	close(release)
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("it was loaded %d times", n)
	}
}

func giveUp(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	begun := make(chan struct{})
	leader, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := c.Fill(leader, table, "1", func(ctx context.Context) (cache.Entry, error) {
			close(begun)
			<-ctx.Done()
			return cache.Entry{}, ctx.Err()
		})
		first <- err
	}()
	<-begun
	impatient, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.Fill(impatient, table, "1", value("y")); !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up is held: %v", err)
	}
	second := make(chan cache.Entry, 1)
	go func() {
		e, err := c.Fill(t.Context(), table, "1", value("x"))
		if err != nil {
			t.Error(err)
		}
		second <- e
	}()
	waitFor(t, "the second to ask", func() bool { return c.Status().Memory.Misses >= 3 })
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if e := <-second; e.Value != "x" {
		t.Errorf("the second got %v", e)
	}
}

func forgetWhileLoading(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	begun, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, err := c.Fill(t.Context(), table, "1", func(context.Context) (cache.Entry, error) {
			close(begun)
			<-release
			return cache.Entry{Value: "old", Found: true}, nil
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-begun
	must(t, c.Forget(t.Context(), table, "1"))
	e, err := c.Fill(t.Context(), table, "1", value("new"))
	if err != nil || e.Value != "new" {
		t.Errorf("who asks after the forgetting gets %q, %v", e.Value, err)
	}
	close(release)
	<-done
	if e, known := c.Lookup(table, "1"); !known || e.Value != "new" {
		t.Errorf("%q %v", e.Value, known)
	}
}

func panics(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = c.Fill(t.Context(), table, "1", func(context.Context) (cache.Entry, error) { panic("broken") })
	}()
	if e, err := c.Fill(t.Context(), table, "1", value("x")); err != nil || e.Value != "x" {
		t.Errorf("%v %v", e, err)
	}
}

func bounds(t *testing.T, open Open) {
	c := open(t, cache.Options{Entries: 10, Bytes: 4000})
	for i := range 100 {
		_, err := c.Fill(t.Context(), table, fmt.Sprint(i), value("x"))
		must(t, err)
		// The one that is read again and again stays.
		if e, known := c.Lookup(table, "0"); !known || e.Value != "x" {
			t.Fatalf("after %d the one in use is gone", i)
		}
	}
	u := c.Status().Memory
	if u.Entries != 10 || u.Evictions != 90 || u.Bytes > 4000 || u.MaxEntries != 10 || u.MaxBytes != 4000 {
		t.Errorf("%+v", u)
	}
	_, err := c.Fill(t.Context(), table, "large", value(strings.Repeat("x", 3000)))
	must(t, err)
	if u := c.Status().Memory; u.Bytes > 4000 || u.Entries > 5 {
		t.Errorf("%+v", u)
	}
	e, err := c.Fill(t.Context(), table, "larger", value(strings.Repeat("x", 5000)))
	if err != nil || len(e.Value) != 5000 {
		t.Errorf("%v %v", e, err)
	}
	if u := c.Status().Memory; u.Bytes > 4000 || u.Oversized != 1 {
		t.Errorf("%+v", u)
	}
}

func badTables(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	for name, bad := range map[string]struct {
		t   cache.Table
		key string
	}{
		"no name":     {cache.Table{TTL: 1, MissTTL: 1}, "1"},
		"a colon":     {cache.Table{Name: "a:b", TTL: 1, MissTTL: 1}, "1"},
		"no TTL":      {cache.Table{Name: "a", MissTTL: 1}, "1"},
		"no miss TTL": {cache.Table{Name: "a", TTL: 1}, "1"},
		"jitter":      {cache.Table{Name: "a", TTL: 1, MissTTL: 1, Jitter: 1.1}, "1"},
		"no key":      {table, ""},
		"a long key":  {table, strings.Repeat("1", cache.MaxName+1)},
	} {
		if _, err := c.Fill(t.Context(), bad.t, bad.key, value("x")); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func sessions(t *testing.T, open Open) {
	clock := NewClock()
	c := open(t, cache.Options{Now: clock.Now})
	if _, ok := c.Session("a"); ok {
		t.Fatal("a session of nobody")
	}
	for id, owner := range map[string]string{"b": "anna", "a": "anna", "c": "boris"} {
		must(t, c.PutSession(t.Context(), cache.Session{ID: id, Owner: owner, Value: "of\n" + owner + "\x00\xff"}, time.Hour))
	}
	s, ok := c.Session("a")
	if !ok || s.Owner != "anna" || s.Value != "of\nanna\x00\xff" || s.Expires.Sub(clock.Now()) > time.Hour || s.Expires.Sub(clock.Now()) < 59*time.Minute {
		t.Fatalf("%q of %q until %v: %v", s.Value, s.Owner, s.Expires, ok)
	}
	ids := func(owner string) []string {
		var ids []string
		for _, s := range c.AppendSessions(nil, owner) {
			ids = append(ids, s.ID)
		}
		return ids
	}
	if got := ids("anna"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("anna has %v", got)
	}
	must(t, c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "boris", Value: "other"}, time.Hour))
	if got := ids("boris"); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("boris has %v", got)
	}
	must(t, c.DeleteSession(t.Context(), "a"))
	must(t, c.DeleteSession(t.Context(), "never was"))
	if _, ok := c.Session("a"); ok || len(ids("boris")) != 1 || len(ids("anna")) != 1 {
		t.Error("a deleted session is there")
	}
	if u := c.Status().Memory; u.Sessions != 2 {
		t.Errorf("%+v", u)
	}
}

func expiry(t *testing.T, open Open) {
	clock := NewClock()
	c := open(t, cache.Options{Now: clock.Now})
	must(t, c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "anna", Value: "v"}, time.Hour))
	if ok, err := c.ExpireSession(t.Context(), "a", 3*time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := c.ExpireSession(t.Context(), "b", time.Hour); ok || err != nil {
		t.Fatal("a session that is not there", ok, err)
	}
	if _, err := c.ExpireSession(t.Context(), "a", 0); err == nil {
		t.Error("a session that ends at once")
	}
	clock.Advance(2 * time.Hour)
	if s, ok := c.Session("a"); !ok || s.Value != "v" || s.Owner != "anna" {
		t.Fatalf("it did not live longer: %v", ok)
	}
	if ok, err := c.ExpireSession(t.Context(), "a", time.Minute); !ok || err != nil {
		t.Fatal(ok, err)
	}
	clock.Advance(time.Minute + time.Second)
	if _, ok := c.Session("a"); ok || len(c.AppendSessions(nil, "anna")) != 0 {
		t.Error("it outlives its time")
	}
}

func noReturn(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	s := cache.Session{ID: "a", Owner: "anna"}
	must(t, c.PutSession(t.Context(), s, time.Hour))
	must(t, c.DeleteSession(t.Context(), "a"))
	if err := c.PutSession(t.Context(), s, time.Hour); !errors.Is(err, cache.ErrDeleted) {
		t.Errorf("it was put again: %v", err)
	}
	if ok, err := c.ExpireSession(t.Context(), "a", time.Hour); ok || err != nil {
		t.Errorf("its life was prolonged: %v %v", ok, err)
	}
	if _, ok := c.Session("a"); ok {
		t.Error("it came back")
	}
}

func sessionBounds(t *testing.T, open Open) {
	c := open(t, cache.Options{Sessions: 5, SessionBytes: 8000})
	for i := range 5 {
		must(t, c.PutSession(t.Context(), cache.Session{ID: fmt.Sprint(i), Owner: "anna"}, time.Hour))
	}
	var failed *cache.WriteError
	err := c.PutSession(t.Context(), cache.Session{ID: "5", Owner: "anna"}, time.Hour)
	if !errors.Is(err, cache.ErrFull) || !errors.As(err, &failed) || failed.MayBeDone {
		t.Errorf("%v", err)
	}
	if n := len(c.AppendSessions(nil, "anna")); n != 5 {
		t.Errorf("%d sessions: none is driven out by another", n)
	}
	must(t, c.PutSession(t.Context(), cache.Session{ID: "0", Owner: "anna"}, 2*time.Hour)) // one that is there takes no more room
	must(t, c.DeleteSession(t.Context(), "1"))
	must(t, c.PutSession(t.Context(), cache.Session{ID: "5", Owner: "anna"}, time.Hour))
	must(t, c.DeleteSession(t.Context(), "2"))
	err = c.PutSession(t.Context(), cache.Session{ID: "6", Owner: "anna", Value: strings.Repeat("x", 9000)}, time.Hour)
	if !errors.Is(err, cache.ErrFull) {
		t.Errorf("%v", err)
	}
	if u := c.Status().Memory; u.Sessions != 4 || u.MaxSessions != 5 || u.MaxSessionBytes != 8000 {
		t.Errorf("%+v", u)
	}
}

func badSessions(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	long := strings.Repeat("x", cache.MaxName+1)
	for name, bad := range map[string]cache.Session{
		"no id":         {Owner: "anna"},
		"no owner":      {ID: "a"},
		"a long id":     {ID: long, Owner: "anna"},
		"a line in it":  {ID: "a", Owner: "an\nna"},
		"a large value": {ID: "a", Owner: "anna", Value: strings.Repeat("x", cache.MaxValue+1)},
	} {
		if err := c.PutSession(t.Context(), bad, time.Hour); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "anna"}, 0); err == nil {
		t.Error("no time to live: taken")
	}
}

func overlay(t *testing.T, generation uint64, on bool, targets ...string) *cache.Overlay {
	t.Helper()
	o, err := cache.NewOverlay(generation, map[string]cache.Person{
		"anna": {Flags: map[string]bool{"spy": on}, Except: targets},
	})
	must(t, err)
	return o
}

func overlays(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	if o, age := c.Overlay(7); o != nil || age != cache.Never {
		t.Fatalf("an overlay of nobody: %v", age)
	}
	must(t, c.PutOverlay(t.Context(), overlay(t, 7, false, "boris", "group:board")))
	must(t, c.PutOverlay(t.Context(), overlay(t, 8, true)))
	for g, want := range map[uint64]bool{7: false, 8: true} {
		if o, err := c.Follow(t.Context(), g); err != nil || o.Generation() != g {
			t.Fatalf("%v %v", o.Generation(), err)
		}
		o, age := c.Overlay(g)
		if o.Generation() != g || age > time.Minute {
			t.Fatalf("asked for %d, got %d of age %v", g, o.Generation(), age)
		}
		if on, set := o.Flag("anna", "spy"); on != want || !set {
			t.Errorf("generation %d: %v %v", g, on, set)
		}
		for _, target := range []string{"boris", "group:board"} {
			if o.Excluded("anna", target) != (g == 7) {
				t.Errorf("generation %d: %s", g, target)
			}
		}
		if _, set := o.Flag("anna", "barge"); set || o.Excluded("anna", "vera") || o.Excluded("boris", "anna") {
			t.Error("more is set than was put")
		}
	}
	if o, _ := c.Overlay(9); o != nil {
		t.Error("generation 9 has values of another")
	}
	must(t, c.PutOverlay(t.Context(), overlay(t, 8, false)))
	o, _ := c.Overlay(8)
	if on, set := o.Flag("anna", "spy"); on || !set {
		t.Errorf("after the change: %v %v", on, set)
	}
	if err := c.PutOverlay(t.Context(), nil); err == nil {
		t.Error("nothing was put")
	}
}

func wholeOverlays(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	// The flag is on exactly when boris is excluded.
	put := func(on bool) {
		if on {
			must(t, c.PutOverlay(t.Context(), overlay(t, 3, true, "boris")))
		} else {
			must(t, c.PutOverlay(t.Context(), overlay(t, 3, false)))
		}
	}
	put(true)
	_, err := c.Follow(t.Context(), 3)
	must(t, err)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				o, _ := c.Overlay(3)
				if on, _ := o.Flag("anna", "spy"); on != o.Excluded("anna", "boris") || o.Generation() != 3 {
					t.Error("half of a change was seen")
					return
				}
			}
		})
	}
	for i := range 100 {
		put(i%2 == 0)
	}
	close(stop)
	wg.Wait()
}

func noOverlay(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	o, err := c.Follow(t.Context(), 7)
	if !errors.Is(err, cache.ErrNoOverlay) || o != nil {
		t.Fatalf("%v", err)
	}
	o, age := c.Overlay(7)
	if o != nil || age != cache.Never {
		t.Fatalf("%v", age)
	}
	if on, set := o.Flag("anna", "spy"); on || !set || !o.Excluded("anna", "boris") {
		t.Error("no overlay does not deny")
	}
	empty, err := cache.NewOverlay(7, nil)
	must(t, err)
	must(t, c.PutOverlay(t.Context(), empty))
	if o, age := c.Overlay(7); o == nil || age > time.Minute || o.Excluded("anna", "boris") {
		t.Errorf("an empty overlay is one too: %v", age)
	}
}

func next(t *testing.T, w *cache.Watcher) cache.Change {
	t.Helper()
	for {
		c, err := w.Next(t.Context())
		must(t, err)
		if c.Kind != cache.ChangeStatus { // comes when it likes
			return c
		}
	}
}

func watch(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	w := c.Watch()
	defer w.Close()
	must(t, c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "anna"}, time.Hour))
	if got := next(t, w); got != (cache.Change{Kind: cache.ChangeSession, ID: "a", Owner: "anna"}) {
		t.Errorf("%+v", got)
	}
	must(t, c.DeleteSession(t.Context(), "a"))
	if got := next(t, w); got != (cache.Change{Kind: cache.ChangeSessionGone, ID: "a", Owner: "anna"}) {
		t.Errorf("%+v", got)
	}
	must(t, c.PutOverlay(t.Context(), overlay(t, 2, true)))
	_, err := c.Follow(t.Context(), 2)
	must(t, err)
	if got := next(t, w); got != (cache.Change{Kind: cache.ChangeOverlay, Generation: 2}) {
		t.Errorf("%+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	w.Close()
	w.Close()
	if _, err := w.Next(t.Context()); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func slowWatcher(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	w := c.Watch()
	defer w.Close()
	for i := range 300 {
		must(t, c.PutSession(t.Context(), cache.Session{ID: fmt.Sprint(i), Owner: "anna"}, time.Hour))
	}
	n := 0
	for {
		n++
		if got := next(t, w); got.Kind == cache.ChangeMany {
			break
		}
	}
	if n > 256 {
		t.Errorf("%d changes were kept", n)
	}
}

func redacted(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	s := cache.Session{ID: "secret-id", Owner: "secret-owner", Value: "secret-value"}
	must(t, c.PutSession(t.Context(), s, time.Hour))
	e, err := c.Fill(t.Context(), table, "secret-key", value("secret-value"))
	must(t, err)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if printed := fmt.Sprintf(format, []any{s, e}); strings.Contains(printed, "secret") {
			t.Errorf("%s prints %s", format, printed)
		}
	}
	err = c.PutSession(t.Context(), cache.Session{ID: "secret-id", Owner: "secret\nowner", Value: "secret-value"}, time.Hour)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func concurrent(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 20 {
				id := fmt.Sprintf("%d-%d", i, n)
				if err := c.PutSession(t.Context(), cache.Session{ID: id, Owner: "anna", Value: id}, time.Hour); err != nil {
					t.Error(err)
				}
				if s, ok := c.Session(id); !ok || s.Value != id {
					t.Errorf("%s was put and is not there", id)
				}
				if n%2 == 0 {
					if err := c.DeleteSession(t.Context(), id); err != nil {
						t.Error(err)
					}
					if _, ok := c.Session(id); ok {
						t.Errorf("%s was deleted and is there", id)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(c.AppendSessions(nil, "anna")); n != 80 {
		t.Errorf("%d sessions", n)
	}
}

func ended(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Fill(ctx, table, "1", value("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	must(t, c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "anna"}, time.Hour))
	_ = c.DeleteSession(ctx, "a") // the memory does it, Redis may not be told; gone it is
	if _, ok := c.Session("a"); ok {
		t.Error("a deletion waits for a context")
	}
}
