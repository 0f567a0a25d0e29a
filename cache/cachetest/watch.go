package cachetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

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
