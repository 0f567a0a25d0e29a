package recording

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"
)

// work looks after the files that wait.
func (k *Keeper) work(ctx context.Context) {
	k.mu.Lock()
	list := slices.Collect(maps.Values(k.waiting))
	k.mu.Unlock()
	for _, c := range list {
		if ctx.Err() != nil {
			return
		}
		if k.look(ctx, c) {
			k.mu.Lock()
			if k.waiting[c.at] == c { // and nothing has been told of it meanwhile
				k.settle(c)
			}
			k.mu.Unlock()
		}
	}
}

// look sees what has become of one file, and reports whether it needs no look any more.
func (k *Keeper) look(ctx context.Context, c *candidate) (done bool) {
	now := k.cfg.Now()
	size, modified, err := k.cfg.Spools.stat(c.at)
	rests := err == nil && now.Sub(modified) >= k.cfg.Settle
	k.doubts(ctx, c, now, err != nil || now.Sub(modified) >= k.cfg.Rest)
	k.mu.Lock()
	id, told, over := c.id, c.source != "", c.over
	k.mu.Unlock()
	if errors.Is(err, ErrDown) {
		return false
	}
	if err != nil {
		// Asterisk makes the file some time after it has said that it records; one that never came, or that is gone, is no recording.
		late := !over.IsZero() && now.Sub(over) > k.cfg.Retry
		return !told || late && (id == "" || k.finish(ctx, id, over, 0))
	}
	if id == "" {
		known, complete, err := k.cfg.Book.Find(ctx, c.at)
		switch {
		case err != nil:
			k.cfg.OnError(fmt.Errorf("look for a recording: %w", err))
			return false
		case complete:
			return true
		case known == "" && told:
			known = k.bind(ctx, c, now)
		case known == "" && !rests:
			return false // its exact binding may be on the way
		case known == "":
			return k.match(ctx, c.at, size, modified, now)
		case !told && now.Sub(modified) > k.cfg.Retry:
			over = modified // one of an Earshot before this one, that has not seen its end
		}
		if id = known; id == "" {
			return false
		}
		k.mu.Lock()
		if told { // of what an Earshot before has left, nobody tells
			c.id = id
		}
		k.mu.Unlock()
	}
	return !over.IsZero() && rests && k.finish(ctx, id, modified, size)
}

// doubts asks whether something is still recorded whose end may have been lost: after the PBX was out of sight, and now and then while nothing is written.
func (k *Keeper) doubts(ctx context.Context, c *candidate, now time.Time, idle bool) {
	k.mu.Lock()
	pause := k.cfg.Rest
	if c.doubt {
		pause = min(pause, time.Second)
	}
	ask := k.cfg.Runs != nil && c.source != "" && c.over.IsZero() && (c.doubt || idle && now.Sub(c.since) >= k.cfg.Rest) && now.Sub(c.asked) >= pause
	if ask {
		c.asked = now
	}
	k.mu.Unlock()
	if !ask {
		return
	}
	runs, err := k.cfg.Runs(ctx, c.source, c.of)
	if err != nil {
		return // it is asked again
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.doubt = false; !runs && c.over.IsZero() {
		c.over = now
	}
}

// bind writes down a recording whose leg is known, and returns its id, or nothing, when it is to be tried again.
func (k *Keeper) bind(ctx context.Context, c *candidate, now time.Time) (id string) {
	call, err := k.cfg.Book.CallOf(ctx, c.leg, c.since)
	if err == nil {
		id, err = k.cfg.Book.Add(ctx, Entry{Call: call, Leg: c.leg, Spool: c.at.Spool, File: c.at.File, Source: c.source, Began: c.since})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case errors.Is(err, ErrKnown):
		return "" // it is found the next time
	case errors.Is(err, ErrNoCall):
		// What the name says decides, once it is whole; of one whose name says nothing, what was told is all that there is.
		if !c.over.IsZero() && (now.Sub(c.over) > k.cfg.Retry || k.cfg.Spools.tells(c.at)) {
			k.forget(c)
			k.waiting[c.at] = &candidate{at: c.at, since: now}
		}
		return ""
	case err != nil:
		k.cfg.OnError(fmt.Errorf("keep a recording: %w", err))
		return ""
	}
	k.stats.Kept++
	return id
}

// finish writes down that a recording is complete, and reports whether that is written.
func (k *Keeper) finish(ctx context.Context, id string, ended time.Time, size int64) bool {
	if err := k.cfg.Book.End(ctx, id, ended, size); err != nil {
		k.cfg.OnError(fmt.Errorf("keep a recording's end: %w", err))
		return false
	}
	return true
}

// match finds the call of a file by its name.
func (k *Keeper) match(ctx context.Context, at Place, size int64, modified, now time.Time) (done bool) {
	p, err := k.cfg.Spools.named(at.Spool)
	if err != nil {
		return true
	}
	for _, leg := range p.pattern.ids(path.Base(at.File)) {
		call, err := k.cfg.Book.CallOf(ctx, leg, modified)
		if errors.Is(err, ErrNoCall) {
			continue
		}
		var id string
		if err == nil {
			id, err = k.cfg.Book.Add(ctx, Entry{Call: call, Leg: leg, Spool: at.Spool, File: at.File, Source: SourceSpool})
		}
		if err == nil {
			err = k.cfg.Book.End(ctx, id, modified, size)
		}
		switch {
		case errors.Is(err, ErrKnown):
			return true
		case err != nil:
			k.cfg.OnError(fmt.Errorf("keep a recording: %w", err))
			return false
		}
		k.mu.Lock()
		k.stats.Kept++
		k.mu.Unlock()
		return true
	}
	if now.Sub(modified) <= k.cfg.Retry {
		return false // its call may not be written yet
	}
	k.mu.Lock()
	k.stats.Unmatched++
	k.mu.Unlock()
	return true
}
