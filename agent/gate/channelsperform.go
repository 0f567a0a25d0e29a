package gate

import (
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// take is what all are told who were shown the same and see with the same eyes.
type take struct {
	prev   []*shot
	eyes   []byte
	guises []guise // of who waits, by what has become of queues
	next   []*shot
	scene  *Scene // nil for nothing
}

// perform tells every watcher what he sees of a cast.
func (g *Gate) perform(t *call.Table, set *policy.Set, k *cast) {
	c := g.chart
	c.keep(k)
	g.linger(k)
	c.recall(k)
	c.takes = c.takes[:0]
	for _, w := range c.watchers {
		prev := c.prev[:0]
		for i := range k.roles {
			if r := &k.roles[i]; r.past != nil {
				prev = append(prev, r.past.shown[w])
			} else {
				prev = append(prev, w.shown[r.id])
			}
		}
		eyes := g.eyes(t, set, k, w.me, w.sees, w.views, c.eyes[:0])
		guises := g.guises(t, set, k, w, c.guises[:0])
		c.prev, c.eyes, c.guises = prev, eyes, guises
		at := slices.IndexFunc(c.takes, func(o *take) bool {
			return slices.Equal(o.eyes, eyes) && slices.Equal(o.prev, prev) && slices.Equal(o.guises, guises)
		})
		if at < 0 {
			at = len(c.takes)
			if c.takes = more(c.takes); c.takes[at] == nil {
				c.takes[at] = &take{}
			}
			o := c.takes[at]
			o.prev, o.eyes, o.guises = append(o.prev[:0], prev...), append(o.eyes[:0], eyes...), append(o.guises[:0], guises...)
			o.next = c.same(k, g.compose(set, k, o.next, prev, eyes))
			o.scene = g.narrate(set, k, o)
		}
		o := c.takes[at]
		for i, s := range o.next {
			switch id := k.roles[i].id; {
			case s == o.prev[i]:
			case s == nil:
				if isTied(o.prev[i]) && o.prev[i].ch.State == mask.ChannelRinging && k.roles[i].past == nil {
					c.ringsOut(w, id, o.prev[i])
				}
				delete(w.shown, id)
			default:
				w.shown[id] = s
			}
		}
		if o.scene != nil {
			g.deliver(w, o.scene)
		}
	}
	if len(c.takes) > maxStage || len(k.roles) > maxStage {
		c.takes = nil
	}
	c.forgetWaiting(k)
}

// linger keeps those on stage a moment longer whose call has just ended, so that it can be told how they go.
func (g *Gate) linger(k *cast) {
	for i := range k.roles {
		r := &k.roles[i]
		st := g.chart.legs[r.id]
		if r.leg == nil || st == nil || st.left.IsZero() {
			continue
		}
		if r.lingers = time.Since(st.left) < g.cfg.Grace; r.lingers {
			g.relax()
		} else {
			st.left = time.Time{}
		}
	}
}

// relax tells soon what has not been told because somebody was kept on stage for a moment.
func (g *Gate) relax() {
	c := g.chart
	if c.last != nil || g.closed {
		return
	}
	c.last = time.AfterFunc(g.cfg.Grace+time.Millisecond, func() {
		g.locked(func(t *call.Table) {
			c.last = nil // also while nothing is known: who lingers then is looked at after the resync, which sets another
			if g.chart != c || !g.known {
				return
			}
			var seeds []call.LegID
			for id, st := range c.legs {
				if !st.left.IsZero() {
					seeds = append(seeds, id)
				}
			}
			slices.Sort(seeds)
			g.perform(t, g.policy.Load(), g.cast(t, g.policy.Load(), seeds))
		})
	})
}

// rangOut is a leg that was told to be gone while it rang, as those were shown it last to whom it was tied. That somebody has taken its call is AMI's
// word, which may come behind ARI's of its end.
type rangOut struct {
	leg   call.LegID
	at    time.Time
	shown map[*ChannelWatcher]*shot
}

// How long AMI's word of a leg that is gone is waited for, and of how many legs.
const (
	rangTime = 2 * feed.HoldBack
	maxRang  = 256
)

// rangOut is what is remembered of a leg; nil for nothing.
func (c *chart) rangOut(id call.LegID) *rangOut {
	for _, o := range c.rang {
		if o.leg == id && time.Since(o.at) < rangTime {
			return o
		}
	}
	return nil
}

// ringsOut remembers what a watcher was shown of a leg.
func (c *chart) ringsOut(w *ChannelWatcher, id call.LegID, s *shot) {
	o := c.rangOut(id)
	if o == nil {
		o = &rangOut{leg: id, at: time.Now(), shown: map[*ChannelWatcher]*shot{}}
		c.rang = append(slices.DeleteFunc(c.rang, func(o *rangOut) bool { return time.Since(o.at) >= rangTime }), o)
		if len(c.rang) > maxRang {
			c.rang = slices.Delete(c.rang, 0, 1)
		}
	}
	o.shown[w] = s
}

// recall has it that who was picked up is told of, though he is gone.
func (c *chart) recall(k *cast) {
	if k.ev == nil || k.ev.Kind != call.PickedUp {
		return
	}
	if at, ok := k.at[k.ev.Peer.ID]; ok && at >= 0 && k.roles[at].leg == nil {
		k.roles[at].past = c.rangOut(k.ev.Peer.ID)
	}
}
