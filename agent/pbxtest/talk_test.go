package pbxtest_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// floor is a PBX with registered phones for one test.
type floor struct {
	*testing.T
	ctx context.Context
	pbx *pbxtest.PBX
}

func openFloor(t *testing.T) *floor {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the first one on a machine downloads Asterisk
	t.Cleanup(cancel)
	pbx, err := pbxtest.Start(ctx, pbxtest.Options{Plan: pbxtest.Demo()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pbx.Stop(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return &floor{T: t, ctx: ctx, pbx: pbx}
}

func (o *floor) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// phone registers a phone.
func (o *floor) phone(id string, tone phone.Tone, r phone.Reaction) *phone.Phone {
	o.Helper()
	plan := o.pbx.Plan()
	secret, ok := plan.Secret(id)
	if !ok {
		o.Fatalf("the plan has no %s", id)
	}
	p, err := phone.Listen(phone.Config{User: id, Password: secret, Server: o.pbx.SIP(), Tone: tone, Reaction: r})
	o.must(err)
	o.Cleanup(func() {
		if err := p.Close(); err != nil {
			o.Error(err)
		}
	})
	o.must(p.Register(o.ctx))
	return p
}

// talk makes two phones talk and makes sure that they hear each other.
func (o *floor) talk(a, b *phone.Phone) (ca, cb *phone.Call) {
	o.Helper()
	ca, err := a.Dial(o.ctx, b.User())
	o.must(err)
	cb, err = b.Incoming(o.ctx)
	o.must(err)
	o.must(cb.Answer(o.ctx))
	o.must(ca.WaitAnswered(o.ctx))
	o.hear(map[*phone.Call][]phone.Tone{ca: {b.Tone()}, cb: {a.Tone()}})
	return ca, cb
}

// hear makes sure that each call comes to hear exactly these tones, at the
// level at which they are sent, and keeps hearing them and nothing else.
func (o *floor) hear(want map[*phone.Call][]phone.Tone) {
	o.Helper()
	var wg sync.WaitGroup
	for c, tones := range want {
		wg.Go(func() {
			begun := time.Now()
			_, err := c.WaitHearsOnly(o.ctx, tones...)
			if err == nil {
				err = c.HearsOnly(o.ctx, 400*time.Millisecond, tones...)
			}
			if err != nil {
				o.Error(err)
				return
			}
			for _, t := range tones {
				best := 0.0 // a window that a frame fell out of is quieter
				for _, w := range c.HeardBetween(t, begun, time.Now()) {
					best = max(best, w.Level(t))
				}
				if best < 0.8 || best > 1.2 {
					o.Errorf("%s hears %v at %.2f of its level", c, t, best)
				}
			}
		})
	}
	wg.Wait()
	if o.Failed() {
		o.FailNow()
	}
}

// supervisor is an application that does by hand what Earshot does: it rings
// a phone, snoops on a leg, and puts both in a bridge.
type supervisor struct {
	o      *floor
	client *ari.Client
	events *ari.Stream
}

const app = "by-hand"

func (o *floor) supervisor() *supervisor {
	o.Helper()
	account := o.pbx.Site().Earshot
	client, err := ari.New(ari.Config{BaseURL: o.pbx.ARI(), Username: account.User, Password: account.Password})
	o.must(err)
	o.Cleanup(client.Close)
	events, err := client.Listen(o.ctx, app, ari.ListenOptions{})
	o.must(err)
	o.Cleanup(events.Close)
	return &supervisor{o: o, client: client, events: events}
}

// entered waits until a channel has entered the application.
func (s *supervisor) entered(id string) {
	s.o.Helper()
	for {
		e, err := s.events.Next(s.o.ctx)
		s.o.must(err)
		if e.Type == ari.TypeStasisStart && e.Channel.ID == id {
			return
		}
	}
}

// leg is the unique id of an endpoint's only channel.
func (s *supervisor) leg(endpoint string) string {
	s.o.Helper()
	channels, err := s.client.ListChannels(s.o.ctx)
	s.o.must(err)
	var found []string
	for _, c := range channels {
		if strings.HasPrefix(c.Name, endpoint+"-") {
			found = append(found, c.ID)
		}
	}
	if len(found) != 1 {
		s.o.Fatalf("%s has %d channels", endpoint, len(found))
	}
	return found[0]
}

// join puts a snoop on a leg and joins it with the supervisor's leg in a new bridge.
func (s *supervisor) join(own, target string, whisper ari.Direction) (snoop, bridge string) {
	s.o.Helper()
	c, err := s.client.Snoop(s.o.ctx, ari.SnoopRequest{Channel: target, App: app, Spy: ari.DirectionBoth, Whisper: whisper})
	s.o.must(err)
	s.entered(c.ID)
	b, err := s.client.CreateBridge(s.o.ctx, ari.BridgeRequest{Type: ari.BridgeMixing})
	s.o.must(err)
	s.o.must(s.client.AddChannel(s.o.ctx, b.ID, []string{own, c.ID}, ari.AddOptions{}))
	return c.ID, b.ID
}

// The rig's own proof: two phones talk, a third listens through ARI by hand.
// What each of the three hears is measured before, during and after.
func TestThreePhonesHearWhatTheyShouldAndNothingElse(t *testing.T) {
	for _, mode := range []struct {
		name         string
		whisper      ari.Direction
		target, peer []phone.Tone // what the two hear meanwhile
	}{
		{"spy", "", []phone.Tone{2}, []phone.Tone{1}},
		{"whisper", ari.DirectionOut, []phone.Tone{2, 3}, []phone.Tone{1}},
		{"barge", ari.DirectionBoth, []phone.Tone{2, 3}, []phone.Tone{1, 3}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			o := openFloor(t)
			target := o.phone("101", 1, phone.Reaction{})
			peer := o.phone("102", 2, phone.Reaction{})
			listener := o.phone("103", 3, phone.Reaction{Answer: true})
			onTarget, onPeer := o.talk(target, peer)

			s := o.supervisor()
			own, err := s.client.Originate(o.ctx, ari.OriginateRequest{Endpoint: "PJSIP/103", App: app})
			o.must(err)
			s.entered(own.ID)
			onListener, err := listener.Incoming(o.ctx)
			o.must(err)
			snoop, bridge := s.join(own.ID, s.leg("PJSIP/101"), mode.whisper)
			o.hear(map[*phone.Call][]phone.Tone{onListener: {1, 2}, onTarget: mode.target, onPeer: mode.peer})

			o.must(s.client.Hangup(o.ctx, snoop, ""))
			o.must(s.client.Hangup(o.ctx, own.ID, ""))
			ended := time.Now()
			o.must(s.client.DestroyBridge(o.ctx, bridge))
			o.must(onListener.WaitEnded(o.ctx))
			o.hear(map[*phone.Call][]phone.Tone{onTarget: {2}, onPeer: {1}})
			for _, tone := range []phone.Tone{1, 2} {
				if late := onListener.LastHeard(tone).Sub(ended); late > 300*time.Millisecond { // a window, and what a busy machine takes
					t.Errorf("the listener heard %v for %s after its end", tone, late)
				}
			}
			for _, c := range []*phone.Call{onTarget, onPeer} {
				if stats := c.Stats(); stats.Lost > 0 {
					t.Errorf("%s lost frames: %+v", c, stats)
				}
			}
			o.must(onTarget.Hangup(o.ctx))
			o.must(onPeer.WaitEnded(o.ctx))
		})
	}
}
