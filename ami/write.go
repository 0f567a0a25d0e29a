package ami

import (
	"errors"
	"os"
	"sync"
	"time"
)

// chunks are the buffers that events are joined in; a session has one only while it writes, and a flusher while it runs.
var chunks = sync.Pool{New: func() any { b := make([]byte, 0, writeChunk); return &b }}

// write is the session's writing goroutine. It writes whatever may take its time: answers, what filters look at first,
// what is long, and all that the flusher cannot write at once.
func (s *Session) write() {
	defer close(s.drained)
	for {
		items, left := s.out.take()
		if len(items) == 0 {
			return
		}
		if err := s.writeTaken(items, left); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = ErrSlow
			}
			s.end(err, false)
			return
		}
		s.out.give(items)
		s.out.done()
	}
}

// writeTaken writes items, or what is left of them.
func (s *Session) writeTaken(items []item, left leftover) error {
	switch {
	case left.err != nil:
		return left.err
	case left.items == nil:
		return s.writeItems(items)
	}
	if err := s.put(left.wire, left.events); err != nil {
		return err
	}
	s.out.wrote(items)
	return nil
}

// writeItems joins items to chunks and writes those.
func (s *Session) writeItems(items []item) error {
	if len(items) == 1 && items[0].ready() { // as with every answer: there is nothing to join
		wire, events := items[0].events.wire, len(items[0].events.parts)
		for len(wire) > 0 {
			n := min(len(wire), writeChunk)
			if err := s.put(wire[:n], events); err != nil {
				return err
			}
			wire, events = wire[n:], 0
		}
		s.out.wrote(items)
		return nil
	}
	chunk := chunks.Get().(*[]byte)
	defer chunks.Put(chunk)
	buf, first := (*chunk)[:0], 0
	events := 0
	flush := func(end int) error {
		err := s.put(buf, events)
		s.out.wrote(items[first:end])
		buf, first, events = buf[:0], end, 0
		return err
	}
	for i := range items {
		it := &items[i]
		if !it.ready() && len(it.events.wire) <= writeChunk && !s.late(it) {
			if len(buf)+len(it.events.wire) > writeChunk {
				if err := flush(i); err != nil {
					return err
				}
			}
			begun := it.look()
			var n int
			buf, n = it.append(buf, s.out.taken)
			events += n
			if err := s.looks(it, begun); err != nil {
				return err
			}
			continue
		}
		wire, n, err := s.render(it)
		if err != nil {
			return err
		}
		events += n
		for len(buf)+len(wire) > writeChunk { // a long one goes in parts: each has its own time
			n := writeChunk - len(buf)
			buf, wire = append(buf, wire[:n]...), wire[n:]
			if err := flush(i); err != nil {
				return err
			}
		}
		buf = append(buf, wire...)
	}
	return flush(len(items))
}

// late reports whether an event is not written since filters would have to look at it first: the end does not wait for those.
func (s *Session) late(it *item) bool { return it.filters != nil && s.Err() != nil }

// render is what is written of an item, and how many events that is.
func (s *Session) render(it *item) (wire []byte, events int, err error) {
	if it.ready() {
		return it.events.wire, len(it.events.parts), nil // an answer has no events
	}
	if s.late(it) {
		return nil, 0, nil
	}
	begun := it.look()
	wire, events = it.append(nil, s.out.taken)
	return wire, events, s.looks(it, begun)
}

// look is when filters begin to look at an item; of one that has none it is not taken down.
func (it *item) look() (begun time.Time) {
	if it.filters != nil {
		begun = time.Now()
	}
	return begun
}

// looks counts what the filters of an item took.
func (s *Session) looks(it *item, begun time.Time) error {
	if it.filters != nil && !s.looked.spend(begun, time.Now()) {
		return ErrFilters
	}
	return nil
}

// put writes bytes that have a number of events in them.
func (s *Session) put(b []byte, events int) error {
	if len(b) == 0 {
		return nil
	}
	deadline := time.Now().Add(s.srv.cfg.WriteTimeout)
	if s.Err() != nil {
		deadline = s.last // a client that reads slowly does not put off the end
	}
	if err := s.raw.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if _, err := s.conn.Write(b); err != nil {
		return err
	}
	s.observe(events, len(b))
	return nil
}

// observe tells the observer of a write.
func (s *Session) observe(events, bytes int) {
	if f := s.srv.cfg.Observer.Wrote; f != nil {
		f(events, bytes)
	}
}
