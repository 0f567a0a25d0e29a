package redis_test

import (
	"context"
	"fmt"
	"strings"
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

// BenchmarkRow is the time from one sidecar's showing a row to another's reading it, over a Redis on the same machine.
func BenchmarkRow(b *testing.B) {
	s := start(b)
	cfg := s.config()
	cfg.Poll = time.Minute
	writer, reader := open(b, cfg, cache.Up), open(b, cfg, cache.Up)
	m, err := writer.Join("pbx-a")
	must(b, err)
	eventually(b, reader, func() bool { return len(reader.AppendMembers(nil)) == 1 })
	w := reader.Watch()
	defer w.Close()
	before := s.Admin.Info(b.Context(), "commandstats").Val()
	i := 0
	for b.Loop() {
		key := fmt.Sprint(i % 1000)
		i++
		must(b, m.Show(key, fmt.Sprint("a call of some three hundred bytes", i)))
		for ch := (cache.Change{}); ch.ID != key; {
			if ch, err = w.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	calls := func(info string) (n float64) {
		for line := range strings.Lines(info) {
			if rest, ok := strings.CutPrefix(line, "cmdstat_evalsha:calls="); ok {
				_, _ = fmt.Sscanf(rest, "%f", &n)
			}
		}
		return n
	}
	b.ReportMetric((calls(s.Admin.Info(b.Context(), "commandstats").Val())-calls(before))/float64(i), "scripts/op")
}

// BenchmarkCommand is the time from one sidecar's sending a command to its having the answer of another.
func BenchmarkCommand(b *testing.B) {
	s := start(b)
	cfg := s.config()
	cfg.Poll = time.Second // which renews the lease
	from, to := open(b, cfg, cache.Up), open(b, cfg, cache.Up)
	mf, err := from.Join("pbx-a")
	must(b, err)
	mt, err := to.Join("pbx-b")
	must(b, err)
	eventually(b, from, func() bool { return len(from.AppendMembers(nil)) == 2 && mf.Standing() == cache.Joined })
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			cmd, err := mt.Next(ctx)
			if err != nil {
				return
			}
			if err := mt.Answer(b.Context(), cmd.ID, "done"); err != nil {
				b.Error(err)
			}
		}
	}()
	for b.Loop() {
		if _, err := mf.Send(b.Context(), "pbx-b", "x"); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	<-done
}
