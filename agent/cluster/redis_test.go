package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/earshot-pbx/earshot/agent/cluster"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redis"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

// over opens a cache over a Redis, as it is by default but for the time-out, which a machine at work needs. End ends it and tells nobody, as when the
// process is killed.
func over(t testing.TB, addr string) (c *redis.Cache, end func()) {
	t.Helper()
	cfg, err := redis.Parse("redis://"+addr+"?timeout=1s", "")
	must(t, err)
	c, err = redis.Open(cfg)
	must(t, err)
	return c, run(t, c.Run)
}

// sidecar is a station with a cache of its own.
func sidecar(t testing.TB, s *redistest.Server, pbx string, change func(*cluster.Config)) (of *station, die func()) {
	t.Helper()
	c, end := over(t, s.Addr)
	return starts(t, c, pbx, change), end
}

// pair is two sidecars at one Redis that know each other, of which pbx-a shows a row.
func pair(t testing.TB, s *redistest.Server) (a, b *station) {
	t.Helper()
	a, _ = sidecar(t, s, "pbx-a", nil)
	b, _ = sidecar(t, s, "pbx-b", nil)
	a.Show("1", []byte("before"))
	b.sees("pbx-a", "1", "before")
	a.sees("pbx-b")
	return a, b
}

func TestASidecarThatDiesIsNotKnownWithinThreeSeconds(t *testing.T) {
	s := redistest.Start(t)
	a, die := sidecar(t, s, "pbx-a", nil)
	b, _ := sidecar(t, s, "pbx-b", nil)
	a.Show("1", []byte("up"))
	b.sees("pbx-a", "1", "up")
	died := time.Now()
	die()
	b.loses("pbx-a")
	if took := time.Since(died); took > 3*time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Logf("not known after %v", took)
	}
	again, _ := sidecar(t, s, "pbx-a", nil)
	again.Show("1", []byte("new"))
	b.sees("pbx-a", "1", "new")
}

func TestARedisThatIsAwayLeavesNothingKnownWithinThreeSecondsAndAllIsReconciled(t *testing.T) {
	for name, fault := range map[string]struct{ begin, end func(*redistest.Server) }{
		"paused":  {(*redistest.Server).Pause, (*redistest.Server).Resume},
		"killed":  {(*redistest.Server).Kill, (*redistest.Server).Run}, // empty, and another
		"emptied": {func(s *redistest.Server) { s.Pause() }, func(s *redistest.Server) { s.Resume(); s.Do("FLUSHALL") }},
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			a, b := pair(t, s)
			a.Show("2", []byte("to be hidden"))
			b.sees("pbx-a", "1", "before", "2", "to be hidden")
			begun := time.Now()
			fault.begin(s)
			if name != "killed" {
				t.Cleanup(s.Resume)
			}
			b.loses("pbx-a")
			if took := time.Since(begun); took > 4500*time.Millisecond { // three since it was known last, and what a look takes
				t.Errorf("it took %v", took)
			} else {
				t.Logf("not known after %v", took)
			}
			a.loses("pbx-b")
			asked := time.Now()
			_, err := b.Send(t.Context(), "pbx-a", []byte("x"))
			isDone(t, err, false, cache.ErrNoMember)
			a.Show("1", []byte("after"))
			a.Hide("2")
			a.Show("3", []byte("new"))
			if took := time.Since(asked); took > 500*time.Millisecond {
				t.Errorf("it waits: %v", took)
			}
			fault.end(s)
			b.sees("pbx-a", "1", "after", "3", "new")
			a.sees("pbx-b")
			eventually(t, "an answer", func() bool {
				_, err := b.Send(within(t, 10*time.Second), "pbx-a", []byte("x"))
				return err == nil
			})
			if strings.Contains(b.told(), "pbx-a 2=to be hidden\npbx-a true true\npbx-a 2=") {
				t.Error("what was hidden came back")
			}
		})
	}
}

func TestAFullRedisLeavesNobodyKnownForLong(t *testing.T) {
	s := redistest.Start(t)
	a, b := pair(t, s)
	s.Do("CONFIG", "SET", "maxmemory", "1")
	a.Show("1", []byte("after"))
	b.loses("pbx-a") // it renews its lease, and what it shows may be old
	s.Do("CONFIG", "SET", "maxmemory", "0")
	b.sees("pbx-a", "1", "after")
}

