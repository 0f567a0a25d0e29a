package cachetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

var table = cache.Table{Name: "client", TTL: time.Hour, MissTTL: time.Minute}

func value(v string) cache.Load {
	return func(context.Context) (cache.Entry, error) { return cache.Entry{Value: v, Found: true}, nil }
}

func miss(context.Context) (cache.Entry, error) { return cache.Entry{}, nil }

func lookups(t *testing.T, open Open) {
	clock := NewClock()
	c := open(t, cache.Options{Now: clock.Now})
	if e, known := c.Lookup(table, "1"); known || e != (cache.Entry{}) {
		t.Fatal("it knows what nobody asked for")
	}
	e, err := c.Fill(t.Context(), table, "1", value("anna"))
	must(t, err)
	if !e.Found || e.Value != "anna" || !e.Expires.Equal(clock.Now().Add(time.Hour)) {
		t.Fatalf("%#v until %v", e.Value, e.Expires)
	}
	_, err = c.Fill(t.Context(), table, "2", miss)
	must(t, err)
	for range 2 {
		e, err := c.Fill(t.Context(), table, "1", func(context.Context) (cache.Entry, error) {
			t.Error("it was loaded again")
			return cache.Entry{}, nil
		})
		if err != nil || e.Value != "anna" {
			t.Errorf("%v %v", e, err)
		}
	}
	if e, known := c.Lookup(table, "2"); !known || e.Found || e.Value != "" {
		t.Errorf("a miss: %v %v", e, known)
	}
	if _, known := c.Lookup(cache.Table{Name: "other"}, "1"); known {
		t.Error("one table knows what another was told")
	}
	clock.Advance(time.Minute)
	if _, known := c.Lookup(table, "2"); known {
		t.Error("a miss outlives its time")
	}
	if _, known := c.Lookup(table, "1"); !known {
		t.Error("a hit is gone with the misses")
	}
	clock.Advance(time.Hour)
	if _, known := c.Lookup(table, "1"); known {
		t.Error("a hit outlives its time")
	}
	soon := clock.Now().Add(time.Second)
	e, err = c.Fill(t.Context(), table, "3", func(context.Context) (cache.Entry, error) {
		return cache.Entry{Value: "x", Found: true, Expires: soon}, nil
	})
	if err != nil || !e.Expires.Equal(soon) {
		t.Errorf("it expires at %v instead of %v: %v", e.Expires, soon, err)
	}
	e, err = c.Fill(t.Context(), table, "4", func(context.Context) (cache.Entry, error) {
		return cache.Entry{Value: "x", Found: true, Expires: clock.Now().Add(24 * time.Hour)}, nil
	})
	if err != nil || !e.Expires.Equal(clock.Now().Add(time.Hour)) {
		t.Errorf("it is remembered longer than the table says, until %v: %v", e.Expires, err)
	}
	must(t, c.Forget(t.Context(), table, "3"))
	if _, known := c.Lookup(table, "3"); known {
		t.Error("it was not forgotten")
	}
}

func jitter(t *testing.T, open Open) {
	clock := NewClock()
	c := open(t, cache.Options{Now: clock.Now, Rand: func() float64 { return 0.5 }})
	j := table
	j.Jitter = 0.2
	e, err := c.Fill(t.Context(), j, "1", value("x"))
	must(t, err)
	if got := e.Expires.Sub(clock.Now()); got != 54*time.Minute {
		t.Errorf("it is remembered for %v", got)
	}
}

func failures(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	broken := errors.New("broken")
	_, err := c.Fill(t.Context(), table, "1", func(context.Context) (cache.Entry, error) {
		return cache.Entry{Value: "x", Found: true}, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	_, err = c.Fill(t.Context(), table, "1", value(strings.Repeat("x", cache.MaxValue+1)))
	if !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if _, known := c.Lookup(table, "1"); known {
		t.Error("a failure is remembered")
	}
	if e, err := c.Fill(t.Context(), table, "1", value("x")); err != nil || e.Value != "x" {
		t.Errorf("%v %v", e, err)
	}
}

func bounds(t *testing.T, open Open) {
	c := open(t, cache.Options{Entries: 10, Bytes: 4000})
	for i := range 100 {
		_, err := c.Fill(t.Context(), table, fmt.Sprint(i), value("x"))
		must(t, err)
		// The one that is read again and again stays.
		if e, known := c.Lookup(table, "0"); !known || e.Value != "x" {
			t.Fatalf("after %d the one in use is gone", i)
		}
	}
	u := c.Status().Memory
	if u.Entries != 10 || u.Evictions != 90 || u.Bytes > 4000 || u.MaxEntries != 10 || u.MaxBytes != 4000 {
		t.Errorf("%+v", u)
	}
	_, err := c.Fill(t.Context(), table, "large", value(strings.Repeat("x", 3000)))
	must(t, err)
	if u := c.Status().Memory; u.Bytes > 4000 || u.Entries > 5 {
		t.Errorf("%+v", u)
	}
	e, err := c.Fill(t.Context(), table, "larger", value(strings.Repeat("x", 5000)))
	if err != nil || len(e.Value) != 5000 {
		t.Errorf("%v %v", e, err)
	}
	if u := c.Status().Memory; u.Bytes > 4000 || u.Oversized != 1 {
		t.Errorf("%+v", u)
	}
}

func badTables(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	for name, bad := range map[string]struct {
		t   cache.Table
		key string
	}{
		"no name":     {cache.Table{TTL: 1, MissTTL: 1}, "1"},
		"a colon":     {cache.Table{Name: "a:b", TTL: 1, MissTTL: 1}, "1"},
		"no TTL":      {cache.Table{Name: "a", MissTTL: 1}, "1"},
		"no miss TTL": {cache.Table{Name: "a", TTL: 1}, "1"},
		"jitter":      {cache.Table{Name: "a", TTL: 1, MissTTL: 1, Jitter: 1.1}, "1"},
		"no key":      {table, ""},
		"a long key":  {table, strings.Repeat("1", cache.MaxName+1)},
	} {
		if _, err := c.Fill(t.Context(), bad.t, bad.key, value("x")); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
