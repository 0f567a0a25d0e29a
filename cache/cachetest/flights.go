package cachetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/earshot-pbx/earshot/cache"
)

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
