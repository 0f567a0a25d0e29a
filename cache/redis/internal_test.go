package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// FuzzParseSession: what is read as a session says what Redis holds and is one that may be put.
func FuzzParseSession(f *testing.F) {
	for _, raw := range []string{"1\nanna\nv", "1\nanna\n", "", "\n\n", "-1\na\nb", "1\na", "01\na\nb\nc", "9007199254740993\na\n"} {
		f.Add("id", raw)
	}
	f.Fuzz(func(t *testing.T, id, raw string) {
		s, ends, err := parseSession(id, raw)
		if err != nil {
			return
		}
		if s.Validate() != nil || ends < 0 {
			t.Errorf("%q: %q of %q until %d", raw, s.Value, s.Owner, ends)
		}
		if again := fmt.Sprintf("%d\n%s\n%s", ends, s.Owner, s.Value); again != strings.TrimLeft(raw, "0+") && ends != 0 {
			t.Errorf("%q is read as %q", raw, again)
		}
	})
}

func TestAnErrorOfAWriteRepeatsNothing(t *testing.T) {
	for _, cause := range []error{
		errors.New("dial tcp 10.1.2.3:6379: secret"), context.DeadlineExceeded, context.Canceled, io.EOF,
		fmt.Errorf("secret: %w", errSecret),
	} {
		err := writeError("session", cause)
		var w *cache.WriteError
		if !errors.As(err, &w) || !errors.Is(err, cache.ErrAway) || strings.Contains(err.Error(), "secret:") || strings.Contains(err.Error(), "10.1.2.3") {
			t.Errorf("%v: %v", cause, err)
		}
		for _, ctx := range []error{context.Canceled, context.DeadlineExceeded} {
			if errors.Is(err, ctx) != errors.Is(cause, ctx) {
				t.Errorf("%v: %v", cause, err)
			}
		}
	}
}

// idle is a cache that does not run and has read from its Redis what the answers say.
func idle(t *testing.T) *Cache {
	t.Helper()
	c, err := Open(Config{Addrs: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	nowMS  = int64(1_000_000)
	laterN = "2000000\nanna\n"
)

// read has the cache take what a Redis answers; sessions are pairs of id and value.
func read(t *testing.T, c *Cache, epoch string, version int64, mode string, sessions ...any) (again bool) {
	t.Helper()
	again, err := c.applyRead(append([]any{epoch, layout, version, nowMS, mode}, sessions...), 0, c.newest)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func own(id string, version int64, c *Cache) (cache.Session, written) {
	return cache.Session{ID: id, Owner: "anna"}, written{word: "ok", version: version, ends: 2 * nowMS, now: nowMS, era: c.replaced}
}

func has(c *Cache, id string) bool {
	_, ok := c.Session(id)
	return ok
}

func TestAnAnswerThatIsOlderThanAWriteDoesNotUndoIt(t *testing.T) {
	c := idle(t)
	read(t, c, "E", 5, "all")
	s, w := own("a", 7, c)
	if err := c.applyOwn(s, w); err != nil || !has(c, "a") {
		t.Fatal(err)
	}
	older := func(mode string) {
		t.Helper()
		// It left before the write was answered, so nobody knew of version 7.
		if _, err := c.applyRead([]any{"E", layout, int64(6), nowMS, mode, "b", laterN}, 0, 5); err != nil {
			t.Fatal(err)
		}
	}
	older("all")
	if !has(c, "a") || !has(c, "b") {
		t.Error("the write is undone")
	}
	c.confirmDeleted("c", written{version: 8, era: c.replaced}) // of another sidecar, and not read here yet
	if _, err := c.applyRead([]any{"E", layout, int64(7), nowMS, "some", "c", laterN}, 0, 7); err != nil {
		t.Fatal(err)
	}
	if has(c, "c") {
		t.Error("the deletion is undone")
	}
	read(t, c, "E", 8, "all", "b", laterN)
	if has(c, "a") || !has(c, "b") || len(c.own) != 0 {
		t.Error("what Redis has now is not what is read")
	}
}

func TestWhatWasWrittenToTheRedisBeforeIsNotTaken(t *testing.T) {
	c := idle(t)
	read(t, c, "E", 5, "all")
	s, w := own("a", 6, c)
	read(t, c, "F", 50, "all", "b", laterN)
	if err := c.applyOwn(s, w); !errors.Is(err, cache.ErrReplaced) || has(c, "a") {
		t.Errorf("%v", err)
	}
	c.pending["b"] = struct{}{}
	c.confirmDeleted("b", w)
	if len(c.pending) != 1 {
		t.Error("the new Redis is not told")
	}
	if c.replaced != 1 {
		t.Errorf("another epoch with a higher version: %d", c.replaced)
	}
}

func TestARedisThatWasSetBackIsReadWhole(t *testing.T) {
	c := idle(t)
	read(t, c, "E", 5, "all", "a", laterN)
	s, w := own("b", 9, c)
	if err := c.applyOwn(s, w); err != nil {
		t.Fatal(err)
	}
	// Version 7 is more than was read and less than was written: the write is lost.
	if again := read(t, c, "E", 7, "some"); !again || c.replaced != 1 || !c.anew {
		t.Errorf("%d", c.replaced)
	}
	if again := read(t, c, "E", 7, "all", "a", laterN); again || has(c, "b") || !has(c, "a") || c.replaced != 1 {
		t.Errorf("%d", c.replaced)
	}
}

func TestASessionWhoseEndWasMovedIntoThePastIsGone(t *testing.T) {
	c := idle(t)
	read(t, c, "E", 5, "all", "a", laterN)
	read(t, c, "E", 6, "some", "a", "999999\nanna\n")
	if has(c, "a") {
		t.Error("it lives on")
	}
}

func TestAgeIsCountedFromWhenTheRequestLeft(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	c, err := Open(Config{Addrs: []string{"127.0.0.1:1"}, Memory: cache.Options{Now: func() time.Time { return now }}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Age() != cache.Never {
		t.Errorf("%v", c.Age())
	}
	now = now.Add(time.Minute)
	sent := c.moment()
	now = now.Add(2 * time.Second) // it took its time
	if _, err := c.applyRead([]any{"E", layout, int64(1), nowMS, "all"}, sent, 0); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	if c.Age() != 3*time.Second {
		t.Errorf("%v", c.Age())
	}
	if _, err := c.applyRead([]any{"E", layout, int64(1), nowMS, "large"}, c.moment(), 0); err == nil || c.Age() != 3*time.Second {
		t.Errorf("what could not be read was taken for verified: %v", c.Age())
	}
}
