package ariproxy_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/ariproxy"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// leaves ends a stream, and waits until the door has noticed.
func (w *world) leaves(l *listener, who, app string) {
	w.t.Helper()
	_ = l.conn.CloseNow()
	for w.as(who, "GET /applications/"+app).status != http.StatusNotFound {
	}
}

// Who connects again in time, or takes his application over, goes on with what he steers, under the new stream.
func TestWhatAClientSteersGoesOnUnderItsNextStream(t *testing.T) {
	w := newSteered(t)
	who := w.subject("alice", "")
	first := w.listen("alice", "app=own")
	id := w.originates(who, "own", "words", "leg", "s1")
	f := w.of(who)
	f.tell(gate.StasisEvent{Kind: gate.StasisBegan, Channel: up(id)})
	first.until("StasisStart", `"id":"leg"`)
	w.as("alice", "POST /applications/own/subscription?eventSource=endpoint:SIP")

	second := w.listen("alice", "app=own")
	first.until("ApplicationReplaced", "")
	f.tell(gate.StasisEvent{Kind: gate.StasisPressed, Channel: up(id), Digit: "1"})
	second.until("ChannelDtmfReceived", `"id":"leg"`)
	_ = first.conn.CloseNow() // which has nothing any more

	w.leaves(second, "alice", "own")
	if _, err := w.door.Ask(who).Stasis("own"); err == nil {
		t.Error("without a stream there is an application")
	}
	f.tell(gate.StasisEvent{Kind: gate.StasisPressed, Channel: up(id), Digit: "2"}) // which nobody is told of
	third := w.listen("alice", "app=own")
	if got := w.as("alice", "GET /applications/own"); !strings.Contains(got.body, `"channel_ids":["leg"]`) || !strings.Contains(got.body, `"endpoint_ids":["SIP"]`) {
		t.Errorf("it has %s", got.body)
	}
	w.ingest(gone("s1"))
	f.tell(gate.StasisEvent{Kind: gate.StasisEnded, Channel: up(id)})
	if all := third.until("ChannelDestroyed", `"id":"leg"`); len(all) != 2 || all[0].Type != "StasisEnd" {
		t.Errorf("told %s", joined(all))
	}
	if w.made != 1 || len(first.events) > 0 {
		t.Errorf("%d were made, and the first stream has %d events", w.made, len(first.events))
	}
	if got := w.originates(who, "own", "", "leg", "s2"); got == "" { // its alias is free
		t.Error("no other leg")
	}
}

// Behind the time of grace it is closed: what the one application has launched is hung up, and with the last one all.
func TestWhatAClientSteersEndsWithItsApplications(t *testing.T) {
	w := newSteered(t, func(c *ariproxy.Config) { c.Grace = 20 * time.Millisecond })
	who := w.subject("alice", "")
	one, other := w.listen("alice", "app=one"), w.listen("alice", "app=other")
	id := w.originates(who, "one", "", "", "s1")
	f := w.of(who)
	w.leaves(one, "alice", "one")
	if got := <-f.hung; got != id {
		t.Errorf("hung up %s", got)
	}
	select {
	case <-f.closed:
		t.Error("it is closed while the other is there")
	default:
	}
	w.leaves(other, "alice", "other")
	<-f.closed
	w.listen("alice", "app=one")
	if _, err := w.door.Ask(who).Stasis("one"); err != nil || w.made != 2 {
		t.Errorf("another: %v, %d", err, w.made)
	}
}

