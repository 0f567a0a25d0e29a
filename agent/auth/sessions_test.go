package auth_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/golang-jwt/jwt/v5"
)

// lobby is a house where sessions are made: anna's token, the token of the panel crm for anna and boris, and an issuer of JSON web tokens.
type lobby struct {
	t        *testing.T
	clock    *clock
	file     string
	anna     string
	crm      string
	issuer   *issuer
	tokens   *auth.Tokens
	jwt      *auth.JWT
	store    *cache.Memory
	people   map[string]bool
	sessions *auth.Sessions
	chain    auth.Chain
}

func newLobby(t *testing.T, changes ...func(*auth.SessionOptions)) *lobby {
	t.Helper()
	l := &lobby{t: t, clock: newClock(), file: filepath.Join(t.TempDir(), "tokens.yaml"), people: map[string]bool{"anna": true, "boris": true, "carl": true}}
	l.anna, _ = auth.NewToken()
	l.crm, _ = auth.NewToken()
	known := func(id string) bool { return l.people[id] }
	mustPut(t, l.file, l.annas()+l.crms("[anna, boris]"))
	l.tokens = mustOpen(t, l.file, auth.Options{Clock: l.clock.now, Known: known})
	l.issuer = newIssuer(t, jwkOf("e", edKey()))
	settings := l.issuer.settings(l.clock)
	settings.Leeway = 0
	l.jwt = mustJWT(t, settings)
	l.store = cache.NewMemory(cache.Options{Now: l.clock.now})
	o := auth.SessionOptions{Store: l.store, Tokens: l.tokens, JWT: l.jwt, Known: known, Clock: l.clock.now}
	for _, c := range changes {
		c(&o)
	}
	l.sessions = auth.NewSessions(o)
	l.chain = auth.Chain{l.tokens, l.sessions, l.jwt}
	return l
}

func (l *lobby) annas() string { return line("anna", auth.Hash(l.anna)) }

func (l *lobby) crms(actsFor string) string {
	return fmt.Sprintf("- {panel: crm, acts_for: %s, hash: %q}\n", actsFor, auth.Hash(l.crm))
}

