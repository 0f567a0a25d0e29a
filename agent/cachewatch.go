package agent

import (
	"context"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

const (
	// restless is how often what runs on the strength of sessions is looked at while nothing confirms them any more.
	restless = 10 * time.Second
	// afterwards is when it is looked at once more after a session has ended: what was being begun by it just then is found.
	afterwards = time.Second
)

// watchCache ends what runs on the strength of sessions that were ended, here or elsewhere, or that nobody has confirmed for too long, and
// says in the log when the shared cache goes and comes.
func (a *Agent) watchCache(ctx context.Context, w *cache.Watcher) error {
	defer w.Close()
	said := cache.Up    // that all is well is worth a line only after it was not
	var again time.Time // when it is looked at once more; zero: not
	for {
		wait := restless
		if left := a.cfg.Auth.Sessions.MaxStale - a.cache.Age(); left >= 0 {
			wait = left + time.Millisecond
		}
		if !again.IsZero() {
			wait = min(wait, time.Until(again))
		}
		due, cancel := context.WithTimeout(ctx, wait)
		ended, status := changes(due, w)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if status {
			said = a.sayCache(said)
		}
		late := !again.IsZero() && !time.Now().Before(again)
		if ended || late || a.cache.Age() > a.cfg.Auth.Sessions.MaxStale {
			a.recheck()
		}
		switch {
		case ended:
			again = time.Now().Add(afterwards)
		case late:
			again = time.Time{}
		}
	}
}

// changes waits for what the cache has to tell, until ctx ends, and takes what has come by then. It reports whether a session may have
// ended, and whether the cache may be in another state.
func changes(ctx context.Context, w *cache.Watcher) (ended, status bool) {
	c, err := w.Next(ctx)
	all, cancel := context.WithCancel(ctx)
	cancel() // what comes after the first is not waited for
	for err == nil {
		switch c.Kind {
		case cache.ChangeMany:
			ended, status = true, true
		case cache.ChangeSessionGone:
			ended = true
		case cache.ChangeStatus: // the shared store may have been replaced
			ended, status = true, true
		case cache.ChangeSession, cache.ChangeOverlay, cache.ChangeDocument, cache.ChangeMember, cache.ChangeRow, cache.ChangeStanding:
		}
		c, err = w.Next(all)
	}
	return ended, status
}

// sayCache says how the shared cache is when that is another state than the one that was said last, which it returns.
func (a *Agent) sayCache(said cache.State) cache.State {
	s := a.cache.Status()
	if s.State == said || s.State == cache.Local {
		return said
	}
	if s.State == cache.Up {
		a.log.Info().Msg("cache: the Redis is back")
	} else {
		a.log.Warn().Msg(advice(s))
	}
	return s.State
}

// degraded says, a sentence each, what Earshot does without.
func (a *Agent) degraded() (without []string) {
	if s := a.cache.Status(); s.State != cache.Up && s.State != cache.Local {
		without = append(without, advice(s))
	}
	if s, ok := a.published(); ok && s.Trouble != "" {
		without = append(without, publicationAdvice(s))
	}
	if s, ok := a.overlay(); ok && s.Trouble != "" {
		without = append(without, overlayAdvice(s))
	}
	without = append(without, a.clusterLacks()...)
	without = append(without, a.streamLacks()...)
	if a.scribe != nil && a.scribe.Stats().Failing {
		without = append(without, "journal: it cannot be written, so calls are kept in memory until it can; the log says why")
	}
	return without
}
