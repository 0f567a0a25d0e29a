package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/cluster"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/cache"
)

// ErrTaken is why Run ends when another Earshot has the name of this one's PBX in the cluster. This one has not touched the PBX then.
var ErrTaken = cluster.ErrTaken

// openCluster joins the Earshots beside the other PBXs. It returns nil where there is no cluster.
func (a *Agent) openCluster() (gate.Cluster, error) {
	if !a.cfg.Cluster.used() {
		return nil, nil
	}
	key, err := a.cfg.Publication.key()
	if err != nil {
		return nil, fmt.Errorf("publication.key_file: %w", err)
	}
	a.cluster, err = cluster.New(cluster.Config{
		PBX: a.cfg.Cluster.PBX, Key: key, Store: a.cache, Log: a.log.With().Str("part", "cluster").Logger(),
		News: a.news,
		Perform: func(ctx context.Context, from string, request []byte) ([]byte, func()) {
			return a.gate.Perform(ctx, from, request)
		},
		Expected: func() []string { return a.policy.Current().PBXs() },
	})
	if err != nil {
		return nil, err
	}
	a.reg.MustRegister(a.cluster)
	return crossing{a.cluster}, nil
}

// news hands the gate what another PBX shows.
func (a *Agent) news(n cluster.News) {
	to := gate.News{PBX: n.PBX, Known: n.Known, Whole: n.Whole, Partial: n.Partial, Shown: make([]gate.Shown, 0, len(n.Rows))}
	for _, r := range n.Rows {
		to.Shown = append(to.Shown, gate.Shown{Key: r.Key, Value: r.Value})
	}
	a.gate.Elsewhere(to)
}

// crossing is a cluster as the gate knows it.
type crossing struct{ *cluster.Cluster }

// Send implements gate.Cluster.
func (c crossing) Send(ctx context.Context, pbx string, request []byte) ([]byte, error) {
	answer, err := c.Cluster.Send(ctx, pbx, request)
	var w *cache.WriteError
	if errors.As(err, &w) && w.MayBeDone {
		err = errors.Join(gate.ErrMayBeDone, err)
	}
	return answer, err
}

// leaveTime is how long leaving may take: without it the lease ends by itself.
const leaveTime = time.Second

// runCache keeps the cache in step until end is called, which first gives back the name of the PBX. So it is called when the PBX was let go
// of: who comes in the place of this Earshot waits for the name.
func (a *Agent) runCache(ctx context.Context, fail func(error)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.cache.Run(ctx); err != nil {
			fail(err)
		}
	})
	return func() {
		if a.cluster != nil {
			leave, stop := context.WithTimeout(ctx, leaveTime)
			if err := a.cluster.Leave(leave); err != nil {
				a.log.Warn().Err(err).Msg("the name of the PBX is free when the lease is over, in some seconds")
			}
			stop()
		}
		cancel()
		wg.Wait()
	}
}

// runLink connects to the PBX until ctx ends: in a cluster not before it is known that no other Earshot is at work beside it, since who connects
// takes the Stasis application from who has it.
func (a *Agent) runLink(ctx, run context.Context) error {
	if a.cluster != nil {
		if err := a.cluster.Enter(run); err != nil {
			if run.Err() != nil {
				return nil
			}
			return err
		}
		if a.cluster.Status().Standing != cache.Joined {
			a.log.Warn().Msg("cluster: the Redis is away, so nobody can say whether another Earshot is beside this PBX; this one begins alone and joins when the Redis is there")
		}
	}
	close(a.entered)
	return a.link.Run(ctx)
}

// give publishes the policy until ctx ends: in a cluster not before it is known that no other Earshot is at work beside the PBX, or one that is
// refused would have put its own policy in force at all before it ends.
func (a *Agent) give(ctx context.Context) error {
	select {
	case <-a.entered:
		return a.giver.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}

// clusterLacks says, a sentence each, what is wrong with the cluster.
func (a *Agent) clusterLacks() (lacks []string) {
	if a.cluster == nil {
		return nil
	}
	s := a.cluster.Status()
	switch s.Standing {
	case cache.Taken:
		lacks = append(lacks, "cluster: another Earshot has the name "+a.cfg.Cluster.PBX+", so the calls of other PBXs are not known here, nor those of this one there: "+cluster.OneEach)
	case cache.Waiting:
		lacks = append(lacks, "cluster: not a member while the Redis is away: the calls of other PBXs are not known here, nor those of this one there")
	case cache.Joined, cache.Left:
	}
	if s.Standing == cache.Joined && len(s.Gone) > 0 {
		lacks = append(lacks, "cluster: out of reach, so that their calls are not known: "+strings.Join(s.Gone, ", "))
	}
	if len(s.Missing) > 0 {
		lacks = append(lacks, "cluster: the policy names these PBXs and no Earshot has come for them, so that their calls are not known; is the name written as in cluster.pbx there: "+strings.Join(s.Missing, ", "))
	}
	if len(s.Foreign) > 0 {
		lacks = append(lacks, "cluster: what they show is not sealed with the key in publication.key_file, which must be the same at all: "+strings.Join(s.Foreign, ", "))
	}
	return lacks
}
