package pbx

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// toneHeard is the phones' tone by which they hear that of a Tone order: 10 Hz below it, and no phone has it.
const toneHeard phone.Tone = 10

// silences notes which tones have ended.
type silences struct {
	mu  sync.Mutex
	ids []call.LegID
}

func (s *silences) add(id call.LegID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, id)
}

func (s *silences) has(id call.LegID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.ids, id)
}

// The tone is heard at once and again by whom the order names, and by nobody else; not by the supervisor, who listens to the same leg.
func TestATonesOrderSaysWhoHearsIt(t *testing.T) {
	o := openOffice(t)
	var ended silences
	r := run(t, o, func(c *Config) { c.Silenced = ended.add }, nil)
	r.up()
	defer o.hangupAll(t)
	target, peer, err := o.talk(r.ctx, "101", "102")
	r.must(err)
	r.shows("101 talking out with 102", "102 talking in with 101")
	o.react(t, "103", phone.Reaction{Answer: true})
	ring := Ring{Leg: Prefix + "told", Bridge: Prefix + "told", Endpoint: "PJSIP/103", Timeout: 20 * time.Second, Lease: 20 * time.Second}
	r.must(r.link.Ring(r.ctx, ring))
	r.has(ring.Leg)
	leg, sup := r.legs("PJSIP/101")[0], o.phones["103"].Calls()[0]
	r.must(r.link.Tap(r.ctx, Tap{
		Snoop: ring.Leg + "-snoop", Target: leg, Supervisor: ring.Leg, Bridge: ring.Bridge, Voice: VoiceTarget, Lease: 20 * time.Second,
	}))
	_, err = target.WaitHears(r.ctx, sup.Tone())
	r.must(err)
	const every = time.Second
	for name, tc := range map[string]struct {
		both    bool
		hear    []*phone.Call
		not     []*phone.Call
		besides []phone.Tone
	}{
		"the employee": {false, []*phone.Call{target}, []*phone.Call{peer, sup}, []phone.Tone{target.Tone(), peer.Tone()}},
		"both sides":   {true, []*phone.Call{target, peer}, []*phone.Call{sup}, []phone.Tone{peer.Tone()}},
	} {
		id := call.LegID(Prefix + "told-tone-" + name[:3])
		asked := time.Now()
		r.must(r.link.Tone(r.ctx, Tone{Leg: id, Target: leg, Both: tc.both, Every: every, Lease: 20 * time.Second}))
		played := time.Since(asked)
		for i, c := range tc.not {
			r.must(c.DoesNotHear(r.ctx, toneHeard, tc.besides[i], every+every/2))
		}
		until := time.Now()
		for _, c := range tc.hear {
			windows := c.HeardBetween(toneHeard, asked, until)
			if len(windows) == 0 || until.Sub(asked) < every+every/2 {
				t.Fatalf("%s: nobody hears it", name)
			}
			first, last := windows[0].From.Sub(asked), windows[len(windows)-1].To.Sub(asked)
			t.Logf("%s: played after %v, heard after %v and until %v in %d windows", name, played, first, last, len(windows))
			if first > time.Second || last < every {
				t.Errorf("%s: it is first heard after %v and last after %v", name, first, last)
			}
		}
		if ended.has(id) {
			t.Fatalf("%s: the tone is over", name)
		}
		if tc.both {
			r.must(r.link.rest.Hangup(r.ctx, string(id), "normal"))
			r.until("the tone is over", func() bool { return ended.has(id) })
		} else {
			r.must(r.link.Drop(r.ctx, "", id))
			r.until("the tone is over", func() bool { return !r.left(id) })
		}
		for _, c := range tc.hear {
			_, err := c.WaitHearsOnly(r.ctx, map[bool][]phone.Tone{true: {peer.Tone(), sup.Tone()}, false: {target.Tone()}}[c == target]...)
			r.must(err)
			r.must(c.DoesNotHear(r.ctx, toneHeard, map[bool]phone.Tone{true: peer.Tone(), false: target.Tone()}[c == target], every+every/2))
		}
	}
	if ended.has(Prefix + "told-tone-the") {
		t.Error("the link tells of one that it has ended itself")
	}
	// It needs nobody to go on, so it has a lease.
	begun, short := time.Now(), call.LegID(Prefix+"told-tone-short")
	r.must(r.link.Tone(r.ctx, Tone{Leg: short, Target: leg, Every: every, Lease: 2 * time.Second}))
	if !r.left(short) {
		t.Fatal("the table does not know of the tone's leg")
	}
	r.until("the tone's lease ends it", func() bool { return !r.left(short) })
	if lived := time.Since(begun); lived < 1900*time.Millisecond {
		t.Errorf("a tone with a lease of two seconds lived for %v", lived)
	}
	r.keeps(&ended, leg, target)
	r.shows("101 talking out with 102", "102 talking in with 101")
	r.must(r.link.Drop(r.ctx, ring.Bridge, ring.Leg, ring.Leg+"-snoop"))
	// Nothing is left of one that could not be put up.
	if err := r.link.Tone(r.ctx, Tone{Leg: Prefix + "nowhere", Target: "1700000000.1", Every: every, Lease: time.Minute}); !errors.Is(err, ari.ErrNotFound) {
		t.Errorf("on a leg that is not there: %v", err)
	}
}

