package cluster

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/earshot-pbx/earshot/cache"
)

// How many rows that do not fit are tried before it is taken that nothing fits: when one was hidden, and at each beat.
const (
	triesOfHide = 1
	triesOfBeat = 100
)

// Show shows a value to the others, in place of what was shown under the key. It does not wait. What does not fit into the bounds of the
// cache is shown when it does: meanwhile the others know that not all is shown, and it is counted and told in the log.
func (c *Cluster) Show(key string, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, had := c.rows[key]
	if had && s.value == string(value) {
		return
	}
	if !had {
		s.place = c.keys.place(c.pbx, c.me, key)
	}
	s.value = string(value)
	c.rows[key] = s
	if err := c.put(key, s); err != nil {
		c.member.Hide(s.place) // what is shown there is true no more
		c.met.refused(rowKind, unfit)
		c.tellOnce(string(unfit), func() {
			c.cfg.Log.Error().Err(err).Msg("cluster: something is not shown to the other PBXs, since it is too large or too much")
		})
	}
}

// put seals a row and hands it to the cache, or notes that it is not shown; the caller holds the lock.
func (c *Cluster) put(key string, s shown) error {
	err := c.member.Show(s.place, c.sealRow.seal(writeRow(key, []byte(s.value)), s.place))
	if err == nil {
		s.revision = c.sealRow.revision
		c.rows[key] = s
		delete(c.unshown, key)
		return nil
	}
	c.lack(key)
	return err
}

// lack takes that a row is not shown, and has the others told; the caller holds the lock.
func (c *Cluster) lack(key string) {
	c.unshown[key] = struct{}{}
	if !c.partial {
		c.partial = true
		c.greetSoon()
	}
}

// refreshed is how many beats it takes until each row was sealed anew, unless that were more than maxRefreshed at one.
const (
	refreshed    = 5
	maxRefreshed = 500
)

// refresh seals the oldest rows anew, so that one that is held back in the store is noticed; the caller holds the lock.
func (c *Cluster) refresh() {
	var keys []string
	for key := range c.rows {
		if _, not := c.unshown[key]; !not {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(c.rows[a].revision, c.rows[b].revision) })
	for _, key := range keys[:min((len(keys)+refreshed-1)/refreshed, maxRefreshed)] {
		_ = c.put(key, c.rows[key]) // it is as large as it was
	}
}

// least is the lowest revision of all rows that are shown; the caller holds the lock.
func (c *Cluster) least() uint64 {
	low := c.sealRow.revision + 1
	for key, s := range c.rows {
		if _, not := c.unshown[key]; !not {
			low = min(low, s.revision)
		}
	}
	return low
}

// fill shows what did not fit before, until so many do not fit now; the caller holds the lock.
func (c *Cluster) fill(tries int) {
	for key := range c.unshown {
		if c.put(key, c.rows[key]) == nil {
			continue
		}
		if tries--; tries == 0 {
			return
		}
	}
}

// Hide takes back what was shown. It does not wait.
func (c *Cluster) Hide(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, had := c.rows[key]; had {
		c.member.Hide(s.place)
		delete(c.rows, key)
		delete(c.unshown, key)
		c.fill(triesOfHide)
	}
}

// greet shows the hello anew; the caller holds the lock.
func (c *Cluster) greet() {
	if c.ended {
		return
	}
	c.partial = len(c.unshown) > 0
	err := c.sayHello()
	for key, s := range c.rows {
		if !errors.Is(err, cache.ErrFull) {
			break
		}
		if _, not := c.unshown[key]; not {
			continue
		}
		c.member.Hide(s.place) // without the hello nothing counts
		c.unshown[key], c.partial = struct{}{}, true
		err = c.sayHello()
	}
	if err != nil {
		c.met.refused(rowKind, unfit)
		return
	}
	now := c.now()
	me := c.lives[len(c.lives)-1]
	me.hellos = append(me.hellos, sealedHello{c.sealRow.revision, now})
	for _, l := range c.lives {
		l.hellos = slices.DeleteFunc(l.hellos, func(h sealedHello) bool { return now.Sub(h.at) > c.slack()+cache.MaxCommandTime })
	}
	c.lives = slices.DeleteFunc(c.lives, func(l *life) bool { return len(l.hellos) == 0 })
	for id, end := range c.carried {
		if !now.Before(end) {
			delete(c.carried, id)
		}
	}
}

func (c *Cluster) sayHello() error {
	raw, err := json.Marshal(hello{Met: c.echoes, Partial: c.partial, Least: c.least()})
	if err != nil {
		panic(err) // cannot be: there is nothing in it that cannot be written
	}
	return c.member.Show(helloPlace, c.sealRow.seal(raw, helloPlace))
}

// greetSoon has the hello shown anew before the next beat.
func (c *Cluster) greetSoon() {
	select {
	case c.nudge <- struct{}{}:
	default:
	}
}
