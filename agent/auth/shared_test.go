package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redis"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

// quick is how long a read may take that waits for nobody: less than the time-out of 300 ms, and enough on a machine that others use too.
// writeTime is how long a write may take that is bounded by it.
const quick, writeTime = 250 * time.Millisecond, 2 * time.Second

// sidecar is one of several that have the same tokens and the same Redis.
type sidecar struct {
	t     *testing.T
	cache *redis.Cache
	auth.Chain
	sessions *auth.Sessions
}

func (l *lobby) sidecar(s *redistest.Server, more string) *sidecar {
	l.t.Helper()
	cfg, err := redis.Parse("redis://"+s.Addr+"?poll=50ms&timeout=300ms"+more, "")
	if err != nil {
		l.t.Fatal(err)
	}
	c, err := redis.Open(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
	sessions := auth.NewSessions(auth.SessionOptions{Store: c, Tokens: l.tokens, JWT: l.jwt, Clock: l.clock.now, MaxStale: time.Minute})
	side := &sidecar{t: l.t, cache: c, Chain: auth.Chain{l.tokens, l.jwt, sessions}, sessions: sessions}
	side.comes("the Redis", func() bool { return c.Status().State == cache.Up })
	return side
}

// comes waits until something holds, woken by what the cache tells and, for what it tells nobody, now and then.
func (s *sidecar) comes(what string, holds func() bool) {
	s.t.Helper()
	w := s.cache.Watch()
	defer w.Close()
	limit, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	for !holds() {
		now, stop := context.WithTimeout(limit, 10*time.Millisecond)
		_, _ = w.Next(now)
		stop()
		if limit.Err() != nil {
			s.t.Fatalf("%s does not come: %+v", what, s.cache.Status())
		}
	}
}

func (s *sidecar) away() {
	s.comes("the absence", func() bool { return s.cache.Status().State == cache.Away })
}

// lets reports whether a session lets in, and that it took no time.
func (s *sidecar) lets(token string) bool {
	s.t.Helper()
	begun := time.Now()
	who, err := s.Authenticate(s.t.Context(), auth.Credential{Token: token})
	if err == nil && !s.Holds(who) { // its end came between the two, unless they contradict each other
		if again, err := s.Authenticate(s.t.Context(), auth.Credential{Token: token}); err == nil {
			s.t.Errorf("%v is let in and does not hold", again)
		}
		who, err = auth.Subject{}, auth.ErrDenied
	}
	if in := err == nil; in != who.Known() {
		s.t.Errorf("%v, %v", who, err)
	}
	if took := time.Since(begun); took > quick {
		s.t.Errorf("reading took %v", took)
	}
	return err == nil
}

func (s *sidecar) make(by auth.Subject) string {
	s.t.Helper()
	made, err := s.sessions.Make(s.t.Context(), by, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return made.Token
}

// refuses holds that no session is made, and that this is said soon.
func (s *sidecar) refuses(by auth.Subject) {
	s.t.Helper()
	begun := time.Now()
	made, err := s.sessions.Make(s.t.Context(), by, 0)
	if !errors.Is(err, auth.ErrStore) || made != (auth.Session{}) {
		s.t.Errorf("a session was made without the Redis: %v", err)
	}
	if took := time.Since(begun); took > writeTime {
		s.t.Errorf("it was refused after %v", took)
	}
}

func TestASessionOfOneSidecarLetsInAtTheOther(t *testing.T) {
	s := redistest.Start(t)
	l := newLobby(t)
	a, b := l.sidecar(s, ""), l.sidecar(s, "")
	for name, by := range map[string]auth.Subject{"a token": l.is(l.anna, ""), "a panel": l.is(l.crm, "boris"), "a JSON web token": l.is(l.jwtOf("carl"), "")} {
		token := a.make(by)
		if !a.lets(token) {
			t.Fatalf("%s: not where it was made", name)
		}
		b.comes("the session", func() bool { return b.lets(token) })
		who, err := b.Authenticate(t.Context(), auth.Credential{Token: token})
		if err != nil || who.Employee() != by.Employee() || who.Panel() != by.Panel() {
			t.Errorf("%s: at the other it is %v, %v", name, who, err)
		}
		if err := b.sessions.End(t.Context(), who); err != nil || b.lets(token) {
			t.Errorf("%s: it was not ended: %v", name, err)
		}
		a.comes("the end of the session", func() bool { return !a.lets(token) })
	}
	one, two := a.make(l.is(l.crm, "anna")), b.make(l.is(l.crm, "anna"))
	other := a.make(l.is(l.crm, "boris"))
	a.comes("the other's session", func() bool { return a.lets(two) })
	if err := a.sessions.EndAll(t.Context(), l.is(l.crm, "anna")); err != nil {
		t.Fatal(err)
	}
	b.comes("the end of both", func() bool { return !b.lets(one) && !b.lets(two) })
	if !a.lets(other) || !b.lets(other) {
		t.Error("the panel's session for another employee has ended")
	}
}

func TestAKilledRedisTakesSessionsWithItAndBringsNoneBack(t *testing.T) {
	s := redistest.Start(t)
	l := newLobby(t)
	a, b := l.sidecar(s, ""), l.sidecar(s, "")
	by := l.is(l.anna, "")
	kept, ended := a.make(by), a.make(by)
	b.comes("the sessions", func() bool { return b.lets(kept) && b.lets(ended) })
	s.Kill()
	a.away()
	b.away()
	if !a.lets(kept) || !b.lets(kept) {
		t.Error("what is known does not hold")
	}
	a.refuses(by)
	who, err := a.Authenticate(t.Context(), auth.Credential{Token: ended})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.sessions.End(t.Context(), who); !errors.Is(err, auth.ErrStore) || a.lets(ended) || a.Holds(who) {
		t.Errorf("it was not ended here, or nothing says that the others were not told: %v", err)
	}
	if err := a.sessions.EndAll(t.Context(), l.is(l.crm, "anna")); !errors.Is(err, auth.ErrStore) {
		t.Errorf("all are said to have ended: %v", err)
	}
	s.Run() // empty
	a.comes("the Redis", func() bool { return a.cache.Status().State == cache.Up && a.cache.Status().Replaced == 1 })
	b.comes("the Redis", func() bool { return b.cache.Status().State == cache.Up && b.cache.Status().Replaced == 1 })
	for name, token := range map[string]string{"the one that was ended": ended, "the one that the Redis has lost": kept} {
		if a.lets(token) || b.lets(token) {
			t.Errorf("%s lets in", name)
		}
	}
	token := b.make(by)
	a.comes("a new session", func() bool { return a.lets(token) })
}

func TestAPausedRedisHoldsUpNobody(t *testing.T) {
	s := redistest.Start(t)
	l := newLobby(t)
	a, b := l.sidecar(s, ""), l.sidecar(s, "")
	by := l.is(l.anna, "")
	kept, ended, last := a.make(by), a.make(by), ""
	for range 20 {
		last = a.make(l.is(l.crm, "boris"))
	}
	b.comes("the sessions", func() bool { return b.lets(kept) && b.lets(ended) && b.lets(last) })
	s.Pause()
	t.Cleanup(s.Resume)
	a.refuses(by) // before the pause is noticed; the order is in the Redis, which carries it out when it goes on
	begun := time.Now()
	for range 1000 {
		if !a.lets(kept) || !b.lets(kept) {
			t.Fatal("what is known does not hold")
		}
		if a.lets("ears_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") {
			t.Fatal("what is not known lets in")
		}
	}
	t.Logf("3000 reads under a paused Redis took %v", time.Since(begun))
	a.away()
	a.refuses(by)
	who, err := a.Authenticate(t.Context(), auth.Credential{Token: ended})
	if err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	if err := a.sessions.End(t.Context(), who); !errors.Is(err, auth.ErrStore) || a.lets(ended) {
		t.Errorf("it was not ended here: %v", err)
	}
	if err := a.sessions.EndAll(t.Context(), l.is(l.crm, "boris")); !errors.Is(err, auth.ErrStore) || a.lets(last) {
		t.Errorf("they were not ended here: %v", err)
	}
	took := time.Since(begun)
	t.Logf("ending one session, and then twenty, under a paused Redis took %v", took)
	if took > 2*writeTime { // one by one they would take 6 s
		t.Errorf("each end was waited for: %v", took)
	}
	if !a.lets(kept) || !b.lets(kept) {
		t.Error("what was not ended has ended")
	}
	s.Resume()
	for _, side := range []*sidecar{a, b} {
		side.comes("the end of what was ended meanwhile", func() bool {
			st := side.cache.Status()
			return st.State == cache.Up && st.Pending == 0 && !side.lets(ended) && !side.lets(last)
		})
		if !side.lets(kept) {
			t.Error("what was not ended has ended with the pause")
		}
		// Of the sessions that were refused while their order was on its way none is left to fill the store.
		side.comes("the end of what was refused", func() bool { return len(side.cache.AppendSessions(nil, "anna")) == 1 })
	}
}

func TestAnEmptiedRedisEndsSessions(t *testing.T) {
	s := redistest.Start(t)
	l := newLobby(t)
	a := l.sidecar(s, "")
	by := l.is(l.anna, "")
	token := a.make(by)
	who, err := a.Authenticate(t.Context(), auth.Credential{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	s.Do("FLUSHALL")
	a.comes("the end of the session", func() bool { return !a.lets(token) })
	if a.Holds(who) || !a.Holds(by) {
		t.Errorf("the session holds: %v; what made it holds: %v", a.Holds(who), a.Holds(by))
	}
	a.comes("the Redis", func() bool { return a.cache.Status().Replaced == 1 })
	if again := a.make(by); !a.lets(again) || a.lets(token) {
		t.Error("no new session lets in, or the old one does")
	}
}
