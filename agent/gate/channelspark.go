package gate

import (
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// parking is where a leg is parked. That is AMI's word, whose text can be forged: it counts while ARI has the leg in a bridge where nobody hears
// another, and who has parked it only where the leg has been on a call of his.
type parking struct {
	space, lot string
	by         string // employee's id; empty for nobody who is known
	since      time.Time
	timeout    time.Duration
	in         bool // ARI has had it there
}

// noteParking takes in what has become of parked legs. Caller holds the lock.
func (g *Gate) noteParking(t *call.Table, ev *call.Event, changes []call.Change) {
	switch ev.Kind {
	case call.Parked:
		l := t.Leg(ev.Channel.ID)
		if l == nil || l.Name() != ev.Channel.Name || ev.Parking == nil {
			return
		}
		p := &parking{space: strings.Clone(ev.Parking.Space), lot: strings.Clone(ev.Parking.Lot), since: ev.At, timeout: ev.Parking.Timeout}
		typ, _ := t.BridgeType(l.Bridge())
		p.in = typ == "holding"
		if ref, ok := g.policy.Load().Phone(ev.Parking.By); ok && g.parts[l.ID()] != nil && slices.Contains(g.parts[l.ID()].rows, g.board[ref]) {
			p.by = g.policy.Load().ID(ref)
		}
		if g.parked == nil {
			g.parked = map[call.LegID]*parking{}
		}
		g.parked[l.ID()] = p
	case call.Unparked:
		delete(g.parked, ev.Channel.ID)
	default:
		if len(g.parked) == 0 {
			return
		}
		for i := range changes {
			switch c := &changes[i]; c.Kind {
			case call.LegGone:
				delete(g.parked, c.Leg)
			case call.BridgeEntered, call.BridgeLeft:
				if p := g.parked[c.Leg]; p != nil {
					typ, _ := t.BridgeType(c.Bridge)
					here := c.Kind == call.BridgeEntered && typ == "holding"
					if p.in && !here {
						delete(g.parked, c.Leg)
					}
					p.in = here
				}
			}
		}
	}
}

// parkedAt is where a leg is parked; nil for nowhere.
func (g *Gate) parkedAt(t *call.Table, l *call.Leg) *parking {
	p := g.parked[l.ID()]
	if p == nil {
		return nil
	}
	if typ, _ := t.BridgeType(l.Bridge()); typ != "holding" {
		return nil
	}
	return p
}

// seesParked reports whether the subject sees a leg on nobody's row that is parked: as he would see it on the row of who has parked it.
func (g *Gate) seesParked(set *policy.Set, me policy.Ref, r *role) bool {
	by, ok := set.Employee(r.parked.by)
	if !ok {
		return false
	}
	c := &g.part(set, r.leg).company
	return set.Decide(&policy.Request{
		Subject: me, Action: policy.Observe, Target: by, With: c.everyone(nil), ProtectedNumber: c.protected, Party: me == by,
	}).Allowed
}

// park fills in where a leg is parked.
func (s *shot) park(p *parking) {
	if p != nil {
		s.space, s.lot, s.parkedSince, s.timeout = p.space, p.lot, mask.Moment(p.since), p.timeout
	}
}

// parked says where a role's channel is parked, and how long it has been.
func (n *narrator) parked(kind mask.ChangeKind, i int) mask.ChannelChange {
	s := &n.now[i]
	c := mask.ChannelChange{Kind: kind, Channel: n.channel(i), Dialled: s.space, Lot: s.lot, Waited: seconds(s.parkedSince, n.cast.moment)}
	if s.timeout > 0 {
		c.Timeout = max(0, int(s.timeout/time.Second)-c.Waited)
	}
	return c
}

// unparked tells of who is parked no more, and who has fetched him if that is told too.
func (n *narrator) unparked(i int) {
	c := n.parked(mask.ChannelUnparked, i)
	if ev := n.cast.ev; ev != nil && ev.Kind == call.Unparked && ev.Channel.ID == n.cast.roles[i].id {
		c.Other = n.tied(ev.Peer.ID)
	}
	n.now[i].unpark()
	n.add(c)
}

func (s *shot) unpark() { s.space, s.lot, s.parkedSince, s.timeout = "", "", time.Time{}, 0 }
