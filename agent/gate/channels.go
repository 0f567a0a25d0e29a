package gate

import (
	"cmp"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// Channels is all that a subject may see of legs at one moment, for the doors that speak the PBX's own protocols.
type Channels struct {
	Known    bool            // whether Earshot knows the state of the PBX; while false there are none
	All      []mask.Channel  // row by row in the order of the policy, who is outside behind the first row of his call that shows him
	Presence []mask.Presence // one for each employee, in the order of the policy
	Parked   []Parked        // those of All that are parked
}

// Parked is a channel that is parked.
type Parked struct {
	Channel    int // its place in All
	Space, Lot string
	Since      time.Time // to the second
	Timeout    int       // seconds from Since until it comes back
}

// Channels returns what the subject may see now: the same that the board shows him, in the form of channels.
func (g *Gate) Channels(s auth.Subject) (out Channels, err error) {
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		me, ok := set.Employee(s.Employee())
		if !ok {
			err = refusedSubject()
			return
		}
		out = g.channels(t, set, me)
	})
	return out, err
}

// channels is what a subject may see. Caller holds the lock.
func (g *Gate) channels(t *call.Table, set *policy.Set, me policy.Ref) Channels {
	out := Channels{Known: g.known}
	if !g.known {
		return out
	}
	out.Presence = g.presences(set)
	k, shots, r := g.screened(t, set, me)
	for _, i := range k.listed(shots) {
		if s := shots[i]; s.space != "" {
			out.Parked = append(out.Parked, Parked{Channel: len(out.All), Space: s.space, Lot: s.lot, Since: s.parkedSince, Timeout: int(s.timeout / time.Second)})
		}
		out.All = append(out.All, r.channel(shots[i]))
	}
	return out
}

// screened is all that there is, what a subject is shown of each, and by whose handles. Caller holds the lock.
func (g *Gate) screened(t *call.Table, set *policy.Set, me policy.Ref) (*cast, []*shot, *reader) {
	k := g.everybody(t, set)
	eyes := g.eyes(t, set, k, me, make([]glance, set.Len()), map[policy.LineRef]bool{}, nil)
	return k, g.compose(set, k, nil, g.chart.told(k, me), eyes), &reader{gate: g, tag: g.secret.tag(tagSubject, set.ID(me))}
}

// listed are the places of those who are shown: row by row, and who is outside behind the first of his call.
func (k *cast) listed(shots []*shot) []int {
	type place struct{ row, leg, outside int }
	at := make([]place, len(shots))
	var all []int
	for i, s := range shots {
		if s == nil {
			continue
		}
		all = append(all, i)
		at[i] = place{s.place, s.leg, 0}
		if k.roles[i].e == nil {
			at[i].outside = 1
			for _, o := range k.roles[i].peers {
				if p := shots[o]; isTied(p) && k.roles[o].e != nil && (p.place < at[i].row || p.place == at[i].row && p.leg < at[i].leg) {
					at[i].row, at[i].leg = p.place, p.leg
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b int) int {
		x, y := at[a], at[b]
		return cmp.Or(cmp.Compare(x.row, y.row), cmp.Compare(x.leg, y.leg), cmp.Compare(x.outside, y.outside),
			shots[a].created.Compare(shots[b].created), cmp.Compare(k.roles[a].id, k.roles[b].id))
	})
	return all
}

// channel is a shot with the reader's handles.
func (r *reader) channel(s *shot) mask.Channel {
	c := s.ch
	text := func(m mark) string {
		if m == (mark{}) {
			return ""
		}
		return string(r.handle(&m)[:])
	}
	c.ID, c.Linked, c.Bridge, c.DialledBy = text(s.id), text(s.linked), text(s.in), text(s.dialledBy)
	return c
}
