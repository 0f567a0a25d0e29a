package agent

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redis"
)

// Cache is what may be lost, and what several Earshots share.
type Cache struct {
	Redis string `yaml:"redis"` // the line that redis.Parse reads; none: memory, shared with nobody

	dir string // from which the line's paths are taken; set with Redis only
}

// AuthSessions is how long sessions last.
type AuthSessions struct {
	TTL      time.Duration `yaml:"ttl"`       // of one for which none is asked; 1h
	MaxTTL   time.Duration `yaml:"max_ttl"`   // at most; 12h
	MaxStale time.Duration `yaml:"max_stale"` // how long they hold while the Redis that they are in is away; 5m
}

func standardSessions() AuthSessions {
	return AuthSessions{TTL: time.Hour, MaxTTL: 12 * time.Hour, MaxStale: 5 * time.Minute}
}

// Bounds of the keys of auth.sessions.
const (
	longestSession  = 7 * 24 * time.Hour
	longestStale    = time.Hour
	shortestSession = time.Second
)

func (s *AuthSessions) validate(c *Cache, bad func(key, format string, args ...any)) {
	if s.MaxTTL < time.Minute || s.MaxTTL > longestSession {
		bad("auth.sessions.max_ttl", "auth.sessions.max_ttl must be between 1m and 168h")
	} else if s.TTL < shortestSession || s.TTL > s.MaxTTL {
		bad("auth.sessions.ttl", "auth.sessions.ttl must be between 1s and auth.sessions.max_ttl, which is %v", s.MaxTTL)
	}
	least := time.Second
	if r, err := c.config(); err == nil {
		least = r.Staleness()
	}
	if s.MaxStale < least || s.MaxStale > longestStale {
		bad("auth.sessions.max_stale", "auth.sessions.max_stale must be between %v, so old is what is known of the Redis while all is well, and 1h", least)
	}
}

// errMemory is why there is no Redis to configure.
var errMemory = errors.New("cache.redis is not set")

func (c *Cache) config() (redis.Config, error) {
	if c.Redis == "" {
		return redis.Config{}, errMemory
	}
	return redis.Parse(c.Redis, c.dir)
}

func (c *Cache) validate(bad func(key, format string, args ...any)) {
	if _, err := c.config(); err != nil && !errors.Is(err, errMemory) {
		for line := range strings.Lines(err.Error()) {
			bad("cache.redis", "cache.redis: %s", strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "cache.redis: "))
		}
	}
}

// open makes the cache. It reads the files that the line names and opens no connection.
func (c *Cache) open() (cache.Cache, error) {
	cfg, err := c.config()
	if errors.Is(err, errMemory) {
		return cache.NewMemory(cache.Options{}), nil
	}
	if err != nil {
		return nil, err
	}
	return redis.Open(cfg)
}

// advice is what to do about a shared cache that is not as it should be.
func advice(s cache.Status) string {
	what := "is it running, and does the line cache.redis say where? sessions that are known here hold for auth.sessions.max_stale, and none is made"
	switch {
	case s.State == cache.Refusing:
		what = "sessions hold, and none is made"
	case s.Reason == "credentials refused" || s.Reason == "the account lacks a right":
		what = "does the Redis know the account whose files the line cache.redis names?"
	}
	return fmt.Sprintf("cache: the Redis is %s (%s): %s", s.State, s.Reason, what)
}
