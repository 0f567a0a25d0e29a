package ariproxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/ariproxy"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// fakeStasis is what a client steers, as the test has it.
type fakeStasis struct {
	ariproxy.Stasis
	world *world
	who   auth.Subject
	tell  func(gate.StasisEvent)

	mu     sync.Mutex
	view   gate.StasisView
	hung   chan string
	closed chan struct{}

	during    string // set before anything is asked
	meanwhile func() // what happens while it is first asked for that
	once      sync.Once
}

func (f *fakeStasis) Close() { close(f.closed) }

func (f *fakeStasis) Over() bool { return false }

// asked notes for what it is.
func (f *fakeStasis) asked(what string) {
	if f.during == what {
		f.once.Do(f.meanwhile)
	}
}

func (f *fakeStasis) Play(_ context.Context, on string, _ []gate.StasisMedium) (gate.StasisPlayback, error) {
	f.asked("Play")
	return gate.StasisPlayback{ID: "p2", Bridge: on, State: "queued"}, nil
}

func (f *fakeStasis) View() gate.StasisView {
	f.asked("View")
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view
}

func (f *fakeStasis) HangUp(_ context.Context, channel string) error {
	f.hung <- channel
	return nil
}

func (f *fakeStasis) Has(channel string) (there, up bool) {
	view := f.View()
	for i := range view.Channels {
		if view.Channels[i].ID == channel {
			return true, view.Channels[i].State == mask.ChannelUp
		}
	}
	return slices.ContainsFunc(view.Snoops, func(s mask.Supervision) bool { return s.ID == channel }), true
}

// has has it have something.
func (f *fakeStasis) has(change func(*gate.StasisView)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.view)
}

// steered is a world with what its clients steer, each by its credential.
type steered struct {
	*world
	mu     sync.Mutex
	opened map[string]*fakeStasis
	made   int
}

func newSteered(t testing.TB, change ...func(*ariproxy.Config)) *steered {
	w := &steered{world: newWorld(t, change...), opened: map[string]*fakeStasis{}}
	w.door.Steers(func(who auth.Subject, tell func(gate.StasisEvent)) (ariproxy.Stasis, error) {
		f := &fakeStasis{world: w.world, who: who, tell: tell, hung: make(chan string, 8), closed: make(chan struct{})}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.opened[who.Credential()] = f
		w.made++
		return f, nil
	})
	return w
}

// subject is whom a token proves.
func (w *world) subject(name, employee string) auth.Subject {
	w.t.Helper()
	who, err := w.tokens.Authenticate(context.Background(), auth.Credential{Token: w.token[name], Employee: employee})
	if err != nil {
		w.t.Fatal(err)
	}
	return who
}

// of is what somebody steers.
func (w *steered) of(who auth.Subject) *fakeStasis {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.opened[who.Credential()] == nil {
		w.t.Fatalf("%v steers nothing", who)
	}
	return w.opened[who.Credential()]
}

// originates has a phone of somebody's rung in an application, and returns the handle of its leg.
func (w *steered) originates(who auth.Subject, app, args, alias, leg string) (handle string) {
	w.t.Helper()
	err := w.door.Ask(who).Make(ariproxy.AChannel, app, args, alias, func(ariproxy.Stasis) string {
		ch := w.phone(leg, call.StateRinging)
		w.ingest(call.Event{Kind: call.LegSeen, Channel: ch, At: at(10)})
		handle = w.handle(who)
		return handle
	})
	if err != nil {
		w.t.Fatal(err)
	}
	f := w.of(who)
	f.has(func(v *gate.StasisView) {
		v.Channels = append(v.Channels, mask.Channel{ID: handle, Linked: handle, Endpoint: "PJSIP/100", Employee: "alice"})
	})
	return handle
}

// phone is a leg of alice's phone.
func (w *steered) phone(id string, s call.State) call.Channel {
	return leg(id, "PJSIP/100", s, call.Identity{}, call.Identity{})
}

// handle is that of a leg of alice's phone that is there last.
func (w *steered) handle(who auth.Subject) string {
	w.t.Helper()
	view, err := w.gate.Channels(who)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := len(view.All) - 1; i >= 0; i-- {
		if view.All[i].Endpoint == "PJSIP/100" {
			return view.All[i].ID
		}
	}
	w.t.Fatal("no leg is shown")
	return ""
}

