// Package auditstream copies the audit log into a log of the cache, a stream in Redis, from which collectors read it.
//
// Invariant: the file is the truth and waits for nothing here. In the stream stand the lines of the file that are safe on the disk, byte for
// byte, under their numbers, in order and each once; what is not there yet comes as soon as it can, as long as the files have it.
package auditstream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/cache"
)

// Store is what a Stream needs of a cache.
type Store interface {
	cache.Logs
	Watch() *cache.Watcher
}

// Config is what a Stream is made of.
type Config struct {
	Log   *audit.Log
	Store Store
	Name  string           // of the log in the store
	Keep  int              // about how many lines are kept there
	Tell  func(Status)     // of each other trouble, and that there is none any more; may be nil
	Now   func() time.Time // nil means time.Now
	Retry time.Duration    // how long after a failure it is tried again, at least; zero means a second
}

const (
	// most is how many lines are sent in one step, which have 256 KiB at most: a Tail reads no more at once.
	most = 200
	// patience is the longest wait between two attempts, in units of Config.Retry.
	patience = 15
	// lastWords is how long Run sends on when it is to end.
	lastWords = time.Second
)

// Stream copies a log. Make it with New.
type Stream struct {
	Config

	// Run's own.
	tail    *audit.Tail
	joined  bool         // the store's end is known, and is ours
	pending []audit.Line // read and not sent yet

	mu      sync.Mutex // protects what follows
	known   bool       // end and next mean something
	end     uint64     // number with which the stream ends; 0: it is empty
	next    uint64     // number of the first line that is to be sent
	oldest  time.Time  // when the first of pending was written; zero: there is none
	sent    uint64
	missing uint64
	trouble Trouble
	since   time.Time // when the trouble began, or, until known, when the stream was made
}

// New makes a stream, which does nothing until Run.
func New(c Config) *Stream {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Retry == 0 {
		c.Retry = time.Second
	}
	return &Stream{Config: c, since: c.Now()}
}

// Run copies until ctx ends, and then sends what was written last if that can be done at once. The cache has to run meanwhile, and the log to be
// open.
func (s *Stream) Run(ctx context.Context) {
	s.tail = s.Log.Tail()
	defer s.tail.Close()
	told, end := s.watch()
	defer end()
	wait, timer, failed := s.Retry, time.NewTimer(0), false
	defer timer.Stop()
	for {
		timer.Stop() // it runs only while there is a trouble
		again, grown := (<-chan time.Time)(nil), s.tail.Grown()
		if err := s.step(ctx); err == nil {
			s.stand("")
			wait, failed = s.Retry, false
		} else if ctx.Err() == nil {
			// A moment is not worth a word, and the cache may not even have begun to run.
			if t := troubleOf(err); failed || t != Away {
				s.stand(t)
			}
			failed = true
			if !s.waits() {
				grown = nil // it is behind anyway, and another line is no reason to try again
			}
			timer.Reset(wait)
			again = timer.C
			wait = min(2*wait, patience*s.Retry)
		}
		select {
		case <-grown:
		case <-told:
			s.joined = false // the store may be another one
			wait, failed = s.Retry, false
		case <-again:
		case <-ctx.Done():
			s.conclude(ctx)
			return
		}
	}
}

// waits reports whether the stream, which cannot go on, lacks nothing yet. Otherwise the age of what it lacks is known then.
func (s *Stream) waits() bool {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	return known && s.read() == nil && len(s.pending) == 0
}

// conclude sends what was written last.
func (s *Stream) conclude(ctx context.Context) {
	if s.Status().Trouble != "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	_ = s.step(ctx) // what is left over is sent by the next Run
}

// watch tells when the store goes, comes, or may be another one.
func (s *Stream) watch() (told <-chan struct{}, end func()) {
	bell := make(chan struct{}, 1)
	w := s.Store.Watch()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := w.Next(context.Background())
			if err != nil {
				return // closed
			}
			if c.Kind == cache.ChangeStatus || c.Kind == cache.ChangeMany {
				select {
				case bell <- struct{}{}:
				default:
				}
			}
		}
	}()
	return bell, func() { w.Close(); <-done }
}

// errConflict means that the stream holds what is not in the log.
var errConflict = errors.New("the stream has entries of another audit log")

// errFiles means that the log's files cannot be read.
var errFiles = errors.New("the audit log cannot be read")

// step sends until there is no more.
func (s *Stream) step(ctx context.Context) error {
	for again := false; ; {
		if !s.joined {
			if err := s.join(ctx); err != nil {
				return err
			}
		}
		if err := s.read(); err != nil {
			return err
		}
		if len(s.pending) == 0 {
			return nil
		}
		err := s.send(ctx)
		if errors.Is(err, cache.ErrNotNext) && !again { // it was emptied, or what seemed to have failed was done
			s.joined, again = false, true
		} else if err != nil {
			return err
		}
	}
}

// join finds where to go on: behind what the stream has, if that is ours; in an empty one as if it had never been emptied.
func (s *Stream) join(ctx context.Context) error {
	end, entry, err := s.Store.LogEnd(ctx, s.Name)
	if err != nil {
		return err
	}
	safe, next := s.Log.Last().Seq, end+1
	switch {
	case end > safe:
		return errConflict
	case end == 0:
		next = 1
		if keep := uint64(max(0, s.Keep)); safe > keep {
			next = safe - keep + 1
		}
	case entry != "":
		s.tail.Seek(end)
		lines, err := s.tail.Read(1)
		if err != nil {
			return errors.Join(errFiles, err)
		}
		if len(lines) > 0 && lines[0].Seq == end && lines[0].Text != entry {
			return errConflict
		}
	}
	sent := 0 // of what was pending: by an attempt of which it was not known
	for _, line := range s.pending {
		if line.Seq <= end {
			sent++
		}
	}
	s.took(sent)
	s.pending = nil
	s.tail.Seek(next)
	s.mu.Lock()
	s.known, s.end, s.next = true, end, next
	s.mu.Unlock()
	s.joined = true
	return nil
}

// read has something pending, if there is anything.
func (s *Stream) read() error {
	if len(s.pending) == 0 {
		lines, err := s.tail.Read(most)
		if err != nil {
			return errors.Join(errFiles, err)
		}
		s.pending = lines
	}
	oldest := time.Time{}
	if len(s.pending) > 0 {
		oldest = s.pending[0].Time
	}
	s.mu.Lock()
	s.oldest = oldest
	s.mu.Unlock()
	return nil
}

// send appends what is pending.
func (s *Stream) send(ctx context.Context) error {
	texts := make([]string, len(s.pending))
	for i, line := range s.pending {
		texts[i] = line.Text
	}
	s.mu.Lock()
	end := s.end
	s.mu.Unlock()
	if _, err := s.Store.AppendLog(ctx, s.Name, end, s.pending[0].Seq, texts, s.Keep); err != nil {
		return err
	}
	s.took(len(s.pending))
	return nil
}

// took takes that so many of what is pending are in the stream.
func (s *Stream) took(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.pending[:n]
	s.missing += gone[0].Seq - s.next
	s.sent += uint64(len(gone))
	s.end = gone[len(gone)-1].Seq
	s.next, s.pending = s.end+1, s.pending[n:]
}
