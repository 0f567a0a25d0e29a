package ariproxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/ariproxy"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const subscribe = "app=panel&subscribeAll=true"

// ofACall is all that a client is told of one call from outside, from the ring to the end.
func ofACall(t *testing.T, who, name, number string) []told {
	t.Helper()
	w := newWorld(t)
	l := w.listen(who, subscribe)
	w.rings("1", name, number, "PJSIP/210")
	all := l.until("DeviceStateChanged", "RINGING")
	if who == "olga" { // who is outside comes into the story behind the phone
		all = append(all, l.until("ChannelConnectedLine", `"name":"PJSIP/210-`)...)
	}
	w.talks("1", name, number, "PJSIP/210")
	all = append(all, l.until("DeviceStateChanged", "INUSE")...)
	w.hangsUp("1")
	return append(all, l.until("DeviceStateChanged", "NOT_INUSE")...)
}

var parts = regexp.MustCompile(`"name":"(PJSIP/[a-z0-9]+)-[^"]*","state":"([A-Za-z]+)"|"connected":\{"name":"[^"]*","number":"([^"]*)"|"dialstatus":"([A-Z]*)"|"channels":\[([^\]]*)\]|"cause":([0-9]+)|"name":"(PJSIP/[0-9]+)","state":"([A-Z_]+)"`)

// short is what a panel shows of an event.
func short(e told) string {
	all := []string{e.Type}
	for _, m := range parts.FindAllStringSubmatch(e.text, -1) {
		for i, v := range m[1:] {
			switch {
			case i == 4 && strings.HasPrefix(m[0], `"channels"`):
				all = append(all, fmt.Sprint("of ", strings.Count(v, `"`)/2))
			case v != "":
				all = append(all, v)
			}
		}
	}
	return strings.Join(all, " ")
}

