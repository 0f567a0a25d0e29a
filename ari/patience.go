package ari

import (
	"context"
	"errors"
	"sync"
	"time"
)

// patience is for how long a socket has been waited for, all times together.
type patience struct {
	born time.Time

	mu     sync.Mutex
	before time.Duration // the waits that are over
	since  time.Duration // when the one that is not has begun, since born
	waits  bool
}

func (p *patience) begins() {
	now := time.Since(p.born)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since, p.waits = now, true
}

func (p *patience) ends() {
	now := time.Since(p.born)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.waits = p.before+now-p.since, false
}

func (p *patience) waited() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits {
		return p.before + time.Since(p.born) - p.since
	}
	return p.before
}

// ping ends the stream when Asterisk gives no sign of life. A TCP connection whose other end has gone without a word
// says nothing by itself, and one that still brings events may lose what is sent.
func (s *Stream) ping(ctx context.Context, interval, timeout time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.pinged(ctx, timeout) {
			continue
		}
		_ = s.end(errors.New("ari: events: no answer to a ping"))
		_ = s.conn.CloseNow() // wakes Next; the reason to give is set
		return
	}
}

// Latency is how long Asterisk took to answer the last ping that it has answered, or has taken for the one that is on its way where that is longer already. The answer
// comes behind the events that were sent before it, so these are as late. It is zero before the first answer. It is safe for concurrent use.
func (s *Stream) Latency() time.Duration {
	took := time.Duration(s.latency.Load())
	if at := s.pinging.Load(); at != 0 {
		took = max(took, time.Since(s.patience.born)-time.Duration(at))
	}
	return took
}

// pinged sends one ping and reports whether it has an answer. That is read by Next, behind all events that have arrived before it, so it is missed only when
// Next has waited for the socket for as long as it may take.
func (s *Stream) pinged(ctx context.Context, timeout time.Duration) bool {
	began, sent := s.patience.waited(), time.Since(s.patience.born)
	s.pinging.Store(int64(sent))
	defer s.pinging.Store(0)
	answered := make(chan struct{})
	s.tasks.Go(func() {
		defer close(answered)
		// Not ctx: a context that ends during a write closes the connection, in the middle of a frame. An error ends the stream by itself.
		if s.conn.Ping(s.live) == nil {
			s.latency.Store(int64(time.Since(s.patience.born) - sent))
		}
	})
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return true
		case <-answered:
			return true
		case <-timer.C:
		}
		left := timeout - (s.patience.waited() - began)
		if left <= 0 {
			return false
		}
		timer.Reset(max(left, timeout/8)) // left does not shrink while nobody reads, and may be next to nothing
	}
}
