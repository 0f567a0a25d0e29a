package redis

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

// A request that a stopped Redis carries out when it goes on says when it ends, and is refused by then.
func TestACommandWhoseEndHasComeIsNotTakenIn(t *testing.T) {
	s := redistest.Start(t)
	s.Do("HSET", "{earshot}:meta", "epoch", "E")
	s.Do("SET", "{earshot}:member:pbx-a", "I")
	c := idle(t)
	send := func(ends int64) string {
		t.Helper()
		word, err := sendScript.Run(t.Context(), s.Admin, c.memberKeys(), "E", c.tag, "pbx-a", "I", "id", "J", "pbx-b", ends, "body", c.channel, 10).Text()
		if err != nil {
			t.Fatal(err)
		}
		return word
	}
	if word := send(time.Now().UnixMilli()); word != "late" {
		t.Errorf("%s", word)
	}
	if word := send(time.Now().Add(time.Minute).UnixMilli()); word != "ok" {
		t.Errorf("%s", word)
	}
	if n := s.Admin.XLen(t.Context(), "{earshot}:commands:I").Val(); n != 1 {
		t.Errorf("%d commands", n)
	}
}

func TestTheBytesOfAMemberAreBoundedChangeByChange(t *testing.T) {
	p := &peers{byName: map[string]*peer{"a": {incarnation: "I", rows: make(map[string]string)}}}
	large := strings.Repeat("x", cache.MaxValue)
	change := func(key, op, value string) { p.take(false, []any{"a", "I"}, []any{"a", "I", key, op, value}) }
	const fit = cache.MaxRowBytes / (cache.MaxValue + 4)
	for i := range fit + 10 {
		change(strconv.Itoa(1000+i), "+", large)
	}
	if n := len(p.byName["a"].rows); n != fit {
		t.Errorf("%d rows, and %d fit", n, fit)
	}
	change("1000", "+", "less") // makes room for no other of that size
	change("1001", "-", "")
	change("next", "+", large)
	if n := len(p.byName["a"].rows); n != fit || p.byName["a"].rows["next"] == "" {
		t.Errorf("%d rows after one was hidden", n)
	}
	if p.large() {
		t.Error("one member is too much")
	}
	for i := range 4 {
		p.byName[strconv.Itoa(i)] = &peer{bytes: cache.MaxRowBytes}
	}
	if !p.large() {
		t.Error("there is no bound of all members")
	}
}

func TestMembersAreBounded(t *testing.T) {
	s := redistest.Start(t)
	s.Do("HSET", "{earshot}:meta", "epoch", "E")
	c := idle(t)
	read := func() string {
		t.Helper()
		out, err := rowsScript.Run(t.Context(), s.Admin, c.memberKeys(), "E", c.tag, -1, maxReadRows, maxReadChanges, maxReadBytes, cache.MaxMembers).Slice()
		if err != nil {
			t.Fatal(err)
		}
		return str(out, 0)
	}
	for i := range cache.MaxMembers + 1 {
		if word := read(); word != "all" {
			t.Fatalf("%s with %d members", word, i)
		}
		name := strconv.Itoa(i)
		s.Do("HSET", c.tag+"members", name, "I")
		s.Do("SET", c.tag+"member:"+name, "I")
	}
	if word := read(); word != "large" {
		t.Error(word)
	}
}

