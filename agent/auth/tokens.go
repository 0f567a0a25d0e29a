package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Everyone stands in ActsFor for all employees.
const Everyone = "everyone"

// Entry is one token as the file keeps it: an employee's, or a panel's, which names the employee with each request.
type Entry struct {
	Employee string    // whom it proves; empty for a panel's
	Panel    string    // the panel whose back end holds it; empty for an employee's
	ActsFor  []string  // whom the panel may name: ids, or Everyone alone; never empty for a panel
	Hash     string    // "sha256:…", of the token
	Label    string    // what it is for; may be empty
	Created  time.Time // zero when the file does not say
	Expires  time.Time // the first moment at which it is no longer good; zero means never
}

// Options are what OpenTokens needs beside the path. The zero value is ready for use.
type Options struct {
	Clock func() time.Time // nil means time.Now
	// Known reports whether there is an employee of this id, so that a panel which names one who does not exist is denied like one
	// that names whom it may not. It is called from several goroutines and must not block. nil means that whoever is named is known.
	Known func(employee string) bool
	// Panel reports whether the policy has a panel of this name: as that the panel whose token is called so may name itself. An employee's token of
	// such an id is denied. It is called as Known is; nil means that there are none.
	Panel func(name string) bool
}

// Tokens authenticates bearer tokens by the hashes in a file. It is safe for concurrent use.
type Tokens struct {
	path  string
	clock func() time.Time
	known func(employee string) bool
	panel func(name string) bool
	mu    sync.Mutex // one Reload at a time
	set   atomic.Pointer[tokenSet]
}

type tokenSet struct {
	entries []Entry
	byHash  map[tokenHash]holder
	byName  map[string]tokenHash // by what a credential is called in logs
	err     error                // of the last reload
}

// holder is whom a token lets in.
type holder struct {
	subject  Subject // for a panel's token still without the employee
	actsFor  map[string]bool
	everyone bool
}

// as returns the subject when named is whom the credential names, if anybody. An ordinary token names nobody, since it is its employee's
// whatever is said beside it, and who says something else is mistaken or lies; a panel's has to name one whom it may.
func (h holder) as(named string) (Subject, bool) {
	if h.subject.panel == "" {
		return h.subject, named == ""
	}
	if !isEmployee(named) || !h.everyone && !h.actsFor[named] {
		return Subject{}, false
	}
	s := h.subject
	s.employee = named
	return s, true
}

var _ Authenticator = (*Tokens)(nil)

// OpenTokens reads the tokens file at path.
func OpenTokens(path string, o Options) (*Tokens, error) {
	t := newTokens(o)
	t.path = path
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
	t := newTokens(o)
	t.set.Store(newTokenSet(entries))
	return t, nil
}

func newTokens(o Options) *Tokens {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Known == nil {
		o.Known = func(string) bool { return true }
	}
	if o.Panel == nil {
		o.Panel = func(string) bool { return false }
	}
	return &Tokens{clock: o.Clock, known: o.Known, panel: o.Panel}
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
	h, ok := t.set.Load().byHash[hashOf(c.Token)]
	if !ok {
		return Subject{}, ErrDenied
	}
	switch {
	case h.subject.panel == "" || c.Employee != "":
	case t.expired(h.subject):
		return Subject{}, ErrExpired
	default:
		return Subject{}, ErrUnnamed
	}
	s, ok := t.as(h, c.Employee)
	if !ok || s.panel != "" && !t.panel(s.employee) && !t.known(s.employee) {
		return Subject{}, ErrDenied
	}
	if t.expired(s) {
		return Subject{}, ErrExpired
	}
	return s, nil
}

// Panel returns the name of the panel whose token this is, as long as the token is good. It proves no employee; it is for a door at which a panel's
// back end proves itself once, and names the employee later.
func (t *Tokens) Panel(token string) (name string, ok bool) {
	if !isToken(token) {
		return "", false
	}
	h, ok := t.set.Load().byHash[hashOf(token)]
	if !ok || h.subject.panel == "" || t.expired(h.subject) {
		return "", false
	}
	return h.subject.panel, true
}

// Holds implements [Authenticator].
func (t *Tokens) Holds(s Subject) bool {
	now, ok := t.now(s)
	return ok && !t.expired(now)
}

// as returns the subject when named is whom the credential names, by the policy in force too: what that has as a panel is nobody's but the panel's own.
func (t *Tokens) as(h holder, named string) (Subject, bool) {
	who := named
	if h.subject.panel == "" {
		who = h.subject.employee
	}
	switch s := h.subject; {
	case !t.panel(who):
		return h.as(named)
	case s.panel == who:
		s.employee = who
		return s, true
	default:
		return Subject{}, false
	}
}

func (t *Tokens) expired(s Subject) bool { return s.expires != 0 && t.clock().Unix() >= s.expires }

// check reports what a tokens file would not take.
func (e Entry) check() error {
	switch {
	case e.Panel == "" && !isEmployee(e.Employee):
		return errors.New("employee is not an id")
	case e.Panel == "" && len(e.ActsFor) > 0:
		return errors.New("acts_for belongs to a panel's token")
	case e.Panel != "" && e.Employee != "":
		return errors.New("a token is an employee's or a panel's, not both")
	case e.Panel != "" && !isPanel(e.Panel):
		return errors.New("panel is not a name: " + panelForm)
	case e.Panel != "" && !isActsFor(e.ActsFor):
		return errors.New("acts_for is not a list of different employees, nor \"everyone\"")
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
	set := &tokenSet{entries: entries, byHash: make(map[tokenHash]holder, len(entries)), byName: make(map[string]tokenHash, len(entries))}
	for _, e := range entries {
		h, _ := parseHash(e.Hash)
		s := Subject{employee: e.Employee, panel: e.Panel, credential: h.name(e.Panel), label: e.Label, key: h}
		if !e.Expires.IsZero() {
			s.expires = max(1, e.Expires.Unix()) // 0 would mean never
		}
		who := holder{subject: s, everyone: isEveryone(e.ActsFor)}
		if !who.everyone && e.Panel != "" {
			who.actsFor = make(map[string]bool, len(e.ActsFor))
			for _, id := range e.ActsFor {
				who.actsFor[id] = true
			}
		}
		set.byHash[h], set.byName[s.credential] = who, h
	}
	return set
}

// now returns the subject as it is known now: a later end may have been given to the same token.
func (t *Tokens) now(s Subject) (Subject, bool) {
	h, ok := t.set.Load().byHash[s.key]
	if !ok || s.session || h.subject.panel != s.panel {
		return Subject{}, false
	}
	named := ""
	if s.panel != "" {
		named = s.employee
	}
	now, ok := t.as(h, named)
	return now, ok && now.employee == s.employee
}

// named returns whom the credential of this name proves, used for this employee. Of two credentials of one name, which is as good as
// impossible, the last is meant; sessions of the other have no proof of it.
func (set *tokenSet) named(credential, employee string) (Subject, bool) {
	hash, ok := set.byName[credential]
	if !ok {
		return Subject{}, false
	}
	h, named := set.byHash[hash], ""
	if h.subject.panel != "" {
		named = employee
	}
	s, ok := h.as(named)
	return s, ok && s.employee == employee
}
