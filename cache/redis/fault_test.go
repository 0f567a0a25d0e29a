package redis_test

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

func found(v string) cache.Load {
	return func(context.Context) (cache.Entry, error) { return cache.Entry{Value: v, Found: true}, nil }
}

// prepared is a cache that knows a session and an overlay.
func prepared(t *testing.T, s server) cache.Cache {
	t.Helper()
	c := open(t, s.config(), cache.Up)
	put(t, c, "a")
	must(t, c.PutOverlay(t.Context(), overlay(t, 1, "boris")))
	_, err := c.Follow(t.Context(), 1)
	must(t, err)
	return c
}

// knows holds that what was known is still read, at once.
func knows(t *testing.T, c cache.Cache) {
	t.Helper()
	if !has(c, "a") {
		t.Error("the session is gone")
	}
	if o, _ := c.Overlay(1); !o.Excluded("anna", "boris") || o.Excluded("anna", "vera") {
		t.Error("the overlay is gone")
	}
}

// refusesWrites holds that writes fail for this reason, soon.
func refusesWrites(t *testing.T, c cache.Cache, want error) {
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := c.PutSession(ctx, cache.Session{ID: "b", Owner: "anna"}, time.Hour)
	var failed *cache.WriteError
	if !errors.Is(err, want) || !errors.As(err, &failed) {
		t.Errorf("a session: %v", err)
	}
	if err := c.PutOverlay(ctx, overlay(t, 1, "vera")); !errors.Is(err, want) {
		t.Errorf("an overlay: %v", err)
	}
	if has(c, "b") {
		t.Error("a session that was not written is there")
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// stillLooksUp holds that look-ups do without Redis.
func stillLooksUp(t *testing.T, c cache.Cache, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if e, err := c.Fill(ctx, table, key, found("x")); err != nil || e.Value != "x" {
		t.Errorf("%v %v", e, err)
	}
	if e, known := c.Lookup(table, key); !known || e.Value != "x" {
		t.Errorf("%v %v", e, known)
	}
}

func TestAKilledRedisIsSaidAndWhatIsKnownServesOn(t *testing.T) {
	s := start(t)
	c := prepared(t, s)
	s.Kill()
	await(t, c, isState(cache.Away))
	knows(t, c)
	refusesWrites(t, c, cache.ErrAway)
	stillLooksUp(t, c, "1")
	old := c.Age()
	eventually(t, c, func() bool { _, age := c.Overlay(1); return c.Age() > old && age > old })
	if st := c.Status(); st.Reason != "unreachable" || st.Age == cache.Never {
		t.Errorf("%+v", st)
	}

	// It comes back empty.
	s.Run()
	await(t, c, func(st cache.Status) bool { return st.State == cache.Up && st.Replaced == 1 })
	if has(c, "a") {
		t.Error("the empty Redis has no session, the copy has")
	}
	put(t, c, "d")
	if !has(c, "d") {
		t.Error("a new session is not there")
	}
}

func TestAPausedRedisBlocksNobody(t *testing.T) {
	s := start(t)
	cfg := s.config()
	cfg.Timeout = 300 * time.Millisecond
	c := open(t, cfg, cache.Up)
	put(t, c, "a")
	must(t, c.PutOverlay(t.Context(), overlay(t, 1, "boris")))
	_, err := c.Follow(t.Context(), 1)
	must(t, err)
	s.Pause()
	t.Cleanup(s.Resume)
	refusesWrites(t, c, cache.ErrAway) // before the pause is noticed
	await(t, c, isState(cache.Away))
	if r := c.Status().Reason; r != "timeout" {
		t.Errorf("%s", r)
	}
	knows(t, c)
	refusesWrites(t, c, cache.ErrAway)
	begun := time.Now()
	for i := range 20 {
		stillLooksUp(t, c, fmt.Sprint(i))
	}
	if took := time.Since(begun); took > 10*cfg.Timeout {
		t.Errorf("look-ups wait for a Redis that is known to be away: %v", took)
	}

	// A deletion holds at once, and Redis and the others are told when it is back, whatever of the attempts it carries out then.
	if err := c.DeleteSession(t.Context(), "a"); !errors.Is(err, cache.ErrAway) {
		t.Errorf("%v", err)
	}
	if has(c, "a") || c.Status().Pending != 1 {
		t.Errorf("%+v", c.Status())
	}
	if err := c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "anna"}, time.Hour); !errors.Is(err, cache.ErrDeleted) {
		t.Errorf("%v", err)
	}
	s.Resume()
	await(t, c, func(st cache.Status) bool { return st.State == cache.Up && st.Pending == 0 })
	if n := s.Admin.HExists(t.Context(), "{earshot}:sessions", "a"); n.Err() != nil || n.Val() {
		t.Errorf("Redis has what was deleted: %v", n.Err())
	}
	if has(c, "a") || c.Age() > cfg.Staleness() {
		t.Error("it is not as it should be after the return")
	}
}

