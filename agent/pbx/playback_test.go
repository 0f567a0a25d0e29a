package pbx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// humHeard is the phones' tone by which they hear hum, a medium without an end; no phone has it.
const humHeard phone.Tone = 20

var hum = fmt.Sprintf("tone:%d/1000", humHeard.Hz())

// A listener notes what is told of playbacks.
type listener struct {
	*runner
	mu   sync.Mutex
	told []string
}

func (l *listener) played(p Played) {
	l.mu.Lock()
	l.told = append(l.told, strings.TrimPrefix(p.ID, Prefix)+" "+p.State+" "+p.Media)
	l.mu.Unlock()
	l.happened(func() {})
}

// of is what was told of one playback.
func (l *listener) of(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, text := range l.told {
		if rest, ok := strings.CutPrefix(text, id+" "); ok {
			all = append(all, rest)
		}
	}
	return all
}

// tells waits until this is all that was told of a playback.
func (l *listener) tells(id string, want ...string) {
	l.Helper()
	if l.wait(l.ctx, func() bool { return slices.Equal(l.of(id), want) }) != nil {
		l.Fatalf("of %s was told\n\t%s\nand not\n\t%s", id, strings.Join(l.of(id), "\n\t"), strings.Join(want, "\n\t"))
	}
}

func listen(t *testing.T, o *office) *listener {
	t.Helper()
	l := &listener{}
	l.runner = run(t, o, func(c *Config) { c.Played = l.played }, nil)
	l.up()
	return l
}

func TestWhatIsPlayedToALegIsHeardAndToldInOrder(t *testing.T) {
	o := openOffice(t)
	r := listen(t, o)
	defer o.hangupAll(t)
	leg, heard := r.steered(o, "103", time.Minute)
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "long", Leg: leg, Media: []string{"sound:beep", "sound:there-is-none", hum}}))
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "never", Leg: leg, Media: []string{"sound:beep"}}))
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "next", Leg: leg, Media: []string{"digits:12"}}))
	begun := []string{
		"playing sound:beep", "continuing sound:beep", "playing sound:there-is-none", "continuing sound:there-is-none", "playing " + hum,
	}
	r.tells("long", begun...)
	_, err := heard.WaitHearsOnly(r.ctx, humHeard)
	r.must(err)
	// Paused nothing is heard; then it goes on.
	r.must(r.link.ControlPlay(r.ctx, Prefix+"long", "pause"))
	r.must(r.link.ControlPlay(r.ctx, Prefix+"long", "unpause"))
	r.tells("long", append(begun, "playing "+hum)...)
	if err := r.link.ControlPlay(r.ctx, Prefix+"next", "pause"); !errors.Is(err, ErrUncontrolled) {
		t.Errorf("what waits was paused: %v", err)
	}
	// What waits and what plays is stopped, and what follows is played.
	r.must(r.link.StopPlay(r.ctx, Prefix+"never"))
	entered := make(chan error, 1)
	const bridge = call.BridgeID(Prefix + "later")
	r.must(r.link.CreateBridge(r.ctx, bridge))
	go func() { entered <- r.link.Enter(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{leg}}) }()
	r.must(r.link.StopPlay(r.ctx, Prefix+"long"))
	r.tells("long", append(begun, "playing "+hum, "done "+hum)...)
	r.tells("never", "done sound:beep")
	r.until("the digits are said", func() bool { return len(r.of("next")) > 0 })
	if err := r.link.StopPlay(r.ctx, Prefix+"next"); !errors.Is(err, ErrUncontrolled) {
		t.Errorf("what cannot be stopped was stopped: %v", err)
	}
	select {
	case err := <-entered:
		t.Error("the leg is in a bridge while it is played to:", err)
	default:
	}
	r.tells("next", "playing digits:12", "done digits:12")
	r.must(<-entered)
	if err := r.link.StopPlay(r.ctx, Prefix+"next"); !errors.Is(err, ErrGone) {
		t.Errorf("what is over was stopped: %v", err)
	}
	r.must(r.link.Leave(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{leg}}))
	r.givenUp(leg, bridge)
	// What the leg's end ends is told too, also of what has not begun.
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "cut", Leg: leg, Media: []string{"sound:beep", hum}}))
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "lost", Leg: leg, Media: []string{hum}}))
	_, err = heard.WaitHears(r.ctx, humHeard)
	r.must(err)
	r.must(r.link.Drop(r.ctx, bridge, leg))
	r.tells("cut", "playing sound:beep", "continuing sound:beep", "playing "+hum, "failed "+hum)
	r.until("the end of what has not begun is told", func() bool { all := r.of("lost"); return len(all) > 0 && all[len(all)-1] == "failed "+hum })
	if r.link.playbacks.on(leg) {
		t.Error("something is played to a leg that is gone")
	}
}

