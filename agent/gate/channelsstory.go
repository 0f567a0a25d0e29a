package gate

import (
	"cmp"
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// narrator tells in Asterisk's order how what was shown becomes what is shown. What an event says beyond that is taken from it only for legs that are
// tied, that is not hidden.
type narrator struct {
	gate  *Gate
	set   *policy.Set
	cast  *cast
	take  *take
	now   []shot // of each role, as far as it has been told
	on    []bool // whether there is one
	order []int  // who has changed, in the order in which it is told

	// Of the scene.
	changes []mask.ChannelChange
	marks   []mark
}

// narrate makes the scene of a take; nil where there is nothing to tell.
func (g *Gate) narrate(set *policy.Set, k *cast, o *take) *Scene {
	n := &g.chart.narrator
	n.begin(g, set, k, o)
	for i, s := range o.prev {
		if s != nil {
			n.now[i], n.on[i] = *s, true
		}
		if s != o.next[i] && k.roles[i].past == nil {
			n.order = append(n.order, i)
		}
	}
	n.sort(o.prev, o.next)
	n.announce()
	for i := range k.roles {
		if k.roles[i].past != nil { // he was there for that alone
			n.on[i] = false
		}
	}
	n.leave()
	n.queueing(true)
	n.vanish()
	n.sort(o.next, o.prev)
	n.come()
	n.queueing(false)
	n.change()
	n.enter()
	n.rest()
	for i := range k.presence {
		n.add(mask.ChannelChange{Kind: mask.PresenceChanged, Presence: &k.presence[i]})
	}
	n.members()
	if len(n.changes) == 0 {
		return nil
	}
	return &Scene{changes: slices.Clone(n.changes), marks: slices.Clone(n.marks)}
}

// begin makes the narrator ready, in the memory that the last take has left.
func (n *narrator) begin(g *Gate, set *policy.Set, k *cast, o *take) {
	if len(n.now) > maxStage {
		*n = narrator{}
	}
	n.gate, n.set, n.cast, n.take = g, set, k, o
	n.now, n.on = slices.Grow(n.now[:0], len(k.roles))[:len(k.roles)], slices.Grow(n.on[:0], len(k.roles))[:len(k.roles)]
	clear(n.now) // nothing that another has seen may be left in it
	clear(n.on)
	n.order, n.changes, n.marks = n.order[:0], n.changes[:0], n.marks[:0]
}

// sort orders the hidden by their rows, or the order would tell who is on a call with whom, and behind them those that are tied by their age, as
// Asterisk does: by what they are in the one list or, where they are in that no more, in the other.
func (n *narrator) sort(shots, others []*shot) {
	of := func(i int) *shot {
		if shots[i] != nil {
			return shots[i]
		}
		return others[i]
	}
	slices.SortFunc(n.order, func(a, b int) int {
		s, o := of(a), of(b)
		if s.tied && o.tied {
			return cmp.Or(s.created.Compare(o.created), cmp.Compare(n.cast.roles[a].id, n.cast.roles[b].id))
		}
		return cmp.Or(cmp.Compare(truth(s.tied), truth(o.tied)), cmp.Compare(s.place, o.place), cmp.Compare(s.leg, o.leg))
	})
}

// stays reports whether the channel of a role is the one that it was.
func (n *narrator) stays(i int) bool {
	was, is := n.take.prev[i], n.take.next[i]
	return was != nil && is != nil && was.id == is.id
}

func (n *narrator) add(c mask.ChannelChange) { n.changes = append(n.changes, c) }

// hole stands for the handle of a mark.
func (n *narrator) hole(m mark) string {
	if m == (mark{}) {
		return ""
	}
	at := slices.Index(n.marks, m)
	if at < 0 {
		at = len(n.marks)
		n.marks = append(n.marks, m)
	}
	return mask.Hole(at)
}

// channel is a role's as it is now; nil for none.
func (n *narrator) channel(i int) *mask.Channel {
	if i < 0 || !n.on[i] {
		return nil
	}
	s := &n.now[i]
	c := s.ch
	c.ID, c.Linked, c.Bridge, c.DialledBy, c.Mates = n.hole(s.id), n.hole(s.linked), n.hole(s.in), n.hole(s.dialledBy), n.mates(s.in)
	return &c
}

// tied is the channel of a leg that is shown as tied; nil for none.
func (n *narrator) tied(id call.LegID) *mask.Channel {
	if at, ok := n.cast.at[id]; ok && at >= 0 && n.on[at] && n.now[at].tied {
		return n.channel(at)
	}
	return nil
}

// with is the channel of a mark; nil for none.
func (n *narrator) with(m mark) *mask.Channel {
	for i := range n.now {
		if m != (mark{}) && n.on[i] && n.now[i].id == m {
			return n.channel(i)
		}
	}
	return nil
}

// mates is how many are in a bridge.
func (n *narrator) mates(in mark) (count int) {
	for i := range n.now {
		if in != (mark{}) && n.on[i] && n.now[i].in == in {
			count++
		}
	}
	return count
}

// inside are the handles of those in a bridge.
func (n *narrator) inside(in mark) (all []string) {
	for i := range n.now {
		if in != (mark{}) && n.on[i] && n.now[i].in == in {
			all = append(all, n.hole(n.now[i].id))
		}
	}
	return all
}

// told adds a change about a role's channel.
func (n *narrator) told(kind mask.ChangeKind, i int) {
	n.add(mask.ChannelChange{Kind: kind, Channel: n.channel(i)})
}

// catchUp takes over what is told with whatever else is told.
func (n *narrator) catchUp(i int) {
	s, is := &n.now[i], n.take.next[i]
	s.linked, s.place, s.leg, s.created, s.tied = is.linked, is.place, is.leg, is.created, is.tied
	s.queue, s.caller, s.target, s.answered = is.queue, is.caller, is.target, is.answered
	s.room, s.parted = is.room, is.parted
	c, o := &s.ch, &is.ch
	c.Endpoint, c.Out, c.Dialled, c.App, c.Queue, c.Began, c.Since, c.Supervision = o.Endpoint, o.Out, o.Dialled, o.App, o.Queue, o.Began, o.Since, o.Supervision
	if o.Peer == nil {
		c.Peer = nil
	}
}

// announce tells of transfers and pickups, while those who are concerned are where they were.
func (n *narrator) announce() {
	ev := n.cast.ev
	if ev == nil {
		return
	}
	switch ev.Kind {
	case call.BlindTransferred:
		by, of := n.tied(ev.Channel.ID), n.tied(ev.Transferee)
		if by == nil || of == nil {
			return
		}
		c := mask.ChannelChange{Kind: mask.BlindTransferred, Channel: by, Other: of, Bridge: by.Bridge, Members: n.inside(n.now[n.cast.at[ev.Channel.ID]].in)}
		if eyes := n.take.eyes; eyes[len(eyes)-1] == 1 {
			c.Dialled = call.Number(ev.Dialled).Digits()
		}
		n.add(c)
	case call.AttendedTransferred:
		if by, second := n.tied(ev.Channel.ID), n.tied(ev.Peer.ID); by != nil && second != nil {
			n.add(mask.ChannelChange{Kind: mask.AttendedTransferred, Channel: by, Other: second, Third: n.tied(ev.Transferee)})
		}
	case call.PickedUp:
		if by, rang := n.tied(ev.Channel.ID), n.tied(ev.Peer.ID); by != nil && rang != nil {
			n.add(mask.ChannelChange{Kind: mask.PickedUp, Channel: by, Other: rang})
		}
	}
}
