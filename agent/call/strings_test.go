package call_test

import (
	"testing"
	"unsafe"

	"github.com/earshot-pbx/earshot/agent/call"
)

// A buffer hands out strings that lie in memory which is written over afterwards, as a decoder does that uses its own again.
type buffer struct{ mem [][]byte }

func (b *buffer) str(s string) string {
	if s == "" {
		return ""
	}
	m := []byte(s)
	b.mem = append(b.mem, m)
	return unsafe.String(&m[0], len(m))
}

func (b *buffer) scribble() {
	for _, m := range b.mem {
		for i := range m {
			m[i] = '#'
		}
	}
	b.mem = nil
}

func (b *buffer) channel(c call.Channel) call.Channel {
	c.ID, c.Name, c.Exten, c.App = call.LegID(b.str(string(c.ID))), b.str(c.Name), b.str(c.Exten), b.str(c.App)
	c.Caller = call.Identity{Name: b.str(c.Caller.Name), Number: call.Number(b.str(string(c.Caller.Number)))}
	c.Connected = call.Identity{Name: b.str(c.Connected.Name), Number: call.Number(b.str(string(c.Connected.Number)))}
	return c
}

func TestTheTableKeepsNoneOfAnEventsStrings(t *testing.T) {
	var b buffer
	table := call.NewTable()
	var told []call.Change
	for _, ev := range lifeCycle("1") {
		ev.Channel, ev.Peer = b.channel(ev.Channel), b.channel(ev.Peer)
		ev.Bridge.ID, ev.Bridge.Type, ev.Dialled = call.BridgeID(b.str(string(ev.Bridge.ID))), b.str(ev.Bridge.Type), b.str(ev.Dialled)
		told = append(told, table.Apply(&ev)...)
		b.scribble()
		if err := table.Check(); err != nil {
			t.Fatalf("after %v: %v", ev.Kind, err)
		}
		if l := table.Leg("17953.b1"); l != nil && (l.Name() != "PJSIP/21-00000002" || l.Endpoint() != "PJSIP/21" || l.App() != "AppDial" ||
			l.Caller() != (call.Identity{Name: "Boris", Number: "102"}) || l.Connected() != (call.Identity{Name: "Anna", Number: "101"})) {
			t.Fatalf("after %v: what is known of the leg was written over", ev.Kind)
		}
		if ev.Kind == call.BridgeEntered {
			if typ, ok := table.BridgeType("room1"); !ok || typ != "mixing" {
				t.Fatal("what is known of the bridge was written over")
			}
			if l := table.Leg("17953.b1"); l.Dialled() != "102" || table.Leg("17953.a1").Dialled() != "102" {
				t.Fatal("what was dialled was written over")
			}
		}
	}
	if table.Len() != 0 || !table.Gone("17953.a1") {
		t.Error("the call is not over")
	}
	for _, c := range told {
		for _, id := range []string{string(c.Leg), string(c.Other), string(c.Bridge), c.Was} {
			if id != "" && id[0] == '#' {
				t.Errorf("%v was written over", c.Kind)
			}
		}
	}
	table.Apply(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{
		Channels: []call.Channel{b.channel(call.Channel{ID: "x", Name: "PJSIP/1-1"})},
		Bridges:  []call.Bridge{{ID: call.BridgeID(b.str("y")), Legs: []call.LegID{call.LegID(b.str("x"))}}}}})
	b.scribble()
	if l := table.Leg("x"); l == nil || l.Bridge() != "y" {
		t.Error("what the snapshot told was written over")
	}
}
