package cache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Errors a caller may branch on.
var (
	// ErrFull: a bound of this cache or the memory of the Redis is reached, or the Redis takes no writes. Nothing was written.
	ErrFull = errors.New("the cache is full")
	// ErrTooLarge: a name or a value is longer than MaxName or MaxValue, or an overlay than MaxOverlay. Nothing was written.
	ErrTooLarge = errors.New("too large for the cache")
	// ErrAway: the shared store cannot be reached or did not answer in time. See WriteError for whether the write may have been done.
	ErrAway = errors.New("the shared cache is away")
	// ErrReplaced: the shared store was emptied or replaced since it was last read. Nothing was written; trying again once it
	// was read anew, which takes a moment, may succeed.
	ErrReplaced = errors.New("the shared cache was replaced")
	// ErrDeleted: the session was deleted, and a deleted session never comes back. Nothing was written.
	ErrDeleted = errors.New("the session was deleted")
	// ErrNoOverlay: there is no overlay of that generation. It is not the same as an empty one.
	ErrNoOverlay = errors.New("no overlay of this generation")
	// ErrMoved: another document, or another overlay, was put since the one that was to be followed was read. Nothing was written.
	ErrMoved = errors.New("the document or its overlay was changed meanwhile")
	// ErrClosed: Run has returned. Nothing was written.
	ErrClosed = errors.New("the cache is closed")
)

// WriteError is a write that did not succeed.
type WriteError struct {
	Op string // what was to be written: "session", "overlay", "look-up", "document", "log", "command"
	// MayBeDone reports whether bytes may have left before the error: the write may have been carried out, or be carried out later.
	MayBeDone bool
	// Unsent reports of a command that it never left: that it is not done is then certain, whoever can write into the store.
	Unsent bool
	Err    error
}

// Error says what happened, without keys, values or addresses.
func (e *WriteError) Error() string {
	if e.MayBeDone {
		return "cache: write " + e.Op + " (it may have been done): " + e.Err.Error()
	}
	return "cache: write " + e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }

// Bounds on what is written, in bytes.
const (
	MaxWord    = 64       // the name of a member, document or log
	MaxName    = 256      // a table, key, session id, owner, employee, flag or target
	MaxValue   = 64 << 10 // the value of a look-up or a session
	MaxOverlay = 8 << 20  // all field names and values of one overlay
)

// Never is the age of what was never verified.
const Never = time.Duration(math.MaxInt64)

// Cache is what a sidecar remembers and shares. Safe for concurrent use.
type Cache interface {
	Lookups
	Sessions
	Overlays
	Documents
	Members
	Logs

	// Age is how long ago the sessions read here were last known to be what the shared store holds: 0 when nothing is shared,
	// Never before the first contact. It does not wait, lock or allocate.
	Age() time.Duration
	// Status tells how the cache is. It does not wait for the shared store.
	Status() Status
	// Watch starts to watch changes. Close the Watcher.
	Watch() *Watcher
	// Run keeps the cache in step with the shared store until ctx ends, closes it, and returns nil; an error means that it cannot
	// ever work. Call it once. Until it runs, nothing shared is known.
	Run(ctx context.Context) error
}

// Lookups remembers what foreign systems answered, misses too. It only saves asking again: what it forgets is asked anew.
type Lookups interface {
	// Lookup returns what is remembered; known is false when nothing is. A miss that is remembered is a known Entry with
	// Found false. It does not wait or allocate.
	Lookup(t Table, key string) (e Entry, known bool)
	// Fill returns what is remembered or else what load returns, which is then remembered. Of those who ask for one key at the
	// same time one loads and the others wait for him, each bounded by his own context; when his context ends, another takes over. The
	// error of load is returned and not remembered. Other sidecars' answers may serve, but are waited for only a moment.
	Fill(ctx context.Context, t Table, key string, load Load) (Entry, error)
	// Forget forgets a key, here at once and at the other sidecars; what is being loaded meanwhile is not remembered. An error
	// means that the others were not told: they forget it when its time is over.
	Forget(ctx context.Context, t Table, key string) error
}

// Sessions are the logins, grants and other things with an owner and an end that a sidecar shares with the others. They are
// positive rights: one that is not there grants nothing, and one that was deleted never comes back.
type Sessions interface {
	// Session returns a session that has not expired. It does not wait or allocate.
	Session(id string) (Session, bool)
	// AppendSessions appends an owner's sessions that have not expired, by id.
	AppendSessions(dst []Session, owner string) []Session
	// PutSession puts a session, or replaces it, to expire after ttl, and is seen here when it returns nil.
	// Its Expires is not looked at.
	PutSession(ctx context.Context, s Session, ttl time.Duration) error
	// ExpireSession lets a session expire after ttl from now, sooner or later than before. It reports whether there is one.
	ExpireSession(ctx context.Context, id string, ttl time.Duration) (bool, error)
	// DeleteSession deletes a session, here at once and for ever even when it returns an error. An error means that the others
	// were not told yet; they are told as soon as that is possible.
	DeleteSession(ctx context.Context, id string) error
}