// keeps has a tone outlive its lease by being kept, in time as it was.
func (r *runner) keeps(ended *silences, leg call.LegID, target *phone.Call) {
	r.Helper()
	o := Tone{Leg: Prefix + "told-tone-kept", Target: leg, Every: time.Second, Lease: 2 * time.Second}
	r.must(r.link.Tone(r.ctx, o))
	o.Begun = time.Now()
	tick := time.NewTicker(700 * time.Millisecond) // in the tone, and in the silence between
	defer tick.Stop()
	for range 6 {
		<-tick.C
		r.must(r.link.KeepTone(r.ctx, o))
	}
	if !r.left(o.Leg) || ended.has(o.Leg) {
		r.Fatal("a tone that was kept has ended")
	}
	var at []time.Duration
	for _, w := range target.HeardBetween(toneHeard, o.Begun, time.Now()) {
		at = append(at, w.From.Sub(o.Begun))
		if phase := w.From.Sub(o.Begun) % o.Every; phase > toneTime+150*time.Millisecond && phase < o.Every-150*time.Millisecond {
			r.Errorf("it is heard after %v, which is no time of its own", w.From.Sub(o.Begun))
		}
	}
	if len(at) < 12 {
		r.Errorf("it is heard in %d windows only: %v", len(at), at)
	}
	r.must(r.link.Drop(r.ctx, "", o.Leg))
	if err := r.link.KeepTone(r.ctx, o); !errors.Is(err, ErrNotPlayed) {
		r.Errorf("one that is gone is kept: %v", err)
	}
}

// One that is kept goes on where it would have been.
func TestATonesMediaKeepsTime(t *testing.T) {
	o := Tone{Every: 15 * time.Second}
	for since, want := range map[time.Duration]string{
		0:                        "tone:1400/400,0/14600",
		15 * time.Second:         "tone:1400/400,0/14600",
		30100 * time.Millisecond: "tone:!1400/300,!0/14600,1400/400,0/14600",
		399 * time.Millisecond:   "tone:!1400/1,!0/14600,1400/400,0/14600",
		400 * time.Millisecond:   "tone:!0/14600,1400/400,0/14600",
		10 * time.Second:         "tone:!0/5000,1400/400,0/14600",
		14999 * time.Millisecond: "tone:!0/1,1400/400,0/14600",
	} {
		if got := o.media(since); got != want {
			t.Errorf("after %v: %s, want %s", since, got, want)
		}
	}
}

