package gate

import (
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// leave tells of who puts nobody on hold any more, and who leaves a bridge.
func (n *narrator) leave() {
	var left []mark
	for _, i := range n.order {
		s, stays := &n.now[i], n.stays(i)
		if !n.on[i] {
			continue
		}
		is := n.take.next[i]
		if stays && s.ch.Held && !is.ch.Held {
			n.catchUp(i)
			s.ch.Held = false
			n.told(mask.HoldEnded, i)
		}
		if s.ch.Supervision != "" && s.ch.State == mask.ChannelUp && (!stays || is.ch.Supervision != s.ch.Supervision || is.ch.State != mask.ChannelUp) {
			n.supervision(mask.SupervisionEnded, i)
		}
		if stays && s.space != "" && is.space != s.space {
			n.unparked(i)
		}
		if s.serves() && !(stays && is.serves()) {
			n.agent(mask.AgentCompleted, i)
		}
	}
	for _, i := range n.order {
		stays := n.stays(i)
		if s := &n.now[i]; n.on[i] && s.ch.Music && !(stays && n.take.next[i].ch.Music) { // nobody who is gone hears any
			if stays {
				n.catchUp(i)
			}
			s.ch.Music = false
			n.told(mask.MusicEnded, i)
		}
	}
	for _, i := range n.order {
		s := &n.now[i]
		if !n.on[i] || s.in == (mark{}) || n.stays(i) && n.take.next[i].in == s.in {
			continue
		}
		in, kind := s.in, s.kind
		s.in, s.kind = mark{}, ""
		if !slices.Contains(left, in) {
			left = append(left, in)
		}
		n.add(mask.ChannelChange{Kind: mask.BridgeLeft, Bridge: n.hole(in), Type: kind, Mates: n.mates(in), Members: n.inside(in), Channel: n.channel(i)})
		if n.mates(in) == 0 && !n.entered(in) {
			n.add(mask.ChannelChange{Kind: mask.BridgeRemoved, Bridge: n.hole(in), Type: kind})
		}
	}
}

// entered reports whether somebody will be in a bridge.
func (n *narrator) entered(in mark) bool {
	return slices.ContainsFunc(n.take.next, func(s *shot) bool { return s != nil && s.in == in })
}

// vanish tells of who is gone.
func (n *narrator) vanish() {
	for _, i := range n.order {
		if !n.on[i] || n.stays(i) {
			continue
		}
		if n.now[i].rung {
			n.dialEnded(i)
		}
		c := mask.ChannelChange{Kind: mask.ChannelGone, Channel: n.channel(i), Cause: normalClearing}
		if ev := n.cast.ev; ev != nil && ev.Kind == call.LegGone && n.now[i].tied && ev.Channel.ID == n.cast.roles[i].id && (ev.Cause != answeredElsewhere || n.knowsTaker(i)) {
			c.Cause = ev.Cause
		}
		n.on[i] = false
		n.add(c)
	}
}

// The hang-up causes that are told with care: that of one of whom no other is told, and that of one instead of whom another has answered, which is
// told to who sees that one on the call too.
const (
	normalClearing    = 16
	answeredElsewhere = 26
)

// knowsTaker reports whether it is shown who has answered instead of a leg.
func (n *narrator) knowsTaker(i int) bool {
	at, ok := n.cast.at[n.cast.roles[i].taken]
	return ok && at >= 0 && isTied(n.take.next[at])
}

// dialEnded tells that a leg is dialled no more, and why as far as its channel says.
func (n *narrator) dialEnded(i int) {
	s, is := &n.now[i], n.take.next[i]
	status := "CANCEL"
	switch ev := n.cast.ev; {
	case s.tied && ev != nil && ev.Kind == call.DialEnded && ev.Peer.ID == n.cast.roles[i].id:
		status = dialStatus(ev)
	case n.stays(i) && is.ch.State != mask.ChannelRinging && is.ch.State != mask.ChannelDown:
		status = "ANSWER"
	}
	s.rung = false
	by := n.with(s.dialledBy)
	s.dialledBy = mark{}
	n.add(mask.ChannelChange{Kind: mask.DialEnded, Channel: by, Other: n.channel(i), Status: status})
}

func dialStatus(ev *call.Event) string {
	switch {
	case ev.Answered:
		return "ANSWER"
	case ev.Congested:
		return "CONGESTION"
	}
	switch ev.Refusal {
	case call.RefusalBusy:
		return "BUSY"
	case call.RefusalFailed:
		return "CHANUNAVAIL"
	case call.RefusalNoAnswer:
		return "NOANSWER"
	default:
		return "CANCEL"
	}
}

// come tells of who is new: as he began, so that what he does since is told behind it.
func (n *narrator) come() {
	for _, i := range n.order {
		is := n.take.next[i]
		if is == nil || n.on[i] {
			continue
		}
		s := &n.now[i]
		*s = *is
		s.in, s.kind, s.dialledBy, s.rung, s.ch.Held, s.ch.Music = mark{}, "", mark{}, false, false, false
		s.unpark()
		switch r := &n.cast.roles[i]; {
		case is.rung || is.ch.State == mask.ChannelRinging:
			s.ch.State = mask.ChannelDown
		case is.ch.State != mask.ChannelUp || r.e == nil || !r.fresh:
		case is.ch.Out:
			s.ch.State = mask.ChannelRing
		default:
			s.ch.State = mask.ChannelDown
		}
		n.on[i] = true
		n.told(mask.ChannelAppeared, i)
	}
	for _, i := range n.order {
		is, s := n.take.next[i], &n.now[i]
		if is == nil || !is.rung || s.rung {
			continue
		}
		n.catchUp(i)
		s.rung, s.dialledBy = true, is.dialledBy
		n.add(mask.ChannelChange{Kind: mask.DialBegan, Channel: n.with(s.dialledBy), Other: n.channel(i)})
		if s.ch.State == mask.ChannelRinging { // its phone has said so before it was known who calls
			n.add(mask.ChannelChange{Kind: mask.DialRings, Channel: n.with(s.dialledBy), Other: n.channel(i)})
		}
		if s.queue != "" {
			n.agent(mask.AgentCalled, i)
		}
	}
}

// change tells what is different of who is there.
func (n *narrator) change() {
	for _, i := range n.order {
		is, s := n.take.next[i], &n.now[i]
		if is == nil {
			continue
		}
		if s.ch.Number != is.ch.Number || s.ch.Name != is.ch.Name {
			n.catchUp(i)
			s.ch.Number, s.ch.Name = is.ch.Number, is.ch.Name
			n.told(mask.ChannelCallerChanged, i)
		}
		if is.ch.Peer != nil && !sameParty(s.ch.Peer, is.ch.Peer) {
			n.catchUp(i)
			s.ch.Peer = is.ch.Peer
			n.told(mask.ChannelPeerChanged, i)
		}
		if s.ch.State == is.ch.State {
			continue
		}
		n.catchUp(i)
		s.ch.State = is.ch.State
		n.told(mask.ChannelStateChanged, i)
		if s.rung && s.ch.State == mask.ChannelRinging {
			n.add(mask.ChannelChange{Kind: mask.DialRings, Channel: n.with(s.dialledBy), Other: n.channel(i)})
		}
	}
	for _, i := range n.order {
		if is := n.take.next[i]; is != nil && n.now[i].rung && !is.rung {
			n.catchUp(i)
			n.dialEnded(i)
		}
	}
}

// enter tells of who comes into a bridge, puts another on hold, and supervises.
func (n *narrator) enter() {
	for _, i := range n.order {
		is, s := n.take.next[i], &n.now[i]
		if is == nil || is.in == s.in || is.in == (mark{}) {
			continue
		}
		n.catchUp(i)
		if n.mates(is.in) == 0 && !slices.ContainsFunc(n.take.prev, func(o *shot) bool { return o != nil && o.in == is.in }) {
			n.add(mask.ChannelChange{Kind: mask.BridgeMade, Bridge: n.hole(is.in), Type: is.kind})
		}
		s.in, s.kind = is.in, is.kind
		n.add(mask.ChannelChange{Kind: mask.BridgeEntered, Bridge: n.hole(s.in), Type: s.kind, Mates: n.mates(s.in), Members: n.inside(s.in), Channel: n.channel(i)})
		if was := n.take.prev[i]; s.serves() && (was == nil || !n.stays(i) || !was.serves()) {
			n.agent(mask.AgentConnected, i)
		}
	}
	for _, i := range n.order {
		is, s := n.take.next[i], &n.now[i]
		if is == nil {
			continue
		}
		if is.ch.Held && !s.ch.Held {
			n.catchUp(i)
			s.ch.Held = true
			n.told(mask.HoldBegan, i)
		}
	}
	for _, i := range n.order {
		is, s := n.take.next[i], &n.now[i]
		if is == nil {
			continue
		}
		if is.ch.Music && !s.ch.Music {
			n.catchUp(i)
			s.ch.Music = true
			n.told(mask.MusicBegan, i)
		}
		if is.space != "" && s.space != is.space {
			n.catchUp(i)
			s.space, s.lot, s.parkedSince, s.timeout = is.space, is.lot, is.parkedSince, is.timeout
			n.add(n.parked(mask.ChannelParked, i))
		}
		was := n.take.prev[i]
		if is.ch.Supervision != "" && is.ch.State == mask.ChannelUp && (!n.stays(i) || was.ch.Supervision != is.ch.Supervision || was.ch.State != mask.ChannelUp) {
			n.catchUp(i)
			n.supervision(mask.SupervisionBegan, i)
		}
	}
}

// supervision tells the supervisor of his own.
func (n *narrator) supervision(kind mask.ChangeKind, i int) {
	c := mask.ChannelChange{Kind: kind, Channel: n.channel(i)}
	if at, ok := n.cast.at[n.now[i].target]; ok && at >= 0 {
		c.Other = n.channel(at)
	}
	n.add(c)
}

// rest tells that something is different of which nothing has been told.
func (n *narrator) rest() {
	for _, i := range n.order {
		is, s := n.take.next[i], &n.now[i]
		if is == nil {
			continue
		}
		mates := is.ch.Mates
		s.ch.Mates = mates
		quiet := *is
		quiet.queue, quiet.caller, quiet.target, quiet.answered, quiet.place, quiet.leg, quiet.created = s.queue, s.caller, s.target, s.answered, s.place, s.leg, s.created
		quiet.room, quiet.parted = s.room, s.parted
		if !s.same(&quiet) {
			*s = *is
			n.told(mask.ChannelChanged, i)
		}
	}
}
