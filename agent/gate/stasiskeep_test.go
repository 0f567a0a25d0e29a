package gate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// renewals are how often leases have been renewed.
func (o *office) renewals() (n int) {
	o.pbx.set(func() { n = o.pbx.renews })
	return n
}

func TestTheLeaseOfAClientsLegsIsRenewedWhileTheStateIsKnown(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, names, one, two, _ := o.pairOf()
		if n := o.renewals(); n < 2 {
			t.Fatalf("an answered phone's lease, which began when it was rung, was renewed %d times", n)
		}
		before := o.renewals()
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if n := o.renewals() - before; n != 6 {
			t.Errorf("in 31 s it was renewed %d times for two legs", n)
		}
		c.tells(names)

		// A link that is lost, and found again in time.
		picture := o.picture()
		picture.Bridges = append(picture.Bridges, o.empty()...)
		o.ingest(call.Event{Kind: call.LinkLost})
		before = o.renewals()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if o.renewals() != before {
			t.Error("it was renewed though nobody knows the state")
		}
		if err := c.Hold(context.Background(), one, true); code(err) != "state_unknown" {
			t.Error(err)
		}
		o.ingest(call.Event{Kind: call.Resynced, Snapshot: picture})
		c.tells(names)
		if n := o.renewals() - before; n != 2 {
			t.Errorf("when it is known again it was renewed %d times", n)
		}
		if v := c.View(); len(v.Channels) != 2 || len(v.Bridges) != 1 {
			t.Errorf("it has %+v", v)
		}

		// And one that is lost for longer: the PBX has ended them by then.
		o.ingest(call.Event{Kind: call.LinkLost})
		time.Sleep(29 * time.Second)
		c.tells(names)
		time.Sleep(2 * time.Second)
		c.tells(names, "ended one", "ended two")
		if there, _ := c.Has(two); there {
			t.Error("it is there yet")
		}
	})
}

// empty are the bridges that clients have and in which nobody is.
func (o *office) empty() (all []call.Bridge) {
	for _, id := range o.rooms() {
		all = append(all, call.Bridge{ID: id, Type: "mixing"})
	}
	return all
}

func TestALeaseThatCannotBeRenewedIsTriedAgain(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, names, _, _, _ := o.pairOf()
		o.pbx.failing("renew", errors.New("busy"))
		time.Sleep(25 * time.Second)
		o.pbx.failing("", nil)
		time.Sleep(2 * time.Second)
		c.tells(names)
		o.pbx.failing("renew", errors.New("busy"))
		time.Sleep(26 * time.Second)
		c.tells(names)
		time.Sleep(11 * time.Second)
		c.tells(names, "ended one", "ended two")
		if left := o.pbx.left(); left != 0 {
			t.Errorf("%d legs are left", left)
		}
	})
}

// Every leg is asked for though the PBX is stuck over another's.
func TestALeaseIsRenewedBesideOneThatThePBXIsSlowOver(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		_, _, _, _, _ = o.pairOf()
		synctest.Wait()
		before := o.renewals()
		o.pbx.holds("renew")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := o.renewals() - before; n != 2 {
			t.Errorf("%d of two were asked for", n)
		}
		o.pbx.let()
	})
}

// After a link that was lost what is gone is told to be gone, and what is there goes on: also a phone that was answered meanwhile.
func TestAResyncTellsWhatIsGone(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		ctx := context.Background()
		c, names, one, two, room := o.pairOf()
		leg := string(o.ringing()) // of two
		c.puts(room, one, two)
		p, err := c.Play(ctx, room, []gate.StasisMedium{{Kind: "digits", Value: "12"}})
		if err != nil {
			t.Fatal(err)
		}
		o.pbx.set(func() { o.pbx.silent = true })
		third := c.rings("PJSIP/103")
		names[third] = "third"
		ringing := string(o.ringing())
		gone := c.bridge()
		names[gone] = "gone"
		c.events(names)
		o.ingest(call.Event{Kind: call.LinkLost})
		o.mu.Lock()
		ch := o.chans[ringing]
		ch.State, ch.App = call.StateUp, "Stasis"
		o.chans[ringing] = ch
		o.mu.Unlock()
		o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture(leg)})
		c.tells(names, "played b 0 failed", "left two b[one]", "ended two", "began third", "removed gone[]")
		if err := c.StopPlayback(ctx, p.ID); code(err) != "no_such_playback" {
			t.Error(err)
		}
		c.puts(room, third)
		c.tells(names, "entered third b[one third]")
		if ids := o.steered(); len(ids) != 2 || slices.Contains(ids, leg) {
			t.Errorf("the PBX has %q", ids)
		}
	})
}

