package cache_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// BenchmarkMemory: one op is one read among 10,000; earshot is a look-up, and its floor a map under a read lock.
func BenchmarkMemory(b *testing.B) {
	const n = 10_000
	m := cache.NewMemory(cache.Options{})
	table := cache.Table{Name: "client", TTL: time.Hour, MissTTL: time.Hour}
	keys := make([]string, n)
	floor := make(map[string]cache.Entry, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("+7916%07d", i)
		e, err := m.Fill(b.Context(), table, keys[i], func(context.Context) (cache.Entry, error) {
			return cache.Entry{Value: "anna", Found: true}, nil
		})
		if err != nil {
			b.Fatal(err)
		}
		floor[keys[i]] = e
		if err := m.PutSession(b.Context(), cache.Session{ID: keys[i], Owner: "anna"}, time.Hour); err != nil {
			b.Fatal(err)
		}
	}
	o, err := cache.NewOverlay(1, map[string]cache.Person{"anna": {Flags: map[string]bool{"spy": true}, Except: []string{"boris"}}})
	if err != nil {
		b.Fatal(err)
	}
	if err := m.PutOverlay(b.Context(), o); err != nil {
		b.Fatal(err)
	}
	var mu sync.RWMutex
	for _, bm := range []struct {
		name string
		read func(string) bool
	}{
		{"floor", func(k string) bool {
			mu.RLock()
			e, ok := floor[k]
			mu.RUnlock()
			return ok && time.Now().Before(e.Expires)
		}},
		{"earshot", func(k string) bool { _, known := m.Lookup(table, k); return known }},
		{"fill, remembered", func(k string) bool { e, err := m.Fill(b.Context(), table, k, nil); return err == nil && e.Found }},
		{"session", func(k string) bool { _, ok := m.Session(k); return ok }},
		{"overlay", func(string) bool {
			o, _ := m.Overlay(1)
			on, _ := o.Flag("anna", "spy")
			return on && o.Excluded("anna", "boris")
		}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if !bm.read(keys[i]) {
					b.Fatal("not found")
				}
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

// BenchmarkFillEvict: one op loads an entry and drives one out.
func BenchmarkFillEvict(b *testing.B) {
	m := cache.NewMemory(cache.Options{Entries: 10_000})
	table := cache.Table{Name: "client", TTL: time.Hour, MissTTL: time.Hour}
	load := func(context.Context) (cache.Entry, error) { return cache.Entry{}, nil }
	b.ReportAllocs()
	var key [16]byte
	i := 0
	for b.Loop() {
		i++
		if _, err := m.Fill(b.Context(), table, string(fmt.Appendf(key[:0], "%d", i)), load); err != nil {
			b.Fatal(err)
		}
	}
}
