package amiproxy

import (
	"context"
	"errors"

	"golang.org/x/time/rate"
)

// share is what all sessions of one employee have together, or all of one panel, whomever it names: who logs in twice may not ask for twice as much.
type share struct {
	actions  *rate.Limiter // how many they may ask for
	told     *rate.Limiter // bytes of UserEvents
	unnamed  *rate.Limiter // commands of a panel that names nobody, whom the limit of commands does not know
	looking  chan struct{} // holds a token while one of them has the gate look something up, see look
	sessions int           // that are logged in; guarded by the server's lock
}

// UserEvents of a share may have so many bytes a second in the long run, and so many at once; a panel's commands that name nobody are as an employee's.
const (
	toldPerSecond    = 2 << 10
	toldBurst        = 64 << 10
	unnamedPerSecond = 1
	unnamedBurst     = 20
)

// errCrowd refuses who is logged in often enough.
var errCrowd = errors.New("as many sessions are logged in with this credential as may be")

// join counts one session more of a client's, when there is room for it.
func (s *Server) join(c *client) error {
	most := s.cfg.PerEmployee
	if c.panel != "" {
		most = s.cfg.PerPanel
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shares[c.name()]
	if sh == nil { // it stays, with what has been asked of late: there are no more of them than have ever proven themselves
		sh = &share{
			actions: rate.NewLimiter(rate.Limit(float64(s.cfg.PerMinute)/60), s.cfg.Burst), told: rate.NewLimiter(toldPerSecond, toldBurst),
			unnamed: rate.NewLimiter(unnamedPerSecond, unnamedBurst), looking: make(chan struct{}, 1),
		}
		s.shares[c.name()] = sh
	}
	if sh.sessions >= most {
		return errCrowd
	}
	sh.sessions++
	c.share = sh
	return nil
}

// look runs what has the gate look up something long, one at a time of a share: each holds up what happens at the PBX until it is done, and who asks by
// many sessions at a time would hold it up that often. The answer is written after that, so a session that reads slowly holds up none of the others.
func (sh *share) look(ctx context.Context, f func() error) error {
	select {
	case sh.looking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-sh.looking }()
	return f()
}
