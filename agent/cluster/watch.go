package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// lookAgain is how soon the store is looked at again while what is known of it is stale, since it need not tell that it is back.
const lookAgain = 100 * time.Millisecond

// watcher turns the hints of the cache into news. It belongs to the goroutine that watches.
type watcher struct {
	c     *Cluster
	peers map[string]*peer
	names []string
	rows  []cache.Row
}

// hints are what the cache has told: where to look.
type hints struct {
	all   bool
	owner map[string]*look
}

// look is what of one member is to be looked at.
type look struct {
	all    bool
	places []string // in the order in which they changed
}

// watch tells news until ctx ends.
func (c *Cluster) watch(ctx context.Context, w *cache.Watcher) error {
	v := &watcher{c: c, peers: make(map[string]*peer)}
	h := hints{all: true}
	for {
		v.stand()
		v.see(h)
		v.miss()
		due, cancel := context.WithTimeout(ctx, v.due())
		next, err := c.hints(due, w)
		cancel()
		switch {
		case ctx.Err() != nil, errors.Is(err, cache.ErrClosed):
			return nil
		}
		h = next
	}
}

// due is when to look although nothing was told.
func (v *watcher) due() time.Duration {
	age := v.c.cfg.Store.RowsAge()
	if age > v.c.cfg.Stale {
		return lookAgain
	}
	wait := v.c.cfg.Stale - age
	for _, p := range v.peers {
		if p.known {
			wait = min(wait, v.c.cfg.Silence-v.c.now().Sub(p.beat))
			if len(p.left) > 0 {
				wait = min(wait, v.c.cfg.Stale-v.c.now().Sub(p.came))
			}
		}
	}
	return max(wait, 0) + time.Millisecond
}

// hints waits for what the cache has to tell and takes what has come by then.
func (c *Cluster) hints(ctx context.Context, w *cache.Watcher) (hints, error) {
	h := hints{owner: make(map[string]*look)}
	at := func(name string) *look {
		if h.owner[name] == nil {
			h.owner[name] = &look{}
		}
		return h.owner[name]
	}
	change, err := w.Next(ctx)
	first := err
	all, cancel := context.WithCancel(ctx)
	cancel() // what comes after the first is not waited for
	for err == nil {
		switch change.Kind {
		case cache.ChangeMany, cache.ChangeStatus:
			h.all = true
		case cache.ChangeMember:
			at(change.Owner).all = true
		case cache.ChangeRow:
			l := at(change.Owner)
			l.places = append(l.places, change.ID)
		case cache.ChangeStanding: // looked at each time
		case cache.ChangeSession, cache.ChangeSessionGone, cache.ChangeOverlay, cache.ChangeDocument:
		}
		change, err = w.Next(all)
	}
	return h, first
}

// see looks at all members, and at what hints say of their rows.
func (v *watcher) see(h hints) {
	c := v.c
	fresh := c.cfg.Store.RowsAge() <= c.cfg.Stale
	v.names = c.cfg.Store.AppendMembers(v.names[:0])
	for _, name := range v.names {
		if v.peers[name] == nil && name != c.pbx {
			v.peers[name] = &peer{name: name, left: make(map[string]struct{})}
		}
	}
	echoes := make(map[string]string)
	var foreign []string
	for _, name := range slices.Sorted(maps.Keys(v.peers)) {
		p := v.peers[name]
		_, is := slices.BinarySearch(v.names, name)
		raw := ""
		if is {
			if raw, is = c.cfg.Store.Row(name, helloPlace); is {
				p.greet(c, raw)
			}
		}
		if is && p.good {
			echoes[name] = p.met.String()
		}
		if is && p.alien {
			foreign = append(foreign, name)
		}
		if !is {
			p.raw, p.good = "", false // whoever comes is looked at anew
		}
		_, member := slices.BinarySearch(v.names, name)
		if !member && p.of == (incarnation{}) {
			delete(v.peers, name) // it was never met
			continue
		}
		v.tell(p, is && fresh && p.stands(c), h)
	}
	c.read(echoes, foreign)
}

