// Package redistest starts a real redis-server for tests, as Debian packages it.
//
// Invariant: a server ends with the test that started it, whatever was done to it: killed, stopped, started again.
package redistest

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
	"github.com/earshot-pbx/earshot/agent/pbxtest/debian"
)

// fetchTime is for the first test on a machine, which downloads the program.
const fetchTime = 5 * time.Minute

// Root holds the program. It is fetched once and kept until the process ends.
var Root = sync.OnceValues(func() (*debian.Root, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	return debian.Fetch(ctx, debian.Bundle{Name: "redis", Suite: "bookworm", Packages: []string{"redis-server"}})
})

// Server is a redis-server on a port of its own. It is for the goroutine of its test.
type Server struct {
	Addr  string
	Args  []string        // of its command line, from the next Run on
	Admin *goredis.Client // what an administrator or another system does

	t       testing.TB
	conf    []string
	ready   string // what it says when it is
	process *child.Process
}

// Start starts a redis-server that keeps nothing on disk; args are added to its command line.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, Addr: FreePort(t), Args: append([]string{"--save", "", "--appendonly", "no"}, args...), ready: "Ready to accept connections"}
	return s.begin()
}

// StartSentinel starts a sentinel with a configuration file.
func StartSentinel(t testing.TB, conf string) *Server {
	t.Helper()
	s := &Server{t: t, Addr: FreePort(t), conf: []string{conf}, Args: []string{"--sentinel"}, ready: "+monitor master"}
	return s.begin()
}

func (s *Server) begin() *Server {
	s.t.Helper()
	t := s.t
	s.Run()
	s.Admin = goredis.NewClient(&goredis.Options{Addr: s.Addr, MaxRetries: -1})
	t.Cleanup(func() {
		if err := s.Admin.Close(); err != nil {
			t.Error(err)
		}
		s.Kill()
	})
	return s
}

// FreePort binds a port and gives it back. Another process may take it before the server does; then Run tells.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Run starts the process, the first time or after Kill, and waits until it takes connections. What it held in memory is gone.
func (s *Server) Run() {
	s.t.Helper()
	root, err := Root()
	if err != nil {
		s.t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	dir := s.t.TempDir()
	args := slices.Concat(s.conf, []string{"--bind", host, "--port", port, "--dir", dir}, s.Args)
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

// Kill ends the process at once.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.process.Stop(0); err != nil {
		s.t.Error(err)
	}
}

// Pause stops the process as a machine does that hangs: connections stay and nothing is answered. Resume goes on.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Do has the administrator do something.
func (s *Server) Do(args ...any) {
	s.t.Helper()
	if err := s.Admin.Do(s.t.Context(), args...).Err(); err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
}
