package amiproxy_test

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
	"github.com/earshot-pbx/earshot/ami"
)

// listener is a client that keeps the events it is sent.
type listener struct {
	t      *testing.T
	client *ami.Client
	events chan *ami.Message
}

func (w *world) listen(t *testing.T, who, mask string) *listener {
	t.Helper()
	l := &listener{t: t, events: make(chan *ami.Message, 1000)}
	var err error
	l.client, err = ami.Dial(t.Context(), ami.Config{Addr: w.addr, Username: who, Secret: ami.Secret(w.token[who]), PlainLogin: true, Events: mask, OnEvent: func(m *ami.Message) error {
		l.events <- m.Clone()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	if _, err := l.client.Do(t.Context(), act("Ping")); err != nil { // whose answer comes when the stream has begun
		t.Fatal(err)
	}
	return l
}

// until collects events up to one of a name about a phone.
func (l *listener) until(event, phone string) (all []*ami.Message) {
	l.t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case m := <-l.events:
			all = append(all, m)
			if string(m.Event()) == event && strings.Contains(m.Get("Channel")+m.Get("Hint")+m.Get("Device"), phone) {
				return all
			}
		case <-late:
			l.t.Fatalf("no %s of %s came behind %d events", event, phone, len(all))
		}
	}
}

// hangsUp ends a call.
func (w *world) hangsUp(id string) { w.ingest(stage.HangsUp(id, 17, 40)...) }

// told is all that a listener is sent of one call from outside, from the log-in to the end.
func told(t *testing.T, who, name, number string) []*ami.Message {
	t.Helper()
	w := newWorld(t)
	l := w.listen(t, who, "on")
	w.rings("1", name, number, "PJSIP/210")
	all := l.until("ExtensionStatus", "PJSIP/210")
	w.talks("1", name, number, "PJSIP/210")
	all = append(all, l.until("ExtensionStatus", "PJSIP/210")...)
	w.hangsUp("1")
	return append(all, l.until("ExtensionStatus", "PJSIP/210")...)
}

// line is an event in short: what a panel shows of it.
func line(m *ami.Message) string {
	all := []string{string(m.Event())}
	for _, field := range strings.Fields("Channel ChannelStateDesc ConnectedLineNum DestChannel DestChannelStateDesc DialStatus State StatusText DialString BridgeNumChannels Cause") {
		if v := m.Get(field); v != "" {
			all = append(all, ends.ReplaceAllString(v, ""))
		}
	}
	return strings.Join(all, " ")
}

// ends are the ends of names: the handles that a panel is given.
var ends = regexp.MustCompile(`-?\bc[a-z2-9]{20}\b`)

func lines(all []*ami.Message) (out []string) {
	for _, m := range all {
		out = append(out, line(m))
	}
	return out
}

func compare(t *testing.T, got []*ami.Message, want ...string) {
	t.Helper()
	if told := lines(got); !slices.Equal(told, want) {
		t.Errorf("the story is\n%s\nnot\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}

// TestWhatHappensWhileAClientIsGreetedIsTold, behind the greeting: whoever is told by it that all is there may have a call made elsewhere at once.
func TestWhatHappensWhileAClientIsGreetedIsTold(t *testing.T) {
	var w *world
	var greets atomic.Bool
	w = newWorld(t, func(c *amiproxy.Config) {
		c.Clock = func() time.Time { // the greeting says since when the door is open
			if greets.CompareAndSwap(true, false) {
				w.rings("1", "Ivanov", "+4915550001", "PJSIP/210")
			}
			return at(75)
		}
	})
	greets.Store(true)
	all := w.listen(t, "dave", "on").until("ExtensionStatus", "PJSIP/210")
	compare(t, all,
		"FullyBooted",
		"Newchannel PJSIP/210 Down <unknown>", "DialBegin PJSIP/210 Down 210", "Newstate PJSIP/210 Ringing <unknown>", "DialState PJSIP/210 Ringing RINGING",
		"DeviceStateChange RINGING", "ExtensionStatus Ringing",
	)
}

func TestACallIsToldFromTheRingToTheHangUp(t *testing.T) {
	compare(t, told(t, "dave", "Ivanov", "+4915550001"),
		"FullyBooted",
		"Newchannel PJSIP/210 Down <unknown>", "DialBegin PJSIP/210 Down 210", "Newstate PJSIP/210 Ringing <unknown>", "DialState PJSIP/210 Ringing RINGING",
		"DeviceStateChange RINGING", "ExtensionStatus Ringing",
		"Newstate PJSIP/210 Up <unknown>", "DialEnd PJSIP/210 Up ANSWER", "BridgeCreate 0", "BridgeEnter PJSIP/210 Up <unknown> 1", "DeviceStateChange INUSE", "ExtensionStatus InUse",
		"BridgeLeave PJSIP/210 Up <unknown> 0", "BridgeDestroy 0", "Hangup PJSIP/210 Up <unknown> 16", "DeviceStateChange NOT_INUSE", "ExtensionStatus Idle",
	)
	all := told(t, "olga", "Ivanov", "+4915550001")
	compare(t, all,
		"FullyBooted",
		"Newchannel PJSIP/210 Down <unknown>", "Newstate PJSIP/210 Ringing <unknown>", "DeviceStateChange RINGING", "ExtensionStatus Ringing", "QueueMemberStatus",
		"Newchannel PJSIP/trunk Ring <unknown>", "NewConnectedLine PJSIP/trunk Ring 210", "DialBegin PJSIP/trunk Ring 210 PJSIP/210 Ringing 210",
		"DialState PJSIP/trunk Ring 210 PJSIP/210 Ringing RINGING", "NewConnectedLine PJSIP/210 Ringing +4915550001",
		"Newstate PJSIP/210 Up +4915550001", "DeviceStateChange INUSE", "ExtensionStatus InUse", "QueueMemberStatus",
		"Newstate PJSIP/trunk Up 210", "DialEnd PJSIP/trunk Up 210 PJSIP/210 Up ANSWER",
		"BridgeCreate 0", "BridgeEnter PJSIP/210 Up +4915550001 1", "BridgeEnter PJSIP/trunk Up 210 2",
		"BridgeLeave PJSIP/trunk Up 210 1", "Hangup PJSIP/trunk Up 210 17", "BridgeLeave PJSIP/210 Up +4915550001 0", "BridgeDestroy 0", "Hangup PJSIP/210 Up +4915550001 17",
		"DeviceStateChange NOT_INUSE", "ExtensionStatus Idle",
	)
	ids := map[string]string{} // of phones
	for _, m := range all {
		for _, prefix := range []string{"", "Dest"} {
			name, id := m.Get(prefix+"Channel"), m.Get(prefix+"Uniqueid")
			phone := ends.ReplaceAllString(name, "")
			if id != "" && (name != phone+"-"+id || ids[phone] != "" && ids[phone] != id) {
				t.Errorf("%s is %s, and was %s", name, id, ids[phone])
			}
			if id != "" {
				ids[phone] = id
			}
		}
	}
}

// Two worlds that differ in who calls alone send who may not see that the same events, byte by byte.
func TestEventsOfTwoWorldsAreTheSameWithoutTheRight(t *testing.T) {
	text := func(who, name, number string) string {
		var b strings.Builder
		for _, m := range told(t, who, name, number) {
			b.Write(m.Raw())
			b.WriteString("\r\n")
		}
		ids := map[string]string{} // by the order in which they come
		return regexp.MustCompile(`\bc[a-z2-9]{20}\b`).ReplaceAllStringFunc(b.String(), func(id string) string {
			if ids[id] == "" {
				ids[id] = fmt.Sprintf("<%d>", len(ids))
			}
			return ids[id]
		})
	}
	one, two := text("alice", "Ivanov", "+4915550001"), text("alice", "A. Very-Long Name Indeed", "+79161234567")
	if one != two {
		t.Errorf("alice can tell them apart:\n%s\n---\n%s", one, two)
	}
	if strings.Contains(one, "Ivanov") || strings.Contains(one, "4915550001") || !strings.Contains(one, "Channel: PJSIP/210-<0>") {
		t.Errorf("alice is told\n%s", one)
	}
	if seen := text("olga", "Ivanov", "+4915550001"); !strings.Contains(seen, "ConnectedLineNum: +4915550001") || !strings.Contains(seen, "ConnectedLineName: Ivanov") {
		t.Errorf("olga is told\n%s", seen)
	}
}

// Everybody has handles of his own for the same events.
func TestTwoPanelsAreGivenDifferentHandles(t *testing.T) {
	w := newWorld(t)
	ids := map[string]string{}
	alice, dave, again := w.listen(t, "alice", "on"), w.listen(t, "dave", "on"), w.listen(t, "alice", "on")
	w.rings("1", "Ivanov", "+4915550001", "PJSIP/210")
	for name, l := range map[string]*listener{"alice": alice, "dave": dave, "again": again} {
		for _, m := range l.until("ExtensionStatus", "PJSIP/210") {
			if id := m.Get("DestUniqueid"); id != "" {
				ids[name] = id
			}
		}
	}
	if ids["alice"] == "" || ids["alice"] == ids["dave"] || ids["alice"] != ids["again"] {
		t.Errorf("the handles are %v", ids)
	}
}

// A change of policy that takes the sight of a call away ends its channels, and begins one that tells nothing.
func TestAChangeOfSightIsAnEndAndABeginning(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	l := w.listen(t, "olga", "on")
	l.until("FullyBooted", "")
	w.changes(strings.Replace(policyText, "observe: true", "observe: false", 1))
	all := l.until("BridgeEnter", "PJSIP/210")
	compare(t, all,
		"BridgeLeave PJSIP/210 Up +4915550001 1", "BridgeLeave PJSIP/trunk Up 210 0", "BridgeDestroy 0",
		"Hangup PJSIP/210 Up +4915550001 16", "Hangup PJSIP/trunk Up 210 16",
		"Newchannel PJSIP/210 Up <unknown>", "BridgeCreate 0", "BridgeEnter PJSIP/210 Up <unknown> 1",
	)
	if first, last := all[0].Get("Uniqueid"), all[len(all)-1].Get("Uniqueid"); first == "" || first == last {
		t.Errorf("both have the handle %s", first)
	}
}

// What is not known is not over: while the PBX is out of reach nothing is told, and then what has changed.
func TestOfAPBXThatWasAwayWhatHasChangedIsTold(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	l := w.listen(t, "alice", "on")
	l.until("FullyBooted", "")
	w.ingest(call.Event{Kind: call.LinkLost, At: at(50)})
	w.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}, At: at(60)})
	compare(t, l.until("ExtensionStatus", "PJSIP/210"),
		"BridgeLeave PJSIP/210 Up <unknown> 0", "BridgeDestroy 0", "Hangup PJSIP/210 Up <unknown> 16", "DeviceStateChange NOT_INUSE", "ExtensionStatus Idle")
}

// A client that does not read is cut off alone.
func TestAClientThatDoesNotReadIsCutOffAlone(t *testing.T) {
	w := newWorld(t)
	slow, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	_ = slow.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(slow, "Action: Login\r\nUsername: alice\r\nSecret: %s\r\n\r\n", w.token["alice"])
	quick := w.listen(t, "olga", "on")
	sessions := func() float64 {
		t.Helper()
		all, err := w.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.GetName() != "earshot_ami_door_connections_ended_total" {
				continue
			}
			for _, m := range f.GetMetric() {
				if m.GetLabel()[0].GetValue() == "too_slow" {
					return m.GetCounter().GetValue()
				}
			}
		}
		return 0
	}
	for i := 0; sessions() == 0; i++ {
		id := fmt.Sprint(i)
		w.talks(id, "Ivanov", "+4915550001", "PJSIP/210")
		w.hangsUp(id)
		quick.until("Hangup", "PJSIP/210")
		if i == 20_000 {
			t.Fatal("it is there yet")
		}
	}
	w.rings("last", "Ivanov", "+4915550001", "PJSIP/210")
	quick.until("ExtensionStatus", "PJSIP/210")
}

