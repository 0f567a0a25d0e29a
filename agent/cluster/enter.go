package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// ErrTaken says that another Earshot has the name of this PBX.
var ErrTaken = errors.New("another Earshot has the name of this PBX")

// OneEach is what to do about that.
const OneEach = "see that one Earshot alone runs beside each PBX, and that each has a cluster.pbx of its own"

// Enter waits until this sidecar is a member: before it touches its PBX, whose other sidecar may be at work. ErrTaken: another has held the
// name for longer than the lease of a dead one can last. When the store is away there is nobody to ask, so it returns nil after a
// while, and Status tells. Run must be running.
func (c *Cluster) Enter(ctx context.Context) error {
	w := c.cfg.Store.Watch()
	defer w.Close()
	heard := c.now()
	var taken time.Time // since when; zero: it is not
	for {
		now := c.now()
		switch c.member.Standing() {
		case cache.Joined:
			return nil
		case cache.Taken:
			if heard = now; taken.IsZero() {
				taken = now
			}
			if now.Sub(taken) >= c.cfg.Taken {
				return fmt.Errorf("cluster: %w (%s): %s", ErrTaken, c.pbx, OneEach)
			}
		case cache.Waiting:
			taken = time.Time{}
			if now.Sub(heard) >= c.cfg.Away {
				return nil
			}
		case cache.Left:
			return nil
		}
		soon, cancel := context.WithTimeout(ctx, lookAgain)
		_, err := w.Next(soon)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, cache.ErrClosed) {
			return nil
		}
	}
}