// givenUp has a leg that is played to enter a bridge, and gives up the wait; nothing comes of it later.
func (l *listener) givenUp(leg call.LegID, bridge call.BridgeID) {
	l.Helper()
	l.must(l.link.Play(l.ctx, Play{ID: Prefix + "waits", Leg: leg, Media: []string{hum}}))
	l.tells("waits", "playing "+hum)
	ctx, cancel := context.WithTimeout(l.ctx, 100*time.Millisecond)
	defer cancel()
	if err := l.link.Enter(ctx, Enter{Bridge: bridge, Legs: []call.LegID{leg}}); !errors.Is(err, context.DeadlineExceeded) {
		l.Errorf("the leg enters a bridge while it is played to: %v", err)
	}
	l.must(l.link.StopPlay(l.ctx, Prefix+"waits"))
	l.tells("waits", "playing "+hum, "done "+hum)
	l.must(l.link.Renew(l.ctx, time.Minute, leg)) // by ARI, and so after all that the leg was to do
	b, err := l.link.rest.GetBridge(l.ctx, string(bridge))
	l.must(err)
	if len(b.Channels) > 0 {
		l.Error("the leg has entered the bridge after all")
	}
}

func TestWhatIsPlayedInABridgeIsHeardByAllAndToldOnce(t *testing.T) {
	o := openOffice(t)
	r := listen(t, o)
	defer o.hangupAll(t)
	first, one := r.steered(o, "103", time.Minute)
	second, two := r.steered(o, "203", time.Minute)
	const bridge = call.BridgeID(Prefix + "played")
	r.must(r.link.CreateBridge(r.ctx, bridge))
	r.must(r.link.Enter(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{first, second}}))
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "all", Bridge: bridge, Media: []string{"sound:beep", hum}}))
	r.tells("all", "playing sound:beep", "continuing sound:beep", "playing "+hum)
	for c, other := range map[*phone.Call]*phone.Call{one: two, two: one} {
		_, err := c.WaitHearsOnly(r.ctx, humHeard, other.Tone())
		r.must(err)
	}
	// It keeps nothing else from the legs.
	r.must(r.link.Renew(r.ctx, time.Minute, first))
	r.must(r.link.Leave(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{first}}))
	r.must(r.link.Music(r.ctx, Music{Leg: first, On: true}))
	_, err := one.WaitHearsOnly(r.ctx, phone.Music)
	r.must(err)
	_, err = two.WaitHearsOnly(r.ctx, humHeard)
	r.must(err)
	// Asterisk's table has no leg of who plays.
	r.feed.Read(func(table *call.Table) {
		for _, l := range table.All(nil) {
			if !strings.HasPrefix(l.Name(), "PJSIP/") {
				t.Errorf("there is the leg %s", l.Name())
			}
		}
	})
	r.must(r.link.StopPlay(r.ctx, Prefix+"all"))
	r.tells("all", "playing sound:beep", "continuing sound:beep", "playing "+hum, "done "+hum)
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "last", Bridge: bridge, Media: []string{hum}}))
	_, err = two.WaitHearsOnly(r.ctx, humHeard)
	r.must(err)
	r.must(r.link.Drop(r.ctx, bridge, first, second))
	r.tells("last", "playing "+hum, "failed "+hum)
}

func TestNothingIsPlayedThatIsNoMedium(t *testing.T) {
	f := newFake(t)
	r := f.link(t)
	r.known()
	for _, bad := range []string{
		"", "hello", "sound:", "sound:/etc/passwd", "sound:../../x", "sound:http://x/y", "sound:a b", "recording:x", "number:", "number:-1", "number:1e3",
		"number:99999999999", "digits:", "digits:1a", "tone:", "tone:a|b", "characters:", "characters:a\n", "sound:a\x00", "file:x", ":x",
	} {
		if err := r.link.Play(r.ctx, Play{ID: Prefix + "p", Leg: "1.1", Media: []string{"sound:beep", bad}}); err == nil {
			t.Errorf("%q is played", bad)
		}
	}
	for name, o := range map[string]Play{"nothing": {ID: Prefix + "p", Leg: "1.1"}, "without an id": {Leg: "1.1", Media: []string{"sound:beep"}}} {
		if err := r.link.Play(r.ctx, o); err == nil {
			t.Errorf("%s is played", name)
		}
	}
	if err := r.link.ControlPlay(r.ctx, Prefix+"p", "stop"); err == nil {
		t.Error("there is another operation")
	}
	f.mu.Lock()
	for op := range f.asked {
		if strings.Contains(op, "play") {
			t.Errorf("asked %s", op)
		}
	}
	f.mu.Unlock()
	for _, good := range []string{"sound:beep", "sound:digits/1", "tone:ring", "tone:1400/500,0/15000", "tone:!950+330/330,0;tonezone=us", "digits:12*#", "number:105", "characters:abc 1"} {
		r.must(r.link.Play(r.ctx, Play{ID: Prefix + "p", Leg: "1.1", Media: []string{good}}))
	}
}

