package pbx

import (
	"fmt"
	"strings"
	"testing"
)

// A blind transfer by keys is told by the threads of two channels, each in its own order: that of who transfers, which tells of the transfer, with
// the bridge as it was before, and is hung up, and that of whom it is about, which leaves the bridge at once and dials. A PBX that has much to do
// may tell them in any order.
func TestABlindTransferIsToldInAnyOrder(t *testing.T) {
	tape := tapes(t)["blind-keys-caller"]
	first, last := 0, 0
	var his, theirs []entry // who transfers, and who is transferred
	for i, e := range tape {
		switch {
		case first == 0 && !tells(e, "BridgeBlindTransfer"):
			continue
		case first == 0:
			first = i
		case e.Mark != "":
			last = i
		}
		if last > 0 {
			break
		}
		if tells(e, "BridgeBlindTransfer") || tells(e, "BridgeDestroyed") || e.ARI != nil && strings.Contains(string(e.ARI), `"channel":{"id":"1795313535.27"`) {
			his = append(his, e)
		} else {
			theirs = append(theirs, e)
		}
	}
	if len(his) != 5 || !tells(his[1], "ChannelLeftBridge") || len(theirs) != 8 || !tells(theirs[0], "ChannelLeftBridge") {
		t.Fatalf("the stream has another form: %d and %d events", len(his), len(theirs))
	}
	orders := 0
	var tell func(told []entry, h, o int)
	tell = func(told []entry, h, o int) {
		if h < len(his) && (h != 1 || o > 0) { // he is let go when the other has left
			tell(append(told[:h+o:h+o], his[h]), h+1, o)
		}
		if o < len(theirs) {
			n := min(1+min(o, 1), len(theirs)-o) // that he leaves by itself, then two by two: each by itself is ten times as many, and no other
			tell(append(told[:h+o:h+o], theirs[o:o+n]...), h, o+n)
		}
		if h+o < len(his)+len(theirs) {
			return
		}
		orders++
		all := append(tape[:first:first], told...)
		for i := range told {
			all[first+i].At = tape[first+i].At
		}
		all = append(all, tape[last:]...)
		if t.Failed() {
			return // one that is wrong is enough to look at
		}
		t.Run(fmt.Sprint(orders), func(t *testing.T) { judge(t, all) })
	}
	tell(nil, 0, 0)
	if orders < 100 {
		t.Errorf("%d orders", orders)
	}
}

func tells(e entry, event string) bool {
	return e.ARI != nil && strings.Contains(string(e.ARI), `"type":"`+event+`"`)
}
