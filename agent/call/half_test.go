package call_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

// While one leg takes the name of another that has not been seen to lose it, a half of a Local channel has two that could be its other: it is the later one's, the
// first is tied to nothing, and a half that goes is on nobody's call. (Fuzzing has found this, of a leg whose id was misspelt.)
func TestALocalHalfHasOneOtherHalf(t *testing.T) {
	table := call.NewTable()
	seen := func(id, name string) {
		table.Apply(&call.Event{Kind: call.LegSeen, Channel: call.Channel{ID: call.LegID(id), Name: name, State: call.StateUp}})
	}
	half := func(id string) string {
		if h := table.Leg(call.LegID(id)).Half(); h != nil {
			return string(h.ID())
		}
		return ""
	}
	seen("a", "Local/1@x-1;1")
	seen("b", "Local/1@x-1;2")
	if half("a") != "b" || half("b") != "a" {
		t.Fatalf("a has %q and b has %q", half("a"), half("b"))
	}
	seen("c", "Local/1@x-1;1")
	if half("a") != "" || half("b") != "c" || half("c") != "b" {
		t.Errorf("a has %q, b has %q, c has %q", half("a"), half("b"), half("c"))
	}
	seen("a", "Local/1@x-1;1<ZOMBIE>")
	if half("a") != "" || half("b") != "c" || half("c") != "b" {
		t.Errorf("once it is renamed, a has %q, b has %q, c has %q", half("a"), half("b"), half("c"))
	}
	table.Apply(&call.Event{Kind: call.LegGone, Channel: call.Channel{ID: "b"}})
	if half("a") != "" || half("c") != "" || len(table.Call(nil, table.Leg("a"))) != 1 || len(table.Call(nil, table.Leg("c"))) != 1 {
		t.Errorf("of b, which is gone, a has %q and c has %q", half("a"), half("c"))
	}
}