func compare(t *testing.T, got []told, want ...string) {
	t.Helper()
	var lines []string
	for _, e := range got {
		lines = append(lines, short(e))
	}
	if !slices.Equal(lines, want) {
		t.Errorf("the story is\n%s\nnot\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestACallIsToldFromTheRingToTheHangUp(t *testing.T) {
	compare(t, ofACall(t, "alice", "Ivanov", "+4915550001"),
		"ChannelCreated PJSIP/210 Down", "Dial PJSIP/210 Down", "ChannelStateChange PJSIP/210 Ringing", "Dial PJSIP/210 Ringing RINGING", "DeviceStateChanged PJSIP/210 RINGING",
		"ChannelStateChange PJSIP/210 Up", "Dial PJSIP/210 Up ANSWER", "BridgeCreated of 0", "ChannelEnteredBridge PJSIP/210 Up of 1", "DeviceStateChanged PJSIP/210 INUSE",
		"ChannelLeftBridge PJSIP/210 Up of 0", "BridgeDestroyed of 0", "ChannelDestroyed PJSIP/210 Up 16", "DeviceStateChanged PJSIP/210 NOT_INUSE",
	)
	all := ofACall(t, "olga", "Ivanov", "+4915550001")
	compare(t, all,
		"ChannelCreated PJSIP/210 Down", "ChannelStateChange PJSIP/210 Ringing", "DeviceStateChanged PJSIP/210 RINGING",
		"ChannelCreated PJSIP/trunk Ring", "ChannelConnectedLine PJSIP/trunk Ring 210", "Dial PJSIP/trunk Ring 210 PJSIP/210 Ringing",
		"Dial PJSIP/trunk Ring 210 PJSIP/210 Ringing RINGING", "ChannelConnectedLine PJSIP/210 Ringing +4915550001",
		"ChannelStateChange PJSIP/210 Up +4915550001", "DeviceStateChanged PJSIP/210 INUSE",
		"ChannelStateChange PJSIP/trunk Up 210", "Dial PJSIP/trunk Up 210 PJSIP/210 Up +4915550001 ANSWER",
		"BridgeCreated of 0", "ChannelEnteredBridge PJSIP/210 Up +4915550001 of 1", "ChannelEnteredBridge PJSIP/trunk Up 210 of 2",
		"ChannelLeftBridge PJSIP/trunk Up 210 of 1", "ChannelDestroyed PJSIP/trunk Up 210 17", "ChannelLeftBridge PJSIP/210 Up +4915550001 of 0", "BridgeDestroyed of 0",
		"ChannelDestroyed PJSIP/210 Up +4915550001 17", "DeviceStateChanged PJSIP/210 NOT_INUSE",
	)
	for _, e := range all {
		if e.Application != "panel" || !strings.Contains(e.text, `"timestamp":"2026-10-01T09:01:15.000+0000"`) || !strings.Contains(e.text, `"asterisk_id":"02:00:00:00:00:00"`) {
			t.Errorf("it begins with %s", e.text)
		}
	}
}

// Two worlds that differ in who calls alone send who may not see that the same events, byte by byte.
func TestEventsOfTwoWorldsAreTheSameWithoutTheRight(t *testing.T) {
	of := func(who, name, number string) string { return plain(joined(ofACall(t, who, name, number))) }
	one, two := of("alice", "Ivanov", "+4915550001"), of("alice", "A. Very-Long Name Indeed", "+79161234567")
	if one != two {
		t.Errorf("alice can tell them apart:\n%s\n---\n%s", one, two)
	}
	if strings.Contains(one, "Ivanov") || strings.Contains(one, "4915550001") || !strings.Contains(one, `"name":"PJSIP/210-<0>"`) {
		t.Errorf("alice is told\n%s", one)
	}
	if seen := of("olga", "Ivanov", "+4915550001"); !strings.Contains(seen, `"connected":{"name":"Ivanov","number":"+4915550001"}`) {
		t.Errorf("olga is told\n%s", seen)
	}
}

// The handles of events are those of lists, everybody has his own, and what goes on when the stream begins is in the lists alone.
func TestEventsGoOnFromTheListsWithEverybodysOwnHandles(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	ids := map[string]string{}
	streams := map[string]*listener{"alice": w.listen("alice", subscribe), "carol": w.listen("carol", subscribe)}
	for who := range streams {
		ids[who] = w.channel(who, "PJSIP/210")
	}
	if ids["alice"] == ids["carol"] {
		t.Errorf("both are given %s", ids["alice"])
	}
	w.hangsUp("1")
	for who, l := range streams {
		all := l.until("ChannelDestroyed", "PJSIP/210")
		if last := all[len(all)-1]; !strings.Contains(last.text, `"id":"`+ids[who]+`"`) || strings.Contains(joined(all), "ChannelCreated") {
			t.Errorf("%s is told\n%s", who, joined(all))
		}
	}
}

// A change of policy that takes the sight of a call away ends its channels, and begins one that tells nothing.
func TestAChangeOfSightIsAnEndAndABeginning(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	l := w.listen("olga", subscribe)
	w.changes(strings.Replace(policyText, "observe: true", "observe: false", 1))
	compare(t, l.until("ChannelEnteredBridge", "PJSIP/210"),
		"ChannelLeftBridge PJSIP/210 Up +4915550001 of 1", "ChannelLeftBridge PJSIP/trunk Up 210 of 0", "BridgeDestroyed of 0",
		"ChannelDestroyed PJSIP/210 Up +4915550001 16", "ChannelDestroyed PJSIP/trunk Up 210 16",
		"ChannelCreated PJSIP/210 Up", "BridgeCreated of 0", "ChannelEnteredBridge PJSIP/210 Up of 1",
	)
}

// Who has not asked for everything is told of what his application is given, which is nothing here.
func TestAnApplicationThatDoesNotAskForEverythingIsToldNothing(t *testing.T) {
	w := newWorld(t)
	quiet, loud := w.listen("olga", "app=quiet"), w.listen("olga", "app=loud,louder&subscribeAll=yes")
	w.rings("1", "Ivanov", "+4915550001", "PJSIP/210")
	of := map[string]int{}
	for _, e := range append(loud.until("DeviceStateChanged", "RINGING"), loud.until("DeviceStateChanged", "RINGING")...) {
		of[e.Application]++
	}
	if of["loud"] == 0 || of["loud"] != of["louder"] || len(of) != 2 {
		t.Errorf("they are told %v", of)
	}
	w.listen("olga", "app=quiet") // so that it is told something that comes behind
	if all := quiet.until("ApplicationReplaced", ""); len(all) != 1 {
		t.Errorf("it is told\n%s", joined(all))
	}
	var apps []struct {
		Name     string
		Channels []string `json:"channel_ids"`
	}
	w.as("olga", "GET /applications").into(t, &apps)
	if got := fmt.Sprint(apps); got != "[{loud [__AST_CHANNEL_ALL_TOPIC]} {louder [__AST_CHANNEL_ALL_TOPIC]} {quiet []}]" {
		t.Errorf("they are %s", got)
	}
}

// Everybody has his own applications, whatever they are called. Who comes again with one of his own has it, and his stream before is told so.
func TestAnApplicationIsItsClientsOwn(t *testing.T) {
	w := newWorld(t)
	alice, olga := w.listen("alice", subscribe), w.listen("olga", subscribe)
	again := w.listen("alice", subscribe)
	if all := alice.until("ApplicationReplaced", ""); len(all) != 1 || all[0].Application != "panel" {
		t.Errorf("she is told\n%s", joined(all))
	}
	w.rings("1", "", "+4915550001", "PJSIP/210")
	again.until("DeviceStateChanged", "RINGING")
	if all := olga.until("DeviceStateChanged", "RINGING"); strings.Contains(joined(all), "ApplicationReplaced") {
		t.Errorf("olga is told\n%s", joined(all))
	}
	if len(alice.events) != 0 {
		t.Errorf("the stream that is replaced is told %s", (<-alice.events).text)
	}
	for who, want := range map[string]int{"alice": http.StatusOK, "olga": http.StatusOK, "carol": http.StatusNotFound} {
		if got := w.as(who, "GET /applications/panel"); got.status != want {
			t.Errorf("%s: %d %s", who, got.status, got.body)
		}
	}
	_ = again.conn.Close(websocket.StatusNormalClosure, "")
	if err := <-again.over; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("it ends with %v", err)
	}
	for w.as("alice", "GET /applications").body != "[]" { // the door's side of the stream ends by itself
	}
}

// A panel that names an employee has applications for him alone.
func TestAPanelsApplicationsAreOfWhomItNames(t *testing.T) {
	w := newWorld(t)
	alice, olga := w.listen("crm", subscribe, "X-Earshot-Employee: alice"), w.listen("crm", subscribe, "X-Earshot-Employee: olga")
	own := w.listen("alice", subscribe)
	w.rings("1", "Ivanov", "+4915550001", "PJSIP/210")
	for l, sees := range map[*listener]bool{alice: false, olga: true, own: false} {
		all := l.until("DeviceStateChanged", "RINGING")
		if sees {
			all = append(all, l.until("ChannelConnectedLine", "Ivanov")...)
		}
		if text := joined(all); strings.Contains(text, "Ivanov") != sees || strings.Contains(text, "Replaced") {
			t.Errorf("it is told\n%s", text)
		}
	}
	for who, got := range map[string]answer{
		"alice, by herself": w.as("alice", "GET /applications"), "alice": w.as("crm", "GET /applications", "X-Earshot-Employee: alice"),
		"olga": w.as("crm", "GET /applications", "X-Earshot-Employee: olga"),
	} {
		if strings.Count(got.body, `"name":"panel"`) != 1 {
			t.Errorf("%s has the applications %s", who, got.body)
		}
	}
}

// Requests in frames of the stream are no way round: the stream that brings one is over, and what it asks for is not done.
func TestAStreamTakesNoRequests(t *testing.T) {
	w := newWorld(t)
	for i, frame := range []string{`{"type":"RESTRequest","request_id":"1","method":"GET","uri":"channels"}`, "not JSON", ""} {
		l, beside := w.listen("alice", subscribe), w.listen("carol", subscribe)
		before := len(w.book.Denied())
		if err := l.conn.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		if err := <-l.over; websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("%q: it ends with %v", frame, err)
		}
		if len(l.events) != 0 {
			t.Errorf("%q is answered by %s", frame, (<-l.events).text)
		}
		if all := w.book.Denied(); len(all) != before+1 || all[before].Reason != "request_in_stream" || all[before].Subject != "alice" {
			t.Errorf("the record has %v", all)
		}
		w.rings(fmt.Sprint(i), "", "+4915550001", "PJSIP/210")
		beside.until("DeviceStateChanged", "RINGING")
		w.hangsUp(fmt.Sprint(i))
		beside.until("DeviceStateChanged", "NOT_INUSE")
	}
}