func TestWhoGivesUpIsLetGoBeforeTheTimeout(t *testing.T) {
	s := start(t)
	cfg := s.config()
	cfg.Timeout = time.Minute
	c := open(t, cfg, cache.Up)
	put(t, c, "a") // from now on the server knows the script
	s.Pause()
	t.Cleanup(s.Resume)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	begun := time.Now()
	err := c.PutSession(ctx, cache.Session{ID: "b", Owner: "anna"}, time.Hour)
	var failed *cache.WriteError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) || !failed.MayBeDone {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it was held for %v", took)
	}
	// What was sent is carried out when the server goes on, and is read then: the error said that it may be.
	s.Resume()
	eventually(t, c, func() bool { return has(c, "b") })
}

func TestAnEmptiedRedisGrantsNothing(t *testing.T) {
	s := start(t)
	c := prepared(t, s)
	before := c.Age()
	s.Do("FLUSHALL")
	await(t, c, func(st cache.Status) bool { return st.Replaced == 1 && st.Overlays[0].Reason == "lost" })
	if has(c, "a") {
		t.Error("a session that Redis does not have")
	}
	// The exclusions that were known stay, and their age tells that nobody confirms them.
	if o, _ := c.Overlay(1); !o.Excluded("anna", "boris") || o.Excluded("anna", "vera") {
		t.Error("the known exclusion is gone with the data")
	}
	eventually(t, c, func() bool { _, age := c.Overlay(1); return age > before+300*time.Millisecond && c.Age() < age })
	if o, err := c.Follow(t.Context(), 1); !errors.Is(err, cache.ErrNoOverlay) || o != nil {
		t.Errorf("%v", err)
	}
	must(t, c.PutOverlay(t.Context(), overlay(t, 1, "vera")))
	if o, age := c.Overlay(1); !o.Excluded("anna", "vera") || age > c.Status().Age+time.Second {
		t.Errorf("%v", age)
	}
	put(t, c, "b")
	if !has(c, "b") {
		t.Error("no new session")
	}
}

func TestAWriteToARedisThatWasReplacedAMomentAgoIsRefused(t *testing.T) {
	s := start(t)
	cfg := s.config()
	cfg.Poll = time.Minute // it does not notice by itself
	c := open(t, cfg, cache.Up)
	put(t, c, "a")
	s.Do("FLUSHALL")
	err := c.PutSession(t.Context(), cache.Session{ID: "b", Owner: "anna"}, time.Hour)
	var failed *cache.WriteError
	if !errors.Is(err, cache.ErrReplaced) || !errors.As(err, &failed) || failed.MayBeDone {
		t.Fatalf("%v", err)
	}
	eventually(t, c, func() bool { return !has(c, "a") }) // the refusal made it look
	put(t, c, "b")
}

func TestAReplacedRedisIsFollowedAndWhatWasDeletedStaysDeleted(t *testing.T) {
	s := start(t)
	c := prepared(t, s)
	put(t, c, "b")
	backup := dump(t, s)
	must(t, c.DeleteSession(t.Context(), "b"))
	// Another server takes its place, with a copy from before the deletion, as after a failover that lost the last writes.
	s.Kill()
	await(t, c, isState(cache.Away))
	s.Run()
	restore(t, s, backup)
	await(t, c, func(st cache.Status) bool { return st.State == cache.Up && st.Replaced >= 1 && st.Pending == 0 })
	if has(c, "b") {
		t.Error("a deleted session came back with the old copy")
	}
	eventually(t, c, func() bool { return !s.Admin.HExists(t.Context(), "{earshot}:sessions", "b").Val() })
	eventually(t, c, func() bool { return c.Status().Overlays[0].Reason == "" })
}