// A PBX answers before it tells. A snapshot that is taken beside an order does not have what the order has made, and it stays; one that is taken behind a
// loss of the link has all there is.
func TestWhatThePBXHasYetToTellOutlivesASnapshot(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, names, one, two, room := o.pairOf()
		p, err := c.Play(context.Background(), one, []gate.StasisMedium{{Kind: "digits", Value: "12"}})
		if err != nil {
			t.Fatal(err)
		}
		picture := o.picture()
		picture.Bridges = append(picture.Bridges, o.empty()...)
		c.events(names)
		late := &lateEvents{}
		o.pbx.set(func() { o.pbx.later = late.add })
		made := c.bridge()
		names[made] = "made"
		c.puts(room, two)
		c.tells(names, "made made[]", "entered two b[two]")
		o.log.add("from here")
		o.ingest(call.Event{Kind: call.Resynced, Snapshot: picture})
		c.tells(names)
		late.come()
		o.pbx.set(func() { o.pbx.later = nil })
		c.tells(names)
		c.puts(made, one)
		c.tells(names, "entered one made[one]")
		if err := c.StopPlayback(context.Background(), p.ID); err != nil {
			t.Errorf("what played when no event was lost: %v", err)
		}
		all := o.log.all()
		if slices.Contains(all[slices.Index(all, "from here"):], "drop") {
			t.Errorf("the PBX was asked for %q", all)
		}

		// What it has told of once is gone when it has it no more; so is what it never told of, when that was lost.
		o.pbx.set(func() { o.pbx.later = late.add })
		untold := c.bridge()
		names[untold] = "untold"
		c.events(names)
		o.ingest(call.Event{Kind: call.Resynced, Snapshot: picture})
		c.tells(names, "left one made[]", "left two b[]", "removed made[]")
		o.ingest(call.Event{Kind: call.LinkLost})
		o.ingest(call.Event{Kind: call.Resynced, Snapshot: picture})
		c.tells(names, "played one 0 failed", "removed untold[]")
	})
}

// The legs of an Earshot before this one are nobody's: they are hung up, and the bridge goes in which they are. Its own are left.
func TestAClientsLegsOfAnEarshotBeforeAreHungUp(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, names, one, two, room := o.pairOf()
		c.puts(room, one, two)
		c.events(names)
		mine := o.steered()
		s := o.picture()
		legs := []call.LegID{"earshot-old1-stasis", "earshot-old2-stasis"}
		for _, id := range append(legs, "earshot-old3-stasis", "sip.1") {
			ch := call.Channel{ID: id, Name: "PJSIP/101-" + string(id), State: call.StateUp, App: "Stasis", Created: start}
			if id == "sip.1" {
				ch.App = "Dial"
			}
			o.mu.Lock()
			o.chans[string(id)] = ch
			o.mu.Unlock()
			o.pbx.put(id, "")
			s.Channels = append(s.Channels, ch)
		}
		s.Bridges = append(s.Bridges, call.Bridge{ID: "earshot-old-room", Type: "mixing", Legs: legs})
		o.ingest(call.Event{Kind: call.LinkLost})
		o.ingest(call.Event{Kind: call.Resynced, Snapshot: s})
		synctest.Wait()
		if ids := o.steered(); !slices.Equal(ids, mine) {
			t.Errorf("there are %q", ids)
		}
		o.feed.Read(func(table *call.Table) {
			if _, there := table.BridgeType("earshot-old-room"); there || table.Leg("sip.1") == nil {
				t.Errorf("its bridge is there: %v; an ordinary leg is: %v", there, table.Leg("sip.1") != nil)
			}
		})
		c.tells(names)
	})
}