func TestAnAnswerIsTakenBackUntilItsSenderHasFetchedIt(t *testing.T) {
	s := redistest.Start(t)
	c := idle(t)
	run := func(script *goredis.Script, args ...any) string {
		t.Helper()
		word, err := script.Run(t.Context(), s.Admin, c.memberKeys(), args...).Text()
		if err != nil {
			t.Fatal(err)
		}
		return word
	}
	take := func() (entry string) {
		t.Helper()
		entry = s.Admin.XAdd(t.Context(), &goredis.XAddArgs{Stream: c.tag + "commands:I", Values: []any{"id", "id"}}).Val()
		s.Do("XREADGROUP", "GROUP", "earshot", "earshot", "STREAMS", c.tag+"commands:I", ">")
		return entry
	}
	s.Do("XGROUP", "CREATE", c.tag+"commands:I", "earshot", "0", "MKSTREAM")
	answer := func(entry string) string { return run(answerScript, c.tag, "I", entry, "id", "J", "+done", c.channel) }
	back := func(entry string) string { return run(takeBackScript, c.tag, "I", entry, "id", "J") }

	unread := take()
	if answer(unread) != "ok" || back(unread) != "back" || s.Admin.Exists(t.Context(), c.tag+"answers:J").Val() != 0 {
		t.Error("an answer that nobody has fetched is not taken back")
	}
	overtaken := take()
	if back(overtaken) != "back" || answer(overtaken) != "late" {
		t.Error("an answer that arrives after it was taken back is given")
	}
	had := take()
	if answer(had) != "ok" || s.Admin.HDel(t.Context(), c.tag+"answers:J", "id").Val() != 1 || back(had) != "had" {
		t.Error("an answer that was fetched is taken back")
	}
}

// FuzzParseEntry: what is read as a command is one that may have been sent, and is never carried out later than its sender waits.
func FuzzParseEntry(f *testing.F) {
	for _, e := range [][6]string{
		{"1-0", "ID", "INC", "pbx-a", "1000500", "body"}, {"", "ID", "INC", "a", "1000500", ""}, {"1-0", "", "INC", "a", "1000500", ""},
		{"1-0", "ID", "", "a", "1000500", ""}, {"1-0", "ID", "INC", "a b", "1000500", ""}, {"1-0", "ID", "INC", "a", "1000000", ""},
		{"1-0", "ID", "INC", "a", "-1", ""}, {"1-0", "ID", "INC", "a", "9223372036854775807", ""}, {"1-0", "ID", "INC", "a", "", ""},
	} {
		f.Add(e[0], e[1], e[2], e[3], e[4], e[5])
	}
	f.Fuzz(func(t *testing.T, entry, id, from, name, ends, body string) {
		at := time.Unix(1000, 0)
		cmd, tk, ok := parseEntry([]any{entry, id, from, name, ends, body}, nowMS, at)
		if !ok {
			return
		}
		n, err := strconv.ParseInt(ends, 10, 64)
		left := cmd.Deadline.Sub(at)
		if err != nil || left <= 0 || left > time.Duration(n-nowMS)*time.Millisecond || left > cache.MaxCommandTime {
			t.Errorf("%q: %v", ends, left)
		}
		if cmd.ID != id || id == "" || cmd.From != name || cache.CheckMember(name) != nil || cmd.Body != body || tk.entry != entry || tk.from != from || tk.answered {
			t.Errorf("%+v", tk)
		}
	})
}

// FuzzTakeRows: whatever Redis answers, only who is a member is shown, under names and keys that may be shown, and what is told is what has
// changed.
func FuzzTakeRows(f *testing.F) {
	f.Add(true, "a\x00I", "2\x00k\x00v\x00l\x00w")
	f.Add(false, "a\x00I", "a\x00I\x00k\x00+\x00v")
	f.Add(false, "a\x00J", "a\x00I\x00k\x00+\x00v\x00a\x00J\x00l\x00+\x00w\x00a\x00J\x00l\x00-\x00")
	f.Add(false, "", "a\x00I\x00k\x00+\x00v")
	f.Add(true, "a\x00I\x00b c\x00J", "99999999999\x00k\x00v")
	f.Fuzz(func(t *testing.T, all bool, members, body string) {
		split := func(s string) (out []any) {
			if s == "" {
				return nil
			}
			for w := range strings.SplitSeq(s, "\x00") {
				if n, err := strconv.ParseInt(w, 10, 64); err == nil && all {
					out = append(out, n)
				} else {
					out = append(out, w)
				}
			}
			return out
		}
		p := &peers{byName: map[string]*peer{"a": {incarnation: "I", rows: map[string]string{"old": "x"}, bytes: 4}}}
		told := p.take(all, split(members), split(body))
		m := split(members)
		for name, v := range p.byName {
			listed := false
			for i := 0; i+1 < len(m); i += 2 {
				listed = listed || str(m, i) == name && str(m, i+1) == v.incarnation
			}
			if !listed || cache.CheckMember(name) != nil {
				t.Errorf("%q is no member", name)
			}
			for key, value := range v.rows {
				if cache.CheckRow(key, value, 0, 0) != nil {
					t.Errorf("%q is shown", key)
				}
			}
		}
		if kept := p.byName["a"]; (kept == nil || kept.incarnation != "I") && len(told) == 0 {
			t.Error("nobody is told that it has gone")
		}
	})
}

