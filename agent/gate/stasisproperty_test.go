package gate_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"pgregory.net/rapid"
)

// byEvents is what there must be by what a client has been told: who is up, who is in which bridge, and what plays.
func (c *steering) byEvents() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	up, in, bridges, plays := map[string]bool{}, map[string]string{}, map[string]bool{}, map[string]bool{}
	for _, e := range c.told {
		switch e.Kind {
		case gate.StasisBegan:
			up[e.Channel.ID] = true
		case gate.StasisEnded:
			delete(up, e.Channel.ID)
			if in[e.Channel.ID] != "" {
				return "one is gone and in a bridge"
			}
		case gate.StasisBridgeMade:
			bridges[e.Bridge.ID] = true
		case gate.StasisBridgeGone:
			delete(bridges, e.Bridge.ID)
			if slices.Contains(slices.Collect(maps.Values(in)), e.Bridge.ID) {
				return "a bridge is gone with somebody in it"
			}
		case gate.StasisEntered:
			if in[e.Channel.ID] != "" || !slices.Contains(e.Bridge.Channels, e.Channel.ID) {
				return "one enters who is in another"
			}
			in[e.Channel.ID] = e.Bridge.ID
		case gate.StasisLeft:
			if in[e.Channel.ID] != e.Bridge.ID || slices.Contains(e.Bridge.Channels, e.Channel.ID) {
				return "one leaves who is not in it"
			}
			delete(in, e.Channel.ID)
		case gate.StasisPlaying:
			plays[e.Playback.ID] = true
		case gate.StasisPlayed:
			delete(plays, e.Playback.ID)
		default:
		}
	}
	return picture(up, in, bridges, plays)
}

func picture(up map[string]bool, in map[string]string, bridges, plays map[string]bool) string {
	return fmt.Sprint(up, in, bridges, plays)
}

// byView is the same by what it has.
func (c *steering) byView() string {
	up, in, bridges, plays := map[string]bool{}, map[string]string{}, map[string]bool{}, map[string]bool{}
	v := c.View()
	for _, ch := range v.Channels {
		if _, is := c.Has(ch.ID); is {
			up[ch.ID] = true
		}
	}
	for _, b := range v.Bridges {
		bridges[b.ID] = true
		for _, id := range b.Channels {
			in[id] = b.ID
		}
	}
	for _, p := range v.Playbacks {
		if p.State != "queued" {
			plays[p.ID] = true
		}
	}
	return picture(up, in, bridges, plays)
}

// operations are what happens, the likelier the more often.
var operations = []string{"add", "remove", "taken out", "play", "add", "ring", "phone", "hang up", "destroyed", "destroy", "make"}

