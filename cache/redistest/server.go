// Package redistest has a real redis-server for a test, and a slow way to it.
//
// Invariant: a server ends with the test that started it, whatever was done to it: killed, stopped, started again.
package redistest

import (
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/cache/redisserver"
)

// Server is a redis-server of which every failure is the test's. It is for the goroutine of its test.
type Server struct {
	*redisserver.Server
	Admin *goredis.Client // what an administrator or another system does

	t testing.TB
}

// Start starts a redis-server that keeps nothing on disk; args are added to its command line.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return begin(t)(redisserver.Start(args...))
}

// StartSentinel starts a sentinel with a configuration file.
func StartSentinel(t testing.TB, conf string) *Server {
	t.Helper()
	return begin(t)(redisserver.StartSentinel(conf))
}

func begin(t testing.TB) func(*redisserver.Server, error) *Server {
	return func(server *redisserver.Server, err error) *Server {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{Server: server, t: t, Admin: goredis.NewClient(&goredis.Options{Addr: server.Addr, MaxRetries: -1})}
		t.Cleanup(func() {
			if err := s.Admin.Close(); err != nil {
				t.Error(err)
			}
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
}

// FreePort binds a port and gives it back. Another process may take it before a server does.
func FreePort(t testing.TB) string {
	t.Helper()
	addr, err := redisserver.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// Run starts the process after Kill, and waits until it takes connections. What it held in memory is gone.
func (s *Server) Run() { s.t.Helper(); s.must(s.Server.Run()) }

// Kill ends the process at once.
func (s *Server) Kill() { s.t.Helper(); s.must(s.Server.Kill()) }

// Pause stops the process as a machine does that hangs: connections stay and nothing is answered. Resume goes on.
func (s *Server) Pause() { s.t.Helper(); s.must(s.Server.Pause()) }

// Resume lets a paused process go on.
func (s *Server) Resume() { s.t.Helper(); s.must(s.Server.Resume()) }

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
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
