package gate

import (
	"context"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// roomSuffix ends the id of a bridge that a client has made. It is no supervision's: those end with bridgeSuffix.
const roomSuffix = "-room"

// isRoom reports whether a bridge has an id as those have that clients make.
func isRoom(id call.BridgeID) bool {
	return strings.HasPrefix(string(id), pbx.Prefix) && strings.HasSuffix(string(id), roomSuffix)
}

// isStray reports whether a bridge has such an id, and is none of theirs. Caller holds the lock.
func (g *Gate) isStray(id call.BridgeID) bool { return isRoom(id) && g.stasis.rooms[id] == nil }

// stasisBridge is one of a Stasis's bridges. It is guarded by the gate's lock; who changes channels has the Stasis's turn, but for what is gone by itself.
type stasisBridge struct {
	st       *Stasis
	id       string        // the handle
	room     call.BridgeID // in the PBX
	channels []stasisMember
	made     bool // the PBX has it, and its client knows of it
	seen     bool // the table has had it: what the PBX answers may be ahead of what it tells
	gone     bool // it is out of the book
}

// stasisMember is who is in a bridge: one of the two.
type stasisMember struct {
	leg   *stasisLeg
	snoop *stasisSnoop
}

// name is the handle of a leg, or the id of a snoop.
func (m stasisMember) name() string {
	if m.snoop != nil {
		return m.snoop.act.id
	}
	return m.leg.handle
}

// in is where it is; nil: in no bridge.
func (m stasisMember) in() *stasisBridge {
	if m.snoop != nil {
		return m.snoop.bridge
	}
	return m.leg.bridge
}

// bridge is the bridge that has a handle; nil: there is none. Caller holds the gate's lock.
func (st *Stasis) bridge(handle string) *stasisBridge {
	if i := slices.IndexFunc(st.bridges, func(b *stasisBridge) bool { return b.made && b.id == handle }); i >= 0 {
		return st.bridges[i]
	}
	return nil
}

// snooped is the snoop that is in a bridge; nil: none is.
func (b *stasisBridge) snooped() *stasisSnoop {
	for _, m := range b.channels {
		if m.snoop != nil {
			return m.snoop
		}
	}
	return nil
}

// view is the bridge as its client sees it.
func (b *stasisBridge) view() StasisBridge {
	v := StasisBridge{ID: b.id, Channels: make([]string, 0, len(b.channels))}
	for _, m := range b.channels {
		v.Channels = append(v.Channels, m.name())
	}
	return v
}

// put has a member be in a bridge, behind those who are there, and no more in the one where it was; nil takes it out of that. It tells both. It is the
// model alone: what the PBX has is the caller's matter. Caller holds the gate's lock.
func (st *Stasis) put(m stasisMember, b *stasisBridge) {
	was := m.in()
	if was == b {
		return
	}
	if m.snoop != nil {
		m.snoop.bridge = b
	} else {
		m.leg.bridge = b
	}
	if was != nil {
		was.channels = slices.DeleteFunc(was.channels, func(o stasisMember) bool { return o == m })
		st.say(StasisEvent{Kind: StasisLeft, Bridge: was.view()}.of(m))
	}
	if b != nil {
		b.channels = append(b.channels, m)
		st.say(StasisEvent{Kind: StasisEntered, Bridge: b.view()}.of(m))
	}
}

// CreateBridge makes a mixing bridge.
func (st *Stasis) CreateBridge(ctx context.Context) (id string, err error) {
	g := st.gate
	var b *stasisBridge
	err = st.deal(ctx, dealing{
		word: wordBridge,
		prepare: func(*call.Table) *Problem {
			if len(st.bridges) >= maxStasisBridges || g.has(st.subject, func(st *Stasis) int { return len(st.bridges) }) >= maxSubjectBridges {
				return stasisFull()
			}
			b = &stasisBridge{st: st, id: newID(), room: call.BridgeID(pbx.Prefix + newID() + roomSuffix)}
			st.bridges = append(st.bridges, b)
			g.stasis.rooms[b.room] = b
			return nil
		},
		do: func(ctx context.Context) error {
			err := g.cfg.PBX.CreateBridge(ctx, b.room)
			if err != nil {
				g.drop(b.room) // it may have been made all the same
			}
			g.locked(func(t *call.Table) {
				if err != nil {
					st.raze(b)
					return
				}
				b.made = true
				st.say(StasisEvent{Kind: StasisBridgeMade, Bridge: b.view()})
				if _, there := t.BridgeType(b.room); g.known && b.seen && !there {
					st.raze(b) // somebody has destroyed it before the PBX has answered, and nothing more is told of it
				}
			})
			return err
		},
	})
	if err != nil {
		return "", err
	}
	return b.id, nil
}

// raze takes a bridge out of the book, with whoever is in it out of it, and tells that. Caller holds the gate's lock.
func (st *Stasis) raze(b *stasisBridge) {
	if b.gone {
		return
	}
	b.gone = true
	for _, p := range slices.Clone(st.playbacks) {
		if p.bridge == b {
			st.played(p, playFailed)
		}
	}
	for _, m := range slices.Clone(b.channels) {
		if m.snoop != nil {
			m.snoop.act.finish(ending{reason: reasonBySupervisor})
		}
		st.put(m, nil)
	}
	st.bridges = slices.DeleteFunc(st.bridges, func(o *stasisBridge) bool { return o == b })
	delete(st.gate.stasis.rooms, b.room)
	if b.made {
		st.say(StasisEvent{Kind: StasisBridgeGone, Bridge: b.view()})
	}
}

// DestroyBridge takes everybody out of a bridge and removes it. A supervision that was in it ends.
func (st *Stasis) DestroyBridge(ctx context.Context, bridge string) error {
	g := st.gate
	var b *stasisBridge
	return st.deal(ctx, dealing{
		word: wordBridge, turn: true,
		prepare: func(*call.Table) *Problem {
			if b = st.bridge(bridge); b == nil {
				return noSuchBridge()
			}
			return nil
		},
		do: func(ctx context.Context) error {
			var s *stasisSnoop
			if g.locked(func(*call.Table) { s = b.snooped() }); s != nil {
				if err := st.endSnoop(ctx, s); err != nil {
					return err
				}
			}
			var legs []*stasisLeg
			g.locked(func(*call.Table) {
				for _, m := range b.channels {
					legs = append(legs, m.leg)
				}
				expect(legs, nil)
			})
			err := g.cfg.PBX.Drop(ctx, b.room)
			g.locked(func(t *call.Table) {
				if err != nil {
					g.correct(t, legs)
					return
				}
				st.raze(b)
			})
			return err
		},
	})
}

// members finds channels for an operation on bridges, each once. Caller holds the gate's lock.
func (st *Stasis) members(t *call.Table, channels []string) (who []stasisMember, p *Problem) {
	if len(channels) == 0 {
		return nil, noChannels()
	}
	for _, name := range channels {
		m := stasisMember{snoop: st.snoop(name)}
		if m.snoop == nil {
			if m.leg, p = st.find(t, name); p != nil {
				return nil, p
			}
		}
		if !slices.Contains(who, m) {
			who = append(who, m)
		}
	}
	return who, nil
}

// hears reports whether a supervision runs with the member: its snoop, or its leg.
func (m stasisMember) hears() bool {
	return m.snoop != nil && m.snoop.leg != nil || m.leg != nil && m.leg.act != nil
}

// Add puts channels into a bridge: legs, or one snoop and one leg, which have it to themselves. A channel that is in another bridge leaves that. It
// returns when they are in it; of a supervision, when it runs, or the refusal of the decision that is made then.
func (st *Stasis) Add(ctx context.Context, bridge string, channels ...string) error {
	var b *stasisBridge
	var who []stasisMember
	return st.deal(ctx, dealing{
		word: wordBridge, turn: true,
		prepare: func(t *call.Table) (p *Problem) {
			if b = st.bridge(bridge); b == nil {
				return noSuchBridge()
			}
			if who, p = st.members(t, channels); p != nil {
				return p
			}
			who = slices.DeleteFunc(who, func(m stasisMember) bool { return m.in() == b })
			return p
		},
		do: func(ctx context.Context) error { return st.add(ctx, b, who) },
	})
}

func (st *Stasis) add(ctx context.Context, b *stasisBridge, who []stasisMember) error {
	if len(who) == 0 {
		return nil // they are in it
	}
	g := st.gate
	snooped := false
	g.locked(func(*call.Table) {
		snooped = b.snooped() != nil || slices.ContainsFunc(who, func(m stasisMember) bool { return m.snoop != nil })
	})
	if snooped {
		return st.addSnooped(ctx, b, who)
	}
	// What a supervision has is taken out of where it is first, which ends that one.
	for _, m := range who {
		var from *stasisBridge
		if g.locked(func(*call.Table) {
			if m.hears() {
				from = m.in()
			}
		}); from != nil {
			if err := st.removeSnooped(ctx, from, []stasisMember{m}); err != nil {
				return err
			}
		}
	}
	return st.enter(ctx, b, who)
}

// enter has the PBX put legs into a bridge.
func (st *Stasis) enter(ctx context.Context, b *stasisBridge, who []stasisMember) error {
	g := st.gate
	var legs []*stasisLeg
	g.locked(func(*call.Table) {
		for _, m := range who {
			legs = append(legs, m.leg)
		}
		expect(legs, b)
	})
	err := g.cfg.PBX.Enter(ctx, pbx.Enter{Bridge: b.room, Legs: ids(legs)})
	g.locked(func(t *call.Table) {
		if err != nil {
			g.correct(t, legs)
			return
		}
		st.place(t, legs, b)
	})
	return err
}

// Remove takes channels out of a bridge. A supervision that runs ends when its snoop or leg is taken out.
func (st *Stasis) Remove(ctx context.Context, bridge string, channels ...string) error {
	g := st.gate
	var b *stasisBridge
	var who []stasisMember
	return st.deal(ctx, dealing{
		word: wordBridge, turn: true,
		prepare: func(t *call.Table) (p *Problem) {
			if b = st.bridge(bridge); b == nil {
				return noSuchBridge()
			}
			if who, p = st.members(t, channels); p != nil {
				return p
			}
			if slices.ContainsFunc(who, func(m stasisMember) bool { return m.in() != b }) {
				return notInBridge()
			}
			return nil
		},
		do: func(ctx context.Context) error {
			snooped := false
			var legs []*stasisLeg
			g.locked(func(*call.Table) {
				if snooped = b.snooped() != nil; snooped {
					return
				}
				for _, m := range who {
					legs = append(legs, m.leg)
				}
				expect(legs, nil)
			})
			if snooped {
				return st.removeSnooped(ctx, b, who)
			}
			err := g.cfg.PBX.Leave(ctx, pbx.Enter{Bridge: b.room, Legs: ids(legs)})
			g.locked(func(t *call.Table) {
				if err != nil {
					g.correct(t, legs)
					return
				}
				st.place(t, legs, nil)
			})
			return err
		},
	})
}

func ids(legs []*stasisLeg) []call.LegID {
	all := make([]call.LegID, len(legs))
	for i, l := range legs {
		all[i] = l.id
	}
	return all
}

// place has the model be what an order has done: the legs are in the bridge now, or with nil in none. Those that are gone meanwhile are nowhere, and so are
// those that were to come into a bridge that is. Caller holds the gate's lock.
func (st *Stasis) place(t *call.Table, legs []*stasisLeg, b *stasisBridge) {
	if b != nil && b.gone {
		b = nil
	}
	for _, l := range legs {
		if !l.gone {
			l.look(t)
			st.put(stasisMember{leg: l}, b)
		}
	}
}