func up(handle string) *mask.Channel {
	return &mask.Channel{ID: handle, Linked: handle, Endpoint: "PJSIP/100", Employee: "alice", State: mask.ChannelUp, Number: "100", Name: "Alice"}
}

func expect(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("told\n\t%s\nnot\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// What an application launches is told to it by the id that its client has chosen, from its beginning to its end, in Asterisk's order; another of the same
// client, that is told of everything, hears of the same by its channel events.
func TestALaunchedLegIsToldFromItsBeginningToItsEnd(t *testing.T) {
	w := newSteered(t)
	who := w.subject("alice", "")
	l := w.listen("alice", "app=own")
	wall := w.listen("alice", "app=wall&subscribeAll=true")
	colleague := w.listen("olga", subscribe)
	id := w.originates(who, "own", `hello,"a,b",`, "my-leg", "s1")
	f := w.of(who)
	w.ingest(call.Event{Kind: call.LegSeen, Channel: w.phone("s1", call.StateUp), At: at(12)})
	f.tell(gate.StasisEvent{Kind: gate.StasisBegan, Channel: up(id)})
	f.tell(gate.StasisEvent{Kind: gate.StasisBridgeMade, Bridge: gate.StasisBridge{ID: "room1"}})
	in := gate.StasisBridge{ID: "room1", Channels: []string{id}}
	f.tell(gate.StasisEvent{Kind: gate.StasisEntered, Channel: up(id), Bridge: in})
	f.tell(gate.StasisEvent{Kind: gate.StasisPressed, Channel: up(id), Digit: "5"})
	play := gate.StasisPlayback{ID: "p1", Bridge: "room1", Media: []string{"sound:a", "sound:b"}, State: "playing"}
	f.tell(gate.StasisEvent{Kind: gate.StasisPlaying, Playback: play})
	play.Playing = 1
	f.tell(gate.StasisEvent{Kind: gate.StasisNextPlayed, Playback: play})
	play.State = "done"
	f.tell(gate.StasisEvent{Kind: gate.StasisPlayed, Playback: play})
	r := w.door.Ask(who)
	r.Recorded("RecordingStarted", "memo", id, "recording")
	r.Recorded("RecordingFinished", "memo", id, "done")
	f.tell(gate.StasisEvent{Kind: gate.StasisLeft, Channel: up(id), Bridge: gate.StasisBridge{ID: "room1"}})
	f.tell(gate.StasisEvent{Kind: gate.StasisBridgeGone, Bridge: gate.StasisBridge{ID: "room1"}})
	w.ingest(gone("s1")) // known before the Stasis says so
	w.rings("x", "", "+4915550001", "PJSIP/210")
	wall.until("Dial", "RINGING")
	f.tell(gate.StasisEvent{Kind: gate.StasisEnded, Channel: up(id)})

	all := l.until("ChannelDestroyed", "")
	var got []string
	for _, e := range all {
		got = append(got, e.Type)
		if strings.Contains(e.text, id) || strings.Contains(e.text, `"channel"`) && !strings.Contains(e.text, `"id":"my-leg"`) {
			t.Errorf("it is told %s", e.text)
		}
	}
	expect(t, got, "ChannelCreated", "ChannelStateChange", "ChannelStateChange", "StasisStart", "ChannelEnteredBridge", "ChannelDtmfReceived", "PlaybackStarted", "PlaybackContinuing", "PlaybackFinished",
		"RecordingStarted", "RecordingFinished", "ChannelLeftBridge", "StasisEnd", "ChannelDestroyed")
	var started struct {
		Args    []string
		Channel struct{ ID, Name string }
	}
	if err := json.Unmarshal([]byte(all[3].text), &started); err != nil || !slices.Equal(started.Args, []string{"hello", "a,b", ""}) || started.Channel.Name != "PJSIP/100-my-leg" {
		t.Errorf("it is started by %s", all[3].text)
	}
	for i, want := range map[int]string{
		4: `"channels":["my-leg"]`, 5: `"digit":"5"`, 6: `"media_uri":"sound:a","next_media_uri":"sound:b","target_uri":"bridge:room1","language":"en","state":"playing"`,
		7: `"media_uri":"sound:b","target_uri":"bridge:room1","language":"en","state":"continuing"`, 8: `"state":"done"`,
		9: `{"name":"memo","format":"wav","target_uri":"channel:my-leg","state":"recording"}`, 10: `"state":"done","duration":3}`, 11: `"channels":[]`,
	} {
		if !strings.Contains(all[i].text, want) {
			t.Errorf("%s is not in %s", want, all[i].text)
		}
	}
	// Who is told of everything and has launched nothing is told neither of StasisStart nor of StasisEnd.
	for w.as("alice", "GET /channels/my-leg").status != http.StatusNotFound {
	}
	w.hangsUp("x")
	text := joined(wall.until("DeviceStateChanged", `"NOT_INUSE"`))
	if strings.Contains(text, "Stasis\"") || strings.Contains(text, "StasisStart") || strings.Contains(text, "hello") {
		t.Errorf("another application is told\n%s", text)
	}
	// Nobody else is told of the alias, of what is played, and with which words it was started.
	told := joined(colleague.until("ChannelDestroyed", "PJSIP/210"))
	for _, own := range []string{"my-leg", "hello", "Stasis", "Playback", "Recording", "room1"} {
		if strings.Contains(told, own) {
			t.Errorf("a colleague is told of %s:\n%s", own, told)
		}
	}
	if !strings.Contains(told, "PJSIP/100-") {
		t.Errorf("a colleague is not told of the leg:\n%s", told)
	}
}

// That a leg is gone is told behind its end to every stream of its client's: also to one that began when the leg was there already, and to one whose
// application has another stream now.
func TestThatALegIsGoneIsToldByEveryStreamOfItsClients(t *testing.T) {
	w := newSteered(t)
	who := w.subject("alice", "")
	first := w.listen("alice", "app=own,wall&subscribeAll=true")
	id := w.originates(who, "own", "", "leg", "s1")
	f := w.of(who)
	f.tell(gate.StasisEvent{Kind: gate.StasisBegan, Channel: up(id)})
	first.until("StasisStart", `"id":"leg"`)
	late := w.listen("alice", "app=late&subscribeAll=true")
	next := w.listen("alice", "app=own")
	first.until("ApplicationReplaced", `"own"`)
	w.ingest(gone("s1"))
	w.rings("x", "", "+4915550001", "PJSIP/100")
	for _, l := range []*listener{first, late} {
		if text := joined(l.until("Dial", "RINGING")); strings.Contains(text, "ChannelDestroyed") {
			t.Errorf("told before its end\n%s", text)
		}
	}
	f.tell(gate.StasisEvent{Kind: gate.StasisEnded, Channel: up(id)})
	for i, l := range []*listener{first, late, next} {
		text := joined(l.until("ChannelDestroyed", `"id":"leg"`))
		if strings.Contains(text, "StasisEnd") != (l == next) {
			t.Errorf("%d is told\n%s", i, text)
		}
	}
}

// A snoop is a channel of its client's alone, and says nothing of whom it is on.
func TestASnoopIsAChannelOfItsOwn(t *testing.T) {
	w := newSteered(t)
	who := w.subject("alice", "")
	l := w.listen("alice", "app=own&subscribeAll=true")
	const id = "abcdefghijkmnpqrstuv"
	ask := w.door.Ask(who)
	err := ask.Make(ariproxy.AChannel, "own", "x", "ear", func(st ariproxy.Stasis) string {
		f := st.(*fakeStasis)
		f.tell(gate.StasisEvent{Kind: gate.StasisBegan, Channel: &mask.Channel{ID: id, Linked: id, State: mask.ChannelUp}, Snoop: id}) // before it is known by its id
		f.has(func(v *gate.StasisView) {
			v.Snoops = []mask.Supervision{{ID: id, Since: at(30)}}
			v.Bridges = []gate.StasisBridge{{ID: "room1", Channels: []string{id}}}
		})
		return id
	})
	if err != nil {
		t.Fatal(err)
	}
	ask.Christen("room1", "the room")
	f := w.of(who)
	const want = `{"id":"ear","name":"Snoop/ear-00000000","state":"Up","protocol_id":"","caller":{"name":"","number":""},"connected":{"name":"","number":""},`
	all := l.until("StasisStart", want)
	if len(all) != 2 || all[0].Type != "ChannelCreated" || !strings.Contains(all[0].text, want) {
		t.Errorf("told %s", joined(all))
	}
	if got := w.as("alice", "GET /channels/ear"); got.status != http.StatusOK || !strings.HasPrefix(got.body, want) || !strings.Contains(w.as("alice", "GET /channels").body, want) {
		t.Errorf("asked for it: %d %s", got.status, got.body)
	}
	if got := w.as("alice", "GET /bridges/room1"); !strings.Contains(got.body, `"creator":"Stasis","name":"the room","channels":["ear"]`) || !strings.Contains(w.as("alice", "GET /bridges").body, `"id":"room1"`) {
		t.Errorf("asked for its bridge: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/channels/ear", "/channels/" + id, "/bridges/room1"} {
		if got := w.as("olga", "GET "+path); got.status != http.StatusNotFound {
			t.Errorf("another is answered %s by %d %s", path, got.status, got.body)
		}
	}
	if st, is := ask.Holder(ask.Resolve("ear")); st != ariproxy.Stasis(f) || !is {
		t.Errorf("%v has it", st)
	}
	if st, _ := ask.Holder("nobody"); st != nil {
		t.Errorf("%v has what is not there", st)
	}
	f.tell(gate.StasisEvent{Kind: gate.StasisEnded, Channel: &mask.Channel{ID: id, Linked: id}, Snoop: id, Reason: "revoked"})
	all = l.until("ChannelDestroyed", want)
	if len(all) != 2 || all[0].Type != "StasisEnd" || strings.Contains(joined(all), "revoked") {
		t.Errorf("told %s", joined(all))
	}
}

// Each client has what is its own: two with the same employee, the same names and the same ids have nothing of each other's.
func TestTwoClientsOfOneEmployeeHaveNothingOfEachOther(t *testing.T) {
	w := newSteered(t)
	header := "X-Earshot-Employee: alice"
	first, second, panel := w.listen("alice", "app=own"), w.listen(alicesOther, "app=own"), w.listen("crm", "app=own", header)
	subjects := []auth.Subject{w.subject("alice", ""), w.subject(alicesOther, ""), w.subject("crm", "alice")}
	for i, l := range []*listener{first, second, panel} {
		who := subjects[i]
		id := w.originates(who, "own", fmt.Sprint("args", i), "leg", fmt.Sprint("s", i))
		w.of(who).tell(gate.StasisEvent{Kind: gate.StasisBegan, Channel: up(id)})
		all := l.until("StasisStart", fmt.Sprint("args", i))
		if text := joined(all); strings.Contains(text, "Replaced") || strings.Count(text, "StasisStart") != 1 {
			t.Errorf("%d is told\n%s", i, text)
		}
	}
	if w.made != 3 {
		t.Errorf("they steer %d", w.made)
	}
	for _, l := range []*listener{first, second, panel} {
		if len(l.events) > 0 {
			t.Errorf("one is told %s", (<-l.events).text)
		}
	}
	// An alias of one is nothing to another who has none of the kind.
	other := w.door.Ask(w.subject("olga", ""))
	if got := other.Resolve("leg"); got != "leg" {
		t.Errorf("an alias of another's is %s", got)
	}
	if _, err := other.Stasis("own"); err == nil {
		t.Error("an application of another's is one's own")
	}
	for _, app := range []string{"POST /applications/own/subscription?eventSource=channel:", "PUT /applications/own/eventFilter", "GET /applications/own"} {
		if got := w.as("olga", app); got.status != http.StatusNotFound {
			t.Errorf("%s is answered by %d %s", app, got.status, got.body)
		}
	}
}

// gone is that a leg is hung up.
func gone(id string) call.Event {
	return call.Event{Kind: call.LegGone, Channel: call.Channel{ID: call.LegID(id)}, At: at(40)}
}