// What is asked for before the last stream ends is answered behind that too.
func TestARequestIsAnsweredThoughTheLastStreamEndsMeanwhile(t *testing.T) {
	for _, tc := range []struct{ what, during, want string }{
		{"GET /playbacks/p1", "View", `{"id":"p1"`},
		{"POST /bridges/room1/play?media=sound:beep", "Play", `{"id":"p2"`},
		{"POST /bridges/room1?name=room", "View", `"name":"room"`},
	} {
		t.Run(tc.what, func(t *testing.T) {
			w := newSteered(t, func(c *ariproxy.Config) { c.Grace = time.Millisecond })
			who := w.subject("alice", "")
			l := w.listen("alice", "app=own")
			if _, err := w.door.Ask(who).Stasis("own"); err != nil {
				t.Fatal(err)
			}
			f := w.of(who)
			f.has(func(v *gate.StasisView) {
				v.Bridges, v.Playbacks = []gate.StasisBridge{{ID: "room1"}}, []gate.StasisPlayback{{ID: "p1", Bridge: "room1"}}
			})
			f.during, f.meanwhile = tc.during, func() {
				_ = l.conn.CloseNow()
				<-f.closed
			}
			if got := w.as("alice", tc.what); got.status >= 300 || !strings.Contains(got.body, tc.want) {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// A bridge that is named is known until it is told that it is gone, and one that is gone before it is named is not.
func TestABridgeThatIsGoneIsNotKnownByAName(t *testing.T) {
	w := newSteered(t)
	who := w.subject("alice", "")
	w.listen("alice", "app=own")
	ask := w.door.Ask(who)
	if _, err := ask.Stasis("own"); err != nil {
		t.Fatal(err)
	}
	f := w.of(who)
	f.has(func(v *gate.StasisView) { v.Bridges = []gate.StasisBridge{{ID: "room1"}} })
	ask.Christen("room1", "the room")
	if n := ask.Bridges(); n != 1 {
		t.Errorf("%d are known while one is there", n)
	}
	f.has(func(v *gate.StasisView) { v.Bridges = nil })
	f.tell(gate.StasisEvent{Kind: gate.StasisBridgeGone, Bridge: gate.StasisBridge{ID: "room1"}})
	ask.Christen("room1", "the room")
	if n := ask.Bridges(); n != 0 {
		t.Errorf("%d are known when it is gone", n)
	}
}

// It ends at once when the credential is revoked, though nobody is connected.
func TestWhatAClientSteersEndsWithItsCredential(t *testing.T) {
	w := newSteered(t, func(c *ariproxy.Config) { c.Grace, c.Recheck = time.Hour, time.Hour })
	alice, olga := w.subject("alice", ""), w.subject("olga", "")
	l, away := w.listen("alice", "app=own"), w.listen("olga", "app=own")
	for _, who := range []string{"alice", "olga"} {
		if _, err := w.door.Ask(w.subject(who, "")).Stasis("own"); err != nil {
			t.Fatal(err)
		}
	}
	w.leaves(away, "olga", "own")
	w.door.Recheck()
	for _, f := range []*fakeStasis{w.of(alice), w.of(olga)} {
		select {
		case <-f.closed:
			t.Error("it is closed although the credential holds")
		default:
		}
	}
	w.now.Store(time.Now().Add(2 * time.Hour).Unix())
	w.door.Recheck()
	<-w.of(alice).closed
	<-w.of(olga).closed
	if err := <-l.over; websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the stream ends with %v", err)
	}
}

// The gate may not know for a moment whether a credential holds, as when the store of sessions is away: what is steered by it ends, and the stream, which is
// looked at seldom, does not. Who steers on has something to steer with.
func TestWhoSteersOnAfterTheGateHasEndedWhatHeHadBeginsAnew(t *testing.T) {
	w := newWorld(t)
	l := w.listen("alice", "app=own&subscribeAll=true")
	if got := w.as("alice", "POST /bridges/one?type=mixing"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	l.until("BridgeCreated", `"id":"one"`)
	w.gate.Recheck(func(auth.Subject) bool { return false })
	l.until("BridgeDestroyed", `"id":"one"`)
	for _, id := range []string{"one", "two"} {
		if got := w.as("alice", "POST /bridges/"+id+"?type=mixing"); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		l.until("BridgeCreated", `"id":"`+id+`"`)
	}
	if got := w.as("alice", "GET /bridges"); !strings.Contains(got.body, `"id":"one"`) || !strings.Contains(got.body, `"id":"two"`) {
		t.Errorf("she has %s", got.body)
	}
}

// With the door all ends: that of a client that is there, and that of one which is away; its end is waited for by newWorld.
func TestWhatClientsSteerEndsWithTheDoor(t *testing.T) {
	var all []*fakeStasis
	t.Run("door", func(t *testing.T) {
		w := newSteered(t)
		away := w.listen("olga", "app=own")
		w.listen("alice", "app=own")
		for _, who := range []string{"alice", "olga"} {
			if _, err := w.door.Ask(w.subject(who, "")).Stasis("own"); err != nil {
				t.Fatal(err)
			}
			all = append(all, w.of(w.subject(who, "")))
		}
		w.leaves(away, "olga", "own")
	})
	for i, f := range all {
		select {
		case <-f.closed:
		default:
			t.Errorf("%d is open", i)
		}
	}
}

// An id that a client chooses is one that it has not, of few characters, and stands for nothing where nothing was made.
func TestTheIDsThatAClientChoosesAreItsOwn(t *testing.T) {
	w := newSteered(t)
	who := w.subject("alice", "")
	w.listen("alice", "app=own")
	made := func(id string) func(ariproxy.Stasis) string { return func(ariproxy.Stasis) string { return id } }
	ask := w.door.Ask(who)
	for _, bad := range []string{"a b", "a/b", "ä", "c234567890123456789ab", "abcdefghijkmnpqrstuv", strings.Repeat("x", 65), "a\"b", "a{b"} {
		if err := ask.Make(ariproxy.AChannel, "own", "", bad, made("x")); status(err) != http.StatusBadRequest {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := ask.Make(ariproxy.AChannel, "own", "", "leg", made("real1")); err != nil {
		t.Fatal(err)
	}
	if err := w.door.Ask(who).Make(ariproxy.AChannel, "own", "", "leg", made("real2")); status(err) != http.StatusConflict {
		t.Errorf("taken: %v", err)
	}
	if err := ask.Make(ariproxy.ABridge, "own", "", "leg", made("bridge1")); err != nil {
		t.Errorf("of another kind: %v", err)
	}
	for _, app := range []string{"", "other"} {
		if err := ask.Make(ariproxy.AChannel, app, "", "leg2", made("x")); status(err) != http.StatusNotFound {
			t.Errorf("in %q: %v", app, err)
		}
	}
	if got := ask.Resolve("leg"); got != "real1" {
		t.Errorf("it stands for %q", got)
	}
	for i := range 63 {
		if err := ask.Make(ariproxy.APlayback, "own", "", fmt.Sprint("p", i), made(fmt.Sprint("r", i))); err != nil {
			t.Fatal(i, err)
		}
	}
	_ = ask.Make(ariproxy.APlayback, "own", "", "p63", made("r63"))
	if err := ask.Make(ariproxy.APlayback, "own", "", "p64", made("r64")); status(err) != http.StatusConflict {
		t.Errorf("one too many: %v", err)
	}
	w.of(who).tell(gate.StasisEvent{Kind: gate.StasisPlayed, Playback: gate.StasisPlayback{ID: "r5"}})
	if err := ask.Make(ariproxy.APlayback, "own", "", "p64", made("r64")); err != nil {
		t.Errorf("behind the end of one: %v", err)
	}
}

// What is begun and comes to nothing holds up nobody: the streams go on when the request is over, and the id is free.
func TestARequestThatMakesNothingGivesBackItsID(t *testing.T) {
	w := newSteered(t)
	who := w.subject("alice", "")
	l := w.listen("alice", "app=own&subscribeAll=true")
	ask := w.door.Ask(who)
	func() {
		defer ask.Finish()
		defer func() { _ = recover() }()
		_ = ask.Make(ariproxy.AChannel, "own", "", "leg", func(ariproxy.Stasis) string { panic("it goes wrong") })
	}()
	w.rings("1", "", "+4915550001", "PJSIP/210")
	l.until("DeviceStateChanged", "RINGING")
	if got := ask.Resolve("leg"); got != "leg" {
		t.Errorf("it stands for %q", got)
	}
}

// While something is made nothing is told, and then all in order, by its id.
func TestStreamsStandStillWhileSomethingIsMade(t *testing.T) {
	w := newSteered(t)
	who := w.subject("alice", "")
	l, other := w.listen("alice", "app=own&subscribeAll=true"), w.listen(alicesOther, subscribe)
	var handle string
	err := w.door.Ask(who).Make(ariproxy.AChannel, "own", "", "phone", func(ariproxy.Stasis) string {
		w.ingest(call.Event{Kind: call.LegSeen, Channel: w.phone("s1", call.StateRinging), At: at(20)})
		other.until("ChannelCreated", "PJSIP/100-")
		w.rings("2", "", "+4915550002", "PJSIP/200")
		other.until("DeviceStateChanged", "PJSIP/200")
		handle = w.handle(who)
		return handle
	})
	if err != nil {
		t.Fatal(err)
	}
	if text := joined(l.until("ChannelCreated", "PJSIP/100-")); strings.Contains(text, handle) {
		t.Errorf("told %s", text)
	}
}

// What is told while something is made, is told behind it.
func TestWhatIsSteeredIsToldBehindWhatIsMade(t *testing.T) {
	w := newSteered(t)
	who := w.subject("alice", "")
	l := w.listen("alice", "app=own&subscribeAll=true")
	err := w.door.Ask(who).Make(ariproxy.AChannel, "own", "", "leg", func(st ariproxy.Stasis) string {
		st.(*fakeStasis).tell(gate.StasisEvent{Kind: gate.StasisBegan, Channel: &mask.Channel{ID: "snoop1"}, Snoop: "snoop1"})
		return "snoop1"
	})
	if err != nil {
		t.Fatal(err)
	}
	all := l.until("StasisStart", `"id":"leg"`)
	if text := joined(all); strings.Contains(text, "snoop1") {
		t.Errorf("told %s", joined(all))
	}
}

// Who does not read what he steers is cut off alone, and what he has is bounded.
func TestAClientThatDoesNotReadWhatItSteersIsCutOffAlone(t *testing.T) {
	w := newSteered(t, func(c *ariproxy.Config) { c.WriteTimeout = 200 * time.Millisecond })
	slow, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	_ = slow.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(slow, "GET /ari/events?app=own&api_key=alice:%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", w.token["alice"], w.addr)
	quick := w.listen("olga", "app=own")
	who := w.subject("alice", "")
	for w.as("alice", "GET /applications/own").status != http.StatusOK {
	}
	id := w.originates(who, "own", "", "", "s1")
	olgas := w.subject("olga", "")
	if err := w.door.Ask(olgas).Make(ariproxy.AChannel, "own", "", "", func(ariproxy.Stasis) string { return "theirs" }); err != nil {
		t.Fatal(err)
	}
	f := w.of(who)
	f.tell(gate.StasisEvent{Kind: gate.StasisBegan, Channel: up(id)})
	for i := 0; w.as("alice", "GET /applications/own").status == http.StatusOK; i++ {
		for range 1000 {
			f.tell(gate.StasisEvent{Kind: gate.StasisPressed, Channel: up(id), Digit: "1"})
		}
		if i == 1000 {
			t.Fatal("it is there yet")
		}
	}
	if w.ended("too_slow") != 1 {
		t.Error("what could not be told is not why it is cut off")
	}
	w.of(olgas).tell(gate.StasisEvent{Kind: gate.StasisPressed, Channel: up("theirs"), Digit: "7"})
	quick.until("ChannelDtmfReceived", `"digit":"7"`)
}

// status is that with which an error is answered.
func status(err error) int {
	var f interface{ Status() int }
	if !errors.As(err, &f) {
		return 0
	}
	return f.Status()
}

// ended is how many streams have ended for a reason.
func (w *world) ended(reason string) (n float64) {
	w.t.Helper()
	all, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			if f.GetName() == "earshot_ari_door_connections_ended_total" && m.GetLabel()[0].GetValue() == reason {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}