// The handles of events are those of lists, and what goes on at the log-in is in the lists alone.
func TestEventsGoOnFromTheLists(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	l := w.listen(t, "alice", "on")
	name, id := channelOf(t, l.client, "PJSIP/210")
	w.hangsUp("1")
	all := l.until("Hangup", "PJSIP/210")
	last := all[len(all)-1]
	if last.Get("Channel") != name || last.Get("Uniqueid") != id {
		t.Errorf("the lists have %s, the end %s", name, last.Get("Channel"))
	}
	if slices.ContainsFunc(all, func(m *ami.Message) bool { return string(m.Event()) == "Newchannel" }) {
		t.Error("a call that went on already is told as new")
	}
}

func TestWhoWantsNoEventsGetsNone(t *testing.T) {
	w := newWorld(t)
	quiet, loud := w.listen(t, "alice", "off"), w.listen(t, "alice", "call")
	w.rings("1", "Ivanov", "+4915550001", "PJSIP/210")
	loud.until("ExtensionStatus", "PJSIP/210")
	if _, err := quiet.client.Do(t.Context(), act("Ping")); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-quiet.events:
		t.Errorf("it got %s", m.Event())
	default:
	}
}

// A panel that serves many is told nothing by itself: for whom would it be?
func TestAPanelOfManyIsToldOfNoCall(t *testing.T) {
	w := newWorld(t)
	panel, olga := w.listen(t, "crm", "on"), w.listen(t, "olga", "on")
	w.rings("1", "Ivanov", "+4915550001", "PJSIP/210")
	olga.until("ExtensionStatus", "PJSIP/210")
	if _, err := panel.client.Do(t.Context(), act("Ping")); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(string((<-panel.events).Event()), len(panel.events)); got != "FullyBooted0" {
		t.Errorf("it is told %s", got)
	}
}
