package pbx

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// has waits until the own leg has entered the application.
func (r *runner) has(id call.LegID) {
	r.Helper()
	r.until(string(id)+" has entered", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.entered[id]
	})
}

// legs are the endpoint's legs in order of their creation.
func (r *runner) legs(endpoint string) []call.LegID {
	var ids []call.LegID
	r.feed.Read(func(t *call.Table) {
		for _, l := range t.LegsOf(nil, endpoint) {
			ids = append(ids, l.ID())
		}
	})
	return ids
}

// left reports whether a leg of such an id is there.
func (r *runner) left(id call.LegID) bool {
	there := false
	r.feed.Read(func(t *call.Table) { there = t.Leg(id) != nil })
	return there
}

func (o *office) react(t *testing.T, id string, how phone.Reaction) {
	p := o.phones[id]
	p.SetReaction(how)
	t.Cleanup(func() { p.SetReaction(phone.Reaction{}) })
}

// hangupAll ends what a test has left.
func (o *office) hangupAll(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	for _, p := range o.phones {
		for _, c := range p.Calls() {
			if err := c.Hangup(ctx); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestALeaseThatIsNotRenewedEndsTheLegsByThemselves(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	a, b, err := o.talk(r.ctx, "101", "102")
	r.must(err)
	r.shows("101 talking out with 102", "102 talking in with 101")
	for _, id := range []string{"103", "203"} {
		o.react(t, id, phone.Reaction{Answer: true})
	}
	order := func(id, endpoint string, lease time.Duration) Ring {
		return Ring{Leg: call.LegID(Prefix + id), Bridge: call.BridgeID(Prefix + id), Endpoint: endpoint, Display: "Listen", Timeout: 20 * time.Second, Lease: lease}
	}
	begun := time.Now()
	short, kept := order("short", "PJSIP/103", 2*time.Second), order("kept", "PJSIP/203", 2*time.Second)
	for _, ring := range []Ring{short, kept} {
		r.must(r.link.Ring(r.ctx, ring))
		r.has(ring.Leg)
		r.must(r.link.Tap(r.ctx, Tap{
			Snoop: ring.Leg + "-snoop", Target: r.legs("PJSIP/101")[0], Supervisor: ring.Leg, Bridge: ring.Bridge, Lease: 2 * time.Second,
		}))
	}
	r.must(r.link.Renew(r.ctx, 30*time.Second, kept.Leg, kept.Leg+"-snoop"))
	r.until("the two legs without a lease end", func() bool { return !r.left(short.Leg) && !r.left(short.Leg+"-snoop") })
	if lived := time.Since(begun); lived < 1900*time.Millisecond || lived > 4*time.Second {
		t.Errorf("legs with a lease of two seconds lived for %v", lived)
	}
	if !r.left(kept.Leg) || !r.left(kept.Leg+"-snoop") {
		t.Error("the lease was renewed, and the legs have ended")
	}
	r.must(r.link.Drop(r.ctx, kept.Bridge, kept.Leg, kept.Leg+"-snoop"))
	r.must(r.link.Drop(r.ctx, short.Bridge, short.Leg, short.Leg+"-snoop")) // what is gone already is no error
	r.until("all own legs end", func() bool { return !r.left(kept.Leg) && !r.left(kept.Leg+"-snoop") })
	r.shows("101 talking out with 102", "102 talking in with 101")
	r.until("no bridge is left", func() bool {
		bridges, err := r.link.rest.ListBridges(r.ctx)
		r.must(err)
		return !slices.ContainsFunc(bridges, func(b ari.Bridge) bool { return strings.HasPrefix(b.ID, Prefix) })
	})
	r.must(a.Hangup(r.ctx))
	r.must(b.WaitEnded(r.ctx))
}

func TestAnOwnBridgeLeftBehindIsRemovedWhenTheLinkConnects(t *testing.T) {
	o := openOffice(t)
	first := run(t, o, nil, nil)
	first.up()
	// As an Earshot that dies while a supervisor's phone rings. (One that is rung has a lease; the bridge has none.)
	first.must(first.link.Ring(first.ctx, Ring{
		Leg: Prefix + "lost", Bridge: Prefix + "lost", Endpoint: "PJSIP/103", Timeout: 20 * time.Second, Lease: 20 * time.Second,
	}))
	defer o.hangupAll(t)
	first.end()
	first.must(<-first.done)
	second := run(t, o, nil, nil)
	second.up()
	second.until("the bridge goes", func() bool {
		there := true
		second.feed.Read(func(t *call.Table) { _, there = t.BridgeType(Prefix + "lost") })
		return !there
	})
	second.must(second.link.Drop(second.ctx, "", Prefix+"lost"))
}

func TestTakeTakesTheOneCallThatItNames(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	trunk := o.phones["trunk"]
	var clients [3]*phone.Call
	for i := range clients {
		c, err := trunk.Dial(r.ctx, "74950000101", phone.As([]string{"+79161111111", "+79162222222", "+79163333333"}[i], "Client"))
		r.must(err)
		clients[i] = c
		rings, err := o.phones["101"].Incoming(r.ctx)
		r.must(err)
		if want := []string{"+79161111111", "+79162222222", "+79163333333"}[i]; rings.Remote().Number != want {
			t.Fatalf("call %d shows %v", i, rings.Remote())
		}
	}
	r.until("three calls ring", func() bool { return len(r.legs("PJSIP/101")) == 3 })
	ringing, calling := r.legs("PJSIP/101"), r.legs("PJSIP/trunk")
	o.react(t, "103", phone.Reaction{Answer: true})
	own := call.LegID(Prefix + "taker")
	r.must(r.link.Take(r.ctx, Take{
		Leg: own, Endpoint: "PJSIP/103", Ringing: ringing[1], Display: call.Identity{Name: "Client", Number: "+79162222222"}, Timeout: 20 * time.Second,
	}))
	r.must(clients[1].WaitAnswered(r.ctx))
	r.until("103 talks to the second client", func() bool {
		var peers []*call.Leg
		r.feed.Read(func(t *call.Table) {
			if l := t.Leg(own); l != nil {
				peers = t.Peers(nil, l)
			}
		})
		return len(peers) == 1 && peers[0].ID() == calling[1]
	})
	r.shows("103 talking in with trunk", "trunk talking out with 103",
		"101 ringing in with trunk", "101 ringing in with trunk", "trunk dialling out with 101", "trunk dialling out with 101")
	if got := r.legs("PJSIP/101"); !slices.Equal(got, []call.LegID{ringing[0], ringing[2]}) {
		t.Errorf("of %v there ring still %v", ringing, got)
	}
	for _, i := range []int{0, 2} {
		if s := clients[i].State(); s == phone.Up || s == phone.Ended {
			t.Errorf("client %d: %v", i, s)
		}
	}
	// The one who would be taken now is gone: the taker's phone is rung in vain, and nobody else's call is his.
	r.must(r.link.Take(r.ctx, Take{Leg: Prefix + "late", Endpoint: "PJSIP/203", Ringing: ringing[1], Timeout: 20 * time.Second}))
	late, err := o.phones["203"].Incoming(r.ctx)
	r.must(err)
	if err := late.Answer(r.ctx); err != nil && late.State() != phone.Ended {
		t.Fatal(err)
	}
	r.must(late.WaitEnded(r.ctx))
	r.shows("103 talking in with trunk", "trunk talking out with 103",
		"101 ringing in with trunk", "101 ringing in with trunk", "trunk dialling out with 101", "trunk dialling out with 101")
	for _, bad := range []call.LegID{"pbx-1700000000.5", "1&2", "1@PICKUPMARK", "1,g"} {
		if err := r.link.Take(r.ctx, Take{Leg: Prefix + "bad", Endpoint: "PJSIP/203", Ringing: bad, Timeout: time.Second}); err == nil {
			t.Errorf("%q was given to PickupChan", bad)
		}
	}
}
