package amiproxy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// lists are the list actions that need no header, with the events that carry their rows and the one at their end.
var lists = []struct {
	action, final string
	events        []string
}{
	{"CoreShowChannels", "CoreShowChannelsComplete", []string{"CoreShowChannel"}},
	{"Status", "StatusComplete", []string{"Status"}},
	{"BridgeList", "BridgeListComplete", []string{"BridgeListItem"}},
	{"ParkedCalls", "ParkedCallsComplete", []string{"ParkedCall"}},
	{"ConfbridgeListRooms", "ConfbridgeListRoomsComplete", []string{"ConfbridgeListRooms"}},
	{"QueueStatus", "QueueStatusComplete", []string{"QueueParams", "QueueMember", "QueueEntry"}},
	{"QueueSummary", "QueueSummaryComplete", []string{"QueueSummary"}},
	{"Agents", "AgentsComplete", []string{"Agents"}},
	{"ExtensionStateList", "ExtensionStateListComplete", []string{"ExtensionStatus"}},
	{"DeviceStateList", "DeviceStateListComplete", []string{"DeviceStateChange"}},
	{"PresenceStateList", "PresenceStateListComplete", []string{"PresenceStateChange"}},
	{"PJSIPShowEndpoints", "EndpointListComplete", []string{"EndpointList"}},
	{"PJSIPShowContacts", "ContactListComplete", []string{"ContactList"}},
	{"SIPpeers", "PeerlistComplete", []string{"PeerEntry"}},
}

// more are forms that are not among the captured ones: chan_sip's, which Asterisk 22 has no more (channels/chan_sip.c, _sip_show_peers_one); an agent's on
// a call (apps/app_agent_pool.c), and of one who waits for a call without a channel, as the members of a queue do.
var more = map[string][]string{
	"PeerEntry":        {"Event ActionID Channeltype ObjectName ChanObjectType IPaddress IPport Dynamic AutoForcerport Forcerport AutoComedia Comedia VideoSupport TextSupport ACL Status RealtimeDevice Description Accountcode"},
	"PeerlistComplete": {"Event ActionID EventList ListItems"},
	"Agents": {
		"Event Agent Name Status LoggedInTime ActionID",
		"Event Agent Name Status TalkingToChan CallStarted LoggedInTime Channel ChannelState ChannelStateDesc CallerIDNum CallerIDName ConnectedLineNum ConnectedLineName Language AccountCode Context Exten Priority Uniqueid Linkedid ActionID",
	},
}

// queued has somebody from outside wait on the line.
func (w *world) queued(id, name, number string) {
	l := leg(id, "PJSIP/trunk", call.StateUp, call.Identity{Name: name, Number: call.Number(number)}, call.Identity{})
	l.App, l.Queue = "Queue", "q-sales"
	w.ingest(call.Event{Kind: call.LegSeen, Channel: l, At: at(20)})
	w.gate.Queues(queue.Event{Kind: queue.CallerJoined, Queue: "q-sales", Caller: queue.Caller{Leg: id, Channel: l.Name, Since: at(20)}})
}

func TestListsHaveAsterisksForm(t *testing.T) {
	w := newWorld(t)
	w.busy("Ivanov", "+4915550001")
	olga, form := w.as("olga"), forms(t)
	for event, fields := range more {
		form[event] = append(form[event], fields...)
	}
	for _, l := range lists {
		list, final, err := olga.List(t.Context(), act(l.action))
		if err != nil {
			t.Fatalf("%s: %v", l.action, err)
		}
		if got := string(final.Event()); got != l.final || final.Get("EventList") != "Complete" || final.Get("ListItems") != fmt.Sprint(len(list)) {
			t.Errorf("%s ends with %s of %s", l.action, got, final.Get("ListItems"))
		}
		seen := map[string]bool{}
		for _, row := range append(list, final) {
			var names []string
			for i := range row.Len() {
				name, _ := row.Field(i)
				names = append(names, string(name))
			}
			event := string(row.Event())
			seen[event] = true
			if got := strings.Join(names, " "); !slices.Contains(form[event], got) {
				t.Errorf("%s has the fields\n%s, not\n%s", event, got, form[event])
			}
		}
		for _, event := range l.events {
			if !seen[event] {
				t.Errorf("%s has no %s", l.action, event)
			}
		}
	}
}