// rows are what stands of a member in the Redis.
func rows(t *testing.T, s *redistest.Server, member string) map[string]string {
	t.Helper()
	all, err := s.Admin.HGetAll(t.Context(), "{earshot}:rows:"+member).Result()
	must(t, err)
	return all
}

// place is where the only row stands that is not the hello.
func place(t *testing.T, s *redistest.Server, member string) string {
	t.Helper()
	for k := range rows(t, s, member) {
		if k != "hello" {
			return k
		}
	}
	t.Fatal("there is no row")
	return ""
}

// puts writes a row as somebody does who can write into the Redis and knows how it goes there.
func puts(t *testing.T, s *redistest.Server, member, key, value string) {
	t.Helper()
	s.Do("HSET", "{earshot}:rows:"+member, key, value)
	s.Do("HINCRBY", "{earshot}:meta", "rows", "1000000") // so that all is read
	s.Do("PUBLISH", "{earshot}:changes", "rows")
}

func takesBack(t *testing.T, s *redistest.Server, member, key string) {
	t.Helper()
	s.Do("HDEL", "{earshot}:rows:"+member, key)
	s.Do("HINCRBY", "{earshot}:meta", "rows", "1000000")
	s.Do("PUBLISH", "{earshot}:changes", "rows")
}

func TestWhatIsWrittenByAnotherHandIsNotTaken(t *testing.T) {
	s := redistest.Start(t)
	a, b := pair(t, s)
	at := place(t, s, "pbx-a")
	first := rows(t, s, "pbx-a")[at]
	a.Show("1", []byte("second"))
	b.sees("pbx-a", "1", "second")
	second := rows(t, s, "pbx-a")[at]
	refused := func(cause string, than float64) {
		t.Helper()
		eventually(t, "a refusal: "+cause, func() bool { return testutil.ToFloat64(b.Refusals("row", cause)) > than })
	}
	// The control: what it says itself is taken all the time.
	n := 0
	control := func() {
		t.Helper()
		n++
		a.Show("2", fmt.Append(nil, n))
		b.sees("pbx-a", "1", "second", "2", fmt.Sprint(n))
	}
	puts(t, s, "pbx-a", at, first)
	refused("older", 0)
	control()
	puts(t, s, "pbx-a", at, "made up")
	refused("unreadable", 0)
	control()
	puts(t, s, "pbx-a", strings.Repeat("x", 24), second) // another place
	refused("unreadable", 1)
	control()
	puts(t, s, "pbx-a", at, second[:len(second)-1]+"\x00")
	refused("unreadable", 2)
	control()
	puts(t, s, "pbx-b", at, second) // another PBX
	refusedBy(t, a, 0)
	control()
	takesBack(t, s, "pbx-a", at)
	b.sees("pbx-a", "2", fmt.Sprint(n)) // he can hide
	puts(t, s, "pbx-a", at, second)     // and cannot show what was hidden
	refused("older", 1)
	a.Show("2", []byte("last"))
	b.sees("pbx-a", "2", "last")
	if n := b.log.count("is not taken"); n != 2 {
		t.Errorf("told %d times, of two causes", n)
	}
}

func refusedBy(t *testing.T, s *station, than float64) {
	t.Helper()
	eventually(t, "a refusal", func() bool {
		return testutil.ToFloat64(s.Refusals("row", "unreadable"))+testutil.ToFloat64(s.Refusals("row", "older")) > than
	})
}

