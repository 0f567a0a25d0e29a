package cache_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/cachetest"
)

func TestMemory(t *testing.T) {
	cachetest.Suite(t, func(_ *testing.T, o cache.Options) cache.Cache { return cache.NewMemory(o) })
}