// Overlays are flags and exclusion lists that another system may lay over the policy, generation by generation.
type Overlays interface {
	// Overlay returns the overlay of a generation that was put here or is followed, and how long ago it was last known to be what
	// the shared store holds: 0 when nothing is shared. When there is none it is nil, which denies everything, and the age is Never.
	// A lost one stays as it was known while its age grows. It does not wait, lock or allocate.
	Overlay(generation uint64) (*Overlay, time.Duration)
	// Follow reads the overlay of a generation and keeps it fresh from then on, as it does with the one before (for who is just
	// changing over) and no others. ErrNoOverlay: there is none yet; it is followed all the same.
	Follow(ctx context.Context, generation uint64) (*Overlay, error)
	// PutOverlay puts the overlay of a generation in place of the one before, in one step.
	PutOverlay(ctx context.Context, o *Overlay) error
	// PutEdition is PutDocument of a document by whose versions the generations of overlays go, in place of the version before, 0 for none. In
	// the same step its version gets the overlay carry, which Overlay has returned of the version before, unless it has one; so nothing that is
	// set meanwhile is lost, and there is no moment without. That one ends a day later. Carry is nil where there is none, and of the document's
	// own version it puts back what the store has lost, and what was set since the loss stays. ErrMoved: the store has another version than
	// before, or another overlay than carry.
	PutEdition(ctx context.Context, name string, before uint64, d Document, carry *Overlay) error
}

// Load asks the foreign system. The zero Entry says that it answered and that there is nothing. Entry.Expires may be set to have it
// forgotten sooner than the table says, never later.
type Load func(ctx context.Context) (Entry, error)

// Table is a kind of look-up and how long it is remembered.
type Table struct {
	Name    string        // lower-case letters, digits and hyphens
	TTL     time.Duration // of what was found; positive
	MissTTL time.Duration // of a miss; positive
	Jitter  float64       // 0 to 1: up to this part of the time is taken off at random, so that not all is asked again at once
}

// Entry is what a foreign system answered. The zero value is a miss.
type Entry struct {
	Value   string // of what was found. A string so that nobody can change what others read
	Found   bool
	Expires time.Time
}

// String hides the value, which tells about people.
func (e Entry) String() string {
	if e.Found {
		return "[look-up: found]"
	}
	return "[look-up: nothing]"
}

// GoString hides the value.
func (e Entry) GoString() string { return e.String() }

// Session is something with an owner and an end.
type Session struct {
	// ID names it for ever: an id is not used again. It must not be a credential, since it is a key in Redis: take a hash of one.
	ID      string
	Owner   string // by whom AppendSessions finds it; an employee's id, for example
	Value   string
	Expires time.Time // by the local clock
}

// String hides what the session holds.
func (s Session) String() string { return "[session]" }

// GoString hides what the session holds.
func (s Session) GoString() string { return s.String() }

// Validate reports whether the session may be put.
func (s Session) Validate() error {
	return errors.Join(checkName("session id", s.ID), checkName("session owner", s.Owner), checkValue("session value", s.Value))
}

// Validate reports whether the table is well formed and a key may stand in it.
func (t Table) Validate(key string) error {
	var errs []error
	if t.Name == "" || len(t.Name) > MaxName || strings.Trim(t.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		errs = append(errs, errors.New("cache: a table's name consists of lower-case letters, digits and hyphens"))
	}
	if t.TTL <= 0 || t.MissTTL <= 0 {
		errs = append(errs, errors.New("cache: a table needs a time to live, for misses too"))
	}
	if !(t.Jitter >= 0 && t.Jitter <= 1) { // so written, NaN is refused
		errs = append(errs, errors.New("cache: a table's jitter is from 0 to 1"))
	}
	if key == "" || len(key) > MaxName {
		errs = append(errs, fmt.Errorf("cache: look-up key of %d bytes: %w", len(key), ErrTooLarge))
	}
	return errors.Join(errs...)
}

// checkName: control characters are refused because names are separated by them, and what shows them to people may be fooled by them.
func checkName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("cache: %s is empty", what)
	case len(s) > MaxName:
		return fmt.Errorf("cache: %s of %d bytes: %w", what, len(s), ErrTooLarge)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("cache: %s has a control character", what)
	}
	return nil
}

// checkWord: what becomes part of a key's name.
func checkWord(what, s string) error {
	if s == "" || len(s) > MaxWord || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		return fmt.Errorf("cache: the name of a %s is 1 to %d letters, digits, dots, hyphens and underscores", what, MaxWord)
	}
	return nil
}

func checkValue(what, s string) error {
	if len(s) > MaxValue {
		return fmt.Errorf("cache: %s of %d bytes: %w", what, len(s), ErrTooLarge)
	}
	return nil
}

func checkTTL(ttl time.Duration) error {
	if ttl < time.Millisecond {
		return fmt.Errorf("cache: a session lives at least a millisecond, not %v", ttl)
	}
	return nil
}
