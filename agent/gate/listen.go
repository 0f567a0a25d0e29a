package gate

import (
	"context"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// speech is the least number of packets a second by which a phone counts as sending audio. One that talks sends fifty, or twenty when it
// puts more into each; one that suppresses silence sends a few to say so, and on those nothing can ride.
const speech = 5

// listener is how much a supervised call's other side had sent when it was last looked.
type listener struct {
	leg     call.LegID
	packets uint64
	at      time.Time
}

// listen looks whether the other side of a supervised call sends audio, and tells the supervisor when that changes: Asterisk hands a whisper to
// the target with the frames that come from there, so without them it is not heard. In a conference Asterisk makes the frames itself, and
// music is played to whom somebody holds, so it is told of two who talk, and only where the PBX counts the packets of the other's phone.
func (g *Gate) listen(a *act, last *listener) {
	var peer call.LegID
	g.locked(func(t *call.Table) {
		if l := t.Leg(a.leg); g.known && l != nil {
			peer = g.otherPhone(t, l)
		}
	})
	if peer == "" {
		*last = listener{}
		g.silent(a, false)
		return
	}
	ctx, cancel := context.WithTimeout(a.ctx, g.cfg.Listening)
	defer cancel()
	packets, err := g.cfg.PBX.Received(ctx, peer)
	now := listener{leg: peer, packets: packets, at: time.Now()}
	was := *last
	switch {
	case err != nil:
		*last = listener{}
		g.silent(a, false)
		return
	case was.leg != peer || packets < was.packets: // another phone, or its media began anew
		*last = now
		return
	}
	*last = now
	g.silent(a, float64(packets-was.packets) < speech*now.at.Sub(was.at).Seconds())
}

// otherPhone is the only phone on the other side of a leg that talks, as long as neither holds.
func (g *Gate) otherPhone(t *call.Table, l *call.Leg) call.LegID {
	g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
	if len(g.scratch.peers) != 1 || l.Phase() != call.PhaseTalking {
		return ""
	}
	p := g.scratch.peers[0]
	if p.Kind() != call.KindPhone || p.Phase() != call.PhaseTalking {
		return ""
	}
	return p.ID()
}

func (g *Gate) silent(a *act, silent bool) {
	g.locked(func(*call.Table) {
		if a.peerSilent != silent && !a.ended {
			a.peerSilent = silent
			g.tellLocked(a)
		}
	})
}