func TestAWatcherWithTheRightSeesBothChannelsOfACall(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	w.rings("2", "Smith", "+4915550002", "PJSIP/120")
	want := map[string]string{
		"PJSIP/210 +4915550001":   "6 Up 210 Bob Ivanov AppDial",
		"PJSIP/trunk 210":         "6 Up +4915550001 Ivanov Bob Dial",
		"PJSIP/120 +4915550002":   "5 Ringing 120 Carol Smith AppDial",
		"PJSIP/trunk 120":         "4 Ring +4915550002 Smith Carol Dial",
		"bridge of PJSIP/210":     "2 basic simple_bridge",
		"PJSIP/210 is mapped to":  "PJSIP/trunk",
		"PJSIP/120 is mapped to":  "",
		"linked with PJSIP/210":   "PJSIP/210 PJSIP/trunk",
		"linked with PJSIP/120":   "PJSIP/120 PJSIP/trunk",
		"in a bridge with it are": "PJSIP/210 PJSIP/trunk",
	}
	got := map[string]string{}
	phone := func(name string) string { phone, _, _ := strings.Cut(name, "-"); return phone }
	olga := w.as("olga")
	list := rows(t, olga, "CoreShowChannels")
	for _, r := range list {
		var is []string
		for _, name := range strings.Fields("ChannelState ChannelStateDesc CallerIDNum CallerIDName ConnectedLineName Application") {
			is = append(is, r.Get(name))
		}
		got[phone(r.Get("Channel"))+" "+r.Get("ConnectedLineNum")] = strings.Join(is, " ")
		if _, handle, _ := strings.Cut(r.Get("Channel"), "-"); r.Get("Uniqueid") != handle || len(handle) != mask.HandleLen {
			t.Errorf("%s has the id %s", r.Get("Channel"), r.Get("Uniqueid"))
		}
	}
	for _, of := range []string{"PJSIP/210", "PJSIP/120"} {
		name, id := channelOf(t, olga, of)
		linked := ""
		var mates []string
		for _, r := range list {
			if r.Get("Uniqueid") == id {
				linked = r.Get("Linkedid")
			}
		}
		for _, r := range list {
			if r.Get("Linkedid") == linked {
				mates = append(mates, phone(r.Get("Channel")))
			}
		}
		slices.Sort(mates)
		got["linked with "+of] = strings.Join(mates, " ")
		got[of+" is mapped to"] = ""
		for _, r := range rows(t, olga, "CoreShowChannelMap", "Channel", name) {
			got[of+" is mapped to"] += phone(r.Get("ConnectedChannel"))
		}
	}
	for _, b := range rows(t, olga, "BridgeList") {
		got["bridge of PJSIP/210"] = strings.Join([]string{b.Get("BridgeNumChannels"), b.Get("BridgeType"), b.Get("BridgeTechnology")}, " ")
		var in []string
		for _, r := range rows(t, olga, "BridgeInfo", "BridgeUniqueid", b.Get("BridgeUniqueid")) {
			in = append(in, phone(r.Get("Channel")))
		}
		slices.Sort(in)
		got["in a bridge with it are"] = strings.Join(in, " ")
	}
	for what, is := range want {
		if got[what] != is {
			t.Errorf("%s: %q, not %q", what, got[what], is)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there is more: %v", got)
	}
}

func TestStatesOfPhonesAreToldInTheirSeveralWords(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	w.rings("2", "Smith", "+4915550002", "PJSIP/120")
	w.rings("3", "Third", "+4915550003", "PJSIP/210")
	alice := w.as("alice")
	for exten, want := range map[string]string{"210": "9 InUse&Ringing PJSIP/210", "120": "8 Ringing PJSIP/120", "100": "0 Idle PJSIP/100", "4915550001": "-1 Unknown "} {
		m, err := alice.Do(t.Context(), act("ExtensionState", "Exten", exten, "Context", "anywhere"))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Get("Status") + " " + m.Get("StatusText") + " " + m.Get("Hint"); got != want || m.Get("Context") != "anywhere" || m.Get("Exten") != exten {
			t.Errorf("%s is %q, not %q", exten, got, want)
		}
	}
	devices := map[string]string{}
	for _, r := range rows(t, alice, "DeviceStateList") {
		devices[r.Get("Device")] = r.Get("State")
	}
	for _, r := range rows(t, alice, "PJSIPShowEndpoints") {
		if want := map[string]string{"210": "2 Ring+Inuse", "120": "1 Ringing"}[r.Get("ObjectName")]; want != "" && want != r.Get("ActiveChannels")+" "+r.Get("DeviceState") {
			t.Errorf("%s has %s channels and is %s", r.Get("ObjectName"), r.Get("ActiveChannels"), r.Get("DeviceState"))
		}
	}
	if devices["PJSIP/210"] != "RINGINUSE" || devices["PJSIP/211"] != "NOT_INUSE" || devices["PJSIP/120"] != "RINGING" || len(devices) != 9 {
		t.Errorf("the devices are %v", devices)
	}
}

func TestStatusOfOneChannelIsOfThatOne(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	w.talks("2", "Smith", "+4915550002", "PJSIP/200")
	olga := w.as("olga")
	name, id := channelOf(t, olga, "PJSIP/210")
	for _, by := range []string{name, id, strings.ToUpper(name)} {
		if list := rows(t, olga, "Status", "Channel", by); len(list) != 1 || list[0].Get("Channel") != name {
			t.Errorf("by %s there are %d", by, len(list))
		}
	}
	// A part of a name, Asterisk's own name and id, and another watcher's are none.
	_, foreign := channelOf(t, w.as("carol"), "PJSIP/210")
	for _, by := range []string{"PJSIP/210", name[:len(name)-1], "PJSIP/210-1.p", "1.p", foreign} {
		if got := answered(t, olga, act("Status", "Channel", by)); got != "No such channel" {
			t.Errorf("%s is answered by %q", by, got)
		}
	}
}

func TestWhoIsOnALineIsSeenByWhoMayViewIt(t *testing.T) {
	w := newWorld(t)
	w.queued("9.t", "Smith", "+4915550009")
	w.queued("8.t", "Third", "+4915550008")
	channels := map[string]string{}
	olga := w.as("olga")
	for _, r := range rows(t, olga, "CoreShowChannels") {
		channels[r.Get("CallerIDNum")] = r.Get("Channel") + " " + r.Get("Uniqueid")
	}
	for _, r := range rows(t, olga, "QueueStatus") {
		if is := r.Get("Channel") + " " + r.Get("Uniqueid"); string(r.Event()) == "QueueEntry" && (is != channels[r.Get("CallerIDNum")] || !strings.HasPrefix(is, "PJSIP/trunk-")) {
			t.Errorf("%s waits as %s, and is %s", r.Get("CallerIDNum"), is, channels[r.Get("CallerIDNum")])
		}
	}
	got := ""
	for _, r := range rows(t, olga, "QueueStatus") {
		switch string(r.Event()) {
		case "QueueMember":
			got += r.Get("Name") + " " + r.Get("Location") + " " + r.Get("Status") + "; "
		case "QueueEntry":
			got += r.Get("Position") + " " + r.Get("CallerIDNum") + " " + r.Get("Wait") + "; "
		}
	}
	if want := "Bob PJSIP/210 1; 1 +4915550009 55; 2 +4915550008 55; "; got != want {
		t.Errorf("the queue is %q, not %q", got, want)
	}
	for _, r := range rows(t, w.as("erik"), "QueueStatus") { // who may view the line, and not who calls
		if name := "Queue/q-sales-" + r.Get("Uniqueid"); string(r.Event()) == "QueueEntry" && (r.Get("Channel") != name || r.Get("CallerIDNum") != "unknown") {
			t.Errorf("%s waits as %s", r.Get("CallerIDNum"), r.Get("Channel"))
		}
	}
	alice := w.as("alice")
	for _, action := range []string{"QueueStatus", "QueueSummary"} {
		if list := rows(t, alice, action); len(list) > 0 {
			t.Errorf("%s shows who may not view the line %d rows", action, len(list))
		}
	}
}

func TestWhileThePBXIsOutOfReachNothingIsSaidToBeIdle(t *testing.T) {
	w := newWorld(t)
	w.ingest(call.Event{Kind: call.LinkLost})
	olga := w.as("olga")
	for _, l := range lists {
		if l.action == "QueueSummary" || l.action == "PresenceStateList" {
			continue // of no queue is anything said then, and what people have set does not rest on calls
		}
		if got := answered(t, olga, act(l.action)); !strings.HasPrefix(got, "Earshot does not know the state") {
			t.Errorf("%s: %q", l.action, got)
		}
	}
}
