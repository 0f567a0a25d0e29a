package amiproxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
	"pgregory.net/rapid"
)

// asterisk22 reads testdata/events-22.tsv: the forms of each event, "PRIVILEGE: FIELD:CLASS FIELD:CLASS …".
func asterisk22(t testing.TB) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/events-22.tsv")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if parts := strings.Split(strings.TrimSpace(line), "\t"); len(parts) == 4 && parts[0] != "event" {
			all[parts[0]] = append(all[parts[0]], parts[1]+": "+parts[2])
		}
	}
	if len(all) < 30 {
		t.Fatalf("%d events", len(all))
	}
	return all
}

func (s sensitivity) String() string { return [...]string{"identity", "link", "safe"}[s] }

// anna and boris are the employees of these tests.
var staff = map[string]gate.Colleague{
	"anna":  {ID: "anna", Name: "Anna Petrova", Phones: []string{"PJSIP/101"}, Numbers: []string{"101", "1101"}},
	"boris": {ID: "boris", Name: "Boris Orlov", Phones: []string{"PJSIP/102", "PJSIP/112"}, Numbers: []string{"102"}},
}

func newTeller() *teller {
	t := tellers.New().(*teller)
	t.context, t.colleague = "from-internal", func(id string) (gate.Colleague, bool) { c, ok := staff[id]; return c, ok }
	return t
}

// messages are the events that were made, with the holes as they are.
func messages(t testing.TB, r *teller) (all []*ami.Message) {
	t.Helper()
	p := r.events.Done()
	if p == nil {
		return nil
	}
	fills := ""
	for i := range p.Fills() / mask.HandleLen {
		fills += mask.Hole(i)
	}
	from := ami.NewReader(bytes.NewReader(p.Append(nil, []byte(fills))), ami.Limits{})
	for {
		m, err := from.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Clone())
	}
}

// seen is anna's leg with its other side, outsider that one, and hidden boris's whose other side is not told. What a hidden one has not by
// mask's contract is there all the same: the door is not to write it even then.
func seen() *mask.Channel {
	return &mask.Channel{
		ID: mask.Hole(0), Linked: mask.Hole(1), Endpoint: "PJSIP/101", Employee: "anna", State: mask.ChannelUp, Number: "101", Name: "Anna Petrova",
		Peer: &mask.Party{Number: "+79161234567", Name: "Vera"}, Dialled: "74950000101", Bridge: mask.Hole(2), Mates: 2,
	}
}

func outsider() *mask.Channel {
	return &mask.Channel{
		ID: mask.Hole(1), Linked: mask.Hole(1), Endpoint: "PJSIP/trunk", Out: true, State: mask.ChannelUp, Number: "+79161234567", Name: "Vera",
		Peer: &mask.Party{Number: "101", Name: "Anna Petrova", Employee: "anna"}, Dialled: "101", Bridge: mask.Hole(2), Mates: 2,
	}
}

func hidden(secret string, out bool) *mask.Channel {
	return &mask.Channel{
		ID: mask.Hole(3), Linked: mask.Hole(3), Endpoint: "PJSIP/102", Employee: "boris", Hidden: true, Out: out, State: mask.ChannelUp,
		Number: "102", Name: "Boris Orlov", Bridge: mask.Hole(4), Mates: 1,
		Peer: &mask.Party{Number: secret, Name: secret, Employee: secret}, Dialled: secret, App: secret, Queue: secret,
	}
}

func inQueue(of string, m *mask.LineMember) *mask.QueueEvent {
	return &mask.QueueEvent{Queue: of, Position: 2, Count: 3, Wait: 40, Talk: 50, Member: m}
}

var works = &mask.LineMember{Employee: "boris", Name: "Boris Orlov", Queued: true, Penalty: 5, Paused: true, Fixed: true, State: mask.Talking}

