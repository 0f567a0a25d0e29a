package redis_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// BenchmarkRead reads with the Redis stopped: what is read can only come from memory. Earshot is a look-up, and its floor a map under a read
// lock.
func BenchmarkRead(b *testing.B) {
	s := start(b)
	c := open(b, s.config(), cache.Up)
	const n = 1000
	keys := make([]string, n)
	floor := make(map[string]cache.Entry, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("+7916%07d", i)
		if _, err := c.Fill(b.Context(), table, keys[i], found("anna")); err != nil {
			b.Fatal(err)
		}
		if err := c.PutSession(b.Context(), cache.Session{ID: keys[i], Owner: "anna"}, time.Hour); err != nil {
			b.Fatal(err)
		}
		floor[keys[i]] = cache.Entry{}
	}
	must(b, c.PutOverlay(b.Context(), overlay(b, 1, "boris")))
	if _, err := c.Follow(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
	s.Pause()
	b.Cleanup(s.Resume)
	each := func(name string, read func(key string) bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if !read(keys[i]) {
					b.Fatal("not found")
				}
				if i++; i == n {
					i = 0
				}
			}
		})
	}
	var mu sync.RWMutex
	each("floor", func(k string) bool { mu.RLock(); _, ok := floor[k]; mu.RUnlock(); return ok })
	each("earshot", func(k string) bool { _, known := c.Lookup(table, k); return known })
	each("session", func(k string) bool { _, ok := c.Session(k); return ok })
	each("overlay", func(string) bool { o, age := c.Overlay(1); return o.Excluded("anna", "boris") && age != cache.Never })
	each("age", func(string) bool { return c.Age() != cache.Never })
}

// BenchmarkPropagate is the time from one sidecar's write to another's reading it, over a Redis on the same machine.
func BenchmarkPropagate(b *testing.B) {
	s := start(b)
	cfg := s.config()
	cfg.Poll = time.Minute
	writer, reader := open(b, cfg, cache.Up), open(b, cfg, cache.Up)
	w := reader.Watch()
	defer w.Close()
	i := 0
	for b.Loop() {
		id := fmt.Sprint(i)
		i++
		if err := writer.PutSession(b.Context(), cache.Session{ID: id, Owner: "anna"}, time.Minute); err != nil {
			b.Fatal(err)
		}
		for ch := (cache.Change{}); ch.ID != id; {
			var err error
			if ch, err = w.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		if err := writer.DeleteSession(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
}
