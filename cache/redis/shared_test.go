package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redis"
)

// slowPoll is a configuration whose poll comes too late for a test: what arrives was told on the channel.
func slowPoll(s server) redis.Config {
	c := s.config()
	c.Poll = time.Minute
	return c
}

func TestWhatOneSidecarWritesTheOthersRead(t *testing.T) {
	s := start(t)
	a, b := open(t, slowPoll(s), cache.Up), open(t, slowPoll(s), cache.Up)
	put(t, a, "1")
	put(t, b, "2")
	eventually(t, b, func() bool { return has(b, "1") })
	eventually(t, a, func() bool { return has(a, "2") })
	if got := a.AppendSessions(nil, "anna"); len(got) != 2 || got[1].Value != "of 2" {
		t.Errorf("%d sessions", len(got))
	}
	w := b.Watch()
	defer w.Close()
	must(t, a.DeleteSession(t.Context(), "2"))
	eventually(t, b, func() bool { return !has(b, "2") })
	if ch, err := w.Next(t.Context()); err != nil || ch != (cache.Change{Kind: cache.ChangeSessionGone, ID: "2", Owner: "anna"}) {
		t.Errorf("%+v %v", ch, err)
	}
	if ok, err := b.ExpireSession(t.Context(), "1", 24*time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	eventually(t, a, func() bool { v, _ := a.Session("1"); return time.Until(v.Expires) > 23*time.Hour })
	if ok, err := a.ExpireSession(t.Context(), "1", time.Millisecond); !ok || err != nil {
		t.Fatal(ok, err)
	}
	eventually(t, b, func() bool { return !has(b, "1") })
	if err := a.PutSession(t.Context(), cache.Session{ID: "2", Owner: "anna"}, time.Hour); !errors.Is(err, cache.ErrDeleted) {
		t.Errorf("%v", err)
	}
}

func TestASidecarThatCameLaterReadsWhatIsThere(t *testing.T) {
	s := start(t)
	a := open(t, s.config(), cache.Up)
	for i := range 50 {
		put(t, a, fmt.Sprint(i))
	}
	must(t, a.DeleteSession(t.Context(), "7"))
	b := open(t, s.config(), cache.Up)
	if n := len(b.AppendSessions(nil, "anna")); n != 49 || has(b, "7") {
		t.Errorf("%d sessions", n)
	}
}

func TestADeletionWinsOverTheSameSessionsLongerLife(t *testing.T) {
	s := start(t)
	a, b := open(t, slowPoll(s), cache.Up), open(t, slowPoll(s), cache.Up)
	for i := range 20 {
		id := fmt.Sprint(i)
		put(t, a, id)
		eventually(t, b, func() bool { return has(b, id) })
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := a.DeleteSession(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := b.ExpireSession(t.Context(), id, 2*time.Hour); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if has(a, id) {
			t.Fatal("who deleted it has it")
		}
		eventually(t, b, func() bool { return !has(b, id) })
	}
}

func TestWhatOneSidecarForgetsTheOthersForget(t *testing.T) {
	s := start(t)
	a, b := open(t, slowPoll(s), cache.Up), open(t, slowPoll(s), cache.Up)
	const number = "+7 916 123-45-67"
	e, err := a.Fill(t.Context(), table, number, func(context.Context) (cache.Entry, error) {
		return cache.Entry{Value: "anna", Found: true, Expires: time.Now().Add(10 * time.Minute)}, nil
	})
	must(t, err)
	_, err = a.Fill(t.Context(), table, "stranger", func(context.Context) (cache.Entry, error) { return cache.Entry{}, nil })
	must(t, err)
	eventually(t, a, func() bool { return len(s.Admin.Keys(t.Context(), "earshot:look:client:*").Val()) == 2 })
	keys := s.Admin.Keys(t.Context(), "*").Val()
	if i := slices.IndexFunc(keys, func(k string) bool { return strings.Contains(k, "916") || strings.Contains(k, "stranger") }); i >= 0 {
		t.Errorf("the number stands in a key: %s", keys[i])
	}
	unasked := func(context.Context) (cache.Entry, error) { return cache.Entry{}, errors.New("asked again") }
	got, err := b.Fill(t.Context(), table, number, unasked)
	if err != nil || got.Value != "anna" || got.Expires.After(e.Expires.Add(time.Second)) {
		t.Errorf("%q until %v, first until %v: %v", got.Value, got.Expires, e.Expires, err)
	}
	if got, err := b.Fill(t.Context(), table, "stranger", unasked); err != nil || got.Found {
		t.Errorf("a miss: %v %v", got, err)
	}
	must(t, a.Forget(t.Context(), table, number))
	eventually(t, b, func() bool { _, known := b.Lookup(table, number); return !known })
	if _, err := b.Fill(t.Context(), table, number, unasked); err == nil {
		t.Error("Redis still has what was forgotten")
	}
}

func TestALostChannelIsFoundAgain(t *testing.T) {
	s := start(t)
	c := open(t, slowPoll(s), cache.Up)
	cfg := s.config()
	other := open(t, cfg, cache.Up)
	_, err := other.Fill(t.Context(), table, "1", found("x"))
	must(t, err)
	w := other.Watch()
	defer w.Close()
	s.Do("CLIENT", "KILL", "TYPE", "pubsub")
	if ch, err := w.Next(t.Context()); err != nil || ch.Kind != cache.ChangeStatus { // said to be deaf, or so for a moment
		t.Errorf("%+v %v", ch, err)
	}
	// What was to be forgotten meanwhile was not heard, so nothing is remembered.
	eventually(t, other, func() bool { _, known := other.Lookup(table, "1"); return !known })
	put(t, c, "a")
	eventually(t, other, func() bool { return has(other, "a") })
}

func TestAHintIsNeverBelieved(t *testing.T) {
	s := start(t)
	c := open(t, slowPoll(s), cache.Up)
	put(t, c, "a")
	_, err := c.Fill(t.Context(), table, "1", found("x"))
	must(t, err)
	for _, h := range []string{"", "sessions", "overlay", "forget", "forget client", "forget crm client 2", "forget client 1", "forget   ", "put b\nmallory\n", strings.Repeat("x", 1<<16)} {
		s.Do("PUBLISH", "{earshot}:changes", h)
	}
	s.Do("PUBLISH", "{earshot}:changes", "forget crm client 1") // heard after the others
	eventually(t, c, func() bool { _, known := c.Lookup(table, "1"); return !known })
	if u := c.Status().Memory; u.Sessions != 1 || !has(c, "a") {
		t.Errorf("%+v", u)
	}
}

func TestAnotherSystemSetsTheOverlay(t *testing.T) {
	s := start(t)
	told, polled := open(t, slowPoll(s), cache.Up), open(t, s.config(), cache.Up)
	s.Do("HSET", "{earshot}:overlay:7", "generation", "7", "flag:anna:spy", "0", "except:anna:group:board", "1")
	for _, c := range []cache.Cache{told, polled} {
		o, err := c.Follow(t.Context(), 7)
		must(t, err)
		if on, set := o.Flag("anna", "spy"); on || !set || !o.Excluded("anna", "group:board") || o.Excluded("anna", "boris") {
			t.Error("it is not what was set")
		}
	}
	s.Do("HSET", "{earshot}:overlay:7", "except:anna:boris", "1")
	excluded := func(c cache.Cache) bool { o, _ := c.Overlay(7); return o.Excluded("anna", "boris") }
	eventually(t, polled, func() bool { return excluded(polled) }) // without a hint
	if excluded(told) {
		t.Error("who polls once a minute knows it: the test shows nothing")
	}
	s.Do("PUBLISH", "{earshot}:changes", "overlay")
	eventually(t, told, func() bool { return excluded(told) })
}

func TestAMalformedOverlayLeavesTheLastGoodOne(t *testing.T) {
	for name, c := range map[string]struct {
		change []any
		reason string
	}{
		"an unknown field":       {[]any{"HSET", "{earshot}:overlay:7", "exept:anna:vera", "1"}, "malformed"},
		"a flag that is neither": {[]any{"HSET", "{earshot}:overlay:7", "flag:anna:spy", "yes"}, "malformed"},
		"another generation":     {[]any{"HSET", "{earshot}:overlay:7", "generation", "8"}, "lost"},
		"no generation":          {[]any{"HDEL", "{earshot}:overlay:7", "generation"}, "lost"},
		"gone":                   {[]any{"DEL", "{earshot}:overlay:7"}, "lost"},
		"not a hash":             {[]any{"SET", "{earshot}:overlay:7", "x"}, "malformed"},
		"too large":              {[]any{"HSET", "{earshot}:overlay:7", "except:anna:vera", strings.Repeat("x", cache.MaxOverlay)}, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			a := open(t, s.config(), cache.Up)
			must(t, a.PutOverlay(t.Context(), overlay(t, 7, "boris")))
			_, err := a.Follow(t.Context(), 7)
			must(t, err)
			s.Do(c.change...)
			await(t, a, func(st cache.Status) bool { return st.Overlays[0].Reason == c.reason })
			o, _ := a.Overlay(7)
			if !o.Excluded("anna", "boris") || o.Excluded("anna", "vera") {
				t.Error("the last good one is not in force")
			}
			eventually(t, a, func() bool { _, age := a.Overlay(7); return age > 200*time.Millisecond && a.Age() < age })
			if o, err := a.Follow(t.Context(), 7); err == nil || o != nil {
				t.Error("whoever asks for a verified one gets it")
			}
			must(t, a.PutOverlay(t.Context(), overlay(t, 7, "boris")))
			if _, err := a.Follow(t.Context(), 7); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whoever writes under the version that he has read, and reads it again, loses nothing, and there is no moment without an overlay.
func TestAnEditionLosesNothingThatIsSetMeanwhile(t *testing.T) {
	s := start(t)
	a, b := open(t, s.config(), cache.Up), open(t, slowPoll(s), cache.Up)
	edition := func(c cache.Cache, version uint64, carry *cache.Overlay) error {
		before, _ := strconv.ParseUint(s.Admin.HGet(t.Context(), "{earshot}:document:policy", "version").Val(), 10, 64)
		return c.PutEdition(t.Context(), "policy", before, cache.Document{Version: version, Data: "x"}, carry)
	}
	must(t, edition(a, 7, nil))
	s.Do("HSET", "{earshot}:overlay:7", "generation", "7", "except:anna:boris", "1", "flag:anna:spy", "1")
	seven, err := b.Follow(t.Context(), 7)
	must(t, err)
	s.Do("HSET", "{earshot}:overlay:7", "except:anna:vera", "1") // which b has not heard of
	if err := edition(b, 8, seven); !errors.Is(err, cache.ErrMoved) {
		t.Fatalf("%v", err)
	}
	if v := s.Admin.HGet(t.Context(), "{earshot}:document:policy", "version").Val(); v != "7" || s.Admin.Exists(t.Context(), "{earshot}:overlay:8").Val() != 0 {
		t.Errorf("version %s", v)
	}
	seven, err = b.Follow(t.Context(), 7)
	must(t, err)
	must(t, edition(b, 8, seven))
	if got := s.Admin.HGetAll(t.Context(), "{earshot}:overlay:8").Val(); !maps.Equal(got, map[string]string{"generation": "8", "except:anna:boris": "1", "except:anna:vera": "1", "flag:anna:spy": "1"}) {
		t.Errorf("%v", got)
	}
	if old, is := s.Admin.PTTL(t.Context(), "{earshot}:overlay:7").Val(), s.Admin.PTTL(t.Context(), "{earshot}:overlay:8").Val(); old <= 0 || is > 0 {
		t.Errorf("they live %v and %v", old, is)
	}
	// What cannot be read any more is carried as it was last good.
	eight, err := b.Follow(t.Context(), 8)
	must(t, err)
	s.Do("HSET", "{earshot}:overlay:8", "exept:anna:vera", "1")
	if _, err := b.Follow(t.Context(), 8); !errors.Is(err, cache.ErrBadOverlay) {
		t.Fatalf("%v", err)
	}
	must(t, edition(b, 9, eight))
	nine, err := b.Follow(t.Context(), 9)
	must(t, err)
	if !nine.Excluded("anna", "vera") {
		t.Error("it is not the last good one")
	}
	// What is lost is put back with its document, beside what was set since.
	s.Do("FLUSHALL")
	s.Do("HSET", "{earshot}:overlay:9", "flag:anna:spy", "0", "except:anna:boris", "1")
	eventually(t, b, func() bool { return edition(b, 9, nine) == nil })
	if got := s.Admin.HGetAll(t.Context(), "{earshot}:overlay:9").Val(); len(got) != 4 || got["generation"] != "9" || got["flag:anna:spy"] != "0" || got["except:anna:vera"] != "1" {
		t.Errorf("%v", got)
	}
}

func TestOnlyTwoGenerationsAreFollowed(t *testing.T) {
	s := start(t)
	c := open(t, s.config(), cache.Up)
	for g := range uint64(4) {
		must(t, c.PutOverlay(t.Context(), overlay(t, g)))
		_, err := c.Follow(t.Context(), g)
		must(t, err)
	}
	_, err := c.Follow(t.Context(), 3)
	must(t, err)
	if st := c.Status().Overlays; len(st) != 2 || st[0].Generation != 2 || st[1].Generation != 3 {
		t.Errorf("%+v", st)
	}
	if o, age := c.Overlay(1); o != nil || age != cache.Never {
		t.Error("an old generation is still there")
	}
	for g, limited := range map[uint64]bool{0: true, 2: true, 3: false} {
		ttl := s.Admin.PTTL(t.Context(), fmt.Sprintf("{earshot}:overlay:%d", g)).Val()
		if limited != (ttl > 0) {
			t.Errorf("generation %d lives %v", g, ttl)
		}
	}
}

func TestWhatHasExpiredIsPruned(t *testing.T) {
	s := start(t)
	c := open(t, s.config(), cache.Up)
	for i := range 10 {
		must(t, c.PutSession(t.Context(), cache.Session{ID: fmt.Sprint(i), Owner: "anna"}, time.Millisecond))
	}
	put(t, c, "a")
	eventually(t, c, func() bool {
		put(t, c, "a") // each write prunes
		return s.Admin.HLen(t.Context(), "{earshot}:sessions").Val() == 1
	})
	for _, key := range []string{"{earshot}:sessions:expiry", "{earshot}:sessions:changes"} {
		if n := s.Admin.ZCard(t.Context(), key).Val(); n != 1 {
			t.Errorf("%s holds %d", key, n)
		}
	}
}

func TestAClosedCacheWritesNothing(t *testing.T) {
	s := start(t)
	c, closeIt := openCloser(t, s.config(), cache.Up)
	put(t, c, "a")
	closeIt()
	if st := c.Status(); st.State != cache.Away || st.Reason != "closed" {
		t.Errorf("%+v", st)
	}
	if err := c.PutSession(t.Context(), cache.Session{ID: "b", Owner: "anna"}, time.Hour); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := c.Follow(t.Context(), 1); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := c.Run(t.Context()); err == nil {
		t.Error("it ran again")
	}
	if !has(c, "a") {
		t.Error("what is known is not read")
	}
	idle, err := redis.Open(s.config())
	must(t, err)
	if err := idle.PutSession(t.Context(), cache.Session{ID: "b", Owner: "anna"}, time.Hour); !errors.Is(err, cache.ErrAway) {
		t.Errorf("before Run: %v", err)
	}
	if _, err := idle.Follow(t.Context(), 1); !errors.Is(err, cache.ErrAway) {
		t.Errorf("before Run: %v", err)
	}
}
