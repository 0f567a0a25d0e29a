package ariproxy

import (
	"context"
	"net"
	"net/http"

	"github.com/earshot-pbx/earshot/agent/lobby"
)

// maxPending is how many connections there may be on which nobody has proven himself.
const maxPending = 256

// spareConns is how many connections one client may keep beside those of as many streams as it may have.
const spareConns = 20

// caller is one connection that has not become a stream.
type caller struct {
	conn  net.Conn
	share *share // whose it is; nil while nobody has proven himself
}

type callerKey struct{}

// strangers keeps those connections on which nobody has proven himself.
func (s *Server) strangers() *lobby.Lobby {
	return lobby.New(maxPending, s.cfg.LoginTimeout, func(why string) { s.met.ends.WithLabelValues(why).Inc() })
}

// called is told of each connection.
func (s *Server) called(ctx context.Context, conn net.Conn) context.Context {
	c := &caller{conn: conn}
	s.mu.Lock()
	s.callers[conn] = c
	s.mu.Unlock()
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
	if c.share != nil {
		c.share.conns--
		c.share = nil
	}
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
	case s.callers[c.conn] == nil || sh.conns >= most+spareConns || !lobby.Prove(ctx):
		return false
	}
	c.share = sh
	sh.conns++
	return true
}
