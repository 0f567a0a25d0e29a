package publication

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// Config is what Follow and Give need.
type Config struct {
	Store Store
	Key   Key
	Tell  func(Status)     // is told when Generation or Trouble is another; must be quick; may be nil
	Now   func() time.Time // time.Now
	// Stale is how old what is known of the store may be while it counts as confirmed; it must not be less than that is while all
	// is well, see redis.Config.Staleness. 5s.
	Stale time.Duration
	// Overlay lays over the policy what another system sets in the store for its generation. The policy's File is to have Options.Overlay then.
	Overlay     bool
	TellOverlay func(OverlayStatus) // as Tell, of the overlay
}

func (c Config) standing(file *policyfile.File) *standing {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Stale <= 0 {
		c.Stale = 5 * time.Second
	}
	return &standing{
		store: c.Store, now: c.Now, stale: c.Stale, tell: c.Tell, trouble: Unconfirmed,
		laying: &laying{on: c.Overlay, store: c.Store, file: file, stale: c.Stale, now: c.Now, tell: c.TellOverlay, status: OverlayStatus{Trouble: OverlayUnconfirmed}},
	}
}

// A Follower puts what is published in force. Make it with Load or Fetch.
type Follower struct {
	*standing
	file   *policyfile.File
	key    Key
	copy   string // the path of the last good edition, sealed
	text   string // of the edition in force, sealed; only Run
	judged cache.Document
}

// Load makes a follower of the last good edition, which it has kept on disk. The error is fs.ErrNotExist when there is none yet.
func Load(c Config, copyFile string, options policyfile.Options) (*Follower, error) {
	key, err := c.Key()
	if err != nil {
		return nil, fmt.Errorf("published policy: %w: %w", ErrKey, err)
	}
	raw, err := os.ReadFile(copyFile)
	if err != nil {
		return nil, fmt.Errorf("published policy: %w", err)
	}
	e, err := Open(key, string(raw))
	if err != nil {
		return nil, fmt.Errorf("published policy: %s: %w", copyFile, err)
	}
	return c.follower(copyFile, string(raw), e, options)
}

// Fetch makes a follower of what the store has, and waits for it until ctx ends: for the first start, when there is nothing on disk.
func Fetch(ctx context.Context, c Config, copyFile string, options policyfile.Options) (*Follower, error) {
	key, err := c.Key()
	if err != nil {
		return nil, fmt.Errorf("published policy: %w: %w", ErrKey, err)
	}
	w := c.Store.Watch()
	defer w.Close()
	last := errors.New("nothing was published yet, or the store is away")
	for {
		d, _, err := read(ctx, c.Store)
		if err == nil && d.Version != 0 {
			e, bad := open(key, d)
			if bad == nil {
				f, err := c.follower(copyFile, d.Data, e, options)
				if err == nil {
					err = f.save(d.Data)
				}
				if err != nil {
					return nil, err
				}
				return f, nil
			}
			last = bad
		}
		if err == nil {
			err = wait(ctx, w)
		}
		if err != nil {
			return nil, fmt.Errorf("published policy: %w: %w", last, err)
		}
	}
}

// open is Open, for a document of the store.
func open(key []byte, d cache.Document) (Edition, error) {
	e, err := Open(key, d.Data)
	if err == nil && e.Generation != d.Version { // an older one, put back under a higher number
		return Edition{}, ErrForged
	}
	return e, err
}

func (c Config) follower(copyFile, text string, e Edition, options policyfile.Options) (*Follower, error) {
	options.Overlay = c.Overlay
	file, err := policyfile.Give(e.Documents, e.Generation, options)
	if err != nil {
		return nil, fmt.Errorf("published policy: %w", err)
	}
	f := &Follower{standing: c.standing(file), file: file, key: c.Key, copy: copyFile, text: text}
	f.generation, f.hash = e.Generation, e.Hash()
	return f, nil
}

// File is the policy in force.
func (f *Follower) File() *policyfile.File { return f.file }

// Run puts in force what is published until ctx ends, and returns nil then.
func (f *Follower) Run(ctx context.Context) error {
	w := f.store.Watch()
	defer w.Close()
	f.store.FollowDocument(Name)
	for {
		if d, age := f.store.Document(Name); age < f.stale {
			f.consider(ctx, d)
		} else {
			s := f.Status()
			f.stand(s.Generation, s.Hash, Unconfirmed)
		}
		f.laying.keep(ctx, f.Status().Generation)
		if err := wait(ctx, w); err != nil {
			if ctx.Err() != nil || errors.Is(err, cache.ErrClosed) {
				return nil
			}
			return err
		}
	}
}

// consider takes what the store has.
func (f *Follower) consider(ctx context.Context, d cache.Document) {
	s := f.Status()
	switch {
	case d.Version == s.Generation && d.Data == f.text:
		f.text = d.Data // the same string, so that comparing them again takes no time
		t := Trouble("")
		if s.Trouble == Unsaved && f.save(f.text) != nil {
			t = Unsaved
		}
		f.stand(s.Generation, s.Hash, t)
	case d.Version < s.Generation:
		// The store was emptied, set back or replaced. What is in force is sealed, so whoever has it may put it there again.
		err := f.laying.restore(ctx, d.Version, cache.Document{Version: s.Generation, Data: f.text})
		switch {
		case err == nil, errors.Is(err, cache.ErrOlder), errors.Is(err, cache.ErrMoved): // it comes back to be considered
		case d.Version == 0:
			f.stand(s.Generation, s.Hash, Absent)
		default:
			f.stand(s.Generation, s.Hash, Older)
		}
	default:
		f.take(ctx, d, s)
	}
}

// take puts what may be a newer edition in force.
func (f *Follower) take(ctx context.Context, d cache.Document, s Status) {
	key, err := f.key()
	if err != nil || len(key) < MinKey {
		f.stand(s.Generation, s.Hash, NoKey)
		return
	}
	if d == f.judged && s.Trouble == Broken {
		return // it does not get better by compiling it each second
	}
	e, err := open(key, d)
	switch {
	case err != nil:
		f.stand(s.Generation, s.Hash, Forged)
		return
	case e.Generation == s.Generation && e.Hash() != s.Hash:
		f.stand(s.Generation, s.Hash, Conflict)
		return
	case e.Generation == s.Generation: // sealed with another key
		t := Trouble("")
		if f.text = d.Data; f.save(f.text) != nil {
			t = Unsaved
		}
		f.stand(s.Generation, s.Hash, t)
		return
	}
	f.judged = d
	saved := error(nil)
	if err := f.laying.replace(ctx, e, func() { saved = f.save(d.Data) }); err != nil {
		f.stand(s.Generation, s.Hash, Broken)
		return
	}
	f.text = d.Data
	t := Trouble("")
	if saved != nil {
		t = Unsaved
	}
	f.stand(e.Generation, e.Hash(), t)
}

// save keeps a sealed edition on disk, in place of the one before in one step.
func (f *Follower) save(text string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("save the published policy: %w", err)
		}
	}()
	temp, err := os.CreateTemp(filepath.Dir(f.copy), "."+filepath.Base(f.copy)+".*") // for nobody else to read
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if _, err := temp.WriteString(text); err != nil {
		return err
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), f.copy)
}
