package redis_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/cachetest"
)

func TestRedis(t *testing.T) {
	s := start(t)
	cachetest.Suite(t, func(t *testing.T, o cache.Options) cache.Cache {
		s.Do("FLUSHALL")
		cfg := s.config()
		cfg.Memory = o
		return open(t, cfg, cache.Up)
	})
}
