package gate

import (
	"cmp"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// shot is one channel as all are shown it who see it and those tied to it alike. Where it has handles there are marks instead. It is never changed.
type shot struct {
	ch mask.Channel // without ID, Linked, Bridge and DialledBy

	id, linked, in, dialledBy mark       // the zero value is of none
	kind                      string     // of the bridge
	tied                      bool       // it may have others on its side: more is known of it than the board has of a hidden one
	rung                      bool       // something dials it still
	queue                     string     // of one whom a queue rings, or has brought a caller
	caller                    call.LegID // whom it has brought
	target                    call.LegID // at whom it supervises
	answered                  time.Time
	space, lot                string // where it is parked; empty for not
	parkedSince               time.Time
	timeout                   time.Duration
	room                      call.BridgeID // in which it is with others; empty for none
	parted                    bool          // of who is kept on stage: he is with somebody by now who is not shown

	place, leg int       // of whose row it is and where it stands there; of who is outside behind all
	created    time.Time // as exact as it is known
}

// same reports whether two say the same.
func (s *shot) same(o *shot) bool {
	if s.id != o.id || s.in != o.in || s.ch.State != o.ch.State || s.rung != o.rung {
		return false // what differs most
	}
	a, b := *s, *o
	a.ch.Peer, b.ch.Peer = nil, nil
	return a == b && sameParty(s.ch.Peer, o.ch.Peer)
}

func sameParty(a, b *mask.Party) bool { return a == b || a != nil && b != nil && *a == *b }

// eyes is what a subject sees of a cast, a byte for each role and for what else is asked about: his sight of a leg on a row, and whether he had the same
// of who was on its other side last; whether he sees who waits; whether he may view a line; and whether he may be told where to somebody was transferred.
func (g *Gate) eyes(t *call.Table, set *policy.Set, k *cast, me policy.Ref, sees []glance, views map[policy.LineRef]bool, dst []byte) []byte {
	for i := range k.roles {
		r := &k.roles[i]
		eye := byte(0)
		switch {
		case r.f != nil:
			s := g.classify(set, me, r.e, &sees[r.e.place]).sights[r.place]
			if eye = byte(s); g.sawLast(set, me, r, s) {
				eye |= sawLast
			}
		case r.queueing && g.views(set, me, r.waits, views) && !g.lineCaller(t, set, me, r.waits, r.leg, time.Time{}).Hidden:
			eye = 1
		case r.parked != nil && g.seesParked(set, me, r):
			eye = 1
		}
		dst = append(dst, eye)
	}
	for _, q := range k.queues {
		line, ok := set.LineOfQueue(q)
		dst = append(dst, truth(ok && g.views(set, me, line, views)))
	}
	if k.ev != nil && k.ev.Kind == call.BlindTransferred {
		dst = append(dst, truth(g.mayKnow(set, me, k)))
	}
	return dst
}

func truth(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// views is mayView that remembers.
func (g *Gate) views(set *policy.Set, me policy.Ref, line policy.LineRef, views map[policy.LineRef]bool) bool {
	may, ok := views[line]
	if !ok {
		may = g.mayView(set, me, line)
		views[line] = may
	}
	return may
}

// mayKnow reports whether a subject who sees the call may be told where to it is being transferred: not if he would not see one with whom that
// number may connect it.
func (g *Gate) mayKnow(set *policy.Set, me policy.Ref, k *cast) bool {
	at, ok := k.at[k.ev.Channel.ID]
	if !ok || at < 0 || k.roles[at].e == nil {
		return false
	}
	number := call.Number(k.ev.Dialled)
	return set.Decide(&policy.Request{
		Subject: me, Action: policy.Observe, Target: k.roles[at].e.ref, Party: k.roles[at].e.ref == me,
		With: set.AppendByNumber(nil, bare(number)), ProtectedNumber: set.ProtectedNumber(number.Digits()),
	}).Allowed
}

// slab is memory for shots that are compared and then forgotten.
type slab struct {
	all  []*shot
	used int
}

// put takes in a shot.
func (b *slab) put(s shot) *shot {
	if b.used == len(b.all) {
		b.all = append(b.all, new(shot))
	}
	n := b.all[b.used]
	b.used++
	*n = s
	return n
}

// compose makes what is shown of a cast to who sees with these eyes. Prev is what he was shown before, of which something may stand for a moment.
// What it makes is in the memory of next and of a slab: it is good until the next time.
func (g *Gate) compose(set *policy.Set, k *cast, next, prev []*shot, eyes []byte) []*shot {
	if g.scratch.shots.used = 0; len(g.scratch.shots.all) > maxStage {
		g.scratch.shots.all = nil
	}
	next = slices.Grow(next[:0], len(k.roles))[:len(k.roles)]
	clear(next)
	for i := range k.roles {
		if r := &k.roles[i]; r.f != nil {
			switch s := mask.Sight(eyes[i] &^ sawLast); {
			case s == mask.Own && r.free:
				next[i] = g.freeShot(set, k, r, s, eyes)
			case s.Peer() && !r.solo:
				next[i] = g.openShot(set, k, r, s, eyes)
				if eyes[i]&sawLast != 0 && !r.free {
					next[i].ch.Peer = r.f.last.party
				}
			case s.Peer() && s != mask.Own:
				next[i] = g.soloShot(set, k, r, s, eyes)
			default:
				next[i] = g.loneShot(set, k, r, s)
			}
		}
	}
	for i := range k.roles {
		r := &k.roles[i]
		switch {
		case r.leg == nil || r.e != nil || r.solo:
		case eyes[i] == 1 || slices.ContainsFunc(r.peers, func(o int) bool { return isTied(next[o]) && k.roles[o].e != nil }):
			next[i] = g.outsideShot(set, k, next, prev[i], i, eyes)
		}
	}
	for i := range k.roles {
		if isTied(next[i]) {
			g.tie(k, next, prev, i)
		}
	}
	for i := range k.roles {
		if r := &k.roles[i]; next[i] == nil && r.lingers && isTied(prev[i]) {
			next[i] = g.relic(k, prev[i], r)
		}
	}
	if g.scratch.mates == nil {
		g.scratch.mates = map[mark]int{}
	}
	count := g.scratch.mates
	clear(count)
	for _, s := range next {
		if s != nil && s.in != (mark{}) {
			count[s.in]++
		}
	}
	for _, s := range next {
		if s != nil {
			s.ch.Mates = count[s.in]
		}
	}
	return next
}

func isTied(s *shot) bool { return s != nil && s.tied }

// loneShot is a leg of which no more is told than the board has: its other side is hidden, or it supervises.
func (g *Gate) loneShot(set *policy.Set, k *cast, r *role, s mask.Sight) *shot {
	v := mask.Of(&r.f.facts, s, "")
	id := mark{r.e.tag.with(r.f.tag), s}
	n := g.scratch.shots.put(shot{id: id, linked: id, place: r.e.place, leg: r.place, ch: mask.Channel{
		Endpoint: firstPhone(set, r.e.ref), Employee: r.e.about.ID, Hidden: !s.Peer(), Out: v.Direction == "out", Held: v.State == mask.Held,
		Number: set.Number(r.e.ref), Name: r.e.about.Name, Began: v.Since, Since: v.Since, Supervision: v.Supervision,
	}})
	if v.Supervision != "" {
		n.target = r.target
	}
	switch v.State {
	case mask.Ringing:
		n.ch.State, n.rung = mask.ChannelRinging, true // also its owner's phone that is rung for him to call somebody
	case mask.Dialling:
		n.ch.State = mask.ChannelRing
	default:
		n.ch.State, n.in, n.kind = mask.ChannelUp, mark{id.on.with(k.own), s}, "basic"
	}
	return n
}

func firstPhone(set *policy.Set, ref policy.Ref) string {
	if phones := set.Phones(ref); len(phones) > 0 {
		return phones[0]
	}
	return ""
}

// openShot is a leg on a row with its other side.
func (g *Gate) openShot(set *policy.Set, k *cast, r *role, s mask.Sight, eyes []byte) *shot {
	v := mask.Of(&r.f.facts, s, "")
	n := g.scratch.shots.put(shot{id: mark{r.e.tag.with(r.f.tag), s}, tied: true, place: r.e.place, leg: r.place, ch: mask.Channel{
		Endpoint: r.f.endpoint, Employee: r.e.about.ID, Out: v.Direction == "out", Number: set.Number(r.e.ref), Name: r.e.about.Name, Peer: v.Peer,
		Since: v.Since, Supervision: v.Supervision,
	}})
	g.story(k, r, n, eyes)
	if r.free {
		n.ch.Peer = nil // whom it is put together with its owner is told elsewhere
	}
	if n.ch.Queue != "" && !n.ch.Out {
		n.queue = n.ch.Queue
		if len(r.peers) > 0 {
			n.caller = k.roles[r.peers[0]].id
		}
	}
	return n
}

// freeShot is a leg that a client of its owner's steers, for its owner, also while he supervises by it.
func (g *Gate) freeShot(set *policy.Set, k *cast, r *role, s mask.Sight, eyes []byte) *shot {
	n := g.openShot(set, k, r, s, eyes)
	if n.ch.Supervision != "" {
		n.target = r.target
	}
	return n
}

// soloShot is a leg that supervises, for others than the supervisor: as one that hears an announcement.
func (g *Gate) soloShot(set *policy.Set, k *cast, r *role, s mask.Sight, eyes []byte) *shot {
	n := g.openShot(set, k, r, s, eyes)
	n.queue, n.caller = "", ""
	n.ch.Dialled, n.ch.Queue, n.ch.Room = "", "", ""
	if n.ch.App == "Stasis" {
		n.ch.App = "Playback"
	}
	return n
}

// outsideShot is a leg that is on nobody's row. Shown anew after a time when it was not, it is another channel, and nothing of it is from before.
func (g *Gate) outsideShot(set *policy.Set, k *cast, next []*shot, was *shot, at int, eyes []byte) *shot {
	r := &k.roles[at]
	who, _ := g.part(set, r.leg).meet(g, set, r.leg)
	n := g.scratch.shots.put(shot{tied: true, place: set.Len(), ch: mask.Channel{
		Endpoint: r.leg.Endpoint(), Out: r.leg.Direction() == call.Out, Number: who.Number, Name: who.Name, Since: mask.Moment(r.leg.Since()),
	}})
	g.story(k, r, n, eyes)
	if isTied(was) && !was.parted && was.ch.Employee == "" {
		n.id, n.ch.Began, n.ch.Dialled = was.id, was.ch.Began, was.ch.Dialled
	} else {
		g.appear(set, k, next, at, n, eyes[at] == 1)
	}
	n.ch.Since = later(n.ch.Since, n.ch.Began)
	return n
}

// appear gives a leg that is on nobody's row the handle of its appearance, which follows from the leg and from that by which it is seen, and takes
// back what tells of a time before: when it began, and that it has called somebody who is not shown with it.
func (g *Gate) appear(set *policy.Set, k *cast, next []*shot, at int, n *shot, waits bool) {
	r := &k.roles[at]
	if waits { // or is parked
		n.id = g.since(r.mark, r.seen)
		n.ch.Began = later(n.ch.Began, mask.Moment(r.seen))
	}
	by, called := -1, set.AppendByNumber(nil, bare(r.leg.Dialled()))
	for _, o := range r.peers {
		p := &k.roles[o]
		if !isTied(next[o]) || p.e == nil {
			continue
		}
		called = slices.DeleteFunc(called, func(ref policy.Ref) bool { return ref == p.e.ref })
		if by < 0 || cmp.Or(next[o].created.Compare(next[by].created), cmp.Compare(p.id, k.roles[by].id)) < 0 {
			by = o
		}
	}
	if len(called) > 0 {
		n.ch.Dialled = ""
	}
	if !waits && by >= 0 {
		n.id = mark{r.mark.on.with(k.roles[by].f.tag), r.mark.sight}
		n.ch.Began = later(n.ch.Began, mask.Moment(next[by].created))
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// story fills in what Asterisk has of a leg. The name of a queue says what the call is about: it is for who may view the line.
func (g *Gate) story(k *cast, r *role, n *shot, eyes []byte) {
	l := r.leg
	// Who is rung to call somebody, or for something else that nobody has dialled, is rung until he answers: of the end of that dial the table tells nothing.
	n.rung = l.Rung() && (l.State() != call.StateUp || !n.ch.Out && len(r.peers) > 0)
	n.created, n.answered = l.Created(), l.Answered()
	n.ch.State, n.ch.Held, n.ch.Dialled = channelState(l.State()), l.Held(), l.Dialled().Digits()
	n.ch.Began, n.ch.Room = mask.Moment(l.Created()), l.Room()
	if q := k.calls[r.call].queue; k.viewed(q, eyes) {
		n.ch.Queue = q
	}
	n.park(r.parked)
	if slices.Contains(applications, l.App()) {
		n.ch.App = l.App()
	}
}

// applications are those of which it is told that a leg is in them.
var applications = []string{
	"Answer", "AppDial", "AppDial2", "AppQueue", "BackGround", "Bridge", "ConfBridge", "Dial", "Echo", "FollowMe", "Hangup", "MeetMe", "MusicOnHold",
	"Park", "ParkedCall", "Pickup", "Playback", "Queue", "Read", "Record", "Ringing", "Stasis", "VoiceMail", "VoiceMailMain", "Wait", "WaitExten",
}

func channelState(s call.State) mask.ChannelState {
	switch s {
	case call.StateUp:
		return mask.ChannelUp
	case call.StateRinging:
		return mask.ChannelRinging
	case call.StateRing, call.StateDialing, call.StateOffHook, call.StateBusy: // who hears that somebody is busy still calls
		return mask.ChannelRing
	default:
		return mask.ChannelDown
	}
}

// tie fills in what a leg has with the others of its call that are shown as tied.
func (g *Gate) tie(k *cast, next, prev []*shot, at int) {
	r, n := &k.roles[at], next[at]
	if r.solo || r.free {
		n.linked = n.id
		return
	}
	first := at
	for _, id := range k.calls[r.call].kin {
		if o := k.at[id]; isTied(next[o]) && !k.roles[o].solo && !k.roles[o].free && cmp.Or(next[o].created.Compare(next[first].created), cmp.Compare(id, k.roles[first].id)) < 0 {
			first = o
		}
	}
	n.linked = next[first].id
	switch {
	case r.bridge == "":
	case r.holding:
		n.in, n.kind, n.ch.Music = mark{n.id.on.with(k.own), n.id.sight}, "holding", true
	default:
		n.in, n.kind, n.room = g.common(k, next, prev, r.bridge), "basic", r.bridge
	}
	for _, o := range r.peers {
		p := next[o]
		if !isTied(p) {
			continue
		}
		if n.rung && n.dialledBy == (mark{}) {
			n.dialledBy = p.id
		}
		if r.e == nil && n.ch.Peer == nil {
			n.ch.Peer = &mask.Party{Number: p.ch.Number, Name: p.ch.Name, Employee: p.ch.Employee}
		}
		if p.ch.Held && r.bridge != "" && k.roles[o].bridge == r.bridge {
			n.ch.Music = true
		}
	}
	if n.ch.State == mask.ChannelUp && n.ch.App == "Queue" && r.bridge == "" && !r.leg.Bridged() { // who has talked waits no more, though he is in Queue yet
		n.ch.Music = true
	}
}

// relic is a leg whose call is over, for the moment until it is told that it is gone.
func (g *Gate) relic(k *cast, was *shot, r *role) *shot {
	n := g.scratch.shots.put(*was)
	if n.room == "" || n.room != r.bridge {
		n.in, n.kind, n.room = mark{}, "", ""
	}
	n.dialledBy, n.rung, n.ch.Music, n.ch.Held, n.queue = mark{}, false, false, false, ""
	n.parted = n.parted || r.on(k)
	n.unpark() // its state stays what it was: that it is answered now would be by somebody who is not shown
	return n
}

// common is the mark of a bridge in which all are who are shown as tied there. It is the same for as long as somebody is shown in it, and another if
// nobody was meanwhile: whoever was in there then is not to be found by it.
func (g *Gate) common(k *cast, next, prev []*shot, id call.BridgeID) mark {
	first := -1
	for i, p := range prev {
		if isTied(p) && p.room == id && !p.parted {
			return p.in
		}
		if isTied(next[i]) && k.roles[i].bridge == id && (first < 0 || cmp.Or(next[i].created.Compare(next[first].created), cmp.Compare(k.roles[i].id, k.roles[first].id)) < 0) {
			first = i
		}
	}
	return mark{g.private.tag(tagBridge, string(id)).with(next[first].id.on), mask.Seen}
}