// everything is a change of each kind, in each of the forms that it has.
func everything() []mask.ChannelChange {
	var all []mask.ChannelChange
	for kind := mask.ChannelAppeared; kind <= mask.AgentCompleted; kind++ {
		c := mask.ChannelChange{Kind: kind, Channel: seen(), Status: "ANSWER", Cause: 17, Dialled: "103", Mates: 2}
		with := func(change func(*mask.ChannelChange)) {
			other := c
			change(&other)
			all = append(all, other)
		}
		switch kind { //nolint:exhaustive // the others have one form, which is there already
		case mask.PresenceChanged:
			c.Channel, c.Presence = nil, &mask.Presence{Employee: "anna", State: mask.Talking, Rings: true}
		case mask.DialBegan, mask.DialRings, mask.DialEnded:
			c.Channel, c.Other = outsider(), seen()
			with(func(o *mask.ChannelChange) { o.Channel, o.Other = nil, hidden("x", false) })
		case mask.BridgeMade, mask.BridgeRemoved, mask.BridgeEntered, mask.BridgeLeft:
			c.Bridge, c.Type = mask.Hole(2), "basic"
			with(func(o *mask.ChannelChange) { o.Type = "holding" })
		case mask.BlindTransferred:
			c.Other, c.Bridge, c.Type = outsider(), mask.Hole(2), "basic"
			with(func(o *mask.ChannelChange) { o.Other = nil })
		case mask.AttendedTransferred:
			c.Other, c.Third = seen(), outsider()
			with(func(o *mask.ChannelChange) { o.Third = nil })
			with(func(o *mask.ChannelChange) { o.Channel.Bridge = "" })
		case mask.PickedUp, mask.SupervisionBegan, mask.SupervisionEnded:
			c.Other = outsider()
		case mask.ChannelUnparked:
			c.Other = outsider()
			with(func(o *mask.ChannelChange) { o.Other = nil })
		case mask.QueueCallerJoined, mask.QueueCallerLeft, mask.QueueCallerAbandoned:
			c.Queue = inQueue("sales", nil)
			with(func(o *mask.ChannelChange) { o.Channel = nil })
		case mask.QueueMemberAdded, mask.QueueMemberRemoved, mask.QueueMemberPaused, mask.QueueMemberPenalty, mask.QueueMemberStatus:
			c.Channel, c.Queue = nil, inQueue("sales", works)
		case mask.AgentCalled, mask.AgentConnected, mask.AgentCompleted:
			c.Other, c.Queue = seen(), inQueue("sales", works)
			with(func(o *mask.ChannelChange) { o.Channel = nil })
		}
		all = append(all, c)
	}
	return all
}

// TestEveryEventHasTheFieldsThatAsterisksHas: name, privilege, fields, order, and the class of each field.
func TestEveryEventHasTheFieldsThatAsterisksHas(t *testing.T) {
	real, told := asterisk22(t), map[string]bool{}
	for _, c := range everything() {
		teller := newTeller()
		teller.change(&c)
		all := messages(t, teller)
		if len(all) == 0 {
			t.Errorf("nothing is told of kind %d", c.Kind)
		}
		for _, m := range all {
			name := string(m.Event())
			told[name] = true
			if form := formOf(t, c.Kind, m); !slices.Contains(real[name], form) {
				t.Errorf("%s is\n%s\nand of a real Asterisk\n%s", name, form, strings.Join(real[name], "\n"))
			}
		}
	}
	want := strings.Fields(`AgentCalled AgentComplete AgentConnect AttendedTransfer BlindTransfer BridgeCreate BridgeDestroy BridgeEnter BridgeLeave
		ChanSpyStart ChanSpyStop DeviceStateChange DialBegin DialEnd DialState ExtensionStatus Hangup Hold MusicOnHoldStart MusicOnHoldStop NewCallerid
		NewConnectedLine Newchannel Newstate ParkedCall Pickup QueueCallerAbandon QueueCallerJoin QueueCallerLeave QueueMemberAdded QueueMemberPause
		QueueMemberPenalty QueueMemberRemoved QueueMemberStatus UnParkedCall Unhold`)
	if got := slices.Sorted(maps.Keys(told)); !slices.Equal(got, want) {
		t.Errorf("told is\n%s\nnot\n%s", got, want)
	}
}

// formOf writes an event as testdata/events-22.tsv has it.
func formOf(t *testing.T, kind mask.ChangeKind, m *ami.Message) string {
	f := forms[kind]
	for _, other := range []*form{deviceForm, extensionForm, forms[mask.QueueCallerLeft], forms[mask.ChannelPeerChanged]} {
		if string(m.Event()) == other.name {
			f = other
		}
	}
	class := map[string]sensitivity{}
	for _, field := range f.fields {
		class[field.name] = field.class
	}
	var fields []string
	for i := 2; i < m.Len(); i++ {
		name, _ := m.Field(i)
		if _, ok := class[string(name)]; !ok {
			t.Errorf("%s has a field %s that its form has not", f.name, name)
		}
		fields = append(fields, fmt.Sprintf("%s:%s", name, class[string(name)]))
	}
	return m.Get("Privilege") + ": " + strings.Join(fields, " ")
}

