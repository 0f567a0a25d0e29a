package redis_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redis"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

// server is a real redis-server on a port of its own.
type server struct{ *redistest.Server }

func start(t testing.TB, args ...string) server {
	t.Helper()
	return server{redistest.Start(t, args...)}
}

// config is a quick one: the tests wait for what it finds by polling.
func (s server) config() redis.Config {
	c, err := redis.Parse("redis://"+s.Addr+"?poll=50ms&timeout=2s", "")
	if err != nil {
		panic(err) // cannot be: the address is host:port
	}
	return c
}

// open opens a cache, runs it until the end of the test, and waits until it is in the state.
func open(t testing.TB, cfg redis.Config, state cache.State) *redis.Cache {
	t.Helper()
	c, _ := openCloser(t, cfg, state)
	return c
}

func openCloser(t testing.TB, cfg redis.Config, state cache.State) (c *redis.Cache, closeIt func()) {
	t.Helper()
	c, err := redis.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	closeIt = run(t, c)
	await(t, c, func(s cache.Status) bool {
		return s.State == state && (s.Reason == "") == (state == cache.Up) && s.Reason != "not connected yet"
	})
	return c, closeIt
}

// run runs the cache until the end of the test or of closeIt.
func run(t testing.TB, c cache.Cache) (closeIt func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	closeIt = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(closeIt)
	return closeIt
}

// await waits until a status holds, woken by what the cache tells and, for what it tells nobody (ages, counters), now and then.
func await(t testing.TB, c cache.Cache, holds func(cache.Status) bool) {
	t.Helper()
	eventually(t, c, func() bool { return holds(c.Status()) })
}

func eventually(t testing.TB, c cache.Cache, holds func() bool) {
	t.Helper()
	w := c.Watch()
	defer w.Close()
	limit, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !holds() {
		now, stop := context.WithTimeout(limit, 10*time.Millisecond)
		_, _ = w.Next(now)
		stop()
		if limit.Err() != nil {
			t.Fatalf("it does not come to pass: %+v", c.Status())
		}
	}
}

func isState(want cache.State) func(cache.Status) bool {
	return func(s cache.Status) bool { return s.State == want }
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, c cache.Cache, id string) {
	t.Helper()
	must(t, c.PutSession(t.Context(), cache.Session{ID: id, Owner: "anna", Value: "of " + id}, time.Hour))
}

func has(c cache.Cache, id string) bool {
	_, ok := c.Session(id)
	return ok
}

func overlay(t testing.TB, generation uint64, targets ...string) *cache.Overlay {
	t.Helper()
	o, err := cache.NewOverlay(generation, map[string]cache.Person{"anna": {Flags: map[string]bool{"spy": false}, Except: targets}})
	must(t, err)
	return o
}
