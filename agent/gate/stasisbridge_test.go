package gate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// pairOf is a client of carl's with both his phones answered, and a bridge; what it was told of that is read.
func (o *office) pairOf() (c *steering, names map[string]string, one, two, room string) {
	c = o.steers("carl")
	one, two, room = c.rings("PJSIP/103"), c.rings("PJSIP/113"), c.bridge()
	names = map[string]string{one: "one", two: "two", room: "b"}
	c.events(names)
	return c, names, one, two, room
}

// room is the bridge of the PBX in which a leg is.
func (o *office) room(leg call.LegID) (in call.BridgeID) {
	o.feed.Read(func(t *call.Table) {
		if l := t.Leg(leg); l != nil {
			in = l.Bridge()
		}
	})
	return in
}

// rooms are the bridges that clients have at the PBX.
func (o *office) rooms() (ids []call.BridgeID) {
	for _, order := range o.asked() {
		if id, ok := order.(call.BridgeID); ok {
			there := false
			o.feed.Read(func(t *call.Table) { _, there = t.BridgeType(id) })
			if there {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func TestLegsArePutTogetherAndTakenApart(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		ctx := context.Background()
		c := o.steers("carl")
		one, two := c.rings("PJSIP/103"), c.rings("PJSIP/113")
		first, second := o.steered()[0], o.steered()[1]
		if o.ringing() == call.LegID(first) {
			first, second = second, first
		}
		names := map[string]string{one: "one", two: "two"}
		c.events(names)
		b, other := c.bridge(), c.bridge()
		names[b], names[other] = "b", "other"
		c.tells(names, "made b[]", "made other[]")
		c.puts(b, one, one)
		c.tells(names, "entered one b[one]")
		c.puts(b, one, two)
		c.tells(names, "entered two b[one two]")
		in := o.room(call.LegID(first))
		if in == "" || in != o.room(call.LegID(second)) || !strings.HasPrefix(string(in), "earshot-") || !strings.HasSuffix(string(in), "-room") {
			t.Fatalf("at the PBX they are in %q and %q", in, o.room(call.LegID(second)))
		}
		c.puts(other, two)
		c.tells(names, "left two b[one]", "entered two other[two]")
		if o.room(call.LegID(second)) == in {
			t.Error("it has not left the first")
		}
		if err := c.Remove(ctx, b, two); code(err) != "not_in_bridge" {
			t.Errorf("out of a bridge where it is not: %v", err)
		}
		if err := c.Remove(ctx, b, one); err != nil {
			t.Fatal(err)
		}
		c.tells(names, "left one b[]")
		if o.room(call.LegID(first)) != "" {
			t.Error("it is in a bridge yet")
		}
		c.puts(other, one)
		c.events(names)
		if err := c.DestroyBridge(ctx, other); err != nil {
			t.Fatal(err)
		}
		c.tells(names, "left two other[one]", "left one other[]", "removed other[]")
		for what, err := range map[string]error{
			"no_such_bridge":  c.Add(ctx, other, one),
			"no_such_channel": c.Add(ctx, b, one, "x"),
			"no_channels":     c.Add(ctx, b),
		} {
			if code(err) != what {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := c.DestroyBridge(ctx, other); code(err) != "no_such_bridge" {
			t.Error(err)
		}
		c.tells(names) // nothing of what failed
		if v := c.View(); len(v.Bridges) != 1 || v.Bridges[0].ID != b || len(v.Channels) != 2 {
			t.Errorf("it has %+v", v)
		}
	})
}

func TestAPhoneThatRingsIsInNoBridge(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, _, _, _, room := o.pairOf()
		o.pbx.set(func() { o.pbx.silent = true })
		id := c.rings("PJSIP/103")
		if err := c.Add(context.Background(), room, id); code(err) != "not_answered" {
			t.Error(err)
		}
		o.pbx.answer(o.ringing())
		c.puts(room, id)
	})
}

// What the PBX does not do is not told, and the next that it does is.
func TestABridgeThatThePBXDoesNotChangeIsAsItWas(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		ctx := context.Background()
		c, names, one, two, room := o.pairOf()
		for order, do := range map[string]func() error{
			"enter":  func() error { return c.Add(ctx, room, one) },
			"create": func() error { _, err := c.CreateBridge(ctx); return err },
		} {
			o.pbx.failing(order, errors.New("500"))
			if err := do(); code(err) != "pbx_failed" {
				t.Errorf("%s: %v", order, err)
			}
			c.tells(names)
		}
		o.pbx.failing("", nil)
		c.puts(room, one, two)
		c.tells(names, "entered one b[one]", "entered two b[one two]")
		o.pbx.failing("leave", pbx.ErrGone)
		if err := c.Remove(ctx, room, one); code(err) != "call_moved" {
			t.Error(err)
		}
		c.tells(names)
		if v := c.View(); len(v.Bridges) != 1 || !slices.Equal(v.Bridges[0].Channels, []string{one, two}) {
			t.Errorf("it has %+v", v.Bridges)
		}
	})
}

