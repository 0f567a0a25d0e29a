package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

func join(t *testing.T, c cache.Cache, name string) cache.Member {
	t.Helper()
	m, err := c.Join(name)
	must(t, err)
	eventually(t, c, func() bool { return m.Standing() == cache.Joined })
	return m
}

// sees waits until a cache sees exactly these members.
func sees(t *testing.T, c cache.Cache, names ...string) {
	t.Helper()
	eventually(t, c, func() bool { return slices.Equal(c.AppendMembers(nil), names) })
}

func shows(c cache.Cache, member, key, value string) func() bool {
	return func() bool { v, ok := c.Row(member, key); return ok && v == value }
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// usual opens with a configuration as it is by default, but for the time-out, which a machine at work needs.
func usual(t *testing.T, s server) (c cache.Cache, die func()) {
	t.Helper()
	cfg := s.config()
	cfg.Poll = 0
	return openCloser(t, cfg, cache.Up)
}

func TestASidecarThatDiesIsOffTheBoardWithinThreeSeconds(t *testing.T) {
	s := start(t)
	a, die := usual(t, s)
	b, _ := usual(t, s)
	m := join(t, a, "pbx-a")
	must(t, m.Show("call", "ringing"))
	eventually(t, b, shows(b, "pbx-a", "call", "ringing"))
	next, err := b.Join("pbx-a")
	must(t, err)
	eventually(t, b, func() bool { return next.Standing() == cache.Taken })
	died := time.Now()
	die() // it tells nobody, as when the process is killed
	if m.Standing() != cache.Left {
		t.Error("it is still a member for itself")
	}
	sees(t, b, "pbx-a") // for a moment
	eventually(t, b, func() bool { _, ok := b.Row("pbx-a", "call"); return !ok })
	took := time.Since(died)
	t.Logf("gone after %v", took)
	if took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	// The name is free then.
	eventually(t, b, func() bool { return next.Standing() == cache.Joined })
	sees(t, b, "pbx-a")
	if rows := b.AppendRows(nil, "pbx-a"); len(rows) != 0 {
		t.Error("the rows of the one before are back")
	}
}

// pair is two sidecars at one Redis, each a member that shows a row.
func pair(t *testing.T, s server) (a, b cache.Cache, ma, mb cache.Member) {
	t.Helper()
	cfg := s.config()
	cfg.Timeout = 300 * time.Millisecond
	a, b = open(t, cfg, cache.Up), open(t, cfg, cache.Up)
	ma, mb = join(t, a, "pbx-a"), join(t, b, "pbx-b")
	sees(t, a, "pbx-a", "pbx-b")
	sees(t, b, "pbx-a", "pbx-b")
	must(t, ma.Show("1", "before"))
	must(t, ma.Show("2", "before"))
	eventually(t, b, shows(b, "pbx-a", "2", "before"))
	return a, b, ma, mb
}

// away does what is done while the Redis is away, and holds that nobody waits for it.
func away(t *testing.T, b cache.Cache, ma, mb cache.Member) {
	t.Helper()
	begun := time.Now()
	must(t, ma.Show("1", "changed"))
	must(t, ma.Show("3", "new"))
	ma.Hide("2")
	if took := time.Since(begun); took > time.Second { // one exchange gives up after two
		t.Errorf("showing waits: %v", took)
	}
	begun = time.Now()
	_, err := mb.Send(within(t, 400*time.Millisecond), "pbx-a", "never")
	var w *cache.WriteError
	if !errors.As(err, &w) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 1500*time.Millisecond {
		t.Errorf("sending outlasts its time: %v", took)
	}
	await(t, b, func(st cache.Status) bool { return st.State == cache.Away })
	if v, _ := b.Row("pbx-a", "2"); v != "before" { // what is known stays
		t.Errorf("%q", v)
	}
	old := b.RowsAge()
	eventually(t, b, func() bool { return b.RowsAge() > old+100*time.Millisecond })
	eventually(t, b, func() bool { return mb.Standing() == cache.Waiting && ma.Standing() == cache.Waiting })
	_, err = mb.Send(within(t, time.Second), "pbx-a", "never")
	if !errors.As(err, &w) || w.MayBeDone || !errors.Is(err, cache.ErrNotJoined) {
		t.Errorf("%v", err)
	}
}

// reconciled holds that all is as it should be after away.
func reconciled(t *testing.T, a, b cache.Cache, ma, mb cache.Member) {
	t.Helper()
	await(t, a, func(st cache.Status) bool { return st.State == cache.Up })
	eventually(t, b, func() bool {
		return slices.Equal(b.AppendRows(nil, "pbx-a"), []cache.Row{{Key: "1", Value: "changed"}, {Key: "3", Value: "new"}})
	})
	sees(t, a, "pbx-a", "pbx-b")
	// What was sent while it was away is not carried out afterwards, and what is sent now is.
	eventually(t, b, func() bool { return mb.Standing() == cache.Joined })
	nextIs(t, mb, ma, "pbx-a")
	if age := b.RowsAge(); age > 5*time.Second {
		t.Errorf("%v", age)
	}
}

// nextIs sends a command and holds that it is the next that the receiver gets.
func nextIs(t *testing.T, from, to cache.Member, name string) {
	t.Helper()
	done := make(chan error, 1)
	limit := within(t, 20*time.Second)
	go func() {
		for {
			_, err := from.Send(limit, name, "the next")
			var w *cache.WriteError
			if errors.As(err, &w) && !w.MayBeDone && limit.Err() == nil {
				continue // to the incarnation before: it has not heard of the new one yet
			}
			done <- err
			return
		}
	}()
	cmd, err := to.Next(limit)
	must(t, err)
	if cmd.Body != "the next" {
		t.Errorf("%q was carried out late, or twice", cmd.Body)
	}
	must(t, to.Answer(t.Context(), cmd.ID, ""))
	must(t, <-done)
}

func TestAfterAPauseMembersAndRowsAreReconciled(t *testing.T) {
	s := start(t)
	a, b, ma, mb := pair(t, s)
	s.Pause()
	t.Cleanup(s.Resume)
	before := ma.Lease()
	away(t, b, ma, mb)
	s.Resume()
	reconciled(t, a, b, ma, mb)
	for began := time.Now(); ma.Lease() < 2 && time.Since(began) < 10*time.Second; {
		time.Sleep(10 * time.Millisecond) // the member that was away looks at its own place last
	}
	if before != 1 || ma.Lease() < 2 {
		t.Errorf("lease %d, and after the pause %d", before, ma.Lease())
	}
}

func TestAfterAKilledRedisMembersAndRowsAreReconciled(t *testing.T) {
	s := start(t)
	a, b, ma, mb := pair(t, s)
	s.Kill()
	away(t, b, ma, mb)
	s.Run() // empty, and another: its run id differs
	reconciled(t, a, b, ma, mb)
}

func TestAnEmptiedRedisIsToldAllAgain(t *testing.T) {
	s := start(t)
	a, b, ma, mb := pair(t, s)
	must(t, ma.Show("1", "changed"))
	ma.Hide("2")
	must(t, ma.Show("3", "new"))
	eventually(t, b, func() bool { _, ok := b.Row("pbx-a", "2"); return !ok })
	s.Do("FLUSHALL")
	await(t, b, func(st cache.Status) bool { return st.Replaced == 1 })
	reconciled(t, a, b, ma, mb)
}

func TestAFullRedisRenewsLeasesAndShowsLater(t *testing.T) {
	s := start(t)
	a, b, ma, mb := pair(t, s)
	s.Do("CONFIG", "SET", "maxmemory", "1")
	must(t, ma.Show("1", "changed"))
	must(t, ma.Show("3", "new"))
	await(t, a, isState(cache.Refusing))
	begun := time.Now()
	eventually(t, b, func() bool { return time.Since(begun) > 2500*time.Millisecond }) // longer than a lease
	if ma.Standing() != cache.Joined || mb.Standing() != cache.Joined {
		t.Errorf("%v %v", ma.Standing(), mb.Standing())
	}
	if v, _ := b.Row("pbx-a", "1"); v != "before" {
		t.Errorf("%q", v)
	}
	_, err := mb.Send(within(t, time.Second), "pbx-a", "never")
	var w *cache.WriteError
	if !errors.Is(err, cache.ErrFull) || !errors.As(err, &w) || w.MayBeDone {
		t.Errorf("%v", err)
	}
	ma.Hide("2")
	s.Do("CONFIG", "SET", "maxmemory", "0")
	reconciled(t, a, b, ma, mb)
}

func TestASlowRedisHoldsUpNobodyBeyondHisTime(t *testing.T) {
	s := start(t)
	_, b, ma, _ := pair(t, s)
	p := redistest.StartProxy(t, s.Addr)
	cfg := s.config()
	cfg.Addrs = []string{p.Addr}
	slow := open(t, cfg, cache.Up)
	m := join(t, slow, "pbx-slow")
	p.Slow(50 * time.Millisecond)
	await(t, slow, func(st cache.Status) bool { return st.Latency > 50*time.Millisecond && st.State == cache.Up })
	begun := time.Now()
	for i := range 1000 {
		must(t, m.Show("1", fmt.Sprint(i)))
		slow.AppendMembers(nil)
	}
	if took := time.Since(begun); took > 5*time.Second { // a thousand exchanges take fifty
		t.Errorf("showing waits: %v", took)
	}
	eventually(t, b, shows(b, "pbx-slow", "1", "999"))
	done := make(chan error, 1)
	go func() {
		answer, err := m.Send(within(t, 20*time.Second), "pbx-a", "x")
		if answer != "done" {
			t.Errorf("%q", answer)
		}
		done <- err
	}()
	cmd, err := ma.Next(within(t, 20*time.Second))
	must(t, err)
	must(t, ma.Answer(t.Context(), cmd.ID, "done"))
	must(t, <-done)
	p.Slow(3 * time.Second) // beyond the time-out
	begun = time.Now()
	if _, err = m.Send(within(t, 300*time.Millisecond), "pbx-a", "x"); err == nil {
		t.Error("answered through a line of three seconds")
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	await(t, slow, isState(cache.Away))
	p.Slow(0)
	await(t, slow, isState(cache.Up))
	eventually(t, b, func() bool { return m.Standing() == cache.Joined })
}

func TestACommandOfASidecarThatDiesIsReportedSoonAndDoneOnce(t *testing.T) {
	s := start(t)
	a, die := usual(t, s)
	b, _ := usual(t, s)
	ma, mb := join(t, a, "pbx-a"), join(t, b, "pbx-b")
	sees(t, b, "pbx-a", "pbx-b")
	type outcome struct {
		err error
		at  time.Time
	}
	done := make(chan outcome, 1)
	go func() {
		_, err := mb.Send(within(t, 25*time.Second), "pbx-a", "x")
		done <- outcome{err, time.Now()}
	}()
	_, err := ma.Next(within(t, 10*time.Second))
	must(t, err)
	died := time.Now()
	die() // in the middle of it
	next, _ := usual(t, s)
	m := join(t, next, "pbx-a") // the same name, a moment later
	o := <-done
	var w *cache.WriteError
	if !errors.Is(o.err, cache.ErrUnanswered) || !errors.As(o.err, &w) || !w.MayBeDone {
		t.Errorf("%v", o.err)
	}
	if took := o.at.Sub(died); took > 4*time.Second {
		t.Errorf("reported after %v", took)
	}
	// Who has come in its place does not carry it out a second time.
	sees(t, b, "pbx-a", "pbx-b")
	nextIs(t, mb, m, "pbx-a")
}

func TestACommandThatComesBackWithABackupIsNotCarriedOutAgain(t *testing.T) {
	s := start(t)
	_, _, ma, mb := pair(t, s)
	done := make(chan error, 1)
	go func() { _, err := mb.Send(within(t, 20*time.Second), "pbx-a", "x"); done <- err }()
	cmd, err := ma.Next(within(t, 20*time.Second))
	must(t, err)
	keys, err := s.Admin.Keys(t.Context(), "{earshot}:commands:*").Result()
	must(t, err)
	backup := make(map[string]string)
	for _, k := range keys {
		backup[k], err = s.Admin.Dump(t.Context(), k).Result()
		must(t, err)
	}
	must(t, ma.Answer(t.Context(), cmd.ID, ""))
	must(t, <-done)
	for k, v := range backup { // as after a failover that lost the answer
		must(t, s.Admin.RestoreReplace(t.Context(), k, time.Minute, v).Err())
	}
	nextIs(t, mb, ma, "pbx-a")
}

func TestWhatOthersWriteIntoTheRedisIsNotShown(t *testing.T) {
	s := start(t)
	a, b, ma, _ := pair(t, s)
	s.Do("HSET", "{earshot}:members", "a b", "x")
	s.Do("SET", "{earshot}:member:a b", "x")
	s.Do("HSET", "{earshot}:rows:pbx-a", "bad\nkey", "x")
	s.Do("HSET", "{earshot}:rows:pbx-a", "5", "told by no change")
	s.Do("HINCRBY", "{earshot}:meta", "rows", "3")
	must(t, ma.Show("3", "new")) // changes before it are missing, so all is read
	eventually(t, b, shows(b, "pbx-a", "3", "new"))
	if rows := b.AppendRows(nil, "pbx-a"); len(rows) != 4 || rows[3].Key != "5" {
		t.Errorf("%d rows", len(rows))
	}
	sees(t, a, "pbx-a", "pbx-b")
	// A stream of changes that has run ahead is begun anew.
	s.Do("XADD", "{earshot}:rows:changes", "999999-0", "m", "x")
	must(t, ma.Show("3", "newer"))
	eventually(t, b, shows(b, "pbx-a", "3", "newer"))
	eventually(t, a, func() bool {
		last := s.Admin.XRevRangeN(t.Context(), "{earshot}:rows:changes", "+", "-", 1).Val()
		return len(last) == 1 && last[0].ID != "999999-0"
	})
}

func TestACommandThatNobodyTookIsTakenBack(t *testing.T) {
	s := start(t)
	a, die := usual(t, s)
	b, _ := usual(t, s)
	join(t, a, "pbx-a")
	mb := join(t, b, "pbx-b")
	sees(t, b, "pbx-a", "pbx-b")
	die() // its lease holds for two seconds
	_, err := mb.Send(within(t, time.Second), "pbx-a", "x")
	var w *cache.WriteError
	if !errors.Is(err, cache.ErrLate) || !errors.As(err, &w) || w.MayBeDone {
		t.Errorf("%v", err)
	}
	streams := s.Admin.Keys(t.Context(), "{earshot}:commands:*").Val()
	if len(streams) != 2 {
		t.Errorf("%d streams of commands", len(streams))
	}
	for _, key := range streams {
		if s.Admin.XLen(t.Context(), key).Val() != 0 {
			t.Error("it waits there")
		}
	}
	// With time enough it learns before that the other has gone.
	_, err = mb.Send(within(t, 20*time.Second), "pbx-a", "x")
	if !errors.Is(err, cache.ErrNoMember) || !errors.As(err, &w) || w.MayBeDone {
		t.Errorf("%v", err)
	}
}

func TestADocumentIsWhatTheStoreHas(t *testing.T) {
	s := start(t)
	a, b := open(t, s.config(), cache.Up), open(t, s.config(), cache.Up)
	b.FollowDocument("policy")
	is := func(want cache.Document) {
		t.Helper()
		eventually(t, b, func() bool { d, age := b.Document("policy"); return d == want && age < time.Minute })
	}
	put := func(version uint64, data string) cache.Document {
		t.Helper()
		d := cache.Document{Version: version, Data: data}
		must(t, a.PutDocument(t.Context(), "policy", d))
		return d
	}
	is(put(5, "five"))
	s.Do("HSET", "{earshot}:document:policy", "data", "another five") // nobody told
	is(cache.Document{Version: 5, Data: "another five"})
	for name, change := range map[string][]any{
		"a version that is no number": {"HSET", "{earshot}:document:policy", "version", "5x"},
		"a version with a zero":       {"HSET", "{earshot}:document:policy", "version", "05"},
		"a version beyond":            {"HSET", "{earshot}:document:policy", "version", "9007199254740993"},
		"no data":                     {"HDEL", "{earshot}:document:policy", "data"},
		"too much":                    {"HSET", "{earshot}:document:policy", "version", "9", "data", strings.Repeat("x", cache.MaxDocument+1)},
		"no hash":                     {"SET", "{earshot}:document:policy", "5"},
		"nothing":                     {"DEL", "{earshot}:document:policy"},
	} {
		t.Run(name, func(t *testing.T) {
			s.Do(change...)
			is(cache.Document{})
			s.Do("DEL", "{earshot}:document:policy")
			is(put(6, "six"))
		})
	}
	s.Kill()
	await(t, b, isState(cache.Away))
	d, old := b.Document("policy")
	if d.Version != 6 {
		t.Errorf("%v", d)
	}
	eventually(t, b, func() bool { _, age := b.Document("policy"); return age > old+100*time.Millisecond })
	var w *cache.WriteError
	if err := a.PutDocument(t.Context(), "policy", cache.Document{Version: 7}); !errors.Is(err, cache.ErrAway) || !errors.As(err, &w) {
		t.Errorf("%v", err)
	}
}

func TestALogIsReadByOthersAndEndsWhereTheStoreSays(t *testing.T) {
	s := start(t)
	c := open(t, s.config(), cache.Up)
	add := func(end, first uint64, entries ...string) (uint64, error) {
		return c.AppendLog(t.Context(), "audit", end, first, entries, 100)
	}
	if _, err := add(0, 8, "eight", "nine"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Admin.XRange(t.Context(), "{earshot}:log:audit", "-", "+").Result()
	must(t, err)
	if len(got) != 2 || got[0].ID != "8-0" || got[0].Values["entry"] != "eight" || got[1].ID != "9-0" {
		t.Errorf("%v", got)
	}
	ends := func(want uint64, text string) {
		t.Helper()
		if end, entry, err := c.LogEnd(t.Context(), "audit"); end != want || entry != text || err != nil {
			t.Errorf("it ends with %d %q, not %d: %v", end, entry, want, err)
		}
	}
	ends(9, "nine")
	must(t, s.Admin.XTrimMaxLen(t.Context(), "{earshot}:log:audit", 0).Err()) // a collector has taken all
	if end, err := add(8, 9, "nine"); end != 9 || !errors.Is(err, cache.ErrNotNext) {
		t.Errorf("%d %v", end, err)
	}
	ends(9, "")
	s.Do("FLUSHALL")
	ends(0, "")
	if end, err := add(9, 10, "ten"); end != 0 || !errors.Is(err, cache.ErrNotNext) {
		t.Errorf("%d %v", end, err)
	}
	end := uint64(0)
	for range 3 {
		end, err = add(end, end+11, make([]string, 1000)...)
		must(t, err)
	}
	if n := s.Admin.XLen(t.Context(), "{earshot}:log:audit").Val(); n > 300 {
		t.Errorf("%d entries are kept", n)
	}
	s.Do("CONFIG", "SET", "maxmemory", "1")
	if _, err := add(end, end+1, "x"); !errors.Is(err, cache.ErrFull) {
		t.Errorf("%v", err)
	}
	s.Pause()
	t.Cleanup(s.Resume)
	begun := time.Now()
	if _, err := c.AppendLog(within(t, 200*time.Millisecond), "audit", end, end+1, []string{"x"}, 100); !errors.Is(err, cache.ErrAway) {
		t.Errorf("%v", err)
	}
	if _, _, err := c.LogEnd(within(t, 200*time.Millisecond), "audit"); !errors.Is(err, cache.ErrAway) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %v", took)
	}
}