// A phone that is rung though its order was given up does not stay.
func TestAPhoneThatIsRungTooLateIsHungUp(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c := o.steers("carl")
		o.pbx.holds("ring")
		done := make(chan error)
		go func() { _, err := c.Originate(context.Background(), gate.StasisAsk{}); done <- err }()
		o.log.until(t, "ring")
		time.Sleep(11 * time.Second) // the PBX does not answer
		if err := <-done; code(err) != "pbx_failed" {
			t.Fatal(err)
		}
		id := o.steeredLate(t)
		synctest.Wait()
		if ids := o.steered(); len(ids) != 0 {
			t.Errorf("there is %q", ids)
		}
		if id == "" {
			t.Error("nothing was tried")
		}
		o.pbx.let()
	})
}

// steeredLate lets a leg appear under the id of the last request to ring that was on record.
func (o *office) steeredLate(t *testing.T) string {
	entries := o.audit.all()
	id := call.LegID("earshot-" + entries[len(entries)-1].ID + "-stasis")
	o.pbx.appear(id, "PJSIP/103")
	return string(id)
}

// whoUntil is carl, by a credential that expires.
func whoUntil(until time.Time) auth.Subject {
	token, hash := auth.NewToken()
	tokens, err := auth.NewTokens(auth.Options{}, auth.Entry{Employee: "carl", Hash: hash, Expires: until})
	if err != nil {
		panic(err)
	}
	s, err := tokens.Authenticate(context.Background(), auth.Credential{Token: token})
	if err != nil {
		panic(err)
	}
	return s
}

// However a Stasis comes to its end, all it has is hung up and told to be gone, and nothing can be done with it any more.
func TestAStasisEnds(t *testing.T) {
	const less = `
version: 1
employees:
  anna: {name: Anna, phones: [PJSIP/101]}
`
	for name, x := range map[string]struct {
		end  func(o *office, c *steering, holds *atomic.Bool)
		code string
	}{
		"its client goes": {func(_ *office, c *steering, _ *atomic.Bool) { c.Close() }, "state_unknown"},
		"the credential is over": {func(o *office, _ *steering, holds *atomic.Bool) {
			holds.Store(false)
			o.gate.Recheck(func(auth.Subject) bool { return false })
		}, "credential_ended"},
		"the credential expires": {func(*office, *steering, *atomic.Bool) { time.Sleep(time.Hour) }, "credential_ended"},
		"nobody said that it is over": {func(_ *office, _ *steering, holds *atomic.Bool) {
			holds.Store(false)
			time.Sleep(15 * time.Second)
		}, "credential_ended"},
		"the policy has him no more": {func(o *office, _ *steering, _ *atomic.Bool) { o.gate.SetPolicy(set(o.t, less)) }, "state_unknown"},
		"the gate closes":            {func(o *office, _ *steering, _ *atomic.Bool) { o.close() }, "state_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				var holds atomic.Bool
				holds.Store(true)
				o := newOffice(t, house, func(c *gate.Config) {
					c.Holds = func(s auth.Subject) bool {
						return holds.Load() && (s.Expires().IsZero() || time.Now().Before(s.Expires()))
					}
				})
				defer o.close()
				ctx := context.Background()
				c := o.steersAs(whoUntil(time.Now().Add(30 * time.Minute)))
				one, two, room := c.rings("PJSIP/103"), c.rings("PJSIP/113"), c.bridge()
				names := map[string]string{one: "one", two: "two", room: "b"}
				c.puts(room, one)
				o.pbx.set(func() { o.pbx.silent = true })
				third := c.rings("PJSIP/103")
				names[third] = "third"
				if _, err := c.Play(ctx, two, []gate.StasisMedium{{Kind: "digits", Value: "1"}}); err != nil {
					t.Fatal(err)
				}
				o.pbx.set(func() { o.pbx.silent = false })
				d := o.steers("dora")
				hers := d.rings("PJSIP/104")
				c.events(names)
				d.events(nil)
				x.end(o, c, &holds)
				synctest.Wait()
				told := c.events(names)
				for _, want := range []string{"left one b[]", "ended one", "played two 0 failed", "ended two", "ended third", "removed b[]"} {
					if !slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, want) }) {
						t.Errorf("%q is not told: %q", want, told)
					}
				}
				if len(told) != 6 {
					t.Errorf("it was told %q", told)
				}
				if v := c.View(); len(v.Channels)+len(v.Bridges)+len(v.Playbacks) != 0 {
					t.Errorf("it has %+v", v)
				}
				_, err := c.Originate(ctx, gate.StasisAsk{})
				for _, err := range []error{err, c.HangUp(ctx, one), c.Hold(ctx, one, true), c.DestroyBridge(ctx, room)} {
					if code(err) != x.code {
						t.Errorf("something can be done with it, or for another reason than %s not: %v", x.code, err)
					}
				}
				if name == "its client goes" {
					if there, up := d.Has(hers); !there || !up {
						t.Error("another's is gone too")
					}
					if ids := o.steered(); len(ids) != 1 {
						t.Errorf("there are %q", ids)
					}
				} else if name != "the credential expires" && len(o.steered()) != 0 {
					t.Errorf("there are %q", o.steered())
				}
				c.Close()
				c.Close()
			})
		})
	}
}

