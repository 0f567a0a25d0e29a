package call

import (
	"errors"
	"fmt"
	"slices"
)

// Check reports every inconsistency between the table's legs and its indexes.
func (t *Table) Check() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	n, moving, endpoints, names := 0, 0, 0, 0
	var prev *Leg
	for l := t.first; l != nil; prev, l = l, l.next {
		n++
		if t.legs[l.id] != l || l.prev != prev {
			bad("%v is not well linked", l)
		}
		if l.phase != l.nowPhase() {
			bad("%v has phase %v and should have %v", l, l.phase, l.nowPhase())
		}
		if l.endpoint != "" {
			endpoints++
			if !slices.Contains(t.endpoints[l.endpoint], l) {
				bad("%v is not with its endpoint", l)
			}
		}
		if l.kind == KindLocal {
			names++
		}
		if l.bridge != nil && (l.left != nil || t.bridges[l.bridge.id] != l.bridge || !slices.Contains(l.bridge.legs, l)) {
			bad("%v is not well in its bridge", l)
		}
		if l.left != nil {
			moving++
			if t.bridges[l.left.id] != l.left || !slices.Contains(l.left.left, l) || l.state != StateUp && l.leftAt.IsZero() {
				bad("%v is not well on its way", l)
			}
		}
		seen := map[*Leg]bool{}
		for _, d := range l.dials {
			other := d.caller
			if d.caller == l {
				other = d.peer
			}
			if other == l || t.legs[other.id] != other || !slices.Contains(other.dials, d) || seen[other] && d.caller == l {
				bad("%v has a dial that is not well tied", l)
			}
			if d.caller == l {
				seen[other] = true
			}
		}
		if l.half != nil && (l.half.half != l || t.legs[l.half.id] != l.half) {
			bad("%v has a half that has not it", l)
		}
		if l.spied != nil && (!slices.Contains(l.spied.spies, l) || t.legs[l.spied.id] != l.spied) {
			bad("%v spies and nobody knows", l)
		}
		for _, s := range l.spies {
			if s.spied != l {
				bad("%v is spied on by one who does not", l)
			}
		}
	}
	if t.last != prev || n != len(t.legs) {
		bad("%d legs in the list and %d in the table", n, len(t.legs))
	}
	if moving != t.moving {
		bad("%d legs are on their way, %d counted", moving, t.moving)
	}
	for _, legs := range t.endpoints {
		endpoints -= len(legs)
		if len(legs) == 0 {
			bad("an endpoint without legs")
		}
	}
	if endpoints != 0 || names != len(t.names) {
		bad("indexes of endpoints or names hold what is gone")
	}
	for id, br := range t.bridges {
		if br.id != id || br.gone && len(br.legs)+len(br.left) == 0 {
			bad("bridge %q is kept for nothing", string(id))
		}
		for _, l := range br.legs {
			if l.bridge != br {
				bad("bridge %q has %v, who is elsewhere", string(id), l)
			}
		}
		for _, l := range br.left {
			if l.left != br {
				bad("bridge %q has lost %v, who came from elsewhere", string(id), l)
			}
		}
	}
	if len(t.gone) > remembered || len(t.gone) != len(t.goneRing) {
		bad("%d legs that are gone are remembered, %d in the ring", len(t.gone), len(t.goneRing))
	}
	return errors.Join(errs...)
}
