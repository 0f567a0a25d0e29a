package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// Session implements cache.Sessions.
func (c *Cache) Session(id string) (cache.Session, bool) { return c.local.Session(id) }

// AppendSessions implements cache.Sessions.
func (c *Cache) AppendSessions(dst []cache.Session, owner string) []cache.Session {
	return c.local.AppendSessions(dst, owner)
}

// PutSession implements cache.Sessions.
func (c *Cache) PutSession(ctx context.Context, s cache.Session, ttl time.Duration) error {
	if err := s.Validate(); err != nil {
		return &cache.WriteError{Op: "session", Err: err}
	}
	if ttl < time.Millisecond {
		return &cache.WriteError{Op: "session", Err: fmt.Errorf("cache: a session lives at least a millisecond, not %v", ttl)}
	}
	if held := c.local.Status().Memory.SessionBytes; held+len(s.ID)+len(s.Owner)+len(s.Value) > c.maxMem {
		return &cache.WriteError{Op: "session", Err: cache.ErrFull}
	}
	if c.local.WasDeleted(s.ID) || c.isPending(s.ID) {
		return &cache.WriteError{Op: "session", Err: cache.ErrDeleted}
	}
	w, err := c.write(ctx, func(ctx context.Context, epoch string) ([]any, error) {
		return putScript.Run(ctx, c.client, c.sessionKeys(), epoch, s.ID, s.Owner, s.Value, ttl.Milliseconds(), c.max, c.channel).Slice()
	})
	if err == nil && w.word == "full" {
		err = cache.ErrFull
	}
	if err == nil {
		err = c.applyOwn(s, w)
	}
	if err != nil {
		return writeError("session", err)
	}
	return nil
}

// ExpireSession implements cache.Sessions.
func (c *Cache) ExpireSession(ctx context.Context, id string, ttl time.Duration) (bool, error) {
	if ttl < time.Millisecond {
		return false, &cache.WriteError{Op: "session", Err: fmt.Errorf("cache: a session lives at least a millisecond, not %v", ttl)}
	}
	if c.local.WasDeleted(id) || c.isPending(id) {
		return false, nil
	}
	w, err := c.write(ctx, func(ctx context.Context, epoch string) ([]any, error) {
		return expireScript.Run(ctx, c.client, c.sessionKeys(), epoch, id, ttl.Milliseconds(), c.channel).Slice()
	})
	if err == nil && w.word == "none" {
		return false, nil
	}
	if err == nil {
		var s cache.Session
		if s, _, err = parseSession(id, w.session); err == nil {
			err = c.applyOwn(s, w)
		}
	}
	if errors.Is(err, cache.ErrDeleted) {
		return true, nil // there was one: it was deleted since, or its new end has come
	}
	if err != nil {
		return false, writeError("session", err)
	}
	return true, nil
}

// DeleteSession implements cache.Sessions.
func (c *Cache) DeleteSession(ctx context.Context, id string) error {
	_ = c.local.DeleteSession(ctx, id) // in memory; it does not fail
	c.mu.Lock()
	_, already := c.pending[id]
	full := !already && len(c.pending) >= maxPendingDeletes
	if !full {
		c.pending[id] = struct{}{} // until Redis has said that it is gone
	}
	c.mu.Unlock()
	w, err := c.write(ctx, func(ctx context.Context, epoch string) ([]any, error) {
		return deleteScript.Run(ctx, c.client, c.sessionKeys(), epoch, c.channel, id).Slice()
	})
	if err != nil {
		if !full {
			c.look()
		}
		return writeError("session", err)
	}
	c.confirmDeleted(id, w)
	return nil
}

// confirmDeleted takes that Redis has deleted a session.
func (c *Cache) confirmDeleted(id string, w written) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.replaced != w.era {
		return // the Redis before was told; this one still must be
	}
	delete(c.pending, id)
	delete(c.ends, id)
	c.newest = max(c.newest, w.version)
	c.own[id] = w.version // so that an answer which is under way, and older, brings back nothing
}

func (c *Cache) isPending(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, pending := c.pending[id]
	return pending
}