// FuzzParseDocument: what is read as a document is one that may be put, and says what Redis holds.
func FuzzParseDocument(f *testing.F) {
	for _, v := range []string{"1", "0", "01", "+1", "-1", "9007199254740992", "9007199254740993", "1e3", ""} {
		f.Add(v, "data")
	}
	f.Fuzz(func(t *testing.T, version, data string) {
		d := parseDocument("policy", version, data)
		if d == (cache.Document{}) {
			return
		}
		if d.Validate("policy") != nil || strconv.FormatUint(d.Version, 10) != version || d.Data != data {
			t.Errorf("%q is read as %d", version, d.Version)
		}
	})
}

func TestWhatIsNoAnswerIsNoAnswer(t *testing.T) {
	for raw, want := range map[string]result{
		"+":       {done: true},
		"+done":   {done: true, answer: "done"},
		"late":    {err: cache.ErrLate},
		"":        {err: cache.ErrUnanswered, maybe: true},
		"done":    {err: cache.ErrUnanswered, maybe: true},
		"late\n+": {err: cache.ErrUnanswered, maybe: true},
	} {
		if got := parseAnswer(raw); got != want {
			t.Errorf("%q: %+v", raw, got)
		}
	}
}

func TestWhoWasStoppedForLongerThanTheLeaseBeginsWithNothing(t *testing.T) {
	now := time.Unix(1000, 0)
	c, err := Open(Config{Addrs: []string{"127.0.0.1:1"}, Memory: cache.Options{Now: func() time.Time { return now }}})
	if err != nil {
		t.Fatal(err)
	}
	joined, err := c.Join("pbx-a")
	if err != nil {
		t.Fatal(err)
	}
	m := joined.(*member)
	m.incarnation, m.renewed, m.standing = "I", c.moment(), cache.Joined
	entry := func(id string) []any { return []any{"1-0", id, "J", "pbx-b", strconv.FormatInt(nowMS+20_000, 10), ""} }
	m.take("I", append(entry("x"), entry("y")...), nowMS, now)
	m.take("I", entry("x"), nowMS, now) // Redis gives what was not answered each time
	if cmd, err := m.Next(t.Context()); err != nil || cmd.ID != "x" {
		t.Fatalf("%v %v", cmd.ID, err)
	}
	now = now.Add(c.lease)
	moment, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if cmd, err := m.Next(moment); err == nil {
		t.Fatalf("%q was begun with after the lease", cmd.ID)
	}
	got := make(chan cache.Command, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			cmd, err := m.Next(t.Context())
			if err != nil {
				return
			}
			got <- cmd
		}
	}()
	if m.Standing() != cache.Waiting {
		t.Errorf("%v", m.Standing())
	}
	m.heard("I", false, c.moment()) // Redis has given the name away
	m.mu.Lock()
	m.incarnation = "K"
	m.mu.Unlock()
	m.heard("K", true, c.moment())
	m.take("I", entry("of the incarnation before"), nowMS, now)
	m.take("K", entry("z"), nowMS, now)
	if cmd := <-got; cmd.ID != "z" {
		t.Errorf("%q was begun with", cmd.ID)
	}
	_ = m.Leave(t.Context())
	<-ended
}
