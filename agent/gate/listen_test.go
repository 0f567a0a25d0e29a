package gate_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// sends lets a leg's phone send so many packets of audio until the test ends; none is silence, less than none cannot be told.
func (o *office) sends(leg call.LegID, perLook int) {
	o.pbx.set(func() {
		if o.pbx.rate == nil {
			o.pbx.rate, o.pbx.packets = map[call.LegID]int{}, map[call.LegID]uint64{}
		}
		delete(o.pbx.packets, leg)
		if o.pbx.rate[leg] = perLook; perLook >= 0 {
			o.pbx.packets[leg] = 1000
		}
	})
}

// silence waits until the supervisor is told that the other side is silent, or that it is not.
func (w *watcher) silence(id string, want bool) {
	w.t.Helper()
	for {
		if m := w.next(); m.Type == gate.MessageSupervision && m.Supervision.ID == id && m.Supervision.PeerSilent == want {
			return
		}
	}
}

func TestASilentPeerIsTold(t *testing.T) {
	o := newOffice(t, house, func(c *gate.Config) { c.Listening = 50 * time.Millisecond })
	o.talk("x", ivanov, "PJSIP/101")
	o.sends("x.0", 50)
	w := o.watch("carl")
	id := o.must("carl", "whisper", "anna")
	w.act(id, "active")
	o.pbx.looked("x.0", 3)
	if v, _ := o.gate.Supervision(who("carl"), id); v.PeerSilent {
		t.Fatal("one who speaks is called silent")
	}
	o.sends("x.0", 0)
	w.silence(id, true)
	if v, _ := o.gate.Supervision(who("carl"), id); !v.PeerSilent {
		t.Fatalf("%+v", v)
	}
	o.sends("x.0", 50)
	w.silence(id, false)
	o.sends("x.0", 0)
	w.silence(id, true)
	// On hold music is played to the target, so a whisper has something to ride on again.
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.0")})
	w.silence(id, false)
	o.ingest(call.Event{Kind: call.LegUnheld, Channel: o.ch("x.0")})
	w.silence(id, true)
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.1")})
	w.silence(id, false)
	o.ingest(call.Event{Kind: call.LegUnheld, Channel: o.ch("x.1")})
	w.silence(id, true)
	// What cannot be told is not told.
	o.sends("x.0", -1)
	w.silence(id, false)
	o.sends("x.0", 0)
	w.silence(id, true)
	// In a conference Asterisk makes the frames itself.
	o.leg("y.0", "PJSIP/102", call.StateUp, "")
	o.enter("x", "y.0")
	w.silence(id, false)
}