func (l *lobby) reload(text string) {
	l.t.Helper()
	if text == "" {
		text = "[]\n"
	}
	mustPut(l.t, l.file, text)
	if err := l.tokens.Reload(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lobby) jwtOf(who string) string {
	return sign(l.t, jwt.SigningMethodEdDSA, edKey(), "e", claims(map[string]any{"sub": who}))
}

// is who a credential proves; it must prove somebody.
func (l *lobby) is(token, employee string) auth.Subject {
	l.t.Helper()
	s, err := l.chain.Authenticate(l.t.Context(), auth.Credential{Token: token, Employee: employee})
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

func (l *lobby) make(by auth.Subject, ttl time.Duration) auth.Session {
	l.t.Helper()
	s, err := l.sessions.Make(l.t.Context(), by, ttl)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// lets reports whether a session lets its employee in, and holds; both must agree.
func (l *lobby) lets(token string, before auth.Subject) bool {
	l.t.Helper()
	s, err := l.chain.Authenticate(l.t.Context(), auth.Credential{Token: token})
	if in := err == nil; in != l.chain.Holds(before) {
		l.t.Errorf("let in: %v, and who was let in before may stay: %v", err, !in)
	}
	if err != nil && (!errors.Is(err, auth.ErrDenied) || s.Known()) {
		l.t.Errorf("%v, %v", s, err)
	}
	return err == nil
}

func TestASessionIsItsEmployeesAndNamesWhatMadeIt(t *testing.T) {
	l := newLobby(t)
	for name, by := range map[string]auth.Subject{"a token": l.is(l.anna, ""), "a panel": l.is(l.crm, "boris"), "a JSON web token": l.is(l.jwtOf("carl"), "")} {
		made := l.make(by, 0)
		s := l.is(made.Token, "")
		if s.Employee() != by.Employee() || made.Employee != by.Employee() || s.Panel() != by.Panel() || !s.Session() || by.Session() || !l.chain.Holds(s) {
			t.Errorf("%s: %v from %v", name, s, by)
		}
		if !regexp.MustCompile(`^ears_[-_A-Za-z0-9]{43}$`).MatchString(made.Token) || strings.Contains(fmt.Sprintf("%v %+v %#v", made, made, made), "ears_") {
			t.Errorf("%s: a session in another form, or it is printed", name)
		}
		if want := "session:" + auth.Hash(made.Token)[7:15] + ":" + by.Credential(); s.Credential() != want {
			t.Errorf("%s: it is called %s, not %s", name, s.Credential(), want)
		}
		if !s.Expires().Equal(start.Add(time.Hour)) || !made.Expires.Equal(s.Expires()) {
			t.Errorf("%s: it ends at %v and tells %v", name, s.Expires(), made.Expires)
		}
		// A session names nobody, and neither the tokens nor the issuer know it.
		for _, as := range []string{by.Employee(), "anna", "carl"} {
			if s, err := l.chain.Authenticate(t.Context(), auth.Credential{Token: made.Token, Employee: as}); err != auth.ErrDenied || s.Known() {
				t.Errorf("%s, beside %s: %v, %v", name, as, s, err)
			}
		}
		if l.tokens.Holds(s) || l.jwt.Holds(s) || l.sessions.Holds(by) {
			t.Errorf("%s: one authenticator answers for another's", name)
		}
		// Not even when somebody takes its hash for a token's.
		l.reload(l.annas() + l.crms("[anna, boris]") + line(by.Employee(), auth.Hash(made.Token)))
		if l.tokens.Holds(s) || !l.sessions.Holds(s) {
			t.Errorf("%s: the tokens take it for one of theirs", name)
		}
		// The store has the session under its hash and no credential, nor what could prove one.
		stored, ok := l.store.Session(strings.TrimPrefix(auth.Hash(made.Token), "sha256:"))
		if !ok || stored.Owner != by.Employee() {
			t.Fatalf("%s: it is not in the store", name)
		}
		for _, secret := range []string{made.Token, l.anna, l.crm, auth.Hash(l.anna)[7:], auth.Hash(l.crm)[7:], l.jwtOf("carl")} {
			if strings.Contains(stored.ID+stored.Owner+stored.Value, secret) {
				t.Errorf("%s: the store has a secret", name)
			}
		}
	}
}

func TestASessionLastsAsLongAsItMay(t *testing.T) {
	l := newLobby(t, func(o *auth.SessionOptions) { o.TTL, o.MaxTTL = 10*time.Minute, 30*time.Minute })
	l.reload(l.annas() + fmt.Sprintf("- {panel: crm, acts_for: everyone, hash: %q, expires: %s}\n", auth.Hash(l.crm), start.Add(20*time.Minute).Format(time.RFC3339)))
	for name, tc := range map[string]struct {
		by   auth.Subject
		ttl  time.Duration
		want time.Duration
	}{
		"none asked":           {l.is(l.anna, ""), 0, 10 * time.Minute},
		"less":                 {l.is(l.anna, ""), time.Second, time.Second},
		"a part of a second":   {l.is(l.anna, ""), 1500 * time.Millisecond, 2 * time.Second},
		"too much":             {l.is(l.anna, ""), 31 * time.Minute, 30 * time.Minute},
		"more than the panel":  {l.is(l.crm, "boris"), 25 * time.Minute, 20 * time.Minute},
		"more than the JWT":    {l.is(sign(t, jwt.SigningMethodEdDSA, edKey(), "e", claims(map[string]any{"exp": start.Add(90 * time.Second).Unix()})), ""), 5 * time.Minute, 90 * time.Second},
		"more than everything": {l.is(l.anna, ""), 1 << 62, 30 * time.Minute},
	} {
		made := l.make(tc.by, tc.ttl)
		s := l.is(made.Token, "")
		if got := s.Expires().Sub(start); got != tc.want || !made.Expires.Equal(s.Expires()) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	made := l.make(l.is(l.anna, ""), time.Minute)
	s := l.is(made.Token, "")
	l.clock.forward(59 * time.Second)
	if !l.lets(made.Token, s) {
		t.Error("it ends before its time")
	}
	l.clock.forward(time.Second)
	if l.lets(made.Token, s) {
		t.Error("it outlives its time")
	}
}

// What holds before, made by the same hand, does not hold after.
func TestASessionEndsWithWhatMadeIt(t *testing.T) {
	for name, tc := range map[string]struct {
		by    func(*lobby) auth.Subject
		after func(*lobby)
		stays bool
	}{
		"the token is as before": {annas, func(l *lobby) { l.reload(l.crms("everyone") + l.annas()) }, true},
		"the token is gone":      {annas, func(l *lobby) { l.reload(l.crms("everyone")) }, false},
		"the token is another's": {annas, func(l *lobby) { l.reload(line("boris", auth.Hash(l.anna))) }, false},
		"the token is a panel's": {annas, func(l *lobby) {
			l.reload(fmt.Sprintf("- {panel: crm, acts_for: everyone, hash: %q}\n", auth.Hash(l.anna)))
		}, false},
		"the token has ended": {annas, func(l *lobby) {
			l.reload(fmt.Sprintf("- {employee: anna, hash: %q, expires: 2020-01-01}\n", auth.Hash(l.anna)))
		}, false},
		"the employee is gone":             {annas, func(l *lobby) { delete(l.people, "anna") }, false},
		"the panel acts for her":           {crmsAnna, func(l *lobby) { l.reload(l.crms("[anna]")) }, true},
		"the panel acts for her no more":   {crmsAnna, func(l *lobby) { l.reload(l.annas() + l.crms("[boris]")) }, false},
		"the panel has another name":       {crmsAnna, func(l *lobby) { l.reload(strings.ReplaceAll(l.crms("everyone"), "crm", "wall")) }, false},
		"the panel is gone":                {crmsAnna, func(l *lobby) { l.reload("") }, false},
		"the panel's employee is gone":     {crmsAnna, func(l *lobby) { delete(l.people, "anna") }, false},
		"another employee is gone":         {crmsAnna, func(l *lobby) { delete(l.people, "boris") }, true},
		"the JWT's key is there":           {jwts, func(l *lobby) { l.reload(""); l.keys(jwkOf("r", rsaKey()), jwkOf("e", edKey())) }, true},
		"the JWT's key is withdrawn":       {jwts, func(l *lobby) { l.keys(jwkOf("r", rsaKey())) }, false},
		"the JWT's time is not over":       {jwts, func(l *lobby) { l.clock.forward(time.Hour - time.Second) }, true},
		"the JWT's time is over":           {jwts, func(l *lobby) { l.clock.forward(time.Hour) }, false},
		"it was ended":                     {annas, func(l *lobby) { l.end("anna") }, false},
		"another's was ended":              {annas, func(l *lobby) { l.end("boris") }, true},
		"all of this credential are ended": {annas, func(l *lobby) { l.all(annas) }, false},
		"all of the panel's are ended":     {annas, func(l *lobby) { l.all(crmsAnna) }, true},
		"all of her token's are ended":     {crmsAnna, func(l *lobby) { l.all(annas) }, true},
		"the panel's for her are ended":    {crmsAnna, func(l *lobby) { l.all(crmsAnna) }, false},
		"the panel's for him are ended": {crmsAnna, func(l *lobby) {
			l.all(func(l *lobby) auth.Subject { return l.is(l.crm, "boris") })
		}, true},
		"the store has lost it": {annas, func(l *lobby) {
			for _, id := range l.store.AppendSessionIDs(nil) {
				_ = l.store.DeleteSession(t.Context(), id) // it does not fail
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLobby(t)
			by := tc.by(l)
			made := l.make(by, 12*time.Hour)
			s := l.is(made.Token, "")
			tc.after(l)
			if got := l.lets(made.Token, s); got != tc.stays {
				t.Errorf("it lets in: %v", got)
			}
		})
	}
}

func annas(l *lobby) auth.Subject    { return l.is(l.anna, "") }
func crmsAnna(l *lobby) auth.Subject { return l.is(l.crm, "anna") }
func jwts(l *lobby) auth.Subject     { return l.is(l.jwtOf("carl"), "") }

func (l *lobby) keys(keys ...map[string]any) {
	l.t.Helper()
	l.issuer.publish(setOf(keys...))
	if err := l.jwt.Reload(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
}

// end ends an employee's sessions as he himself, or makes one and ends that.
func (l *lobby) end(employee string) {
	l.t.Helper()
	if employee != "anna" {
		l.make(l.is(l.crm, employee), 0)
	}
	for _, v := range l.store.AppendSessions(nil, employee) {
		if err := l.store.DeleteSession(l.t.Context(), v.ID); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *lobby) all(by func(*lobby) auth.Subject) {
	l.t.Helper()
	if err := l.sessions.EndAll(l.t.Context(), by(l)); err != nil {
		l.t.Fatal(err)
	}
}

func TestASessionEndsItselfAndNothingElse(t *testing.T) {
	l := newLobby(t)
	by := l.is(l.anna, "")
	one, two := l.make(by, 0), l.make(by, 0)
	s, other := l.is(one.Token, ""), l.is(two.Token, "")
	if made, err := l.sessions.Make(t.Context(), s, 0); !errors.Is(err, auth.ErrSession) || made != (auth.Session{}) {
		t.Errorf("a session made another: %v", err)
	}
	if err := l.sessions.EndAll(t.Context(), s); !errors.Is(err, auth.ErrSession) || !l.lets(two.Token, other) {
		t.Errorf("a session ended others: %v", err)
	}
	if err := l.sessions.End(t.Context(), by); !errors.Is(err, auth.ErrNoSession) || !l.lets(one.Token, s) || !l.chain.Holds(by) {
		t.Errorf("a token was ended as a session: %v", err)
	}
	if err := l.sessions.End(t.Context(), s); err != nil || l.lets(one.Token, s) || !l.lets(two.Token, other) {
		t.Errorf("it did not end, or another did: %v", err)
	}
	if err := l.store.PutSession(t.Context(), cache.Session{ID: auth.Hash(one.Token)[7:], Owner: "anna"}, time.Hour); !errors.Is(err, cache.ErrDeleted) {
		t.Errorf("it can be put again: %v", err)
	}
	// Who is nobody, and who was somebody, make none.
	l.reload("")
	for _, nobody := range []auth.Subject{{}, by} {
		if _, err := l.sessions.Make(t.Context(), nobody, 0); !errors.Is(err, auth.ErrDenied) {
			t.Errorf("%v made a session: %v", nobody, err)
		}
	}
	stranger := newLobby(t)
	delete(stranger.people, "anna")
	if _, err := stranger.sessions.Make(t.Context(), stranger.is(stranger.anna, ""), 0); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("one whom the policy does not have made a session: %v", err)
	}
}

// A clock that is set back does not lengthen a session: the store has how long it lasts, and counts that as time goes by.
func TestASessionIsNotLengthenedByAClockThatIsSetBack(t *testing.T) {
	passing := newClock() // as time goes by, however the clock is set
	l := newLobby(t, func(o *auth.SessionOptions) { o.Store = cache.NewMemory(cache.Options{Now: passing.now}) })
	made := l.make(l.is(l.anna, ""), 10*time.Minute)
	s := l.is(made.Token, "")
	l.clock.forward(-3 * time.Hour)
	if !l.lets(made.Token, s) {
		t.Error("it has ended")
	}
	passing.forward(10*time.Minute - time.Second)
	if !l.lets(made.Token, s) {
		t.Error("it has ended before its time")
	}
	passing.forward(time.Second)
	if l.lets(made.Token, s) {
		t.Error("it outlives its time")
	}
}