func TestAFailoverThatLostAWriteAndCountedOnIsReadWhole(t *testing.T) {
	s := start(t)
	cfg := s.config()
	cfg.Poll = time.Minute // nothing but the loss of the connections tells
	c := open(t, cfg, cache.Up)
	put(t, c, "a")
	backup := dump(t, s)
	put(t, c, "lost")
	put(t, c, "b")
	// The other server knows a, and has written twice since as well.
	dir := t.TempDir()
	other := start(t, "--dir", dir)
	restore(t, other, backup)
	far := fmt.Sprint(time.Now().Add(time.Hour).UnixMilli())
	for i, id := range []string{"x", "y"} {
		other.Do("HSET", "{earshot}:sessions", id, far+"\nanna\n")
		other.Do("ZADD", "{earshot}:sessions:changes", i+2, id)
		other.Do("HINCRBY", "{earshot}:meta", "sessions", 1)
	}
	other.Do("SAVE")
	s.Kill()
	s.Args = append(s.Args, "--dir", dir)
	s.Run()
	eventually(t, c, func() bool { return has(c, "x") && has(c, "y") && has(c, "a") && !has(c, "lost") && !has(c, "b") })
}

func dump(t *testing.T, s server) map[string]string {
	t.Helper()
	keys, err := s.Admin.Keys(t.Context(), "*").Result()
	must(t, err)
	all := make(map[string]string)
	for _, k := range keys {
		if all[k], err = s.Admin.Dump(t.Context(), k).Result(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 5 {
		t.Fatalf("%d keys", len(all))
	}
	return all
}

func restore(t *testing.T, s server, all map[string]string) {
	t.Helper()
	for k, v := range all {
		must(t, s.Admin.RestoreReplace(t.Context(), k, 0, v).Err())
	}
}

func TestAFullRedisIsSaidAndDeletingStillWorks(t *testing.T) {
	s := start(t)
	c := prepared(t, s)
	other := open(t, s.config(), cache.Up)
	eventually(t, other, func() bool { return has(other, "a") })
	put(t, c, "to delete")
	eventually(t, other, func() bool { return has(other, "to delete") })
	s.Do("CONFIG", "SET", "maxmemory", "1")
	await(t, c, func(st cache.Status) bool { return st.State == cache.Refusing && st.Reason == "out of memory" })
	knows(t, c)
	refusesWrites(t, c, cache.ErrFull)
	stillLooksUp(t, c, "1")
	if age := c.Age(); age > s.config().Staleness() {
		t.Errorf("reading works, and the age is %v", age)
	}
	must(t, c.DeleteSession(t.Context(), "to delete"))
	eventually(t, other, func() bool { return !has(other, "to delete") })
	s.Do("CONFIG", "SET", "maxmemory", "0")
	await(t, c, isState(cache.Up))
	put(t, c, "b")
}

func TestAFullAndEmptyRedisIsNotTakenForAnEmptyOne(t *testing.T) {
	s := start(t)
	c := prepared(t, s)
	s.Do("CONFIG", "SET", "maxmemory", "1")
	s.Do("FLUSHALL")
	await(t, c, isState(cache.Refusing))
	err := c.PutSession(t.Context(), cache.Session{ID: "b", Owner: "anna"}, time.Hour)
	if !errors.Is(err, cache.ErrReplaced) || has(c, "b") {
		t.Errorf("%v", err)
	}
	old := c.Age()
	eventually(t, c, func() bool { return c.Age() > old+100*time.Millisecond }) // nobody confirms the copy
	s.Do("CONFIG", "SET", "maxmemory", "0")
	await(t, c, func(st cache.Status) bool { return st.State == cache.Up && st.Replaced == 1 })
	if has(c, "a") {
		t.Error("a session that Redis does not have")
	}
}

func TestAReplicaIsSaid(t *testing.T) {
	s := start(t)
	c := prepared(t, s)
	s.Do("REPLICAOF", "127.0.0.1", "1")
	await(t, c, func(st cache.Status) bool { return st.State != cache.Up })
	refusesWritesIn(t, c)
	s.Do("REPLICAOF", "NO", "ONE")
	await(t, c, isState(cache.Up))
	put(t, c, "b")
}

func refusesWritesIn(t *testing.T, c cache.Cache) {
	t.Helper()
	err := c.PutSession(t.Context(), cache.Session{ID: "x", Owner: "anna"}, time.Hour)
	if !errors.Is(err, cache.ErrFull) && !errors.Is(err, cache.ErrAway) || has(c, "x") {
		t.Errorf("%v", err)
	}
}

func TestARedisThatIsAwayAtTheStartIsFoundLater(t *testing.T) {
	s := start(t)
	s.Kill()
	c := open(t, s.config(), cache.Away)
	if c.Age() != cache.Never {
		t.Errorf("%v", c.Age())
	}
	err := c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "anna"}, time.Hour)
	var failed *cache.WriteError
	if !errors.Is(err, cache.ErrAway) || !errors.As(err, &failed) || failed.MayBeDone {
		t.Errorf("%v", err)
	}
	if _, err := c.Follow(t.Context(), 1); !errors.Is(err, cache.ErrAway) {
		t.Errorf("%v", err)
	}
	stillLooksUp(t, c, "1")
	s.Run()
	s.Do("HSET", "{earshot}:overlay:1", "generation", "1", "except:anna:boris", "1")
	await(t, c, isState(cache.Up))
	put(t, c, "a")
	eventually(t, c, func() bool { o, age := c.Overlay(1); return o.Excluded("anna", "boris") && age != cache.Never })
}

