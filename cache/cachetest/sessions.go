package cachetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

func sessions(t *testing.T, open Open) {
	clock := NewClock()
	c := open(t, cache.Options{Now: clock.Now})
	if _, ok := c.Session("a"); ok {
		t.Fatal("a session of nobody")
	}
	for id, owner := range map[string]string{"b": "anna", "a": "anna", "c": "boris"} {
		must(t, c.PutSession(t.Context(), cache.Session{ID: id, Owner: owner, Value: "of\n" + owner + "\x00\xff"}, time.Hour))
	}
	s, ok := c.Session("a")
	if !ok || s.Owner != "anna" || s.Value != "of\nanna\x00\xff" || s.Expires.Sub(clock.Now()) > time.Hour || s.Expires.Sub(clock.Now()) < 59*time.Minute {
		t.Fatalf("%q of %q until %v: %v", s.Value, s.Owner, s.Expires, ok)
	}
	ids := func(owner string) []string {
		var ids []string
		for _, s := range c.AppendSessions(nil, owner) {
			ids = append(ids, s.ID)
		}
		return ids
	}
	if got := ids("anna"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("anna has %v", got)
	}
	must(t, c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "boris", Value: "other"}, time.Hour))
	if got := ids("boris"); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("boris has %v", got)
	}
	must(t, c.DeleteSession(t.Context(), "a"))
	must(t, c.DeleteSession(t.Context(), "never was"))
	if _, ok := c.Session("a"); ok || len(ids("boris")) != 1 || len(ids("anna")) != 1 {
		t.Error("a deleted session is there")
	}
	if u := c.Status().Memory; u.Sessions != 2 {
		t.Errorf("%+v", u)
	}
}

func expiry(t *testing.T, open Open) {
	clock := NewClock()
	c := open(t, cache.Options{Now: clock.Now})
	must(t, c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "anna", Value: "v"}, time.Hour))
	if ok, err := c.ExpireSession(t.Context(), "a", 3*time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := c.ExpireSession(t.Context(), "b", time.Hour); ok || err != nil {
		t.Fatal("a session that is not there", ok, err)
	}
	if _, err := c.ExpireSession(t.Context(), "a", 0); err == nil {
		t.Error("a session that ends at once")
	}
	clock.Advance(2 * time.Hour)
	if s, ok := c.Session("a"); !ok || s.Value != "v" || s.Owner != "anna" {
		t.Fatalf("it did not live longer: %v", ok)
	}
	if ok, err := c.ExpireSession(t.Context(), "a", time.Minute); !ok || err != nil {
		t.Fatal(ok, err)
	}
	clock.Advance(time.Minute + time.Second)
	if _, ok := c.Session("a"); ok || len(c.AppendSessions(nil, "anna")) != 0 {
		t.Error("it outlives its time")
	}
}

func noReturn(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	s := cache.Session{ID: "a", Owner: "anna"}
	must(t, c.PutSession(t.Context(), s, time.Hour))
	must(t, c.DeleteSession(t.Context(), "a"))
	if err := c.PutSession(t.Context(), s, time.Hour); !errors.Is(err, cache.ErrDeleted) {
		t.Errorf("it was put again: %v", err)
	}
	if ok, err := c.ExpireSession(t.Context(), "a", time.Hour); ok || err != nil {
		t.Errorf("its life was prolonged: %v %v", ok, err)
	}
	if _, ok := c.Session("a"); ok {
		t.Error("it came back")
	}
}

func sessionBounds(t *testing.T, open Open) {
	c := open(t, cache.Options{Sessions: 5, SessionBytes: 8000})
	for i := range 5 {
		must(t, c.PutSession(t.Context(), cache.Session{ID: fmt.Sprint(i), Owner: "anna"}, time.Hour))
	}
	var failed *cache.WriteError
	err := c.PutSession(t.Context(), cache.Session{ID: "5", Owner: "anna"}, time.Hour)
	if !errors.Is(err, cache.ErrFull) || !errors.As(err, &failed) || failed.MayBeDone {
		t.Errorf("%v", err)
	}
	if n := len(c.AppendSessions(nil, "anna")); n != 5 {
		t.Errorf("%d sessions: none is driven out by another", n)
	}
	must(t, c.PutSession(t.Context(), cache.Session{ID: "0", Owner: "anna"}, 2*time.Hour)) // one that is there takes no more room
	must(t, c.DeleteSession(t.Context(), "1"))
	must(t, c.PutSession(t.Context(), cache.Session{ID: "5", Owner: "anna"}, time.Hour))
	must(t, c.DeleteSession(t.Context(), "2"))
	err = c.PutSession(t.Context(), cache.Session{ID: "6", Owner: "anna", Value: strings.Repeat("x", 9000)}, time.Hour)
	if !errors.Is(err, cache.ErrFull) {
		t.Errorf("%v", err)
	}
	if u := c.Status().Memory; u.Sessions != 4 || u.MaxSessions != 5 || u.MaxSessionBytes != 8000 {
		t.Errorf("%+v", u)
	}
}

func badSessions(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	long := strings.Repeat("x", cache.MaxName+1)
	for name, bad := range map[string]cache.Session{
		"no id":         {Owner: "anna"},
		"no owner":      {ID: "a"},
		"a long id":     {ID: long, Owner: "anna"},
		"a line in it":  {ID: "a", Owner: "an\nna"},
		"a large value": {ID: "a", Owner: "anna", Value: strings.Repeat("x", cache.MaxValue+1)},
	} {
		if err := c.PutSession(t.Context(), bad, time.Hour); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "anna"}, 0); err == nil {
		t.Error("no time to live: taken")
	}
}

func concurrent(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 20 {
				id := fmt.Sprintf("%d-%d", i, n)
				if err := c.PutSession(t.Context(), cache.Session{ID: id, Owner: "anna", Value: id}, time.Hour); err != nil {
					t.Error(err)
				}
				if s, ok := c.Session(id); !ok || s.Value != id {
					t.Errorf("%s was put and is not there", id)
				}
				if n%2 == 0 {
					if err := c.DeleteSession(t.Context(), id); err != nil {
						t.Error(err)
					}
					if _, ok := c.Session(id); ok {
						t.Errorf("%s was deleted and is there", id)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(c.AppendSessions(nil, "anna")); n != 80 {
		t.Errorf("%d sessions", n)
	}
}
