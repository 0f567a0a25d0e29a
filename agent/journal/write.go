package journal

import (
	"context"
	"errors"
	"time"
)

const (
	// linger is for how long changes are gathered before they are written at once.
	linger = 100 * time.Millisecond
	// retry is how long Run waits after the store could not be written.
	retry = time.Second
	// beat is how often it is noted, at least, until when everything has been seen.
	beat = 10 * time.Second
	// farewell is how long the last writing may take when Run is told to end.
	farewell = 5 * time.Second
	// batchSize is how many calls go into one transaction, and lockedSize how many are copied while Apply has to wait.
	batchSize, lockedSize = 512, 32
)

// Run writes what Apply has taken in, until ctx ends; then it writes what is left, and returns the ctx's error, joined with the store's if that
// could not be written.
func (s *Scribe) Run(ctx context.Context) error {
	timer := time.NewTimer(beat)
	defer timer.Stop()
	for {
		wait := beat
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.wake:
			timer.Reset(linger)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		}
		if ctx.Err() != nil {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			return errors.Join(ctx.Err(), s.Sync(last))
		}
		if s.Sync(ctx) != nil {
			wait = retry
		}
		timer.Reset(wait)
	}
}

// Sync writes what has been taken in so far. Its error means that some of it is not saved; it is kept, and Run or the next Sync tries again.
func (s *Scribe) Sync(ctx context.Context) error {
	select {
	case s.saving <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.saving }()
	for {
		b := s.take()
		if b.empty() {
			return nil
		}
		err := s.st.save(ctx, b)
		if s.saved(b, err) {
			s.cfg.OnError(err)
		}
		if err != nil {
			return err
		}
	}
}

// take returns what is to be written next.
func (s *Scribe) take() *batch {
	b := &batch{}
	for more := true; more && len(b.records) < batchSize; {
		more = s.takeSome(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.gaps, s.gaps = s.gaps, nil; s.lost.Lost > 0 {
		b.gaps, s.lost = append(b.gaps, s.lost), Gap{}
	}
	if s.known {
		// How long nothing has happened is measured; Asterisk does not tell.
		if alive := s.last.Add(max(0, s.cfg.Now().Sub(s.heard))); len(b.records) > 0 && alive.After(s.alive) || alive.Sub(s.alive) >= beat {
			b.alive = alive
		}
	}
	return b
}

// takeSome adds a few calls to the batch and reports whether there are more.
func (s *Scribe) takeSome(b *batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(lockedSize, len(s.unsaved))
	for _, c := range s.unsaved[:n] {
		if c.into != nil {
			c.dirty = false
			continue
		}
		if c.over {
			s.ended--
		}
		b.records = append(b.records, c.record())
	}
	rest := copy(s.unsaved, s.unsaved[n:])
	clear(s.unsaved[rest:])
	s.unsaved = s.unsaved[:rest]
	return rest > 0
}

// saved takes in what has become of a batch, and reports whether saving has just begun to fail.
func (s *Scribe) saved(b *batch, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := err != nil && !s.failing
	s.failing = err != nil
	if err == nil {
		s.stats.Batches++
		s.stats.Saved += uint64(len(b.records))
		if b.alive.After(s.alive) {
			s.alive = b.alive
		}
		for i := range b.records {
			r := &b.records[i]
			r.call.kept = true
			if r.call.into == nil {
				r.call.absorbed = r.call.absorbed[len(r.absorbed):]
			}
		}
		return began
	}
	s.stats.Failures++
	for _, g := range b.gaps {
		if g.Lost == 0 {
			s.gaps = append(s.gaps, g)
			continue
		}
		s.lost.add(g)
	}
	// They were the oldest, and are so again.
	var back []*follow
	for i := range b.records {
		r := &b.records[i]
		c := r.call
		for _, n := range r.strangers {
			for _, l := range c.legs {
				if l.n == n {
					l.saved = true
				}
			}
		}
		if c.into != nil {
			continue // what it was is written with the call that it has become part of
		}
		if c.full = true; !c.dirty {
			c.dirty = true
			back = append(back, c)
			if c.over {
				s.ended++
			}
		}
	}
	s.unsaved = append(back, s.unsaved...)
	for s.ended > s.cfg.MaxUnsaved && s.drop() {
	}
	return began
}