func TestASlowRedisIsWaitedForOnlyByWhoWrites(t *testing.T) {
	s := start(t, "--enable-debug-command", "yes")
	c := prepared(t, s)
	slow := make(chan error, 1)
	go func() {
		slow <- s.Admin.Do(context.Background(), "DEBUG", "SLEEP", "1").Err()
	}()
	eventually(t, c, func() bool { return c.Age() > 200*time.Millisecond }) // it is being slow
	begun := time.Now()
	for range 1000 {
		knows(t, c)
	}
	stillLooksUp(t, c, "1")
	put(t, c, "b") // within the time-out of two seconds
	if err := <-slow; err != nil {
		t.Fatalf("the server was not slow: %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	await(t, c, isState(cache.Up))
}

func TestWhatTheStoreHoldsBeyondTheBoundsIsNotTaken(t *testing.T) {
	s := start(t)
	cfg := s.config()
	cfg.Memory.Sessions = 10
	c := open(t, cfg, cache.Up)
	put(t, c, "a")
	far := fmt.Sprint(time.Now().Add(time.Hour).UnixMilli())
	for i := range 10 {
		s.Do("HSET", "{earshot}:sessions", fmt.Sprint("foreign", i), far+"\nmallory\n")
	}
	s.Do("HSET", "{earshot}:meta", "sessions", "0") // set back: everything is read
	await(t, c, func(st cache.Status) bool { return st.State == cache.Away && strings.Contains(st.Reason, "bounds") })
	if len(c.AppendSessions(nil, "mallory")) != 0 || !has(c, "a") {
		t.Error("the copy is not as it was")
	}
	s.Do("DEL", "{earshot}:sessions")
	await(t, c, isState(cache.Up))
	if has(c, "a") {
		t.Error("it has a session of which Redis knows nothing")
	}
}

func TestMalformedSessionsAreNone(t *testing.T) {
	s := start(t)
	c := open(t, s.config(), cache.Up)
	put(t, c, "a")
	far := fmt.Sprint(time.Now().Add(time.Hour).UnixMilli())
	for id, v := range map[string]string{"1": "", "2": far, "3": far + "\nmallory", "4": "x\nmallory\n", "5": "-1\nmallory\n",
		"6": far + "\n\n", "7": far + "\nmal\x01lory\n", "": far + "\nmallory\n", "9": "99999999999999999999\nmallory\n"} {
		s.Do("HSET", "{earshot}:sessions", id, v)
	}
	s.Do("HSET", "{earshot}:meta", "sessions", "0")
	await(t, c, func(st cache.Status) bool { return st.Unread == 8 })
	if c.Status().Memory.Sessions != 1 || c.Age() > s.config().Staleness() {
		t.Errorf("%+v", c.Status())
	}
	s.Do("DEL", "{earshot}:sessions")
	await(t, c, func(st cache.Status) bool { return st.Unread == 0 })
}

func TestKeysOfAnotherLayoutAreNotTouched(t *testing.T) {
	s := start(t)
	s.Do("HSET", "{earshot}:meta", "epoch", "x", "layout", "99")
	c := open(t, s.config(), cache.Away)
	if st := c.Status(); !strings.Contains(st.Reason, "another version") || c.Age() != cache.Never {
		t.Errorf("%+v", st)
	}
	refusesWritesIn(t, c)
}