// tell tells what is new of one.
func (v *watcher) tell(p *peer, stands bool, h hints) {
	c, l := v.c, h.owner[p.name]
	var rows []Row
	if stands {
		switch {
		case !p.known, h.all, l != nil && l.all:
			rows = v.whole(p, nil)
		case l != nil:
			rows = v.some(p, l.places)
		}
		rows = append(rows, p.over(c)...)
		if p.behind(c) {
			c.refuse(p.name, rowKind, older)
			stands = false
			p.forget()
		}
	}
	switch {
	case !stands && p.known:
		p.known = false
		p.forget()
		c.reach(p, false)
		c.cfg.News(News{PBX: p.name})
	case !stands:
	case !p.known:
		p.known, p.told = true, p.part
		c.reach(p, true)
		c.cfg.News(News{PBX: p.name, Known: true, Whole: true, Partial: p.part, Rows: rows})
	default:
		c.reach(p, true)
		if len(rows) > 0 || p.told != p.part {
			p.told = p.part
			c.cfg.News(News{PBX: p.name, Known: true, Partial: p.part, Rows: rows})
		}
	}
}

// whole looks at all rows of one and returns what changed.
func (v *watcher) whole(p *peer, out []Row) []Row {
	p.round++
	v.rows = v.c.cfg.Store.AppendRows(v.rows[:0], p.name)
	for _, r := range v.rows {
		if r.Key == helloPlace {
			continue
		}
		if changed, ok := p.take(v.c, r.Key, r.Value); ok {
			out = append(out, changed)
		}
	}
	for place, r := range p.rows {
		if r.round != p.round {
			if changed, ok := p.hide(place); ok {
				out = append(out, changed)
			}
		}
	}
	clear(v.rows) // so that nothing of them is kept
	return out
}

// some looks at some places.
func (v *watcher) some(p *peer, places []string) (out []Row) {
	for _, place := range places {
		if place == helloPlace {
			continue
		}
		changed, ok := Row{}, false
		if raw, is := v.c.cfg.Store.Row(p.name, place); is {
			changed, ok = p.take(v.c, place, raw)
		} else {
			changed, ok = p.hide(place)
		}
		if ok {
			out = append(out, changed)
		}
	}
	return out
}

// read takes whose hellos were read, and has them named in one's own when that is new; and whose could not be.
func (c *Cluster) read(met map[string]string, foreign []string) {
	c.mu.Lock()
	c.foreign = foreign
	same := maps.Equal(c.echoes, met)
	c.echoes = met
	c.mu.Unlock()
	if same {
		return
	}
	c.greetSoon()
}

// reach takes whether one can be reached, and says so in the log when that is new.
func (c *Cluster) reach(p *peer, known bool) {
	c.mu.Lock()
	was := c.seen[p.name]
	c.seen[p.name] = known
	if known {
		c.peers[p.name] = address{p.of, p.age}
		for _, r := range refusals {
			if !was {
				delete(c.told, string(r)+" "+p.name)
			}
		}
	} else {
		delete(c.peers, p.name)
	}
	c.mu.Unlock()
	switch {
	case known && !was:
		c.cfg.Log.Info().Str("pbx", p.name).Msg("cluster: the Earshot beside another PBX has come")
	case !known && was:
		c.cfg.Log.Warn().Str("pbx", p.name).Msg("cluster: the Earshot beside another PBX has gone, or is out of reach; its calls are not known meanwhile")
	}
}

// stand looks at one's own standing. Between two leases the others may have met somebody else under this name, and take nothing more of the
// incarnation before; so another begins with each.
func (v *watcher) stand() {
	c := v.c
	standing, lease := c.member.Standing(), c.member.Lease()
	c.mu.Lock()
	taken, was, again := standing == cache.Taken, c.taken, c.lease != 0 && c.lease != lease
	if taken {
		c.taken = true
	} else if standing == cache.Joined {
		c.taken = false
	}
	c.lease = lease
	if standing != cache.Joined {
		c.joined = time.Time{}
	} else if c.joined.IsZero() {
		c.joined = c.now()
	}
	c.mu.Unlock()
	if again {
		c.renew()
		for _, p := range v.peers {
			p.raw = "" // it is to name the new one
		}
	}
	switch {
	case taken && !was:
		c.cfg.Log.Warn().Str("pbx", c.pbx).Msg("cluster: the name of this PBX is held by another Earshot, or by one that died a moment ago, so this one is not in the cluster; if it stays so, " + OneEach)
	case standing == cache.Joined && was:
		c.cfg.Log.Info().Str("pbx", c.pbx).Msg("cluster: the name of this PBX is free; this Earshot is in the cluster")
	}
}

// miss says in the log, once of each, who is expected and has not come.
func (v *watcher) miss() {
	c := v.c
	for _, name := range c.Status().Missing {
		c.mu.Lock()
		c.tellOnce("missing "+name, func() {
			c.cfg.Log.Warn().Str("pbx", name).Msg("cluster: the policy names this PBX and no Earshot has come for it: is the name written as in its cluster.pbx, and does it run?")
		})
		c.mu.Unlock()
	}
}
