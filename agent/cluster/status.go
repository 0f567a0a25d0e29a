package cluster

import (
	"maps"
	"slices"

	"github.com/earshot-pbx/earshot/cache"
)

// refusal is why something is not taken.
type refusal string

const (
	unreadable refusal = "unreadable" // not sealed with this key for this place, or changed since
	older      refusal = "older"      // from before what is known, or of a run that is over
	repeated   refusal = "repeated"   // a command that was taken already
	late       refusal = "late"       // a command whose time is over
	unfit      refusal = "unfit"      // one's own, too large or too much for the cache
)

var refusals = []refusal{unreadable, older, repeated, late, unfit}

// Status is how things stand.
type Status struct {
	Standing cache.Standing
	Known    []string // the other PBXs whose sidecars can be reached, by name
	Gone     []string // those that could be in this run, and cannot, by name; but who is not expected, where it is said who is
	Missing  []string // who is expected, and could not be reached in this run, although it has had the time; by name
	Foreign  []string // members whose rows are not sealed with this key, by name
}

// Status tells how things stand. It does not wait.
func (c *Cluster) Status() Status {
	s := Status{Standing: c.member.Standing()}
	expected := c.expected()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(c.seen)) {
		if c.seen[name] {
			s.Known = append(s.Known, name)
		} else if len(expected) == 0 || slices.Contains(expected, name) {
			s.Gone = append(s.Gone, name)
		}
	}
	s.Foreign = slices.Clone(c.foreign)
	if s.Standing != cache.Joined || c.joined.IsZero() || c.now().Sub(c.joined) < c.cfg.Silence {
		return s // the others may be there and not be met yet
	}
	for _, name := range expected {
		if _, met := c.seen[name]; !met && name != c.pbx && !slices.Contains(c.foreign, name) {
			s.Missing = append(s.Missing, name)
		}
	}
	return s
}

// expected are the names of the PBXs that have to have a sidecar, sorted; none: it is not said.
func (c *Cluster) expected() []string {
	if c.cfg.Expected == nil {
		return nil
	}
	return slices.Sorted(slices.Values(c.cfg.Expected()))
}
