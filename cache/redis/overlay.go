package redis

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// maxFields bounds an overlay beside cache.MaxOverlay.
const maxFields = 200_000

// followed is an overlay that is kept fresh. digest and reason are written by who has the turn and, for Status, under the lock of the
// Cache.
type followed struct {
	generation uint64
	overlay    atomic.Pointer[cache.Overlay]
	verified   atomic.Int64 // as Cache.verified
	digest     string       // of what was last read, good or not
	reason     string       // why it is not verified; empty: it is
}

func (c *Cache) overlayKey(generation uint64) string {
	return "{" + c.cfg.Prefix + "}:overlay:" + strconv.FormatUint(generation, 10)
}

func (c *Cache) following(generation uint64) *followed {
	for _, f := range *c.follows.Load() {
		if f.generation == generation {
			return f
		}
	}
	return nil
}

// Overlay implements cache.Overlays.
func (c *Cache) Overlay(generation uint64) (*cache.Overlay, time.Duration) {
	f := c.following(generation)
	if f == nil {
		return nil, cache.Never
	}
	// In this order: an overlay that replaces this one meanwhile can make it look older, never newer.
	verified := f.verified.Load()
	o := f.overlay.Load()
	if o == nil {
		return nil, cache.Never
	}
	return o, c.ageOf(verified)
}

// Follow implements cache.Overlays.
func (c *Cache) Follow(ctx context.Context, generation uint64) (*cache.Overlay, error) {
	f := c.follow(generation)
	err := c.inTurn(ctx, func() error { return c.readOverlay(ctx, f) })
	if err != nil {
		if errors.Is(err, errNotConnected) || errors.Is(err, cache.ErrClosed) {
			return nil, err
		}
		c.look()
		return nil, &causeError{cache.ErrAway, diagnose(err).reason, ctx.Err()}
	}
	c.mu.Lock()
	reason := f.reason
	c.mu.Unlock()
	switch reason {
	case "":
		return f.overlay.Load(), nil
	case lost:
		return nil, cache.ErrNoOverlay
	case tooLarge:
		return nil, cache.ErrTooLarge
	default:
		return nil, cache.ErrBadOverlay
	}
}

// follow puts a generation last among those that are followed: it and the one that was last before stay.
func (c *Cache) follow(generation uint64) *followed {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.following(generation)
	if f == nil {
		f = &followed{generation: generation, reason: errNotConnected.reason}
		f.verified.Store(-1)
	}
	next := make([]*followed, 0, 2)
	for _, other := range *c.follows.Load() {
		if other != f {
			next = append(next[:0], other)
		}
	}
	next = append(next, f)
	c.follows.Store(&next)
	return f
}

// digestOf returns the digest of what was last read of an overlay's generation, and whether it is the one that is known of it.
func (c *Cache) digestOf(o *cache.Overlay) (digest string, current bool) {
	f := c.following(o.Generation())
	if f == nil {
		return "", false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.digest, f.overlay.Load() == o
}

// PutOverlay implements cache.Overlays.
func (c *Cache) PutOverlay(ctx context.Context, o *cache.Overlay) error {
	if o == nil {
		return &cache.WriteError{Op: "overlay", Err: cache.ErrNoOverlay}
	}
	key := c.overlayKey(o.Generation())
	before := key + ":before" // of generation 0 there is none
	if g := o.Generation(); g > 0 {
		before = c.overlayKey(g - 1)
	}
	fields := o.Fields()
	args := make([]any, 0, 1+2*len(fields))
	args = append(args, c.channel)
	for field, value := range fields {
		args = append(args, field, value)
	}
	if len(fields) > maxFields {
		return &cache.WriteError{Op: "overlay", Err: cache.ErrTooLarge}
	}
	_, err := call(ctx, c, func(ctx context.Context) (any, error) {
		return putOverlayScript.Run(ctx, c.client, []string{key, key + ":new", before}, args...).Result()
	})
	if err == nil {
		if f := c.following(o.Generation()); f != nil {
			err = c.inTurn(ctx, func() error { return c.readOverlay(ctx, f) })
		}
	}
	if err != nil {
		c.look()
		return writeError("overlay", err)
	}
	return nil
}

// Why an overlay is not verified.
const (
	lost      = "lost"
	malformed = "malformed"
	tooLarge  = "too large"
)

// readOverlay brings the copy of one overlay up to date; the caller has the turn. What is lost, malformed or too large leaves the last good one,
// unverified.
func (c *Cache) readOverlay(ctx context.Context, f *followed) error {
	sent, known := c.moment(), f.digest // the exchange may outlast the turn
	out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
		return overlayScript.Run(ctx, c.client, []string{c.overlayKey(f.generation)}, known, maxFields, cache.MaxOverlay).Slice()
	})
	if err != nil {
		return err
	}
	digest, reason := "", f.reason
	var next *cache.Overlay
	switch str(out, 0) {
	case "same":
		digest = known
	case "none":
		reason = lost
	case "large":
		reason = tooLarge
	case "new":
		digest = str(out, 1)
		fields := make(map[string]string, len(out)/2)
		for i := 2; i+1 < len(out); i += 2 {
			fields[str(out, i)] = str(out, i+1)
		}
		next, err = cache.ParseOverlay(f.generation, fields)
		switch {
		case errors.Is(err, cache.ErrNoOverlay):
			reason = lost
		case err != nil:
			reason = malformed
		default:
			reason = ""
		}
	default:
		reason = malformed
	}
	if next != nil {
		// First the new one: its age may be overstated for a moment, which refuses, and never understated.
		f.overlay.Store(next)
	}
	if reason == "" {
		f.verified.Store(sent)
	}
	c.mu.Lock()
	changed := next != nil || reason != f.reason
	f.digest, f.reason = digest, reason
	c.mu.Unlock()
	if changed {
		c.local.Tell(cache.Change{Kind: cache.ChangeOverlay, Generation: f.generation})
	}
	return nil
}