// written is what a script answered to a write.
type written struct {
	word               string
	version, ends, now int64
	session            string
	era                uint64 // Cache.replaced when it was sent
}

func (c *Cache) sessionKeys() []string {
	return []string{c.keyMeta, c.keySessions, c.keyExpiry, c.keyChanges}
}

// write runs one of the scripts that write sessions, for the Redis that was last read.
func (c *Cache) write(ctx context.Context, script func(context.Context, string) ([]any, error)) (written, error) {
	c.mu.Lock()
	epoch, era := c.epoch, c.replaced
	c.mu.Unlock()
	if epoch == "" {
		return written{}, errNotConnected
	}
	out, err := call(ctx, c, func(ctx context.Context) ([]any, error) { return script(ctx, epoch) })
	if err != nil {
		if t := diagnose(err); t.state == cache.Refusing {
			c.setState(t.state, t.reason)
		}
		c.look()
		return written{}, err
	}
	w := written{word: str(out, 0), version: num(out, 1), ends: num(out, 2), now: num(out, 3), session: str(out, 4), era: era}
	if w.word == "replaced" {
		c.look()
		return written{}, cache.ErrReplaced
	}
	return w, nil
}

// applyOwn takes what was written into the copy at once, so that who wrote it reads it.
func (c *Cache) applyOwn(s cache.Session, w written) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.replaced != w.era {
		return cache.ErrReplaced // it was written to the Redis before
	}
	if c.own[s.ID] > w.version {
		return nil // a later write from here was faster
	}
	c.own[s.ID] = w.version
	c.newest = max(c.newest, w.version)
	err := c.take(s, w.ends, w.now)
	if err != nil {
		c.look()
	}
	return err
}

// take puts a session of Redis into the copy; the caller holds the lock.
func (c *Cache) take(s cache.Session, ends, now int64) error {
	_, pending := c.pending[s.ID]
	if pending || c.local.WasDeleted(s.ID) {
		// Deleted here while it was written, or brought back by a failover or a backup.
		c.pending[s.ID] = struct{}{}
		return cache.ErrDeleted
	}
	left := time.Duration(ends-now) * time.Millisecond
	if left <= 0 {
		c.forget(s.ID)
		return nil
	}
	if old, ok := c.local.Session(s.ID); ok && c.ends[s.ID] == ends && old.Owner == s.Owner && old.Value == s.Value {
		return nil
	}
	if err := c.local.PutSession(context.Background(), s, left); err != nil { // in memory
		return err
	}
	c.ends[s.ID] = ends
	return nil
}

// deletePending tells Redis of deletions that it must still be told.
func (c *Cache) deletePending(ctx context.Context) error {
	c.mu.Lock()
	args := []any{c.epoch, c.channel}
	for id := range c.pending {
		if args = append(args, id); len(args) > 500 {
			break
		}
	}
	c.mu.Unlock()
	if len(args) == 2 {
		return nil
	}
	out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
		return deleteScript.Run(ctx, c.client, c.sessionKeys(), args...).Slice()
	})
	if err != nil || str(out, 0) != "ok" {
		return err // replaced: the next reading sees it
	}
	c.mu.Lock()
	for _, id := range args[2:] {
		delete(c.pending, id.(string))
	}
	more := len(c.pending) > 0
	c.mu.Unlock()
	if more {
		c.look()
	}
	return nil
}

// readSessions brings the copy of the sessions up to date; the caller has the turn.
func (c *Cache) readSessions(ctx context.Context) error {
	for range 3 { // at most: it is empty, it was set back, and then it is read
		c.mu.Lock()
		epoch, since, newest := c.epoch, c.version, c.newest
		if c.anew || epoch == "" {
			since = -1
		}
		c.mu.Unlock()
		sent := c.moment()
		out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
			return readScript.Run(ctx, c.client, []string{c.keyMeta, c.keySessions, c.keyChanges}, epoch, since, c.max, 2*c.maxMem).Slice()
		})
		if err != nil {
			return err
		}
		if str(out, 0) == "" {
			if err := c.found(ctx); err != nil {
				return err
			}
			continue
		}
		if again, err := c.applyRead(out, sent, newest); err != nil || !again {
			return err
		}
	}
	return &stateError{cache.Away, "forgets at once what is written"}
}