func TestWhatARunBeforeHasSaidIsNotTaken(t *testing.T) {
	s := redistest.Start(t)
	a, b := pair(t, s)
	before := rows(t, s, "pbx-a")
	a.stop()
	b.loses("pbx-a")
	// Somebody makes it look alive: the name is held, and all that it showed is there.
	s.Do("SET", "{earshot}:member:pbx-a", "forged")
	s.Do("HSET", "{earshot}:members", "pbx-a", "forged")
	for k, v := range before {
		puts(t, s, "pbx-a", k, v)
	}
	// To who was there it is the hello of one that has fallen silent; who has come since was never named by it.
	late, _ := sidecar(t, s, "pbx-c", nil)
	late.sees("pbx-b")
	b.sees("pbx-c")
	b.loses("pbx-a")
	if strings.Contains(late.told(), "pbx-a") {
		t.Error("it was known by what a run before has said")
	}
	s.Do("DEL", "{earshot}:member:pbx-a", "{earshot}:rows:pbx-a")
	again, _ := sidecar(t, s, "pbx-a", nil)
	again.Show("9", []byte("new"))
	late.sees("pbx-a", "9", "new")
	b.sees("pbx-a", "9", "new")
	older := testutil.ToFloat64(b.Refusals("row", "older"))
	for k, v := range before {
		puts(t, s, "pbx-a", k, v) // its hello in place of the new one, and its row beside the others
	}
	eventually(t, "a refusal of the run before", func() bool { return testutil.ToFloat64(b.Refusals("row", "older")) > older })
	again.Show("9", []byte("newer"))
	b.sees("pbx-a", "9", "newer") // when the next hello has come
	late.sees("pbx-a", "9", "newer")
	if strings.Contains(late.told(), "before") {
		t.Error("a row of the run before was taken")
	}
}

func TestADeadOneWhoseLeaseIsKeptForHimIsNotKnownForLong(t *testing.T) {
	s := redistest.Start(t)
	hasty := func(c *cluster.Config) { c.Beat, c.Silence = 100*time.Millisecond, time.Second }
	a, die := sidecar(t, s, "pbx-a", hasty)
	b, _ := sidecar(t, s, "pbx-b", hasty)
	a.Show("1", []byte("up"))
	b.sees("pbx-a", "1", "up")
	die()
	s.Do("PERSIST", "{earshot}:member:pbx-a")
	s.Do("PERSIST", "{earshot}:rows:pbx-a")
	b.loses("pbx-a")
	if len(rows(t, s, "pbx-a")) != 2 || s.Admin.Exists(t.Context(), "{earshot}:member:pbx-a").Val() != 1 {
		t.Error("it was not kept")
	}
}

func TestAnotherKeyIsNobody(t *testing.T) {
	s := redistest.Start(t)
	b, _ := sidecar(t, s, "pbx-b", nil)
	x, _ := sidecar(t, s, "pbx-x", func(c *cluster.Config) { c.Key = []byte(strings.Repeat("x", cluster.MinKey)) })
	x.Show("1", []byte("made up"))
	a, _ := sidecar(t, s, "pbx-a", nil)
	b.sees("pbx-a")
	a.sees("pbx-b")
	eventually(t, "a stranger", func() bool {
		return slices.Equal(b.Status().Foreign, []string{"pbx-x"}) && slices.Equal(x.Status().Foreign, []string{"pbx-a", "pbx-b"})
	})
	_, err := x.Send(t.Context(), "pbx-b", nil)
	isDone(t, err, false, cache.ErrNoMember)
	if told := b.told() + x.told(); strings.Contains(told, "pbx-x") || x.told() != "" {
		t.Error(told)
	}
}

func TestACommandThatIsPutBackIsNotPerformedAgain(t *testing.T) {
	s := redistest.Start(t)
	performed := make(chan string, 10)
	release := make(chan struct{})
	a, _ := sidecar(t, s, "pbx-a", func(c *cluster.Config) {
		c.Perform = func(_ context.Context, _ string, request []byte) ([]byte, func()) {
			performed <- string(request)
			<-release
			return nil, nil
		}
	})
	b, _ := sidecar(t, s, "pbx-b", nil)
	a.sees("pbx-b")
	b.sees("pbx-a")
	done := make(chan error, 1)
	go func() { _, err := b.Send(within(t, 25*time.Second), "pbx-a", []byte("once")); done <- err }()
	if what := <-performed; what != "once" {
		t.Error(what)
	}
	var stream string
	var entry map[string]any
	for _, k := range s.Admin.Keys(t.Context(), "{earshot}:commands:*").Val() {
		for _, e := range s.Admin.XRange(t.Context(), k, "-", "+").Val() {
			stream, entry = k, e.Values
		}
	}
	if entry == nil || strings.Contains(fmt.Sprint(entry), "once") {
		t.Fatalf("there is no entry, or it can be read: %v", entry)
	}
	again := func(id, body string) {
		t.Helper()
		s.Do("XADD", stream, "*", "id", id, "from", entry["from"], "name", entry["name"], "ends", entry["ends"], "body", body)
		s.Do("PUBLISH", "{earshot}:changes", "post")
	}
	body := fmt.Sprint(entry["body"])
	again("another", body)
	eventually(t, "a refusal", func() bool { return testutil.ToFloat64(a.Refusals("command", "repeated")) == 1 })
	again("a third", body[:len(body)-1]+"\x00")
	again("a fourth", "")
	eventually(t, "two refusals", func() bool { return testutil.ToFloat64(a.Refusals("command", "unreadable")) == 2 })
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	// The control: another one is performed, and nothing else was.
	if _, err := b.Send(within(t, 25*time.Second), "pbx-a", []byte("the next")); err != nil {
		t.Error(err)
	}
	if what := <-performed; what != "the next" || len(performed) > 0 {
		t.Errorf("%q, and %d more", what, len(performed))
	}
}

