package pbx

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// steered brings a phone's leg into the application and returns the phone's call.
func (r *runner) steered(o *office, id string, lease time.Duration) (call.LegID, *phone.Call) {
	r.Helper()
	o.react(r.T, id, phone.Reaction{Answer: true})
	leg := call.LegID(Prefix + id + "-stasis")
	r.must(r.link.Ring(r.ctx, Ring{Leg: leg, Endpoint: "PJSIP/" + id, Display: "Steered", Timeout: patience, Lease: lease}))
	r.has(leg)
	return leg, o.phones[id].Calls()[0]
}

// lone fails the test unless a phone gets no audio for a time.
func (r *runner) lone(c *phone.Call) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 500*time.Millisecond)
	defer cancel()
	if err := c.DoesNotHear(ctx, phone.Music, 0, 200*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		r.Errorf("%s gets audio: %v", c, err)
	}
}

func TestALegWithoutABridgeStaysForAsLongAsItsLeaseIsRenewed(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	before, err := r.link.rest.ListBridges(r.ctx) // what other tests have left
	r.must(err)
	begun := time.Now()
	short, _ := r.steered(o, "103", 2*time.Second)
	kept, _ := r.steered(o, "203", 2*time.Second)
	hears, phone := r.steered(o, "201", 2*time.Second)
	// Asterisk does nothing else on a leg that it plays to; the lease is renewed all the same, and at once.
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "lease", Leg: hears, Media: []string{hum}}))
	_, err = phone.WaitHears(r.ctx, humHeard)
	r.must(err)
	asked := time.Now()
	r.must(r.link.Renew(r.ctx, 30*time.Second, kept, hears))
	if took := time.Since(asked); took > time.Second {
		t.Errorf("to renew the lease of a leg that something is played to took %v", took)
	}
	bridges, err := r.link.rest.ListBridges(r.ctx)
	r.must(err)
	for i := range bridges {
		old := slices.ContainsFunc(before, func(b ari.Bridge) bool { return b.ID == bridges[i].ID })
		if !old && !strings.HasPrefix(bridges[i].ID, markers) {
			t.Errorf("there is the bridge %s", bridges[i].ID)
		}
	}
	r.until("the leg without a lease ends", func() bool { return !r.left(short) })
	if lived := time.Since(begun); lived < 1900*time.Millisecond || lived > 5*time.Second {
		t.Errorf("a leg with a lease of two seconds lived for %v", lived)
	}
	until := time.Now().Add(time.Second)
	r.must(phone.HearsOnly(r.ctx, time.Until(until), humHeard)) // and the leases of the others would have lapsed
	if !r.left(kept) || !r.left(hears) {
		t.Error("a lease was renewed, and the leg has ended")
	}
	r.must(r.link.Drop(r.ctx, "", kept, hears))
	r.until("all legs end", func() bool { return !r.left(kept) && !r.left(hears) })
}

func TestLegsHearEachOtherInABridgeAndNobodyOutsideOfIt(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	first, one := r.steered(o, "103", time.Minute)
	second, two := r.steered(o, "203", time.Minute)
	third, three := r.steered(o, "201", time.Minute)
	const bridge, other = call.BridgeID(Prefix + "mixed"), call.BridgeID(Prefix + "mixed-too")
	for _, b := range []call.BridgeID{bridge, other} {
		r.must(r.link.CreateBridge(r.ctx, b))
	}
	hears := func(c *phone.Call, tones ...phone.Tone) {
		t.Helper()
		_, err := c.WaitHearsOnly(r.ctx, tones...)
		r.must(err)
	}
	r.lone(one)
	r.must(r.link.Enter(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{first, second}}))
	hears(one, two.Tone())
	hears(two, one.Tone())
	r.lone(three)
	r.must(r.link.Enter(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{third}}))
	hears(one, two.Tone(), three.Tone())
	hears(three, one.Tone(), two.Tone())
	// Out of one bridge into another.
	r.must(r.link.Enter(r.ctx, Enter{Bridge: other, Legs: []call.LegID{second, third}}))
	hears(two, three.Tone())
	hears(three, two.Tone())
	r.lone(one)
	r.must(r.link.Leave(r.ctx, Enter{Bridge: other, Legs: []call.LegID{third}}))
	r.must(r.link.Music(r.ctx, Music{Leg: third, On: true}))
	r.must(r.link.Music(r.ctx, Music{Bridge: other, On: true}))
	hears(two, phone.Music)
	hears(three, phone.Music)
	r.must(three.DoesNotHear(r.ctx, two.Tone(), phone.Music, 500*time.Millisecond))
	r.must(two.DoesNotHear(r.ctx, three.Tone(), phone.Music, 500*time.Millisecond))
	for range 2 { // what has not begun needs no end
		r.must(r.link.Music(r.ctx, Music{Leg: third}))
		r.must(r.link.Music(r.ctx, Music{Bridge: other}))
	}
	r.must(r.link.Enter(r.ctx, Enter{Bridge: other, Legs: []call.LegID{first}}))
	hears(two, one.Tone())
	r.lone(three)
	r.must(r.link.Enter(r.ctx, Enter{Bridge: other}))
	r.must(r.link.Leave(r.ctx, Enter{Bridge: other}))
	// The bridge goes and the legs stay.
	r.must(errors.Join(r.link.Drop(r.ctx, bridge), r.link.Drop(r.ctx, other)))
	r.until("the bridges go", func() bool {
		there := false
		r.feed.Read(func(t *call.Table) {
			_, a := t.BridgeType(bridge)
			_, b := t.BridgeType(other)
			there = a || b
		})
		return !there
	})
	r.lone(two)
	for _, leg := range []call.LegID{first, second, third} {
		if !r.left(leg) {
			t.Errorf("%s is gone with its bridge", leg)
		}
	}
	r.same()
	r.must(r.link.Drop(r.ctx, "", first, second, third))
}