// What happens at the PBX by itself is told, once; what an order has done is told once as well, though the table tells of it later.
func TestWhatThePBXTellsOfBridges(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		ctx := context.Background()
		c, names, one, two, room := o.pairOf()
		leg := string(o.ringing()) // of two
		c.puts(room, one, two)
		c.events(names)
		in := string(o.room(call.LegID(leg)))
		o.leave(in, leg)
		c.tells(names, "left two b[one]")
		o.enter(in, leg)
		c.tells(names, "entered two b[one two]")

		// A PBX that is slow to tell: all of it comes when it has been ordered.
		late := &lateEvents{}
		o.pbx.set(func() { o.pbx.later = late.add })
		c.puts(room, one)
		if err := c.Remove(ctx, room, two); err != nil {
			t.Fatal(err)
		}
		other := c.bridge()
		names[other] = "other"
		c.puts(other, two)
		c.puts(room, two)
		c.tells(names, "left two b[one]", "made other[]", "entered two other[two]", "left two other[]", "entered two b[one two]")
		o.pbx.set(func() { o.pbx.later = nil })
		late.come()
		c.tells(names)
		o.leave(in, leg)
		c.tells(names, "left two b[one]")

		o.ingest(call.Event{Kind: call.BridgeGone, Bridge: call.Bridge{ID: call.BridgeID(in)}})
		c.tells(names, "left one b[]", "removed b[]")
		if v := c.View(); len(v.Bridges) != 1 || len(v.Channels) != 2 {
			t.Errorf("it has %+v", v)
		}
	})
}

// A leg that goes while it is put into a bridge is in none.
func TestALegThatGoesMeanwhile(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, names, one, two, room := o.pairOf()
		leg := string(o.ringing())
		o.pbx.holds("enter")
		done := make(chan error)
		go func() { done <- c.Add(context.Background(), room, one, two) }()
		o.log.until(t, "enter")
		o.gone(leg)
		o.pbx.let()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		c.tells(names, "ended two", "entered one b[one]")
	})
}

// Operations that change who is where take turns.
func TestOperationsOnBridgesTakeTurns(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, names, one, two, room := o.pairOf()
		other := c.bridge()
		names[other] = "other"
		c.events(names)
		o.pbx.holds("enter")
		done := make(chan error)
		go func() { done <- c.Add(context.Background(), room, one, two) }()
		o.log.until(t, "enter")
		ctx, cancel := context.WithCancel(context.Background())
		go func() { done <- c.Remove(ctx, room, one) }()
		c.tells(names) // both wait
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("who waits for his turn no longer: %v", err)
		}
		o.pbx.let()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		c.tells(names, "entered one b[one]", "entered two b[one two]")
	})
}

// However a client puts its legs together, for whoever watches channels each is in no bridge and on no call with another.
func TestLegsOfAClientsAreChannelsInNoBridge(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		p := o.panel("carl")
		defer p.Close()
		c, _, one, two, room := o.pairOf()
		check := func(when string) {
			t.Helper()
			all := o.channels("carl").All
			if len(all) != 2 {
				t.Fatalf("%s: he is shown %+v", when, all)
			}
			for i, id := range []string{one, two} {
				if ch := all[i]; ch.ID != id || ch.Bridge != "" || ch.Mates != 0 || ch.Peer != nil || ch.Linked != id || ch.Hidden || ch.Employee != "carl" {
					t.Errorf("%s: he is shown %+v", when, ch)
				}
			}
			for _, ch := range c.View().Channels {
				if i := slices.IndexFunc(all, func(x mask.Channel) bool { return x.ID == ch.ID }); i < 0 || all[i] != ch {
					t.Errorf("%s: his client is shown %+v", when, ch)
				}
			}
			if ivo := o.channels("ivo").All; len(ivo) != 2 || ivo[0].Bridge != "" || ivo[1].Bridge != "" || ivo[0].Peer != nil {
				t.Errorf("%s: ivo, who sees him, is shown %+v", when, ivo)
			}
		}
		check("in none")
		c.puts(room, one, two)
		check("in one")
		if err := c.Remove(context.Background(), room, one); err != nil {
			t.Fatal(err)
		}
		check("apart")
	})
}

