package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// SessionStore is where sessions are kept; a cache.Cache is one. What reads must not wait.
type SessionStore interface {
	Session(id string) (cache.Session, bool)
	AppendSessions(dst []cache.Session, owner string) []cache.Session
	PutSession(ctx context.Context, s cache.Session, ttl time.Duration) error
	DeleteSession(ctx context.Context, id string) error
	Age() time.Duration
	Status() cache.Status
}

// SessionOptions say which sessions there are. Store and Tokens are required; every other zero value takes the default that is named.
type SessionOptions struct {
	Store  SessionStore
	Tokens *Tokens
	JWT    *JWT // none

	TTL    time.Duration // of a session for which none is asked; 1 h
	MaxTTL time.Duration // at most; 12 h
	// MaxStale is how old what the store knows may be: with a shared store that is away, sessions hold for so long; 5 min.
	MaxStale time.Duration

	// Known reports whether there is an employee of this id; the session of another does not hold. It is called from several goroutines
	// and must not block. nil means that everybody is known.
	Known func(employee string) bool
	Clock func() time.Time // nil means time.Now
}

// maxSessions is how many sessions one employee may have at a time, so that nobody fills the store for all.
const maxSessions = 100

// storeTime bounds how long making and ending a session waits for a shared store.
const storeTime = 5 * time.Second

var (
	// ErrSession is returned to a session that wants to make or end others.
	ErrSession = errors.New("auth: a session makes no session and ends none but itself")
	// ErrNoSession is returned where a credential that is no session is to be ended as one.
	ErrNoSession = errors.New("auth: the credential is no session")
	// ErrTooManySessions means that the employee has as many as he may.
	ErrTooManySessions = errors.New("auth: too many sessions")
	// ErrStore means that the store of sessions is away or full. Where one was to be made, there is none; where one was to be ended, it has
	// ended here, and others who share the store are told as soon as that is possible.
	ErrStore = errors.New("auth: the store of sessions did not take it")
)

// errUnverified is returned for a session that may have ended elsewhere. It is not an ErrDenied: the session may be good.
var errUnverified = errors.New("auth: what is known of sessions is too old")

// Sessions are short-lived credentials for one employee each, made by whoever has another one. They hold while they are in the store and
// the credential that made them still holds. Safe for concurrent use.
type Sessions struct{ o SessionOptions }

var _ Authenticator = (*Sessions)(nil)

// NewSessions makes Sessions.
func NewSessions(o SessionOptions) *Sessions {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&o.TTL, time.Hour}, {&o.MaxTTL, 12 * time.Hour}, {&o.MaxStale, 5 * time.Minute}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	if o.Known == nil {
		o.Known = func(string) bool { return true }
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Sessions{o}
}

// Session is a session that was just made. It prints redacted.
type Session struct {
	Token    string // the credential; it is shown once and stored nowhere
	Employee string
	Expires  time.Time // whole seconds; it ends sooner when what made it does
}

// String hides the token.
func (Session) String() string { return "[session]" }

// GoString hides the token.
func (Session) GoString() string { return "[session]" }

// Make makes a session for the employee that a token or a JSON web token has proven. A ttl of 0 or less is the default; the session lives no
// longer than MaxTTL, nor than the credential that makes it. It waits for a shared store, but not for long. Errors: ErrSession, ErrTooManySessions,
// ErrStore, and ErrDenied when the credential does not hold any more.
func (s *Sessions) Make(ctx context.Context, by Subject, ttl time.Duration) (Session, error) {
	if by.session {
		return Session{}, ErrSession
	}
	now := s.o.Clock()
	if ttl <= 0 {
		ttl = s.o.TTL
	}
	end := now.Add(min(ttl, s.o.MaxTTL))
	if end.Nanosecond() > 0 {
		end = end.Truncate(time.Second).Add(time.Second)
	}
	r := record{by: by.credential, until: end.Unix()}
	if !s.o.Known(by.employee) {
		return Session{}, ErrDenied
	}
	token, hash := newSession()
	id := sessionID(hash)
	switch {
	case s.o.Tokens.Holds(by):
		as, _ := s.o.Tokens.now(by)
		r.kind, r.until = byToken, earlier(r.until, as.expires)
		r.prove(id, by.employee, by.key)
	case s.o.JWT != nil && s.o.JWT.Holds(by):
		r.kind, r.until, r.key, r.ends = byJWT, earlier(r.until, by.expires), by.key, by.expires
	default:
		return Session{}, ErrDenied
	}
	if s.count(by.employee) >= maxSessions {
		return Session{}, ErrTooManySessions
	}
	expires := time.Unix(r.until, 0).UTC()
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	err := s.o.Store.PutSession(ctx, cache.Session{ID: id, Owner: by.employee, Value: r.String()}, max(expires.Sub(now), time.Millisecond))
	if err != nil {
		if failed := (*cache.WriteError)(nil); errors.As(err, &failed) && failed.MayBeDone {
			cancel() // it is not waited for: the store is told when it can be
			_ = s.o.Store.DeleteSession(ctx, id)
		}
		return Session{}, fmt.Errorf("%w: %w", ErrStore, err)
	}
	return Session{Token: token, Employee: by.employee, Expires: expires}, nil
}

