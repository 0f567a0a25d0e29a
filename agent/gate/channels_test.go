package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"pgregory.net/rapid"
)

// panel is who watches channels: it keeps what it is told, and what there must be by that.
type panel struct {
	*gate.ChannelWatcher
	t      rapid.TB
	office *office
	who    string
	names  map[string]string // of handles, by the order in which they came
	have   []mask.Channel
	does   map[string]mask.Presence
}

func (o *office) panel(subject string) *panel {
	o.t.Helper()
	w, err := o.gate.WatchChannels(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(w.Close)
	p := &panel{ChannelWatcher: w, t: o.t, office: o, who: subject, names: map[string]string{}, does: map[string]mask.Presence{}}
	c := o.channels(subject)
	p.have = c.All
	for _, d := range c.Presence {
		p.does[d.Employee] = d
	}
	return p
}

func (o *office) channels(subject string) gate.Channels {
	o.t.Helper()
	c, err := o.gate.Channels(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

// real puts the panel's handles into a text.
func (p *panel) real(s *gate.Scene, text string) string {
	b := []byte(text)
	for from := 0; ; {
		at, i, ok := mask.NextHole(b[from:])
		if !ok {
			return string(b)
		}
		from += at
		from += copy(b[from:], p.Handle(s, i)[:])
	}
}

func (p *panel) channel(s *gate.Scene, c *mask.Channel) *mask.Channel {
	if c == nil {
		return nil
	}
	r := *c
	for _, f := range []*string{&r.ID, &r.Linked, &r.Bridge, &r.DialledBy} {
		*f = p.real(s, *f)
	}
	return &r
}

// changes takes what is there, and keeps what there must be by it.
func (p *panel) changes() (all []mask.ChannelChange) {
	p.t.Helper()
	for {
		s, ok := p.TryNext()
		if !ok {
			return all
		}
		for _, c := range s.Changes() {
			c.Channel, c.Other, c.Third, c.Bridge = p.channel(s, c.Channel), p.channel(s, c.Other), p.channel(s, c.Third), p.real(s, c.Bridge)
			c.Members = slices.Clone(c.Members)
			for i := range c.Members {
				c.Members[i] = p.real(s, c.Members[i])
			}
			if c.Queue != nil {
				q := *c.Queue
				q.Caller = p.real(s, q.Caller)
				c.Queue = &q
			}
			p.replay(&c)
			all = append(all, c)
		}
	}
}

func (p *panel) find(id string) int {
	return slices.IndexFunc(p.have, func(c mask.Channel) bool { return c.ID == id })
}

// replay does to what the panel has what a change says.
func (p *panel) replay(c *mask.ChannelChange) {
	p.t.Helper()
	if c.Presence != nil {
		p.does[c.Presence.Employee] = *c.Presence
	}
	for _, ch := range []*mask.Channel{c.Channel, c.Other, c.Third} {
		if ch == nil {
			continue
		}
		at := p.find(ch.ID)
		switch {
		case ch == c.Channel && c.Kind == mask.ChannelAppeared:
			if at >= 0 {
				p.t.Fatalf("%s appears twice", p.say(ch))
			}
			p.have = append(p.have, *ch)
		case at < 0:
			p.t.Fatalf("%v is told of %s, who has not appeared or is gone", c.Kind, p.say(ch))
		case c.Kind == mask.ChannelGone:
			p.have = slices.Delete(p.have, at, at+1)
		default:
			p.have[at] = *ch
		}
	}
	var in []string
	for i := range p.have {
		if c.Bridge == "" || p.have[i].Bridge != c.Bridge {
			continue
		}
		in = append(in, p.have[i].ID)
		if c.Kind == mask.BridgeEntered || c.Kind == mask.BridgeLeft {
			p.have[i].Mates = c.Mates
		}
	}
	told := slices.Clone(c.Members)
	slices.Sort(in)
	slices.Sort(told)
	if c.Kind != mask.BridgeMade && !slices.Equal(in, told) {
		p.t.Fatalf("%s tells of %d in the bridge, and there are %d", kindWords[c.Kind], len(told), len(in))
	}
}

// name is short for a handle.
func (p *panel) name(id string) string {
	if id == "" {
		return ""
	}
	if p.names[id] == "" {
		p.names[id] = fmt.Sprintf("#%d", len(p.names)+1)
	}
	return p.names[id]
}

var stateWords = [...]string{"Down", "Ring", "Ringing", "Up"}

// say writes a channel so that what a test is about can be read: whose it is, its state, and with whom.
func (p *panel) say(c *mask.Channel) string {
	if c == nil {
		return "-"
	}
	who := c.Employee
	if who == "" {
		who = "out:" + c.Number
	}
	text := who + " " + stateWords[c.State]
	if c.Hidden {
		text += " hidden"
	}
	if c.Peer != nil {
		text += " with " + c.Peer.Employee + c.Peer.Number
	}
	return text
}

var kindWords = map[mask.ChangeKind]string{
	mask.ChannelAppeared: "appeared", mask.ChannelStateChanged: "state", mask.ChannelCallerChanged: "caller", mask.ChannelPeerChanged: "peer", mask.ChannelGone: "gone",
	mask.DialBegan: "dial", mask.DialRings: "rings", mask.DialEnded: "dialled", mask.BridgeMade: "made", mask.BridgeEntered: "entered", mask.BridgeLeft: "left",
	mask.BridgeRemoved: "removed", mask.HoldBegan: "hold", mask.HoldEnded: "unhold", mask.MusicBegan: "music", mask.MusicEnded: "quiet",
	mask.BlindTransferred: "blind", mask.AttendedTransferred: "attended", mask.PickedUp: "pickup", mask.ChannelParked: "parked", mask.ChannelUnparked: "unparked",
	mask.SupervisionBegan: "supervision", mask.SupervisionEnded: "supervised", mask.PresenceChanged: "presence", mask.ChannelChanged: "changed",
	mask.QueueCallerJoined: "joined", mask.QueueCallerLeft: "answered", mask.QueueCallerAbandoned: "abandoned", mask.QueueMemberAdded: "member", mask.QueueMemberRemoved: "no member",
	mask.QueueMemberPaused: "pause", mask.QueueMemberPenalty: "penalty", mask.QueueMemberStatus: "status",
	mask.AgentCalled: "agent called", mask.AgentConnected: "agent connected", mask.AgentCompleted: "agent completed",
}

// tale writes changes, a line each; quiet leaves out what a protocol has no event for, and what employees do.
func (p *panel) tale(all []mask.ChannelChange) (lines []string) {
	for _, c := range all {
		if c.Kind == mask.PresenceChanged || c.Kind == mask.ChannelChanged || c.Kind == mask.QueueMemberStatus {
			continue
		}
		text := kindWords[c.Kind]
		if c.Channel != nil || c.Other != nil {
			text += " " + p.say(c.Channel)
		}
		if c.Other != nil {
			text += ", " + p.say(c.Other)
		}
		if c.Third != nil {
			text += ", " + p.say(c.Third)
		}
		if c.Status != "" {
			text += " " + c.Status
		}
		if c.Kind == mask.ChannelGone {
			text += fmt.Sprint(" ", c.Cause)
		}
		if c.Kind == mask.BridgeEntered || c.Kind == mask.BridgeLeft {
			text += fmt.Sprint(" ", c.Mates)
		}
		if c.Dialled != "" {
			text += " to " + c.Dialled
		}
		if c.Lot != "" {
			text += fmt.Sprintf(" in %s for %d of %d", c.Lot, c.Waited, c.Waited+c.Timeout)
		}
		if q := c.Queue; q != nil {
			text += fmt.Sprintf(" %s %d/%d", q.Queue, q.Position, q.Count)
			if q.Member != nil {
				text += " " + q.Member.Employee
			}
		}
		lines = append(lines, text)
	}
	return lines
}

// tells compares what the panel has been told since the last time.
func (p *panel) tells(when string, want ...string) {
	p.t.Helper()
	if got := p.tale(p.changes()); !slices.Equal(got, want) {
		p.t.Errorf("%s: %s is told\n\t%s\nnot\n\t%s", when, p.who, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// agrees compares what there must be by what the panel was told with what there is.
func (p *panel) agrees() {
	p.t.Helper()
	p.changes()
	is := p.office.channels(p.who)
	if d := differences(p.have, is.All); d != "" {
		p.t.Fatalf("%s: what was told does not come to what there is: %s", p.who, d)
	}
	for _, d := range is.Presence {
		if p.does[d.Employee] != d {
			p.t.Fatalf("%s is told that %+v, but %+v", p.who, p.does[d.Employee], d)
		}
	}
}

func differences(told, is []mask.Channel) string {
	byID := func(a, b mask.Channel) int { return strings.Compare(a.ID, b.ID) }
	told, is = slices.SortedFunc(slices.Values(told), byID), slices.SortedFunc(slices.Values(is), byID)
	for i := range min(len(told), len(is)) {
		a, b := told[i], is[i]
		pa, pb := mask.Party{}, mask.Party{}
		if a.Peer != nil {
			pa = *a.Peer
		}
		if b.Peer != nil {
			pb = *b.Peer
		}
		if a.Peer, b.Peer = nil, nil; a != b || pa != pb {
			return fmt.Sprintf("\n%+v %+v\n%+v %+v", a, pa, b, pb)
		}
	}
	if len(told) != len(is) {
		return fmt.Sprintf("%d told, %d there:\n%+v\n%+v", len(told), len(is), told, is)
	}
	return ""
}

func TestChannelsTellAnOrdinaryCallToWhoSeesIt(t *testing.T) {
	o := newOffice(t, house)
	p := o.panel("carl")
	o.leg("x.0", other, call.StateRing, "101")
	o.leg("x.1", "PJSIP/101", call.StateDown, "")
	p.tells("nobody is rung")
	o.dial("x.0", "x.1", "101")
	p.tells("dialled", "appeared out:+78120000000 Ring with anna101", "appeared anna Down with +78120000000", "dial out:+78120000000 Ring with anna101, anna Down with +78120000000")
	o.state("x.1", call.StateRinging)
	p.tells("rings", "state anna Ringing with +78120000000", "rings out:+78120000000 Ring with anna101, anna Ringing with +78120000000")
	o.answers("x", 1)
	p.tells("answered", "state anna Up with +78120000000", "state out:+78120000000 Up with anna101",
		"dialled out:+78120000000 Up with anna101, anna Up with +78120000000 ANSWER", "made", "entered anna Up with +78120000000 1", "entered out:+78120000000 Up with anna101 2")
	p.agrees()
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.1")})
	p.tells("held", "hold anna Up with +78120000000", "music out:+78120000000 Up with anna101")
	o.ingest(call.Event{Kind: call.LegUnheld, Channel: o.ch("x.1")})
	p.tells("not held", "unhold anna Up with +78120000000", "quiet out:+78120000000 Up with anna101")
	p.agrees()
	o.leave("x", "x.1", "x.0")
	p.tells("hung up", "left anna Up with +78120000000 1", "left out:+78120000000 Up with anna101 0", "removed")
	o.ingest(call.Event{Kind: call.LegGone, Channel: o.ch("x.1"), Cause: 16})
	p.tells("anna is gone", "gone anna Up with +78120000000 16")
	o.ingest(call.Event{Kind: call.LegGone, Channel: o.ch("x.0"), Cause: 127})
	p.tells("all are gone", "gone out:+78120000000 Up with anna101 127")
	p.agrees()
	if len(p.have) != 0 {
		t.Errorf("%+v is left", p.have)
	}
}
