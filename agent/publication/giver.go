package publication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// A Giver publishes the policy that is in force here, which comes from files, while no other does. It begins with no policy that is sealed
// with another key, and puts its own back in the place of one. Make it with NewGiver.
type Giver struct {
	*standing
	key  Key
	file *policyfile.File

	changed chan struct{} // capacity 1
	given   string        // hash of what was last published from here, or found published; only Run
	text    string        // that, sealed
}

// NewGiver makes a giver. It publishes when Run runs, and then whenever Changed was called.
func NewGiver(c Config, file *policyfile.File) *Giver {
	return &Giver{standing: c.standing(file), file: file, key: c.Key, changed: make(chan struct{}, 1)}
}

// Changed says that another policy may be in force. It does not wait.
func (g *Giver) Changed() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// leaveTime is how long giving up the place may take at the end: without it the next one waits for the end of a lease.
const leaveTime = time.Second

// Run publishes until ctx ends, and returns nil then.
func (g *Giver) Run(ctx context.Context) error {
	m, err := g.store.Join(givingName)
	if err != nil {
		return fmt.Errorf("give the policy: %w", err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
		defer cancel()
		_ = m.Leave(end)
	}()
	w := g.store.Watch()
	defer w.Close()
	g.store.FollowDocument(Name)
	told := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { // turns the watcher into a channel
		defer close(done)
		for wait(ctx, w) == nil {
			select {
			case told <- struct{}{}:
			default:
			}
		}
	}()
	defer func() { cancel(); <-done }()
	for {
		d, age := g.store.Document(Name)
		s := g.Status()
		switch standing := m.Standing(); {
		case age >= g.stale, standing == cache.Waiting, standing == cache.Left:
			g.stand(s.Generation, s.Hash, Unconfirmed)
		case standing == cache.Taken:
			g.stand(s.Generation, s.Hash, Second)
		default:
			g.consider(ctx, d, s)
		}
		g.laying.keep(ctx, g.Status().Generation)
		select {
		case <-g.changed:
		case <-told:
		case <-done: // the end, or the store's
			return nil
		}
	}
}

// consider publishes what is in force unless it is published.
func (g *Giver) consider(ctx context.Context, d cache.Document, s Status) {
	key, err := g.key()
	if err != nil || len(key) < MinKey {
		g.stand(s.Generation, s.Hash, NoKey)
		return
	}
	documents, generation := g.file.InForce()
	e := Edition{Generation: generation, Documents: documents}
	h := e.Hash()
	was, bad := open(key, d)
	switch {
	case bad == nil && was.Hash() == h:
		g.given, g.text = h, d.Data
		g.stand(was.Generation, h, "")
	case bad != nil && d != (cache.Document{}) && g.given == "":
		// This may be the wrong key, and what stands there the policy of all.
		g.stand(s.Generation, s.Hash, Forged)
	case bad != nil && d.Version > s.Generation, bad != nil && d.Data == g.text && d.Data != "":
		// Nobody follows that; or the key is another now.
		g.publish(ctx, key, e, h, d, s)
	case h == g.given && d.Version > s.Generation:
		// Somebody else has published since. Two who take turns would be worse than one who says so.
		g.stand(s.Generation, h, Conflict)
	case h == g.given:
		// The store was emptied, set back or replaced: the same edition is put there again.
		g.report(g.laying.restore(ctx, d.Version, cache.Document{Version: s.Generation, Data: g.text}), d, s)
	default:
		g.publish(ctx, key, e, h, d, s)
	}
}

func (g *Giver) publish(ctx context.Context, key []byte, e Edition, h string, d cache.Document, s Status) {
	e.Generation = max(e.Generation, d.Version+1, s.Generation+1)
	text, err := Seal(key, e)
	if err != nil {
		g.stand(s.Generation, s.Hash, Broken)
		return
	}
	carry, err := g.laying.carried(ctx, d.Version, s.Generation)
	if err != nil {
		g.stand(s.Generation, s.Hash, Unfit)
		return
	}
	err = g.laying.put(ctx, d.Version, cache.Document{Version: e.Generation, Data: text}, carry)
	if err == nil {
		g.given, g.text = h, text
		g.stand(e.Generation, h, "")
		return
	}
	g.report(err, d, s)
}

// report takes that it could not be put into the store, if it could not; it is tried again.
func (g *Giver) report(err error, d cache.Document, s Status) {
	switch {
	case err == nil, errors.Is(err, cache.ErrOlder), errors.Is(err, cache.ErrMoved): // what the store has now comes to be considered
	case d.Version == 0:
		g.stand(s.Generation, s.Hash, Absent)
	default:
		g.stand(s.Generation, s.Hash, Older)
	}
}