// TestWhoGivesUpWaitingLeavesTheQueueToo, as Asterisk tells it.
func TestWhoGivesUpWaitingLeavesTheQueueToo(t *testing.T) {
	teller := newTeller()
	teller.change(&mask.ChannelChange{Kind: mask.QueueCallerAbandoned, Channel: outsider(), Queue: inQueue("sales", nil)})
	var told []string
	for _, m := range messages(t, teller) {
		told = append(told, string(m.Event()))
	}
	if want := []string{"QueueCallerAbandon", "QueueCallerLeave"}; !slices.Equal(told, want) {
		t.Errorf("told is %q", told)
	}
}

// TestWhereAndForHowLongSomebodyIsParkedIsTold, when he comes and when he goes.
func TestWhereAndForHowLongSomebodyIsParkedIsTold(t *testing.T) {
	for _, kind := range []mask.ChangeKind{mask.ChannelParked, mask.ChannelUnparked} {
		teller := newTeller()
		teller.change(&mask.ChannelChange{Kind: kind, Channel: outsider(), Dialled: "703", Lot: "north", Timeout: 40, Waited: 5})
		m := messages(t, teller)[0]
		if got := strings.Join([]string{m.Get("ParkingSpace"), m.Get("Parkinglot"), m.Get("ParkingTimeout"), m.Get("ParkingDuration"), m.Get("ParkerDialString")}, " "); got != "703 north 40 5 " {
			t.Errorf("%s tells %q", m.Event(), got)
		}
	}
}

// TestTheGreetingHasTheFieldsThatAsterisksHas: FullyBooted, which is not made of a change.
func TestTheGreetingHasTheFieldsThatAsterisksHas(t *testing.T) {
	s := &Server{cfg: Config{Clock: time.Now}}
	m := s.booted()
	var fields []string
	for i := 2; i < m.Len(); i++ {
		name, _ := m.Field(i)
		fields = append(fields, string(name)+":safe")
	}
	if got, want := m.Get("Privilege")+": "+strings.Join(fields, " "), asterisk22(t)["FullyBooted"]; len(want) != 1 || got != want[0] {
		t.Errorf("it is %q and not %q", got, want)
	}
}

// TestNothingIdentifiesTheOtherSideOfAHiddenChannel, not even when the change has it against its contract: what a field holds that may identify
// somebody is the owner's own, who is on the board, or is the same whatever the call.
func TestNothingIdentifiesTheOtherSideOfAHiddenChannel(t *testing.T) {
	const secret = "+4930123456789"
	boris := []string{
		"PJSIP/102-" + mask.Hole(3), "102", "Boris Orlov", "PJSIP/102", unknown, "", "from-internal", "sales", // the line's own name
		"0 (Presentation Allowed, Not Screened)", "Success",
	}
	checked := 0
	for _, c := range everything() {
		if c.Kind == mask.BlindTransferred || c.Kind == mask.ChannelParked || c.Kind == mask.ChannelUnparked || c.Kind == mask.PresenceChanged {
			continue // where to, and the space, are told of channels that are seen; presence is no channel's
		}
		for _, out := range []bool{true, false} {
			c := c
			for _, of := range []**mask.Channel{&c.Channel, &c.Other, &c.Third} {
				if *of != nil {
					*of = hidden(secret, out)
				}
			}
			teller := newTeller()
			teller.change(&c)
			for _, m := range messages(t, teller) {
				if strings.Contains(string(m.Raw()), secret) {
					t.Errorf("%s tells it:\n%s", m.Event(), m.Raw())
				}
				for _, field := range forms[c.Kind].fields {
					value, ok := m.Lookup(field.name)
					if !ok || field.class != identity {
						continue
					}
					checked++
					if c.Queue != nil && strings.HasPrefix(string(value), "Queue/sales") {
						continue // who waits, by his place
					}
					if !slices.Contains(boris, string(value)) {
						t.Errorf("%s of %s is %q", field.name, m.Event(), value)
					}
				}
			}
		}
	}
	if checked < 500 {
		t.Errorf("%d fields were looked at", checked)
	}
	for _, c := range everything() { // and of one that is seen it is there
		if c.Kind == mask.ChannelPeerChanged {
			teller := newTeller()
			teller.change(&c)
			if m := messages(t, teller)[0]; m.Get("ConnectedLineNum") != "+79161234567" || m.Get("ConnectedLineName") != "Vera" {
				t.Errorf("of a seen channel it tells\n%s", m.Raw())
			}
		}
	}
}

