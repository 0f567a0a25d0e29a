package redis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/cache"
)

// Lookup implements cache.Lookups.
func (c *Cache) Lookup(t cache.Table, key string) (cache.Entry, bool) { return c.local.Lookup(t, key) }

// Fill implements cache.Lookups.
func (c *Cache) Fill(ctx context.Context, t cache.Table, key string, load cache.Load) (cache.Entry, error) {
	loaded := false
	e, err := c.local.Fill(ctx, t, key, func(ctx context.Context) (cache.Entry, error) {
		if e, ok := c.shared(ctx, t, key); ok {
			return e, nil
		}
		loaded = true
		return load(ctx)
	})
	if loaded && err == nil {
		select {
		case c.sharing <- shareItem{t, key}:
		default:
			c.dropped.Add(1)
		}
	}
	return e, err
}

// Forget implements cache.Lookups.
func (c *Cache) Forget(ctx context.Context, t cache.Table, key string) error {
	_ = c.local.Forget(ctx, t, key) // in memory; it does not fail
	if err := t.Validate(key); err != nil {
		return &cache.WriteError{Op: "look-up", Err: err}
	}
	_, err := call(ctx, c, func(ctx context.Context) ([]goredis.Cmder, error) {
		return c.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			p.Del(ctx, c.lookupKey(t, key))
			p.Publish(ctx, c.channel, "forget "+c.name+" "+t.Name+" "+key)
			return nil
		})
	})
	if err != nil {
		return writeError("look-up", err)
	}
	return nil
}

func (c *Cache) lookupKey(t cache.Table, key string) string {
	sum := sha256.Sum256([]byte(key))
	return c.cfg.Prefix + ":look:" + t.Name + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// shared returns what another sidecar was told, if Redis says so at once.
func (c *Cache) shared(ctx context.Context, t cache.Table, key string) (cache.Entry, bool) {
	c.mu.Lock()
	away := c.state == cache.Away
	c.mu.Unlock()
	if away {
		return cache.Entry{}, false
	}
	type found struct {
		value string
		left  time.Duration
	}
	name := c.lookupKey(t, key)
	got, err := call(ctx, c, func(ctx context.Context) (found, error) {
		var value *goredis.StringCmd
		var left *goredis.DurationCmd
		_, err := c.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			value, left = p.Get(ctx, name), p.PTTL(ctx, name)
			return nil
		})
		if err != nil {
			return found{}, err
		}
		return found{value.Val(), left.Val()}, nil
	})
	switch {
	case errors.Is(err, goredis.Nil):
		return cache.Entry{}, false
	case err != nil:
		c.look() // to learn how it is
		return cache.Entry{}, false
	}
	if got.left <= 0 || got.value == "" || got.value[0] != '+' && got.value != "-" {
		return cache.Entry{}, false
	}
	return cache.Entry{Value: got.value[1:], Found: got.value[0] == '+', Expires: c.now().Add(got.left)}, true
}

// share gives the other sidecars what was looked up here. It is a favour: what cannot be given at once is dropped and counted.
func (c *Cache) share(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case i := <-c.sharing:
			e, known := c.local.Peek(i.table, i.key)
			if !known {
				continue // forgotten meanwhile, or driven out
			}
			if !c.isUp() || c.shareOne(ctx, i, e) != nil {
				c.dropped.Add(1)
			}
		}
	}
}

func (c *Cache) shareOne(ctx context.Context, i shareItem, e cache.Entry) error {
	value := "-"
	if e.Found {
		value = "+" + e.Value
	}
	left := e.Expires.Sub(c.now())
	if left < time.Millisecond {
		return nil
	}
	_, err := call(ctx, c, func(ctx context.Context) (string, error) {
		return c.client.Set(ctx, c.lookupKey(i.table, i.key), value, left).Result()
	})
	return err
}
