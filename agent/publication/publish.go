package publication

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// Name is the document's in the cache.
const Name = "policy"

// givingName is that of the member that gives the policy: one at a time. No PBX has it, since a name of one has no dot.
const givingName = "policy.giver"

// Why Publish refuses, unless it is forced.
var (
	// ErrGiven: a Giver is at work, whose policy would not be the one in force at the others any more.
	ErrGiven = errors.New("an Earshot with publication.role: give publishes its own policy; change that one, or stop that Earshot and try again in some seconds")
	// ErrSealed: what is published is not sealed with this key.
	ErrSealed = errors.New("what stands in the Redis was not sealed with the key in publication.key_file, so this may be the wrong key")
)

// Store is what is needed of a cache.Cache.
type Store interface {
	cache.Documents
	cache.Overlays
	cache.Members
	Watch() *cache.Watcher
}

// Key reads the key. It is asked each time, so that the file that holds it may change.
type Key func() ([]byte, error)

// poll is how often the store is looked at although it told nothing.
const poll = time.Second

// Publish publishes a policy, which the caller has found good, and returns its generation, at least least. When the one that is published has
// the same documents it stays as it is, and fresh is false. With overlay the overlay of the edition before goes over to it; when it does not fit, or
// cannot be read, nothing is published. Unless it is forced, neither is it beside a Giver, nor in place of what is sealed with another key.
func Publish(ctx context.Context, store Store, key []byte, e Edition, overlay, force bool) (generation uint64, fresh bool, err error) {
	h, began := e.Hash(), time.Now()
	for {
		d, age, err := read(ctx, store)
		if err != nil {
			return 0, false, err
		}
		was, bad := open(key, d)
		switch {
		case bad == nil && was.Hash() == h:
			if age <= time.Since(began) {
				return was.Generation, false, nil
			}
			// Another may have been put there since it was read: to say that this one is published, it has to be read again.
			if err := another(ctx, store); err != nil {
				return 0, false, err
			}
			continue
		case force:
		case bad != nil && d != (cache.Document{}):
			return 0, false, ErrSealed
		default:
			if given, err := given(ctx, store); err != nil || given {
				return 0, false, cmp.Or(err, ErrGiven)
			}
		}
		e.Generation = max(e.Generation, d.Version+1)
		text, err := Seal(key, e)
		if err != nil {
			return 0, false, err
		}
		next := cache.Document{Version: e.Generation, Data: text}
		if overlay {
			var carry *cache.Overlay
			if carry, err = fitting(ctx, store, d.Version, e.Documents); err == nil {
				err = store.PutEdition(ctx, Name, d.Version, next, carry)
			}
		} else {
			err = store.PutDocument(ctx, Name, next)
		}
		switch {
		case err == nil:
			return e.Generation, true, nil
		case errors.Is(err, cache.ErrMoved):
			err = another(ctx, store)
		case errors.Is(err, cache.ErrOlder): // another was faster, or an answer came late: what is there now is read
			err = newer(ctx, store, d)
		}
		if err != nil {
			return 0, false, err
		}
	}
}

// read waits until the store was read.
func read(ctx context.Context, store Store) (cache.Document, time.Duration, error) {
	w := store.Watch()
	defer w.Close()
	store.FollowDocument(Name)
	for {
		if d, age := store.Document(Name); age != cache.Never {
			return d, age, nil
		}
		if err := wait(ctx, w); err != nil {
			return cache.Document{}, 0, err
		}
	}
}

// given reports whether a Giver is at work. It waits until that is known.
func given(ctx context.Context, store Store) (bool, error) {
	w := store.Watch()
	defer w.Close()
	for store.RowsAge() == cache.Never {
		if err := wait(ctx, w); err != nil {
			return false, err
		}
	}
	return slices.Contains(store.AppendMembers(nil), givingName), nil
}

// newer waits until the store's document is another.
func newer(ctx context.Context, store Store, than cache.Document) error {
	w := store.Watch()
	defer w.Close()
	for {
		if d, _ := store.Document(Name); d != than {
			return nil
		}
		if err := wait(ctx, w); err != nil {
			return err
		}
	}
}

// another waits until the store's document or overlay may be another.
func another(ctx context.Context, store Store) error {
	w := store.Watch()
	defer w.Close()
	return wait(ctx, w)
}

// wait waits for a change that may concern the document or an overlay, or for poll. The error is that of ctx, or that the store is closed.
func wait(ctx context.Context, w *cache.Watcher) error {
	limit, cancel := context.WithTimeout(ctx, poll)
	defer cancel()
	var err error
	for of := false; err == nil && !of; {
		var c cache.Change
		c, err = w.Next(limit)
		of = c.Kind == cache.ChangeMany || c.Kind == cache.ChangeStatus || c.Kind == cache.ChangeOverlay || c.Kind == cache.ChangeStanding || c.Kind == cache.ChangeDocument && c.ID == Name
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, cache.ErrClosed) {
		return err
	}
	return nil
}
