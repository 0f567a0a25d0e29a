package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is one token as the file keeps it.
type Entry struct {
	Employee string
	Hash     string    // "sha256:…", of the token
	Label    string    // what it is for; may be empty
	Created  time.Time // zero when the file does not say
	Expires  time.Time // the first moment at which it is no longer good; zero means never
}

// Options are what OpenTokens needs beside the path. The zero value is ready for use.
type Options struct {
	Clock func() time.Time // nil means time.Now
}

// Tokens authenticates bearer tokens by the hashes in a file. It is safe for concurrent use.
type Tokens struct {
	path  string
	clock func() time.Time
	mu    sync.Mutex // one Reload at a time
	set   atomic.Pointer[tokenSet]
}

type tokenSet struct {
	entries []Entry
	byHash  map[tokenHash]Subject
	err     error // of the last reload
}

var _ Authenticator = (*Tokens)(nil)

// OpenTokens reads the tokens file at path.
func OpenTokens(path string, o Options) (*Tokens, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	t := &Tokens{path: path, clock: o.Clock}
	entries, err := readTokens(path)
	if err != nil {
		return nil, err
	}
	t.set.Store(newTokenSet(entries))
	return t, nil
}

// NewTokens returns Tokens that are not kept in a file; Reload leaves them as they are. It is for tests and for programs that keep
// their tokens elsewhere. An entry that a file could not have is an error.
func NewTokens(o Options, entries ...Entry) (*Tokens, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	var errs []error
	seen := make(map[string]bool)
	for i, e := range entries {
		if err := e.check(); err != nil {
			errs = append(errs, fmt.Errorf("auth: token %d: %w", i+1, err))
		} else if seen[e.Hash] {
			errs = append(errs, fmt.Errorf("auth: token %d: the hash stands there twice", i+1))
		}
		seen[e.Hash] = true
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	t := &Tokens{clock: o.Clock}
	t.set.Store(newTokenSet(entries))
	return t, nil
}

// Reload reads the file again. When it cannot be used, what was loaded before stays in force and the error is returned, and by Err
// until a Reload succeeds.
func (t *Tokens) Reload() error {
	if t.path == "" {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	entries, err := readTokens(t.path)
	if err != nil {
		old := *t.set.Load()
		old.err = err
		t.set.Store(&old)
		return err
	}
	t.set.Store(newTokenSet(entries))
	return nil
}

// Err returns why the last Reload failed; nil when what is in force is what the file says.
func (t *Tokens) Err() error { return t.set.Load().err }

// Entries returns what is loaded, in the file's order. The caller must not change it.
func (t *Tokens) Entries() []Entry { return t.set.Load().entries }

// Authenticate implements [Authenticator]. It does not block and ignores ctx.
func (t *Tokens) Authenticate(_ context.Context, c Credential) (Subject, error) {
	if !isToken(c.Token) {
		return Subject{}, ErrDenied
	}
	s, ok := t.set.Load().byHash[hashOf(c.Token)]
	if !ok {
		return Subject{}, ErrDenied
	}
	if t.expired(s) {
		return Subject{}, ErrExpired
	}
	return s, nil
}

// Holds implements [Authenticator].
func (t *Tokens) Holds(s Subject) bool {
	now, ok := t.set.Load().subject(s) // a later end may have been given to the same token
	return ok && !t.expired(now)
}

func (t *Tokens) expired(s Subject) bool { return s.expires != 0 && t.clock().Unix() >= s.expires }

// check reports what a tokens file would not take.
func (e Entry) check() error {
	if !isEmployee(e.Employee) {
		return errors.New("employee is not an id")
	}
	if _, ok := parseHash(e.Hash); !ok {
		return errors.New("hash is not \"sha256:\" and 64 lower-case hex digits")
	}
	if !isLabel(e.Label) {
		return errors.New("label is too long or has unprintable characters")
	}
	return nil
}

// newTokenSet takes entries that were checked.
func newTokenSet(entries []Entry) *tokenSet {
	set := &tokenSet{entries: entries, byHash: make(map[tokenHash]Subject, len(entries))}
	for _, e := range entries {
		h, _ := parseHash(e.Hash)
		s := Subject{employee: e.Employee, credential: h.name(), label: e.Label, key: h}
		if !e.Expires.IsZero() {
			s.expires = max(1, e.Expires.Unix()) // 0 would mean never
		}
		set.byHash[h] = s
	}
	return set
}

// subject returns the subject as the set knows it now.
func (set *tokenSet) subject(s Subject) (Subject, bool) {
	now, ok := set.byHash[s.key]
	return now, ok && now.employee == s.employee
}
