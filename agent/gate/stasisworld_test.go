package gate_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// steering is a client that steers calls itself, with what it has been told.
type steering struct {
	*gate.Stasis
	o *office

	mu   sync.Mutex
	told []gate.StasisEvent
}

// steers opens a Stasis for an employee.
func (o *office) steers(employee string) *steering { return o.steersAs(who(employee)) }

func (o *office) steersAs(s auth.Subject) *steering {
	o.t.Helper()
	c := &steering{o: o}
	st, err := o.gate.OpenStasis(s, "ari", func(e gate.StasisEvent) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.told = append(c.told, e)
	})
	if err != nil {
		o.t.Fatalf("open: %v", err)
	}
	c.Stasis = st
	return c
}

var kindNames = map[gate.StasisKind]string{
	gate.StasisBegan: "began", gate.StasisEnded: "ended", gate.StasisBridgeMade: "made", gate.StasisBridgeGone: "removed", gate.StasisEntered: "entered",
	gate.StasisLeft: "left", gate.StasisPressed: "pressed", gate.StasisPlaying: "playing", gate.StasisNextPlayed: "next", gate.StasisPlayed: "played",
}

// events is what it has been told since it was last asked, by the names of handles, once all is told. It is for a bubble.
func (c *steering) events(names map[string]string) (out []string) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	name := func(id string) string {
		if n := names[id]; n != "" {
			return n
		}
		return id
	}
	for _, e := range c.told {
		line := kindNames[e.Kind]
		if e.Channel != nil {
			line += " " + name(e.Channel.ID)
		}
		if e.Bridge.ID != "" {
			var in []string
			for _, id := range e.Bridge.Channels {
				in = append(in, name(id))
			}
			line += fmt.Sprintf(" %s%v", name(e.Bridge.ID), in)
		}
		if e.Digit != "" {
			line += " " + e.Digit
		}
		if e.Playback.ID != "" {
			line += fmt.Sprintf(" %s%s %d %s", name(e.Playback.Channel), name(e.Playback.Bridge), e.Playback.Playing, e.Playback.State)
		}
		out = append(out, line)
	}
	c.told = nil
	return out
}

// tells fails the test unless that is what it has been told.
func (c *steering) tells(names map[string]string, want ...string) {
	c.o.t.Helper()
	if got := c.events(names); !slices.Equal(got, want) {
		c.o.t.Fatalf("it was told %q, not %q", got, want)
	}
}

// rings has a phone rung, which answers.
func (c *steering) rings(phone string) string {
	c.o.t.Helper()
	id, err := c.Originate(context.Background(), gate.StasisAsk{Phone: phone})
	if err != nil {
		c.o.t.Fatalf("ring %s: %v", phone, err)
	}
	return id
}

// bridge makes one.
func (c *steering) bridge() string {
	c.o.t.Helper()
	id, err := c.CreateBridge(context.Background())
	if err != nil {
		c.o.t.Fatalf("make a bridge: %v", err)
	}
	return id
}

// puts adds channels to a bridge.
func (c *steering) puts(bridge string, channels ...string) {
	c.o.t.Helper()
	if err := c.Add(context.Background(), bridge, channels...); err != nil {
		c.o.t.Fatalf("add: %v", err)
	}
}

// steered are the unique ids of the legs that clients have in the table, in order.
func (o *office) steered() (ids []string) {
	o.feed.Read(func(t *call.Table) {
		for _, l := range t.All(nil) {
			if strings.HasSuffix(string(l.ID()), "-stasis") {
				ids = append(ids, string(l.ID()))
			}
		}
	})
	slices.Sort(ids)
	return ids
}

// ringing is the unique id of the leg that was rung last.
func (o *office) ringing() (id call.LegID) {
	o.pbx.set(func() { id = o.pbx.rung[len(o.pbx.rung)-1].Leg })
	return id
}

// asked are the orders about what clients steer, since they were last asked for.
func (o *office) asked() (orders []any) {
	o.pbx.set(func() { orders, o.pbx.stasis = o.pbx.stasis, nil })
	return orders
}

// owned are the orders about calls of somebody's own, since they were last asked for.
func (o *office) owned() (orders []any) {
	o.pbx.set(func() { orders, o.pbx.owns = o.pbx.owns, nil })
	return orders
}

// lastRing is the last order to ring a phone.
func (o *office) lastRing() (r pbx.Ring) {
	o.pbx.set(func() { r = o.pbx.rung[len(o.pbx.rung)-1] })
	return r
}

// bubbled runs a test with time that stands still.
func bubbled(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