func TestALegIsPutOnHoldAndHearsRingingAndSilence(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	leg, heard := r.steered(o, "103", time.Minute)
	r.lone(heard)
	r.must(r.link.Hold(r.ctx, leg, true))
	_, err := heard.WaitHearsOnly(r.ctx, phone.Music)
	r.must(err)
	r.must(r.link.Hold(r.ctx, leg, false))
	for name, do := range map[string]func(context.Context, call.LegID, bool) error{"silence": r.link.Silence, "ringing": r.link.Ringing} {
		r.must(do(r.ctx, leg, true))
		ctx, cancel := context.WithTimeout(r.ctx, patience/2)
		if err := heard.DoesNotHear(ctx, phone.Music, 0, time.Second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		r.must(do(r.ctx, leg, false))
		r.must(r.link.Music(r.ctx, Music{Leg: leg, On: true}))
		_, err := heard.WaitHearsOnly(r.ctx, phone.Music)
		r.must(err)
		r.must(r.link.Music(r.ctx, Music{Leg: leg}))
	}
	// A phone that is told of it says nothing while it is held.
	told, holding := r.steered(o, forwarded, time.Minute)
	const bridge = call.BridgeID(Prefix + "held")
	r.must(r.link.CreateBridge(r.ctx, bridge))
	r.must(r.link.Enter(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{leg, told}}))
	r.must(r.link.Play(r.ctx, Play{ID: Prefix + "held", Bridge: bridge, Media: []string{hum}}))
	for _, held := range []bool{false, true, false} {
		r.must(r.link.Hold(r.ctx, told, held))
		tones := []phone.Tone{humHeard, holding.Tone()}
		if held {
			tones = tones[:1]
		}
		_, err := heard.WaitHearsOnly(r.ctx, tones...)
		r.must(err)
		if holding.HeldByOther() != held {
			t.Errorf("the phone is held: %v; want %v", !held, held)
		}
	}
	r.must(r.link.Drop(r.ctx, bridge, leg, told))
}

// ErrGone is said of each order about what is not there, of a leg that rings yet and of one that has gone; and of nothing else.
func TestWhatIsNotThereIsGone(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	there, _ := r.steered(o, "103", time.Minute)
	gone, _ := r.steered(o, "203", time.Minute)
	const rings, bridge, nowhere = call.LegID(Prefix + "rings-stasis"), call.BridgeID(Prefix + "here"), call.BridgeID(Prefix + "nowhere")
	r.must(r.link.CreateBridge(r.ctx, bridge))
	r.must(r.link.Drop(r.ctx, "", gone))
	r.until("one leg has gone", func() bool { return !r.left(gone) })
	r.must(r.link.Ring(r.ctx, Ring{Leg: rings, Endpoint: "PJSIP/201", Timeout: patience, Lease: time.Minute}))
	orders := func(leg call.LegID, bridge call.BridgeID) map[string]error {
		return map[string]error{
			"enter":   r.link.Enter(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{leg}}),
			"leave":   r.link.Leave(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{leg}}),
			"hold":    r.link.Hold(r.ctx, leg, true),
			"unhold":  r.link.Hold(r.ctx, leg, false),
			"ringing": r.link.Ringing(r.ctx, leg, true),
			"quiet":   r.link.Ringing(r.ctx, leg, false),
			"silence": r.link.Silence(r.ctx, leg, true),
			"sound":   r.link.Silence(r.ctx, leg, false),
			"music":   r.link.Music(r.ctx, Music{Leg: leg, On: true}),
			"none":    r.link.Music(r.ctx, Music{Leg: leg}),
			"play":    r.link.Play(r.ctx, Play{ID: Prefix + "gone", Leg: leg, Media: []string{"sound:beep"}}),
		}
	}
	for name, leg := range map[string]call.LegID{"gone": gone, "rings": rings} {
		for order, err := range orders(leg, bridge) {
			if !errors.Is(err, ErrGone) {
				t.Errorf("%s of the leg that %s: %v", order, name, err)
			}
		}
	}
	for order, err := range orders(there, bridge) {
		if err != nil {
			t.Errorf("%s of a leg that is there: %v", order, err)
		}
	}
	for order, err := range map[string]error{
		"enter":       r.link.Enter(r.ctx, Enter{Bridge: nowhere, Legs: []call.LegID{there}}),
		"leave":       r.link.Leave(r.ctx, Enter{Bridge: nowhere, Legs: []call.LegID{there}}),
		"leave twice": r.link.Leave(r.ctx, Enter{Bridge: bridge, Legs: []call.LegID{there}}),
		"music":       r.link.Music(r.ctx, Music{Bridge: nowhere, On: true}),
		"none":        r.link.Music(r.ctx, Music{Bridge: nowhere}),
		"play":        r.link.Play(r.ctx, Play{ID: Prefix + "gone", Bridge: nowhere, Media: []string{"sound:beep"}}),
		"stop":        r.link.StopPlay(r.ctx, Prefix+"nothing"),
		"pause":       r.link.ControlPlay(r.ctx, Prefix+"nothing", "pause"),
	} {
		if !errors.Is(err, ErrGone) {
			t.Errorf("%s of what is nowhere: %v", order, err)
		}
	}
	if r.link.playbacks.on(gone, rings) {
		t.Error("what was not played is waited for")
	}
	r.must(r.link.Drop(r.ctx, bridge, there, rings))
}
