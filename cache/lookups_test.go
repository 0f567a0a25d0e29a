package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/cachetest"
)

// TestLookupsKeepTheirBounds: whatever is asked, forgotten and waited for, no bound is exceeded, what is read is what was loaded
// last, and what was read between two turns of the hand is not what goes first.
func TestLookupsKeepTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := cachetest.NewClock()
		entries, bytes := rapid.IntRange(1, 8).Draw(t, "entries"), rapid.IntRange(200, 2000).Draw(t, "bytes")
		m := cache.NewMemory(cache.Options{Entries: entries, Bytes: bytes, Now: clock.Now})
		table := cache.Table{Name: "t", TTL: 10 * time.Second, MissTTL: 3 * time.Second}
		last := make(map[string]cache.Entry)
		key := func(t *rapid.T) string { return fmt.Sprint(rapid.IntRange(0, 12).Draw(t, "key")) }
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"fill": func(t *rapid.T) {
				k := key(t)
				n++
				was, known := m.Peek(table, k)
				e, err := m.Fill(context.Background(), table, k, func(context.Context) (cache.Entry, error) {
					if known {
						t.Fatal("it is loaded while it is remembered")
					}
					if rapid.Bool().Draw(t, "miss") {
						return cache.Entry{}, nil
					}
					return cache.Entry{Found: true, Value: fmt.Sprint(n, strings.Repeat("x", rapid.IntRange(0, 500).Draw(t, "size")))}, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if known && e != was {
					t.Fatalf("%q is remembered and %q is answered", was.Value, e.Value)
				}
				last[k] = e
			},
			"look up": func(t *rapid.T) {
				k := key(t)
				if e, known := m.Lookup(table, k); known && (e != last[k] || !clock.Now().Before(e.Expires)) {
					t.Fatalf("%s: %q until %v instead of %q", k, e.Value, e.Expires, last[k].Value)
				}
			},
			"peek": func(t *rapid.T) {
				k := key(t)
				if e, known := m.Peek(table, k); known && e != last[k] {
					t.Fatalf("%s: %q", k, e.Value)
				}
			},
			"forget": func(t *rapid.T) {
				k := key(t)
				if err := m.Forget(context.Background(), table, k); err != nil {
					t.Fatal(err)
				}
				if _, known := m.Lookup(table, k); known {
					t.Fatal("it is still known")
				}
			},
			"forget all": func(t *rapid.T) {
				m.ForgetAll()
				if u := m.Status().Memory; u.Entries != 0 || u.Bytes != 0 {
					t.Fatalf("%+v", u)
				}
			},
			"wait": func(t *rapid.T) { clock.Advance(time.Duration(rapid.IntRange(0, 4).Draw(t, "seconds")) * time.Second) },
			"": func(t *rapid.T) {
				u := m.Status().Memory
				if u.Entries > entries || u.Bytes > bytes || u.Entries < 0 || u.Bytes < 0 || (u.Entries == 0) != (u.Bytes == 0) {
					t.Fatalf("%+v", u)
				}
			},
		})
	})
}

func TestAScanDrivesOutNothingInUse(t *testing.T) {
	m := cache.NewMemory(cache.Options{Entries: 100})
	table := cache.Table{Name: "t", TTL: time.Hour, MissTTL: time.Hour}
	load := func(context.Context) (cache.Entry, error) { return cache.Entry{Found: true}, nil }
	fill := func(k string) {
		if _, err := m.Fill(t.Context(), table, k, load); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		fill(fmt.Sprint("used", i))
	}
	for i := range 10_000 {
		fill(fmt.Sprint("once", i))
		if i%20 == 0 {
			for j := range 50 {
				if _, known := m.Lookup(table, fmt.Sprint("used", j)); !known {
					t.Fatalf("after %d the %dth in use is gone", i, j)
				}
			}
		}
	}
}

func TestADeletedSessionIsRememberedNoLongerThanItWouldHaveLived(t *testing.T) {
	clock := cachetest.NewClock()
	m := cache.NewMemory(cache.Options{Sessions: 3, Now: clock.Now})
	put := func(id string, ttl time.Duration) error {
		return m.PutSession(t.Context(), cache.Session{ID: id, Owner: "anna"}, ttl)
	}
	for i := range 5 {
		if err := put(fmt.Sprint(i), time.Duration(i+1)*time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := m.DeleteSession(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if u := m.Status().Memory; u.Deleted != 3 || u.Sessions != 0 || u.SessionBytes != 0 {
		t.Errorf("%+v", u)
	}
	if m.WasDeleted("1") || !m.WasDeleted("2") || !m.WasDeleted("4") {
		t.Error("the bound is kept by forgetting the one that would have ended first")
	}
	clock.Advance(3 * time.Minute)
	if err := put("2", time.Minute); err != nil {
		t.Error(err)
	}
	if err := put("3", time.Minute); !errors.Is(err, cache.ErrDeleted) {
		t.Error(err)
	}
}
