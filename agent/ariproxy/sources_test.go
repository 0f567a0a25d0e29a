package ariproxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// told is which of two calls, on bob's phone and on the boss's, an application of olga's is told of by a subscription, and by what.
func toldOf(t *testing.T, subscribe func(w *world, bob, bridge string) string) (bob, boss map[string]bool) {
	t.Helper()
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	l, end := w.listen("olga", "app=own"), w.listen("olga", "app=all&subscribeAll=1")
	var in []struct{ ID string }
	w.as("olga", "GET /bridges").into(t, &in)
	if source := subscribe(w, w.channel("olga", "PJSIP/210"), in[0].ID); source != "" {
		if got := w.as("olga", "POST /applications/own/subscription?eventSource="+source); got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", source, got.status, got.body)
		}
	}
	w.talks("2", "", "+4915550002", "PJSIP/200")
	w.ingest(call.Event{Kind: call.LegHeld, Channel: call.Channel{ID: "1.p"}, At: at(20)})
	w.hangsUp("1")
	w.hangsUp("2")
	end.until("ChannelDestroyed", "PJSIP/200-")
	end.until("DeviceStateChanged", `PJSIP/200","state":"NOT_INUSE"`)
	// What the other application was told comes behind: one more subscription is told in order.
	w.as("olga", "POST /applications/own/subscription?eventSource=deviceState:PJSIP%2F100")
	w.rings("3", "", "+4915550003", "PJSIP/100")
	bob, boss = map[string]bool{}, map[string]bool{}
	for _, e := range l.until("DeviceStateChanged", `"PJSIP/100","state":"RINGING"`) {
		switch {
		case strings.Contains(e.text, "PJSIP/210"):
			bob[e.Type] = true
		case strings.Contains(e.text, "PJSIP/200"):
			boss[e.Type] = true
		case e.Type == "BridgeDestroyed":
			bob[e.Type] = true
		}
	}
	return bob, boss
}

// An application is told of what it has subscribed to, and of nothing else.
func TestAnApplicationIsToldOfItsEventSources(t *testing.T) {
	const channel, bridge, device = "ChannelHold", "ChannelLeftBridge", "DeviceStateChanged"
	all := []string{channel, "ChannelDestroyed", bridge, "BridgeDestroyed", device}
	for name, tc := range map[string]struct {
		source    func(w *world, bob, bridge string) string
		bob, boss []string
	}{
		"nothing":       {func(*world, string, string) string { return "" }, nil, nil},
		"a channel":     {func(_ *world, bob, _ string) string { return "channel:" + bob }, []string{channel, "ChannelDestroyed"}, nil},
		"a bridge":      {func(_ *world, _, in string) string { return "bridge:" + in }, []string{bridge, "BridgeDestroyed"}, nil},
		"an endpoint":   {func(*world, string, string) string { return "endpoint:PJSIP%2F210" }, []string{channel, "ChannelDestroyed"}, nil},
		"a technology":  {func(*world, string, string) string { return "endpoint:PJSIP" }, []string{channel, "ChannelDestroyed"}, []string{"ChannelDestroyed"}},
		"all channels":  {func(*world, string, string) string { return "channel:" }, []string{channel, "ChannelDestroyed"}, []string{"ChannelDestroyed"}},
		"all bridges":   {func(*world, string, string) string { return "bridge:" }, []string{bridge, "BridgeDestroyed"}, []string{bridge}},
		"a device":      {func(*world, string, string) string { return "deviceState:PJSIP%2F210" }, []string{device}, nil},
		"all devices":   {func(*world, string, string) string { return "deviceState:" }, []string{device}, []string{device}},
		"two in a list": {func(_ *world, bob, in string) string { return "channel:" + bob + ",bridge:" + in }, []string{channel, "ChannelDestroyed", bridge, "BridgeDestroyed"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bob, boss := toldOf(t, tc.source)
			for who, l := range map[string]struct {
				got  map[string]bool
				want []string
			}{"bob": {bob, tc.bob}, "the boss": {boss, tc.boss}} {
				for _, kind := range all {
					want := strings.Contains(" "+strings.Join(l.want, " ")+" ", " "+kind+" ")
					if l.got[kind] != want && (kind != "BridgeDestroyed" || who == "bob") {
						t.Errorf("of %s it is told by %s: %v", who, kind, l.got[kind])
					}
				}
			}
		})
	}
}

