package redis_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redis"
)

// server is a real redis-server on a port of its own.
type server struct {
	t       testing.TB
	addr    string
	conf    []string
	args    []string
	ready   string // what it says when it is
	process *child.Process
	admin   *goredis.Client // what an administrator or another system does
}

// start starts a redis-server that keeps nothing on disk; args are added to its command line.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	s := &server{t: t, addr: freePort(t), args: append([]string{"--save", "", "--appendonly", "no"}, args...), ready: "Ready to accept connections"}
	return s.begin()
}

// startSentinel starts a sentinel with a configuration file.
func startSentinel(t testing.TB, conf string) *server {
	t.Helper()
	s := &server{t: t, addr: freePort(t), conf: []string{conf}, args: []string{"--sentinel"}, ready: "+monitor master"}
	return s.begin()
}

func (s *server) begin() *server {
	s.t.Helper()
	t := s.t
	s.run()
	s.admin = goredis.NewClient(&goredis.Options{Addr: s.addr, MaxRetries: -1})
	t.Cleanup(func() {
		if err := s.admin.Close(); err != nil {
			t.Error(err)
		}
		s.kill()
	})
	return s
}

// freePort binds a port and gives it back. Another process may take it before the server does; then run tells.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// run starts the process and waits until it takes connections.
func (s *server) run() {
	s.t.Helper()
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	dir := s.t.TempDir()
	args := slices.Concat(s.conf, []string{"--bind", host, "--port", port, "--dir", dir}, s.args)
	cmd, err := root.Command(context.Background(), "redis-server", args...)
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(dir, "log")
	log, err := os.Create(path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = child.Start(cmd); err != nil {
		s.t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.process.Done():
			said, _ := os.ReadFile(path)
			s.t.Fatalf("redis-server: %v: %s", s.process.Err(), said)
		case <-tick.C:
			if said, err := os.ReadFile(path); err == nil && strings.Contains(string(said), s.ready) {
				return
			}
		}
	}
}

func (s *server) kill() {
	s.t.Helper()
	if err := s.process.Stop(0); err != nil {
		s.t.Error(err)
	}
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// do has the administrator do something.
func (s *server) do(args ...any) {
	s.t.Helper()
	if err := s.admin.Do(s.t.Context(), args...).Err(); err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
}

// config is a quick one: the tests wait for what it finds by polling.
func (s *server) config() redis.Config {
	c, err := redis.Parse("redis://"+s.addr+"?poll=50ms&timeout=2s", "")
	if err != nil {
		s.t.Fatal(err)
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
