package ariproxy

import (
	"context"
	"net"
	"net/http"
	"slices"
	"time"
)

// maxPending is how many connections there may be on which nobody has proven himself.
const maxPending = 256

// spareConns is how many connections one client may keep beside those of as many streams as it may have.
const spareConns = 20

// caller is one connection that has not become a stream.
type caller struct {
	conn  net.Conn
	timer *time.Timer // closes it unless somebody proves himself
	share *share      // whose it is; nil while nobody has
}

type callerKey struct{}

// called is told of each connection. When too many are there on which nobody has proven himself, the one that has waited longest makes room.
func (s *Server) called(ctx context.Context, conn net.Conn) context.Context {
	c := &caller{conn: conn}
	c.timer = time.AfterFunc(s.cfg.LoginTimeout, func() {
		s.met.ends.WithLabelValues(endLogin).Inc()
		_ = conn.Close()
	})
	s.mu.Lock()
	s.callers[conn] = c
	s.pending = append(s.pending, c)
	var oldest *caller
	if len(s.pending) > maxPending {
		oldest = s.pending[0]
		s.pending = slices.Delete(s.pending, 0, 1)
	}
	s.mu.Unlock()
	if oldest != nil && oldest.timer.Stop() {
		s.met.ends.WithLabelValues(endCrowded).Inc()
		_ = oldest.conn.Close()
	}
	return context.WithValue(ctx, callerKey{}, c)
}

// changed is told what becomes of connections.
func (s *Server) changed(conn net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.callers[conn]
	if c == nil {
		return
	}
	delete(s.callers, conn)
	c.timer.Stop()
	if c.share != nil {
		c.share.conns--
		c.share = nil
		return
	}
	s.pending = slices.DeleteFunc(s.pending, func(o *caller) bool { return o == c })
}

// proves notes that somebody has proven himself on a connection. It reports whether he may keep it for more requests.
func (s *Server) proves(ctx context.Context, sh *share, most int) bool {
	c, _ := ctx.Value(callerKey{}).(*caller)
	if c == nil {
		return true // a test's, without a connection of ours
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.share != nil:
		return true
	case s.callers[c.conn] == nil || sh.conns >= most+spareConns:
		return false
	}
	c.timer.Stop()
	s.pending = slices.DeleteFunc(s.pending, func(o *caller) bool { return o == c })
	c.share = sh
	sh.conns++
	return true
}