// What one may not see and what is not there have the same answer, and a subscription lasts until it is given up, or until its object is gone.
func TestSubscriptionsAreListedAndGivenUp(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	w.listen("olga", "app=own")
	l := w.listen("alice", "app=own")
	hidden, bob := w.channel("olga", "PJSIP/trunk"), w.channel("alice", "PJSIP/210")
	var none string
	for i, source := range []string{"channel:" + hidden, "channel:nothing", "channel:c234567890123456789ab", "bridge:nothing", "endpoint:PJSIP%2Ftrunk", "endpoint:PJSIP%2F999", "endpoint:IAX2", "deviceState:PJSIP%2Ftrunk", "deviceState:x", "channel:" + bob + ",channel:x"} {
		got := w.as("alice", "POST /applications/own/subscription?eventSource="+source)
		if i == 0 {
			none = got.body
		}
		if got.status != http.StatusUnprocessableEntity || got.body != none {
			t.Errorf("%s: %d %s", source, got.status, got.body)
		}
	}
	for source, status := range map[string]int{"": 400, "?eventSource=": 400, "?eventSource=person:x": 400, "?eventSource=Channel:x": 400, "?eventSource=channel:" + bob + ",": 400} {
		if got := w.as("alice", "POST /applications/own/subscription"+source); got.status != status {
			t.Errorf("%s: %d %s", source, got.status, got.body)
		}
	}
	lists := func(what string, got answer, want string) {
		t.Helper()
		if got.status != http.StatusOK || got.body != `{"name":"own",`+want+`,"events_allowed":[],"events_disallowed":[]}` {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	empty := `"channel_ids":[],"bridge_ids":[],"endpoint_ids":[],"device_names":[]`
	lists("nothing", w.as("alice", "GET /applications/own"), empty)
	const some = "eventSource=channel:%s,endpoint:PJSIP%%2F210,endpoint:SIP,deviceState:PJSIP%%2F210"
	full := fmt.Sprintf(`"channel_ids":[%q],"bridge_ids":[],"endpoint_ids":["PJSIP/210","SIP"],"device_names":["PJSIP/210"]`, bob)
	lists("subscribed", w.as("alice", "POST /applications/own/subscription?"+fmt.Sprintf(some, bob)), full)
	lists("asked", w.as("alice", "GET /applications/own"), full)
	lists("all", w.as("alice", "POST /applications/own/subscription?eventSource=bridge:"), strings.Replace(full, `"bridge_ids":[]`, `"bridge_ids":["__AST_BRIDGE_ALL_TOPIC"]`, 1))
	lists("given up", w.as("alice", "DELETE /applications/own/subscription?eventSource=bridge:,endpoint:SIP,endpoint:PJSIP%2F210,deviceState:PJSIP%2F210"), fmt.Sprintf(`"channel_ids":[%q],"bridge_ids":[],"endpoint_ids":[],"device_names":[]`, bob))
	if got := w.as("alice", "DELETE /applications/own/subscription?eventSource=endpoint:SIP"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("given up twice: %d %s", got.status, got.body)
	}
	w.hangsUp("1")
	l.until("ChannelDestroyed", bob)
	lists("gone", w.as("alice", "GET /applications/own"), empty)
}

// A filter goes for what is subscribed to, and for all.
func TestAFilterSaysWhichEventsAreTold(t *testing.T) {
	w := newWorld(t)
	l := w.listen("olga", subscribe)
	put := func(body string) answer {
		return w.ask("PUT /ari/applications/panel/eventFilter", []string{w.by("olga"), "Content-Type: application/json"}, body)
	}
	for _, body := range []string{`{"allowed":"ChannelCreated"}`, `{"allowed":[{}]}`, `{"allowed":[{"type":""}]}`, `{"disallowed":["Dial"]}`, `{"allowed":[{"typ":"Dial"}]}`, `{"allowed":{"type":"Dial"}}`} {
		if got := put(body); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	one := func(i int) (kinds []string) {
		id := fmt.Sprint(i)
		w.rings(id, "", "+4915550001", "PJSIP/210")
		w.hangsUp(id)
		for _, e := range l.until("ChannelDestroyed", "PJSIP/210") {
			kinds = append(kinds, e.Type)
		}
		return kinds
	}
	for i, tc := range []struct {
		body, in      string
		dial, created bool
	}{
		{`{"allowed":[{"type":"ChannelDestroyed"},{"type":"Dial"}]}`, `"events_allowed":[{"type":"ChannelDestroyed"},{"type":"Dial"}],"events_disallowed":[]`, true, false},
		{`{"disallowed":[{"type":"Dial"}]}`, `"events_allowed":[{"type":"ChannelDestroyed"},{"type":"Dial"}],"events_disallowed":[{"type":"Dial"}]`, false, false},
		{`{"allowed":[]}`, `"events_allowed":[],"events_disallowed":[{"type":"Dial"}]`, false, true},
		{`{"other":"x"}`, `"events_allowed":[],"events_disallowed":[{"type":"Dial"}]`, false, true},
		{`{}`, `"events_allowed":[],"events_disallowed":[]`, true, true},
	} {
		if got := put(tc.body); got.status != http.StatusOK || !strings.Contains(got.body, tc.in) {
			t.Errorf("%s: %d %s", tc.body, got.status, got.body)
		}
		kinds := " " + strings.Join(one(i), " ") + " "
		if strings.Contains(kinds, " Dial ") != tc.dial || strings.Contains(kinds, " ChannelCreated ") != tc.created {
			t.Errorf("behind %s it is told%s", tc.body, kinds)
		}
	}
}

// In two worlds that differ in what is hidden, a client that subscribes to what it sees, and steers itself, is told the same.
func TestTwoWorldsOfSubscriptionsAndWhatIsSteered(t *testing.T) {
	told := func(name, number string) string {
		w := newSteered(t)
		w.talks("1", name, number, "PJSIP/210")
		l := w.listen("alice", "app=own")
		who := w.subject("alice", "")
		bob := w.channel("alice", "PJSIP/210")
		var b strings.Builder
		for _, source := range []string{"channel:" + bob, "endpoint:PJSIP", "bridge:", "deviceState:", "channel:" + w.channel("olga", "PJSIP/trunk")} {
			b.WriteString(w.as("alice", "POST /applications/own/subscription?eventSource="+strings.ReplaceAll(source, "/", "%2F")).body + "\n")
		}
		id := w.originates(who, "own", "", "leg", "s1")
		f := w.of(who)
		f.tell(gate.StasisEvent{Kind: gate.StasisBegan, Channel: up(id)})
		f.tell(gate.StasisEvent{Kind: gate.StasisBridgeMade, Bridge: gate.StasisBridge{ID: "room1"}})
		f.tell(gate.StasisEvent{Kind: gate.StasisEntered, Channel: up(id), Bridge: gate.StasisBridge{ID: "room1", Channels: []string{id}}})
		w.hangsUp("1")
		b.WriteString(joined(l.until("DeviceStateChanged", `PJSIP/210","state":"NOT_INUSE"`)))
		for _, path := range []string{"/channels", "/bridges", "/applications"} {
			b.WriteString(w.as("alice", "GET "+path).body + "\n")
		}
		return plain(b.String())
	}
	one, other := told("Ivanov", "+4915550001"), told("Sidorova", "+4915559999")
	if one != other {
		t.Errorf("the worlds differ:\n%s\nand\n%s", one, other)
	}
	for _, kind := range []string{"StasisStart", "ChannelEnteredBridge", "ChannelDestroyed", "does not exist"} {
		if !strings.Contains(one, kind) {
			t.Errorf("no %s in\n%s", kind, one)
		}
	}
}
