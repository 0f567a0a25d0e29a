package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// snooping is a client that steers calls itself, and what it has been told.
type snooping struct {
	*gate.Stasis
	o       *office
	subject string

	mu     sync.Mutex
	events []gate.StasisEvent
}

func (o *office) snoopsBy(subject string) *snooping {
	o.t.Helper()
	c := &snooping{o: o, subject: subject}
	st, err := o.gate.OpenStasis(who(subject), "ari", func(e gate.StasisEvent) {
		c.mu.Lock()
		c.events = append(c.events, e)
		c.mu.Unlock()
		o.log.add("told %s", tale(e))
	})
	if err != nil {
		o.t.Fatal(err)
	}
	c.Stasis = st
	o.t.Cleanup(st.Close)
	return c
}

// tale is an event in a line: "began snoop", "entered leg b[2]", "ended snoop call_ended".
func tale(e gate.StasisEvent) string {
	what := map[gate.StasisKind]string{
		gate.StasisBegan: "began", gate.StasisEnded: "ended", gate.StasisEntered: "entered", gate.StasisLeft: "left",
		gate.StasisBridgeMade: "made", gate.StasisBridgeGone: "unmade",
	}[e.Kind]
	switch {
	case e.Snoop != "":
		what += " snoop"
	case e.Channel != nil:
		what += " leg"
	}
	if e.Kind == gate.StasisEntered || e.Kind == gate.StasisLeft {
		what += fmt.Sprintf(" of %d", len(e.Bridge.Channels))
	}
	return strings.TrimSpace(what + " " + e.Reason)
}

func (c *snooping) all() []gate.StasisEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// phone has a phone of his answered, and returns its channel.
func (c *snooping) phone(phone string) string {
	c.o.t.Helper()
	n := 0
	for _, e := range c.all() {
		if e.Kind == gate.StasisBegan && e.Snoop == "" {
			n++
		}
	}
	id, err := c.Originate(c.o.t.Context(), gate.StasisAsk{Phone: phone})
	if err != nil {
		c.o.t.Fatalf("his phone is not rung: %v", err)
	}
	c.o.log.until(c.o.t, "told began leg", n+1)
	return id
}

func (c *snooping) bridge() string {
	c.o.t.Helper()
	id, err := c.CreateBridge(c.o.t.Context())
	if err != nil {
		c.o.t.Fatal(err)
	}
	return id
}

func (c *snooping) snoop(mode, target string) string {
	c.o.t.Helper()
	v, err := c.Snoop(c.o.t.Context(), gate.Ask{Target: target, Mode: mode, Door: "test"})
	if err != nil {
		c.o.t.Fatalf("he may not: %v", err)
	}
	return v.ID
}

func (c *snooping) must(err error) {
	c.o.t.Helper()
	if err != nil {
		c.o.t.Fatalf("%v; there was:\n%s", err, strings.Join(c.o.log.all(), "\n"))
	}
}

// add puts channels into a bridge, all at once.
func (c *snooping) add(bridge string, channels ...string) {
	c.o.t.Helper()
	c.must(c.Add(c.o.t.Context(), bridge, channels...))
}

// hears has a supervision run with a phone of his own, and returns the three ids.
func (c *snooping) hears(mode, target string) (snoop, leg, bridge string) {
	c.o.t.Helper()
	snoop, leg, bridge = c.snoop(mode, target), c.phone(""), c.bridge()
	c.add(bridge, snoop, leg)
	return snoop, leg, bridge
}

// bridges is who is in each of his bridges, in the order in which they were made.
func (c *snooping) bridges() (all [][]string) {
	for _, b := range c.View().Bridges {
		all = append(all, b.Channels)
	}
	return all
}

// rungLeg is the unique id of the n-th leg that was rung, from 0.
func (o *office) rungLeg(n int) (leg call.LegID) {
	o.pbx.set(func() { leg = o.pbx.rung[n].Leg })
	return leg
}

// at waits until the PBX has a leg in a bridge of the kind; "" is none.
func (o *office) at(leg call.LegID, suffix string) {
	o.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		var in call.BridgeID
		there := false
		o.pbx.set(func() { in, there = o.pbx.legs[leg] })
		if there && (suffix == "" && in == "" || suffix != "" && strings.HasSuffix(string(in), suffix)) {
			return
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("the leg is in %q and not in one like %q; there was:\n%s", in, suffix, strings.Join(o.log.all(), "\n"))
		}
		o.log.wait(5 * time.Millisecond)
	}
}

// hangsUp lets a leg's phone hang up.
func (o *office) hangsUp(leg call.LegID) {
	o.ingest(call.Event{Kind: call.LegHungUp, Channel: o.ch(string(leg))})
	o.pbx.set(func() { delete(o.pbx.legs, leg) })
	o.gone(string(leg))
}

// noRoom lets somebody else remove the only bridge that a client has made.
func (o *office) noRoom(s *snooping) {
	o.t.Helper()
	var room call.BridgeID
	o.pbx.set(func() {
		for _, x := range o.pbx.stasis {
			if b, ok := x.(call.BridgeID); ok && strings.HasSuffix(string(b), "-room") {
				room = b
			}
		}
	})
	o.ingest(call.Event{Kind: call.BridgeGone, Bridge: call.Bridge{ID: room}})
	if got := s.bridges(); len(got) != 0 {
		o.t.Fatalf("%q", got)
	}
}

// passes lets time pass, and moves end, until the test is over.
func (o *office) passes(t testing.TB) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-over:
				return
			default:
				o.pass(1)
				o.log.wait(5 * time.Millisecond)
			}
		}
	}()
	t.Cleanup(func() { close(over); <-done })
}

// tapCount counts the snoops on anybody's leg that there have been.
func (o *office) tapCount() (n int) {
	o.pbx.set(func() { n = len(o.pbx.taps) })
	return n
}

func (o *office) supervises(subject string) []mask.Supervision {
	v, err := o.gate.Supervisions(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	return v
}

// toldAll is what the clients have been told.
func toldAll(o *office) (lines []string) {
	for _, l := range o.log.all() {
		if strings.HasPrefix(l, "told ") {
			lines = append(lines, l)
		}
	}
	return lines
}