// applyRead takes what was read into the copy. sent is when the request left and newest the version that was known then: Redis
// can have a lower one only if it was set back. It reports whether everything must be read again.
func (c *Cache) applyRead(out []any, sent, newest int64) (again bool, err error) {
	epoch, version, now, mode := str(out, 0), num(out, 2), num(out, 3), str(out, 4)
	if str(out, 1) != layout {
		return false, &stateError{cache.Away, "its keys are of another version of Earshot"}
	}
	if mode == "large" {
		return false, &stateError{cache.Away, "holds more sessions than the bounds allow"}
	}
	c.mu.Lock()
	replaced := c.epoch != "" && (epoch != c.epoch || version < newest)
	if replaced {
		c.replaced++
		c.newest = 0
		clear(c.own)
	}
	if replaced && mode != "all" {
		c.anew = true
		c.mu.Unlock()
		return true, nil
	}
	if mode == "all" {
		c.unread = 0
		c.dropUnseen(out, version)
	}
	for i := firstSession; i+1 < len(out); i += 2 {
		id, raw := str(out, i), str(out, i+1)
		if c.own[id] > version {
			continue // written from here since
		}
		if raw == "" {
			c.forget(id) // deleted
			continue
		}
		s, ends, err := parseSession(id, raw)
		if err == nil {
			err = c.take(s, ends, now)
		}
		if err != nil && !errors.Is(err, cache.ErrDeleted) {
			c.unread++
			c.forget(id)
		}
	}
	for id, v := range c.own {
		if v <= version {
			delete(c.own, id)
		}
	}
	// What could not be read is no session and grants nothing; it is read again and again so that Status tells when it is gone.
	c.newest = max(c.newest, version)
	c.epoch, c.version, c.anew = epoch, version, c.unread > 0
	c.mu.Unlock()
	c.verified.Store(sent)
	if replaced {
		c.local.Tell(cache.Change{Kind: cache.ChangeStatus})
	}
	return false, nil
}

// firstSession is where in the answer to readScript the sessions begin.
const firstSession = 5

// dropUnseen drops from the copy what an answer that holds everything does not hold; the caller holds the lock.
func (c *Cache) dropUnseen(out []any, version int64) {
	seen := make(map[string]bool, (len(out)-firstSession)/2)
	for i := firstSession; i+1 < len(out); i += 2 {
		seen[str(out, i)] = true
	}
	for _, id := range c.local.AppendSessionIDs(nil) {
		if !seen[id] && c.own[id] <= version {
			c.forget(id)
		}
	}
	for id := range c.ends { // of those that have expired
		if !seen[id] && c.own[id] <= version {
			delete(c.ends, id)
		}
	}
}

// forget drops a session from the copy as deleted; the caller holds the lock.
func (c *Cache) forget(id string) {
	_ = c.local.DeleteSession(context.Background(), id) // in memory; it does not fail
	delete(c.ends, id)
}

var errMalformed = errors.New("cache.redis: malformed session")

// parseSession reads EXPIRES "\n" OWNER "\n" VALUE.
func parseSession(id, raw string) (cache.Session, int64, error) {
	head, rest, ok := strings.Cut(raw, "\n")
	owner, value, ok2 := strings.Cut(rest, "\n")
	if !ok || !ok2 {
		return cache.Session{}, 0, errMalformed
	}
	ends, err := strconv.ParseInt(head, 10, 64)
	if err != nil || ends < 0 || ends > 1<<52 {
		return cache.Session{}, 0, errMalformed
	}
	s := cache.Session{ID: id, Owner: owner, Value: value}
	if err := s.Validate(); err != nil {
		return cache.Session{}, 0, errMalformed
	}
	return s, ends, nil
}

// str and num read a member of a script's answer; what is not there or of another type is empty.
func str(out []any, i int) string {
	if i < len(out) {
		s, _ := out[i].(string)
		return s
	}
	return ""
}

func num(out []any, i int) int64 {
	if i < len(out) {
		n, _ := out[i].(int64)
		return n
	}
	return 0
}