// A phone that is nobody's or somebody else's by the policy in force is hung up; his other stays.
func TestAPhoneThatIsNoMoreHisIsHungUp(t *testing.T) {
	for whose, phones := range map[string]string{"nobody's": "[PJSIP/104]", "dora's": "[PJSIP/104, PJSIP/113]"} {
		t.Run(whose, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, house)
				defer o.close()
				c, names, one, two, room := o.pairOf()
				c.puts(room, one, two)
				c.events(names)
				text := strings.Replace(house, "[PJSIP/103, PJSIP/113]", "[PJSIP/103]", 1)
				o.gate.SetPolicy(set(t, strings.Replace(text, "[PJSIP/104]", phones, 1)))
				c.tells(names, "left two b[one]", "ended two")
				if ids := o.steered(); len(ids) != 1 {
					t.Errorf("there are %q", ids)
				}
				if _, err := c.Originate(context.Background(), gate.StasisAsk{Phone: "PJSIP/113"}); code(err) != "not_your_phone" {
					t.Error(err)
				}
			})
		})
	}
}

// A phone that ceases to be his while it is written down that it is rung is not, and one that does while it is rung rings no more.
func TestAPhoneThatCeasesToBeHisWhileItIsAskedFor(t *testing.T) {
	for _, when := range []string{"before", "while"} {
		t.Run(when, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, house)
				defer o.close()
				c := o.steers("carl")
				take := func() { o.gate.SetPolicy(set(t, strings.Replace(house, "PJSIP/103, PJSIP/113", "PJSIP/113", 1))) }
				done := make(chan error)
				o.pbx.holds("ring")
				if when == "before" {
					once := sync.OnceFunc(take)
					o.audit.before = func(audit.Entry) { once() }
				}
				go func() { _, err := c.Originate(context.Background(), gate.StasisAsk{Phone: "PJSIP/103"}); done <- err }()
				if when == "while" {
					o.log.until(t, "ring")
					take()
					o.pbx.let()
				}
				if err := <-done; code(err) != "call_moved" {
					t.Error(err)
				}
				if rung := slices.Contains(o.log.all(), "ring"); rung != (when == "while") {
					t.Errorf("it was rung: %v", rung)
				}
				c.tells(nil)
				if ids := o.steered(); len(ids) != 0 {
					t.Errorf("there is %q", ids)
				}
			})
		})
	}
}
