package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/cache"
)

// Whoever can write into the store knows each record of it and the hash of a token of his own; he cannot make a session of it.
func TestWhoCanWriteIntoTheStoreMakesNoSession(t *testing.T) {
	l := newLobby(t)
	made := l.make(l.is(l.crm, "boris"), time.Hour)
	stored, _ := l.store.Session(auth.Hash(made.Token)[7:])
	f := strings.Fields(stored.Value)
	if len(f) != 4 || f[0] != "token" {
		t.Fatalf("the record is %s", stored.Value)
	}
	far := fmt.Sprint(start.Add(1000 * time.Hour).Unix())
	key := auth.Hash(l.crm)[7:]
	token := func(n int) string { return "ears_" + strings.Repeat(string(rune('A'+n)), 42) + "A" }
	n := 0
	for name, forged := range map[string]cache.Session{
		"the record under another id": {Owner: "boris", Value: stored.Value},
		"for another employee":        {Owner: "anna", Value: stored.Value},
		"longer":                      {Owner: "boris", Value: strings.Join([]string{f[0], f[1], far, f[3]}, " ")},
		"of another token":            {Owner: "anna", Value: strings.Join([]string{f[0], l.is(l.anna, "").Credential(), f[2], f[3]}, " ")},
		"of no token":                 {Owner: "boris", Value: strings.Join([]string{f[0], "token:000000000000", f[2], f[3]}, " ")},
		"no proof":                    {Owner: "boris", Value: strings.Join(f[:3], " ")},
		"an empty proof":              {Owner: "boris", Value: strings.Join(f[:3], " ") + " "},
		"zeros":                       {Owner: "boris", Value: strings.Join(f[:3], " ") + " " + strings.Repeat("0", 64)},
		"of another kind":             {Owner: "boris", Value: strings.Join([]string{"jwt", f[1], far, key, far}, " ")},
		"of an unknown kind":          {Owner: "boris", Value: strings.Join([]string{"root", f[1], far, f[3]}, " ")},
		"nothing":                     {Owner: "boris"},
	} {
		n++
		forged.ID = auth.Hash(token(n))[7:]
		if err := l.store.PutSession(t.Context(), forged, 1000*time.Hour); err != nil {
			t.Fatal(err)
		}
		if s, err := l.chain.Authenticate(t.Context(), auth.Credential{Token: token(n)}); err != auth.ErrDenied || s.Known() {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	s := l.is(made.Token, "") // the record itself is a good one
	forged := stored
	forged.Value = strings.Join([]string{f[0], f[1], far, f[3]}, " ")
	if err := l.store.PutSession(t.Context(), forged, 1000*time.Hour); err != nil || l.lets(made.Token, s) {
		t.Errorf("it was lengthened in its place: %v", err)
	}
	forged = stored
	forged.Owner = "anna" // for whom the panel may ask as well
	if err := l.store.PutSession(t.Context(), forged, 1000*time.Hour); err != nil || l.lets(made.Token, s) {
		t.Errorf("it was given to another in its place: %v", err)
	}
	if err := l.store.PutSession(t.Context(), stored, 1000*time.Hour); err != nil || !l.lets(made.Token, s) {
		t.Errorf("the record as it was does not let in: %v", err)
	}
	l.clock.forward(time.Hour)
	if l.lets(made.Token, s) {
		t.Error("it lives as long as the store says, and not as long as it was given")
	}
}

func TestAnEmployeeHasSoManySessions(t *testing.T) {
	l := newLobby(t)
	by := l.is(l.anna, "")
	for range 100 {
		l.make(by, time.Minute)
	}
	if _, err := l.sessions.Make(t.Context(), by, 0); !errors.Is(err, auth.ErrTooManySessions) {
		t.Errorf("one more: %v", err)
	}
	l.make(l.is(l.crm, "boris"), 0) // another may
	l.clock.forward(time.Minute)
	l.make(by, 0)
}

// old is a store of which nobody confirms what it knows.
type old struct {
	*cache.Memory
	age    time.Duration
	status cache.Status
	err    error
}

func (o *old) Age() time.Duration   { return o.age }
func (o *old) Status() cache.Status { return o.status }

func (o *old) PutSession(ctx context.Context, s cache.Session, ttl time.Duration) error {
	if o.err != nil {
		return o.err
	}
	return o.Memory.PutSession(ctx, s, ttl)
}

func (o *old) DeleteSession(ctx context.Context, id string) error {
	return errors.Join(o.Memory.DeleteSession(ctx, id), o.err)
}

func TestSessionsHoldAsLongAsWhatIsKnownIsFresh(t *testing.T) {
	var store *old
	l := newLobby(t, func(o *auth.SessionOptions) {
		store = &old{Memory: o.Store.(*cache.Memory), status: cache.Status{State: cache.Up}}
		o.Store, o.MaxStale = store, time.Minute
	})
	by := l.is(l.anna, "")
	made := l.make(by, 0)
	s := l.is(made.Token, "")
	store.age, store.status.State = time.Minute, cache.Away
	if !l.lets(made.Token, s) {
		t.Error("it does not hold while it may")
	}
	store.age++
	who, err := l.chain.Authenticate(t.Context(), auth.Credential{Token: made.Token})
	if err == nil || errors.Is(err, auth.ErrDenied) || who.Known() || l.chain.Holds(s) {
		t.Errorf("what nobody confirms any more: %v, %v, holds %v", who, err, l.chain.Holds(s))
	}
	unknown := "ears_" + strings.Repeat("A", 43)
	if _, err := l.chain.Authenticate(t.Context(), auth.Credential{Token: unknown}); err != auth.ErrDenied {
		t.Errorf("one that is not known: %v", err)
	}
	if !l.chain.Holds(by) || l.is(l.anna, "") != by {
		t.Error("a token has ended with the store")
	}

	store.err = &cache.WriteError{Op: "session", MayBeDone: true, Err: cache.ErrAway}
	if got, err := l.sessions.Make(t.Context(), by, 0); !errors.Is(err, auth.ErrStore) || !errors.Is(err, cache.ErrAway) || got != (auth.Session{}) {
		t.Errorf("a session was made: %v", err)
	}
	if err := l.sessions.EndAll(t.Context(), by); !errors.Is(err, auth.ErrStore) {
		t.Errorf("all are said to have ended: %v", err)
	}
	store.age = 0
	if l.lets(made.Token, s) {
		t.Error("it did not end here")
	}
	store.err = nil
	if err := l.sessions.EndAll(t.Context(), by); !errors.Is(err, auth.ErrStore) {
		t.Errorf("there may be others that are not known: %v", err)
	}
	store.status = cache.Status{State: cache.Up, Pending: 1}
	if err := l.sessions.EndAll(t.Context(), by); !errors.Is(err, auth.ErrStore) {
		t.Errorf("the store must still be told: %v", err)
	}
	store.status.Pending = 0
	if err := l.sessions.EndAll(t.Context(), by); err != nil {
		t.Error(err)
	}
}