// TestTwoWorldsAreToldInTheSameBytes: whatever is hidden of a channel, and whatever it ended of.
func TestTwoWorldsAreToldInTheSameBytes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		kind := rapid.SampledFrom([]mask.ChangeKind{
			mask.ChannelAppeared, mask.ChannelStateChanged, mask.ChannelGone, mask.DialBegan, mask.DialRings, mask.DialEnded,
			mask.BridgeEntered, mask.BridgeLeft, mask.HoldBegan, mask.HoldEnded, mask.ChannelCallerChanged, mask.ChannelPeerChanged,
		}).Draw(r, "kind")
		out := rapid.Bool().Draw(r, "out")
		world := func(name string) string {
			teller := newTeller()
			c := mask.ChannelChange{Kind: kind, Channel: hidden(rapid.String().Draw(r, name), out), Bridge: mask.Hole(4), Type: "basic", Mates: 1, Status: "CANCEL"}
			if kind == mask.ChannelGone {
				c.Cause = rapid.IntRange(0, 127).Draw(r, name+" ended by")
			}
			if kind == mask.DialBegan || kind == mask.DialRings || kind == mask.DialEnded {
				c.Channel, c.Other = nil, c.Channel
			}
			teller.change(&c)
			return string(messages(t, teller)[0].Raw())
		}
		if one, two := world("one"), world("two"); one != two {
			r.Fatalf("%s\n---\n%s", one, two)
		}
	})
}

// TestARenderingHasHolesForAllItsHandlesAndNoneBeside.
func TestARenderingHasHolesForAllItsHandles(t *testing.T) {
	teller := newTeller()
	for _, c := range []mask.ChannelChange{
		{Kind: mask.ChannelAppeared, Channel: seen()},
		{Kind: mask.BridgeEntered, Channel: seen(), Bridge: mask.Hole(2), Type: "basic", Mates: 2},
		{Kind: mask.AgentCalled, Channel: outsider(), Other: seen(), Queue: inQueue("sales", works)},
	} {
		teller.change(&c)
	}
	p := teller.events.Done()
	if teller.err != nil || p.Fills() != 3*mask.HandleLen || len(teller.classes) != 2 {
		t.Fatalf("it is %+v", p)
	}
	fills := strings.Repeat("a", mask.HandleLen) + strings.Repeat("b", mask.HandleLen) + strings.Repeat("c", mask.HandleLen)
	text := string(p.Append(nil, []byte(fills)))
	if n := strings.Count(text, "\r\n\r\n"); n != 4 {
		t.Errorf("it has %d events", n)
	}
	if _, _, ok := mask.NextHole([]byte(text)); ok {
		t.Errorf("a hole is left in\n%s", text)
	}
	for _, want := range []string{
		"Channel: PJSIP/101-" + fills[:mask.HandleLen] + "\r\n", "Uniqueid: " + fills[:mask.HandleLen] + "\r\nLinkedid: " + fills[mask.HandleLen:2*mask.HandleLen] + "\r\n",
		"BridgeUniqueid: " + fills[2*mask.HandleLen:] + "\r\n", "DestChannel: PJSIP/101-" + fills[:mask.HandleLen] + "\r\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestTextThatCannotStandInAFieldIsMadeToFit: what the network claims of itself ends no session.
func TestTextThatCannotStandInAFieldIsMadeToFit(t *testing.T) {
	for _, c := range everything() {
		for _, of := range []*mask.Channel{c.Channel, c.Other, c.Third} {
			if of != nil {
				of.Number, of.Name, of.Dialled = "1\r\n2", "A\x00B", "\r\nEvent: Hangup"
				of.Peer = &mask.Party{Number: "\n", Name: "\r"}
			}
		}
		c.Dialled, c.Lot = c.Dialled+"\r\n", c.Lot+"\r\n"
		teller := newTeller()
		teller.change(&c)
		if teller.err != nil {
			t.Errorf("kind %d: %v", c.Kind, teller.err)
		}
	}
}