// Whatever a client does, and whatever the PBX does meanwhile, what it has by its view, by what it was told and at the PBX is the same; and when it
// goes, nothing is left there.
func TestAClientAndThePBXStayInStep(t *testing.T) {
	did := map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		o := newOffice(t, house)
		defer o.close()
		ctx := context.Background()
		c := o.steers("carl")
		var legs, bridges []string           // handles that there are or were
		var rooms []call.BridgeID            // at the PBX
		ids := map[string]call.LegID{}       // by handle
		byRoom := map[call.BridgeID]string{} // handles
		some := func(of []string, what string) string {
			if len(of) == 0 {
				return "none"
			}
			return rapid.SampledFrom(of).Draw(r, what)
		}
		done := func(what string, err error) {
			if did[what+" "+code(err)]++; code(err) == "internal" {
				r.Fatalf("%s: %v", what, err)
			}
		}
		makes := func() {
			id, err := c.CreateBridge(ctx)
			if done("create", err); err == nil {
				made := o.rooms()
				bridges, rooms = append(bridges, id), append(rooms, made...)
				byRoom[made[0]] = id
			}
		}
		ring := func(phone string) {
			id, err := c.Originate(ctx, gate.StasisAsk{Phone: phone})
			if done("ring", err); err == nil {
				legs, ids[id] = append(legs, id), o.ringing()
			}
		}
		makes()
		makes()
		ring("PJSIP/103")
		ring("PJSIP/113")
		done("add", c.Add(ctx, bridges[0], legs...))
		for range rapid.IntRange(10, 40).Draw(r, "steps") {
			o.pbx.failing(rapid.SampledFrom([]string{"", "", "", "", "enter", "leave", "create", "ring", "play"}).Draw(r, "fails"), pbx.ErrGone)
			switch op := rapid.SampledFrom(operations).Draw(r, "op"); op {
			case "ring":
				o.pbx.set(func() { o.pbx.silent = rapid.Bool().Draw(r, "silent") })
				ring(rapid.SampledFrom([]string{"PJSIP/103", "PJSIP/113", "PJSIP/101"}).Draw(r, "phone"))
			case "make":
				makes()
			case "add":
				done("add", c.Add(ctx, some(bridges, "bridge"), some(legs, "one"), some(legs, "two")))
			case "remove":
				done("remove", c.Remove(ctx, some(bridges, "bridge"), some(legs, "leg")))
			case "destroy":
				done("destroy", c.DestroyBridge(ctx, some(bridges, "bridge")))
			case "hang up":
				done("hang up", c.HangUp(ctx, some(legs, "leg")))
			case "phone": // a phone hangs up, or is answered
				if leg := string(ids[some(legs, "leg")]); leg != "" && o.ch(leg).ID != "" {
					if o.ch(leg).State != call.StateUp && rapid.Bool().Draw(r, "answers") {
						o.pbx.answer(call.LegID(leg))
						did["answered"]++
					} else {
						o.pbx.set(func() { delete(o.pbx.legs, call.LegID(leg)) })
						o.gone(leg)
						did["gone"]++
					}
				}
			case "taken out": // somebody else takes one out of its bridge
				if leg := ids[some(legs, "leg")]; leg != "" && o.room(leg) != "" {
					o.pbx.quit(leg)
					did["taken out"]++
				}
			case "destroyed":
				if len(rooms) > 0 {
					o.ingest(call.Event{Kind: call.BridgeGone, Bridge: call.Bridge{ID: rapid.SampledFrom(rooms).Draw(r, "room")}})
					did["destroyed"]++
				}
			case "play":
				on := some(append(slices.Clone(legs), bridges...), "on")
				_, err := c.Play(ctx, on, []gate.StasisMedium{{Kind: "digits", Value: "1"}, {Kind: "digits", Value: "2"}})
				if done("play", err); err == nil {
					id := o.playing().ID
					for _, state := range []string{"playing", "continuing", "done"}[:rapid.IntRange(0, 3).Draw(r, "plays")] {
						o.gate.Played(pbx.Played{ID: id, State: state})
					}
				}
			}
			view := c.byView()
			for end := time.Now().Add(5 * time.Second); c.byEvents() != view; {
				if time.Now().After(end) {
					r.Fatalf("by its view there is\n%s, and by what it was told\n%s", view, c.byEvents())
				}
			}
			atPBX := map[string]string{}
			for handle, leg := range ids {
				if in := o.room(leg); in != "" {
					atPBX[handle] = byRoom[in]
				}
			}
			in := map[string]string{}
			for _, b := range c.View().Bridges {
				for _, id := range b.Channels {
					in[id] = b.ID
				}
			}
			if !maps.Equal(in, atPBX) {
				r.Fatalf("it has them in %v, and the PBX in %v", in, atPBX)
			}
			if n := len(c.View().Channels); n != len(o.steered()) {
				r.Fatalf("it has %d legs, and the PBX %q", n, o.steered())
			}
		}
		c.Close()
		if left := o.steered(); len(left) > 0 {
			r.Fatalf("there is left %q", left)
		}
		o.feed.Read(func(table *call.Table) {
			for room := range byRoom {
				if _, there := table.BridgeType(room); there {
					r.Fatalf("a bridge is left")
				}
			}
		})
		if got := c.byEvents(); strings.Contains(got, ":") {
			r.Fatalf("by what it was told there is %s", got)
		}
	})
	for _, what := range []string{
		"ring ok", "ring not_your_phone", "create ok", "add ok", "add no_such_bridge", "remove ok", "remove not_in_bridge", "destroy ok", "hang up ok",
		"gone", "taken out", "destroyed", "play ok", "play in_bridge",
	} {
		if did[what] == 0 {
			t.Errorf("it never came to %q: %v", what, did)
		}
	}
}