func TestWhatIsDoneTooLateIsUndoneAlthoughARedisTakesTheAnswer(t *testing.T) {
	s := redistest.Start(t)
	undone := make(chan struct{})
	a, _ := sidecar(t, s, "pbx-a", func(c *cluster.Config) {
		c.Perform = func(ctx context.Context, _ string, request []byte) ([]byte, func()) {
			if string(request) != "late" {
				return nil, func() { t.Error("what was in time is undone") }
			}
			<-ctx.Done()
			return nil, func() { close(undone) }
		}
	})
	b, _ := sidecar(t, s, "pbx-b", nil)
	a.sees("pbx-b")
	b.sees("pbx-a")
	if _, err := b.Send(within(t, 20*time.Second), "pbx-a", nil); err != nil {
		t.Error(err)
	}
	_, err := b.Send(within(t, time.Second), "pbx-a", []byte("late"))
	isDone(t, err, true, nil)
	select {
	case <-undone:
	case <-within(t, 10*time.Second).Done():
		t.Error("it is not undone")
	}
}

func TestWhenTheNameWasTakenMeanwhileTheOthersMeetItAnew(t *testing.T) {
	s := redistest.Start(t)
	a, b := pair(t, s)
	s.Do("SET", "{earshot}:member:pbx-a", "another", "PX", "3000")
	eventually(t, "a taken name", func() bool { return a.Status().Standing == cache.Taken })
	b.loses("pbx-a")
	a.Show("2", []byte("meanwhile"))
	b.sees("pbx-a", "1", "before", "2", "meanwhile")
	a.sees("pbx-b")
	if _, err := b.Send(within(t, 25*time.Second), "pbx-a", nil); err != nil {
		t.Error(err)
	}
}

func TestWhoseNameWasLentForAMomentIsMetAnew(t *testing.T) {
	s := redistest.Start(t)
	p := redistest.StartProxy(t, s.Addr)
	cut, _ := over(t, p.Addr)
	a := starts(t, cut, "pbx-a", nil)
	b, _ := sidecar(t, s, "pbx-b", nil)
	a.Show("1", []byte("before"))
	b.sees("pbx-a", "1", "before")
	a.sees("pbx-b")
	p.Slow(20 * time.Second)
	b.loses("pbx-a")
	// Its lease is over: another has its name, is met, and leaves, while it hears of nothing.
	other, _ := sidecar(t, s, "pbx-a", nil)
	other.Show("1", []byte("another's"))
	b.sees("pbx-a", "1", "another's")
	other.stop()
	b.loses("pbx-a")
	p.Slow(0)
	a.Show("2", []byte("after"))
	b.sees("pbx-a", "1", "before", "2", "after")
	a.sees("pbx-b")
	if n := a.log.count("is held by another"); n != 0 {
		t.Errorf("it has seen the other %d times", n)
	}
	if _, err := b.Send(within(t, 25*time.Second), "pbx-a", nil); err != nil {
		t.Error(err)
	}
}

func BenchmarkShownToNewsOverRedis(b *testing.B) {
	s := redistest.Start(b)
	from, _ := sidecar(b, s, "pbx-a", nil)
	to, _ := sidecar(b, s, "pbx-b", nil)
	to.sees("pbx-a")
	value := []byte(strings.Repeat("v", 480))
	i := 0
	for b.Loop() {
		i++
		v := fmt.Appendf(value, "%d", i)
		from.Show("1", v)
		to.until("it", func() bool { return to.board["pbx-a"]["1"] == string(v) })
	}
}