// earlier is the earlier of two ends, of which the second may be 0 for never.
func earlier(end, other int64) int64 {
	if other != 0 && other < end {
		return other
	}
	return end
}

// count is how many sessions of an employee hold.
func (s *Sessions) count(employee string) int {
	n := 0
	for _, v := range s.o.Store.AppendSessions(nil, employee) {
		if _, ok := s.subject(v); ok {
			n++
		}
	}
	return n
}

// End ends the session that has proven who asks. Errors: ErrNoSession, ErrStore.
func (s *Sessions) End(ctx context.Context, who Subject) error {
	if !who.session {
		return ErrNoSession
	}
	return s.end(ctx, sessionID(who.key))
}

// EndAll ends all sessions of the employee that were made by the credential which has proven him. Errors: ErrSession; ErrStore too when the
// store is shared and away, since there may be others then that are not known here.
func (s *Sessions) EndAll(ctx context.Context, by Subject) error {
	if by.session {
		return ErrSession
	}
	var ids []string
	for _, v := range s.o.Store.AppendSessions(nil, by.employee) {
		if r, ok := parseRecord(v.Value); ok && r.by == by.credential {
			ids = append(ids, v.ID)
		}
	}
	if err := s.end(ctx, ids...); err != nil {
		return err
	}
	if st := s.o.Store.Status(); st.State == cache.Away || st.Pending > 0 {
		return fmt.Errorf("%w: %w", ErrStore, cache.ErrAway)
	}
	return nil
}

// end ends sessions, here at once. When the store does not take one, the others are not waited for.
func (s *Sessions) end(ctx context.Context, ids ...string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	var failed error
	for _, id := range ids {
		if err := s.o.Store.DeleteSession(ctx, id); err != nil && failed == nil {
			failed = fmt.Errorf("%w: %w", ErrStore, err)
			cancel()
		}
	}
	return failed
}

// Authenticate implements [Authenticator]. It does not block and ignores ctx.
func (s *Sessions) Authenticate(_ context.Context, c Credential) (Subject, error) {
	// Nobody is named beside a session, which is one employee's.
	if c.Employee != "" || !isSession(c.Token) {
		return Subject{}, ErrDenied
	}
	v, ok := s.o.Store.Session(sessionID(hashOf(c.Token)))
	if !ok {
		return Subject{}, ErrDenied
	}
	who, ok := s.subject(v)
	switch {
	case !ok:
		return Subject{}, ErrDenied
	case s.expired(who):
		return Subject{}, ErrExpired
	case s.stale():
		return Subject{}, errUnverified
	}
	return who, nil
}

// Holds implements [Authenticator].
func (s *Sessions) Holds(who Subject) bool {
	if !who.session {
		return false
	}
	v, ok := s.o.Store.Session(sessionID(who.key))
	if !ok {
		return false
	}
	now, ok := s.subject(v)
	return ok && now.employee == who.employee && now.credential == who.credential && !s.expired(now) && !s.stale()
}

func (s *Sessions) expired(who Subject) bool { return s.o.Clock().Unix() >= who.expires }

func (s *Sessions) stale() bool { return s.o.Store.Age() > s.o.MaxStale }

// subject is whom a session of the store proves until it expires: the employee is there, and the credential that made it is there and may
// still be used for him.
func (s *Sessions) subject(v cache.Session) (Subject, bool) {
	hash, ok := parseHash(hashPrefix + v.ID)
	if !ok {
		return Subject{}, false
	}
	r, ok := parseRecord(v.Value)
	if !ok || !s.o.Known(v.Owner) {
		return Subject{}, false
	}
	by, ok := s.maker(v, r)
	if !ok {
		return Subject{}, false
	}
	return Subject{
		employee: v.Owner, panel: by.panel, credential: sessionName(hash, r.by), label: by.label,
		expires: earlier(r.until, by.expires), key: hash, session: true,
	}, true
}

// maker is whom the credential that made a session proves until it expires.
func (s *Sessions) maker(v cache.Session, r record) (Subject, bool) {
	switch r.kind {
	case byToken:
		by, ok := s.o.Tokens.set.Load().named(r.by, v.Owner)
		return by, ok && r.proven(v.ID, v.Owner, by.key)
	case byJWT:
		by := Subject{employee: v.Owner, credential: r.by, expires: r.ends, key: r.key}
		return by, s.o.JWT != nil && s.o.JWT.Holds(by)
	}
	return Subject{}, false
}