func TestATonesLegIsHungUpWhereAsteriskDoesNotPlayIt(t *testing.T) {
	const id = Prefix + "tone"
	made := []string{"POST channels/1.1/snoop", "POST channels/" + id + "/variable", "POST channels/" + id + "/play"}
	undone := append(slices.Clone(made), "DELETE channels/"+id)
	for name, tc := range map[string]struct {
		arrange func(f *fake)
		late    bool
		want    []string
		fails   error
	}{
		"it plays":                 {want: made},
		"it is refused":            {arrange: func(f *fake) { f.gone["POST /ari/channels/"+id+"/play"] = 1 }, want: undone, fails: ari.ErrNotFound},
		"the media is not to play": {arrange: func(f *fake) { f.playback = ari.TypePlaybackFinished }, want: undone, fails: ErrNotPlayed},
		"nothing is heard of it":   {arrange: func(f *fake) { f.playback = "" }, late: true, want: undone, fails: ErrNotPlayed},
		"there is no lease":        {arrange: func(f *fake) { f.gone["POST /ari/channels/"+id+"/variable"] = 1 }, want: append(slices.Clone(made[:2]), undone[3]), fails: ari.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if tc.arrange != nil {
				tc.arrange(f)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := &wire{asked: func(note string) {
				if tc.late && note == made[2] {
					time.AfterFunc(instant, cancel)
				}
			}}
			r := f.link(t, func(c *Config) {
				w.RoundTripper = c.ARI.HTTPClient.Transport
				c.ARI.HTTPClient = &http.Client{Transport: w}
			})
			r.known()
			err := r.link.Tone(ctx, Tone{Leg: id, Target: "1.1", Every: 15 * time.Second, Lease: time.Minute})
			if !errors.Is(err, tc.fails) {
				t.Errorf("%v, want %v", err, tc.fails)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			notes := slices.DeleteFunc(slices.Clone(w.notes), func(note string) bool { // the link has requests of its own
				return !strings.HasSuffix(note, "/snoop") && !strings.Contains(note, id)
			})
			if !slices.Equal(notes, tc.want) {
				t.Errorf("asked\n%s\nwant\n%s", strings.Join(notes, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// Only what is played for an own leg, in the own application, counts.
func TestWhatOthersPlayIsNoToneOfOnesOwn(t *testing.T) {
	var ended silences
	f := newFake(t)
	r := f.link(t, func(c *Config) { c.Silenced = ended.add })
	r.known()
	own := Tone{Leg: Prefix + "c", Target: "1.1", Every: 15 * time.Second, Lease: time.Minute}
	r.must(r.link.Tone(r.ctx, own))
	r.must(r.link.KeepTone(r.ctx, own)) // what is played there now is the second
	event := func(application, id string) {
		f.send <- `{"type":"PlaybackFinished","playback":{"id":"` + id + `","media_uri":"tone:1400","target_uri":"channel:1","state":"done"},"application":"` + application + `"}`
	}
	event("other", Prefix+"c.2")
	event("earshot", "b")
	event("earshot", Prefix)
	event("earshot", Prefix+"a.1")
	event("earshot", Prefix+"c.1")
	r.must(r.link.Tone(r.ctx, Tone{Leg: Prefix + "d", Target: "1.1", Every: 15 * time.Second, Lease: time.Minute})) // and with it what was sent before
	if len(ended.ids) > 0 {
		t.Errorf("%q", ended.ids)
	}
	event("earshot", Prefix+"c.2")
	r.until("a tone is over", func() bool { return ended.has(own.Leg) })
}

// A tone that was not stopped plays on, and can be kept later; one that was and does not go on is none.
func TestAToneThatIsKeptIsPlayedOrSaidNotToBe(t *testing.T) {
	f := newFake(t)
	r := f.link(t)
	r.known()
	o := Tone{Leg: Prefix + "c", Target: "1.1", Every: 15 * time.Second, Lease: time.Minute}
	r.must(r.link.Tone(r.ctx, o))
	for _, step := range []struct {
		refuse string
		played bool // on, after it was refused
	}{{"DELETE /ari/playbacks/" + Prefix + "c.1", true}, {"POST /ari/channels/" + Prefix + "c/variable", false}, {"POST /ari/channels/" + Prefix + "c/play", false}} {
		f.mu.Lock()
		f.fail[step.refuse] = 1
		f.mu.Unlock()
		if err := r.link.KeepTone(r.ctx, o); err == nil || errors.Is(err, ErrNotPlayed) == step.played {
			t.Errorf("%s: %v", step.refuse, err)
		}
	}
	r.must(r.link.KeepTone(r.ctx, o))
}