func TestAStreamEndsWithItsCredential(t *testing.T) {
	w := newWorld(t, func(c *ariproxy.Config) { c.Recheck = time.Hour })
	alice, panel := w.listen("alice", subscribe), w.listen("crm", subscribe, "X-Earshot-Employee: olga")
	w.door.Recheck()
	w.rings("1", "", "+4915550001", "PJSIP/210")
	alice.until("DeviceStateChanged", "RINGING")
	panel.until("DeviceStateChanged", "RINGING")
	w.now.Store(time.Now().Add(2 * time.Hour).Unix())
	w.door.Recheck()
	for _, l := range []*listener{alice, panel} {
		if err := <-l.over; websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("it ends with %v", err)
		}
	}
}

// A client that does not read is cut off alone.
func TestAClientThatDoesNotReadIsCutOffAlone(t *testing.T) {
	w := newWorld(t, func(c *ariproxy.Config) { c.WriteTimeout = 200 * time.Millisecond })
	slow, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	_ = slow.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(slow, "GET /ari/events?%s&api_key=alice:%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", subscribe, w.token["alice"], w.addr)
	quick := w.listen("olga", subscribe)
	cut := func() bool {
		n, err := testutil.GatherAndCount(w.reg, "earshot_ari_door_streams")
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		all, err := w.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			for _, m := range f.GetMetric() {
				if f.GetName() == "earshot_ari_door_connections_ended_total" && m.GetCounter().GetValue() > 0 {
					return slices.Contains([]string{"too_slow", "write_timeout"}, m.GetLabel()[0].GetValue())
				}
			}
		}
		return false
	}
	for i := 0; !cut(); i++ {
		id := fmt.Sprint(i)
		w.talks(id, "Ivanov", "+4915550001", "PJSIP/210")
		w.hangsUp(id)
		quick.until("ChannelDestroyed", "PJSIP/210")
		if i == 20_000 {
			t.Fatal("it is there yet")
		}
	}
	w.rings("last", "Ivanov", "+4915550001", "PJSIP/210")
	quick.until("DeviceStateChanged", "RINGING")
}