// The PBX moves an answered call in the ordinary way elsewhere: that is in a bridge, beside a client's that is in none.
func TestAnOrdinaryCallIsInABridgeBesideAClientsLegs(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, _, one, two, room := o.pairOf()
		c.puts(room, one, two)
		o.talk("x", ivanov, "PJSIP/103")
		bridged := 0
		for _, ch := range o.channels("carl").All {
			if ch.Bridge != "" {
				bridged++
			}
		}
		if bridged != 2 {
			t.Errorf("%d channels are in bridges", bridged)
		}
	})
}

// A bridge that is made though its order was given up is removed, and one that its client has stays.
func TestAStrayBridgeIsRemoved(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, names, _, _, _ := o.pairOf()
		o.log.add("from here")
		o.ingest(call.Event{Kind: call.BridgeSeen, Bridge: call.Bridge{ID: "earshot-lost-room", Type: "mixing"}})
		c.tells(names)
		all := o.log.all()
		if after := all[slices.Index(all, "from here")+1:]; !slices.Equal(after, []string{"drop"}) {
			t.Errorf("there was %q", after)
		}
		if len(o.rooms()) != 1 {
			t.Error("its own is not there")
		}
	})
}

// A bridge that somebody destroys before the PBX has answered that it is made does not stay: nothing more would be told of it.
func TestABridgeThatIsGoneBeforeItsMakingIsAnsweredIsGone(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c, names, one, _, _ := o.pairOf()
		o.pbx.set(func() {
			o.pbx.later = func(events func()) {
				events()
				var orders []any
				o.pbx.set(func() { orders = o.pbx.stasis })
				room, _ := orders[len(orders)-1].(call.BridgeID)
				o.ingest(call.Event{Kind: call.BridgeGone, Bridge: call.Bridge{ID: room}})
			}
		})
		gone := c.bridge()
		names[gone] = "gone"
		c.tells(names, "made gone[]", "removed gone[]")
		if err := c.Add(t.Context(), gone, one); code(err) != "no_such_bridge" {
			t.Error(err)
		}
		o.pbx.set(func() { o.pbx.later = nil })
		there := c.bridge()
		names[there] = "there"
		c.tells(names, "made there[]")
	})
}

// So is one that is found when the state is known again: who was killed while his order for it was on its way cannot remove it. One that waits for a
// supervision's phone stays.
func TestAnEmptyBridgeOfNobodysIsRemovedAtASnapshot(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		o.talk("x", ivanov, "PJSIP/101")
		o.pbx.set(func() { o.pbx.silent = true })
		if id, code := o.ask("dora", "spy", "anna"); id == "" {
			t.Fatal(code)
		}
		synctest.Wait()
		waiting := o.pbx.rung[0].Bridge
		picture := o.picture()
		for _, id := range []call.BridgeID{waiting, "earshot-lost-bridge", "earshot-lost-room", "another-bridge"} {
			picture.Bridges = append(picture.Bridges, call.Bridge{ID: id, Type: "mixing"})
		}
		o.ingest(call.Event{Kind: call.LinkLost})
		o.log.add("from here")
		o.ingest(call.Event{Kind: call.Resynced, Snapshot: picture})
		synctest.Wait()
		there := map[call.BridgeID]bool{}
		o.feed.Read(func(t *call.Table) {
			for id := range t.Bridges() {
				there[id] = true
			}
		})
		if len(there) != 3 || !there["x"] || !there[waiting] || !there["another-bridge"] {
			t.Errorf("there are %v", there)
		}
	})
}
