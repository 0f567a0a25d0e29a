// Package redisserver runs a real redis-server, as Debian packages it, for the tests and the demo.
//
// Invariant: a server ends with the process that started it, whatever was done to it: killed, stopped, started again.
package redisserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
	"github.com/earshot-pbx/earshot/agent/pbxtest/debian"
)

// fetchTime is for the first use on a machine, which downloads the program.
const fetchTime = 5 * time.Minute

// Fetch gets the program, once in a process, which keeps it until it ends.
var Fetch = sync.OnceValues(func() (*debian.Root, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	return debian.Fetch(ctx, debian.Bundle{Name: "redis", Suite: "bookworm", Packages: []string{"redis-server"}})
})

// Server is a redis-server on a port of its own. It is for one goroutine.
type Server struct {
	Addr string
	Args []string // of its command line, from the next Run on

	conf    []string
	ready   string // what it says when it is
	dir     string // of all its runs
	process *child.Process
}

// Start starts a redis-server that keeps nothing on disk; args are added to its command line. Stop ends it.
func Start(args ...string) (*Server, error) {
	return begin(&Server{Args: append([]string{"--save", "", "--appendonly", "no"}, args...), ready: "Ready to accept connections"})
}

// StartSentinel starts a sentinel with a configuration file.
func StartSentinel(conf string) (*Server, error) {
	return begin(&Server{conf: []string{conf}, Args: []string{"--sentinel"}, ready: "+monitor master"})
}

func begin(s *Server) (*Server, error) {
	var err error
	if s.Addr, err = FreePort(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "earshot-redis-"); err != nil {
		return nil, err
	}
	if err := s.Run(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

// FreePort binds a port of loopback and gives it back. Another process may take it before the server does; then Run tells.
func FreePort() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Run starts the process after Kill and waits until it takes connections. What it held in memory is gone.
func (s *Server) Run() error {
	root, err := Fetch()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.dir, "run-")
	if err != nil {
		return err
	}
	cmd, err := root.Command(context.Background(), "redis-server", slices.Concat(s.conf, []string{"--bind", host, "--port", port, "--dir", dir}, s.Args)...)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "log")
	log, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd)
	if err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-process.Done():
			said, _ := os.ReadFile(path)
			return fmt.Errorf("redis-server: %w: %s", errors.Join(errors.New("it has ended"), process.Err()), said)
		case <-tick.C:
			if said, err := os.ReadFile(path); err == nil && strings.Contains(string(said), s.ready) {
				s.process = process
				return nil
			}
		}
	}
}

// Kill ends the process at once. Calling it again is harmless.
func (s *Server) Kill() error { return s.process.Stop(0) }

// Stop ends the process and removes what it wrote.
func (s *Server) Stop() error { return errors.Join(s.Kill(), os.RemoveAll(s.dir)) }

// Pause stops the process as a machine does that hangs: connections stay and nothing is answered. Resume goes on.
func (s *Server) Pause() error { return s.process.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() error { return s.process.Signal(syscall.SIGCONT) }
