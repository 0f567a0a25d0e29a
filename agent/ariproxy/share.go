package ariproxy

import (
	"context"

	"golang.org/x/time/rate"
)

// share is what all requests and streams of one employee have together, or all of one panel, whomever it names: who comes twice may not ask for twice as
// much.
type share struct {
	requests *rate.Limiter
	looking  chan struct{} // holds a token while one of them has the gate look something up
	conns    int           // connections that are no streams; guarded by the server's lock
}

// most is how many streams a client may have.
func (s *Server) most(c *client) int {
	if c.panel != "" {
		return s.cfg.PerPanel
	}
	return s.cfg.PerEmployee
}

// shareOf is a client's. It stays, with what has been asked of late: there are no more of them than have ever proven themselves.
func (s *Server) shareOf(c *client) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shares[c.name()]
	if sh == nil {
		sh = &share{requests: rate.NewLimiter(rate.Limit(float64(s.cfg.PerMinute)/60), s.cfg.Burst), looking: make(chan struct{}, 1)}
		s.shares[c.name()] = sh
	}
	return sh
}

// look runs what has the gate look up something long, one at a time of a share: each holds up what happens at the PBX until it is done, and who asks on
// many connections at a time would hold it up that often.
func (sh *share) look(ctx context.Context, f func() error) error {
	select {
	case sh.looking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-sh.looking }()
	return f()
}