// What is not known is not over: while the PBX is out of reach nothing is told, and then what has changed.
func TestOfAPBXThatWasAwayWhatHasChangedIsTold(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	l := w.listen("alice", subscribe)
	w.ingest(call.Event{Kind: call.LinkLost, At: at(50)})
	w.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}, At: at(60)})
	compare(t, l.until("DeviceStateChanged", ""), "ChannelLeftBridge PJSIP/210 Up of 0", "BridgeDestroyed of 0", "ChannelDestroyed PJSIP/210 Up 16", "DeviceStateChanged PJSIP/210 NOT_INUSE")
}

// A handshake that is refused is answered in Asterisk's form, with nothing of what the client has sent.
func TestAHandshakeThatIsRefusedIsAnsweredInTheDoorsForm(t *testing.T) {
	w := newWorld(t, func(c *ariproxy.Config) { c.PerEmployee, c.Origins = 2, []string{"panel.example"} })
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}
	for name, tc := range map[string]struct {
		query   string
		headers []string
		status  int
	}{
		"no upgrade":           {subscribe, nil, http.StatusUpgradeRequired},
		"no application":       {"subscribeAll=true", upgrade, http.StatusBadRequest},
		"an empty application": {"app=a,,b", upgrade, http.StatusBadRequest},
		"one that is text":     {"app=a%22b", upgrade, http.StatusBadRequest},
		"one twice":            {"app=a,a", upgrade, http.StatusBadRequest},
		"two applications":     {"app=a&app=b", upgrade, http.StatusBadRequest},
		"no truth":             {"app=a&subscribeAll=maybe", upgrade, http.StatusBadRequest},
		"another protocol":     {subscribe, append(upgrade, "Sec-WebSocket-Protocol: chat-evil"), http.StatusBadRequest},
		"no key":               {subscribe, upgrade[:3], http.StatusBadRequest},
		"a page from anywhere": {subscribe, append(upgrade, "Origin: http://evil.example"), http.StatusForbidden},
	} {
		got := w.as("alice", "GET /events?"+tc.query, tc.headers...)
		if got.status != tc.status || got.message() == "" || strings.Contains(got.body, "evil") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	a, b := w.listen("alice", "app=a", "Sec-WebSocket-Protocol: ari"), w.listen("alice", "app=b", "Origin: http://panel.example")
	if a.conn.Subprotocol() != "ari" || b.conn.Subprotocol() != "" {
		t.Errorf("they speak %q and %q", a.conn.Subprotocol(), b.conn.Subprotocol())
	}
	if got := w.as("alice", "GET /events?app=c", upgrade...); got.status != http.StatusServiceUnavailable {
		t.Errorf("a third stream is answered by %d %s", got.status, got.body)
	}
	w.listen("carol", "app=c")
	if got := w.as("carol", "GET /channels", "Origin: http://panel.example"); got.status != http.StatusOK || got.header.Get("Access-Control-Allow-Origin") != "http://panel.example" {
		t.Errorf("a page that may ask is answered by %d %v", got.status, got.header)
	}
	if got := w.as("carol", "GET /channels", "Origin: http://evil.example"); got.status != http.StatusForbidden || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a page that may not is answered by %d %v", got.status, got.header)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.conn.Ping(ctx); err != nil {
		t.Errorf("the first is gone: %v", err)
	}
}