// While there is no connection nobody is told of an end, so it is asked about.
func TestAPlaybackThatEndsWhileNobodyListensIsTold(t *testing.T) {
	f := newFake(t)
	f.playback = ""
	r := &listener{}
	r.runner = f.link(t, func(c *Config) { c.Played = r.played })
	r.known()
	for _, id := range []string{"over", "goes-on"} {
		r.must(r.link.Play(r.ctx, Play{ID: Prefix + id, Leg: "1.1", Media: []string{"sound:beep"}}))
	}
	f.mu.Lock()
	f.gone["GET /ari/playbacks/"+Prefix+"over"] = 1
	f.answers = map[string]string{"GET /ari/playbacks/" + Prefix + "goes-on": `{"id":"` + Prefix + `goes-on","state":"playing"}`}
	ends := f.ends
	f.mu.Unlock()
	ends()
	r.tells("over", "done ")
	r.known()
	r.tells("goes-on")
	if !r.link.playbacks.on("1.1") {
		t.Error("what goes on is forgotten")
	}
	f.send <- `{"type":"PlaybackFinished","timestamp":"2026-11-22T01:00:09.000+0000","playback":{"id":"` + Prefix + `goes-on","media_uri":"sound:beep","target_uri":"channel:1.1","state":"done"},"application":"earshot"}`
	r.tells("goes-on", "done sound:beep")
}

// Asterisk would put the supervisor's leg into the bridge when the playback is over, whatever had become of the supervision.
func TestNoLegIsTappedForOneThatIsPlayedTo(t *testing.T) {
	f := newFake(t)
	f.playback = ""
	r := f.link(t)
	r.known()
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "own", Leg: "1.1", Media: []string{hum}}))
	tap := Tap{Snoop: Prefix + "own-snoop", Target: "1.2", Supervisor: "1.1", Bridge: Prefix + "own", Lease: time.Minute}
	ctx, cancel := context.WithTimeout(r.ctx, 50*time.Millisecond)
	defer cancel()
	if err := r.link.Tap(ctx, tap); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("tapped: %v", err)
	}
	asked := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.asked["POST /ari/channels/1.2/snoop"]
	}
	if asked() != 0 {
		t.Error("there is a snoop")
	}
	f.send <- `{"type":"PlaybackFinished","timestamp":"2026-11-22T01:00:09.000+0000","playback":{"id":"` + Prefix + `own","media_uri":"sound:beep","target_uri":"channel:1.1","state":"done"},"application":"earshot"}`
	r.must(r.link.Tap(r.ctx, tap))
	if asked() != 1 {
		t.Error("there is no snoop")
	}
}

// Another's playbacks are of no interest, and cost nothing.
func TestPlaybacksOfOthersAreLeftAlone(t *testing.T) {
	told := 0
	link, err := New(Config{ARI: ari.Config{BaseURL: "http://127.0.0.1:1/ari", Username: "e", Password: "e"}, Application: "earshot", Played: func(Played) { told++ }})
	if err != nil {
		t.Fatal(err)
	}
	link.playbacks.begin(Play{ID: Prefix + "own", Leg: "1.1"})
	if lost := link.playbacks.lost(); len(lost) > 0 {
		t.Errorf("%v may be lost before Asterisk has it", lost)
	}
	event := func(id, app string, second int) *ari.Event {
		text := fmt.Sprintf(`{"type":"PlaybackStarted","timestamp":"2026-11-22T01:00:%02d.000+0000","playback":{"id":%q,"media_uri":"sound:beep","target_uri":"bridge:1","state":"playing"},"application":%q}`, second, id, app)
		e, err := ari.ParseEvent([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for name, e := range map[string]*ari.Event{
		"another's": event("client-own", "earshot", 1), "in another application": event(Prefix+"own", "theirs", 1), "of no playback": {Type: ari.TypePlaybackStarted, Application: "earshot"},
	} {
		if n := testing.AllocsPerRun(100, func() { link.take(e, nil) }); n != 0 || told != 0 {
			t.Errorf("%s: told %d times, %v allocations", name, told, n)
		}
	}
	for i, e := range []*ari.Event{event(Prefix+"own", "earshot", 1), event(Prefix+"own", "earshot", 1), event(Prefix+"own", "earshot", 2)} {
		link.take(e, nil)
		if want := []int{1, 1, 2}[i]; told != want {
			t.Errorf("event %d: told %d times, not %d", i, told, want)
		}
	}
}
