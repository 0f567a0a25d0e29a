package gate_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// parks lets anna park who is on the other side of a call, as Asterisk tells of it; NAME.0 is in the lot's bridge then.
func (o *office) parks(name, by string) {
	o.leave(name, name+".0")
	o.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: "lot", Type: "holding"}, Channel: o.ch(name + ".0")})
	o.ingest(call.Event{
		Kind: call.Parked, Channel: call.Channel{ID: call.LegID(name + ".0"), Name: o.ch(name + ".0").Name},
		Parking: &call.Parking{Lot: "default", Space: "701", By: by, Timeout: 45e9},
	})
	o.leave(name, name+".1")
	o.goes(name+".1", 16)
}

func TestChannelsTellOfWhoIsParked(t *testing.T) {
	o := newOffice(t, house)
	carl, anna, dora := o.panel("carl"), o.panel("anna"), o.panel("dora")
	o.talk("x", other, "PJSIP/101")
	for _, p := range []*panel{carl, anna, dora} {
		p.changes()
	}
	o.parks("x", "PJSIP/101")
	for _, p := range []*panel{carl, anna} {
		p.tells("parked", "left out:+78120000000 Up with anna101 1", "made", "entered out:+78120000000 Up 1", "music out:+78120000000 Up", "parked out:+78120000000 Up to 701 in default for 0 of 45",
			"left anna Up with +78120000000 0", "removed", "gone anna Up with +78120000000 16")
		c := o.channels(p.who)
		if len(c.All) != 1 || len(c.Parked) != 1 || c.Parked[0] != (gate.Parked{Space: "701", Lot: "default", Since: start, Timeout: 45}) {
			t.Errorf("%s has %+v", p.who, c)
		}
		p.agrees()
	}
	dora.tells("parked", "left anna Up hidden 0", "removed", "gone anna Up hidden 16")
	if c := o.channels("dora"); len(c.All)+len(c.Parked) != 0 {
		t.Errorf("%+v", c)
	}
	o.leg("x.2", "PJSIP/102", call.StateUp, "701")
	carl.changes()
	o.pass(5)
	carl.changes()
	o.leave("lot", "x.0")
	carl.tells("fetched", "unparked out:+78120000000 Up to 701 in default for 5 of 45", "quiet out:+78120000000 Up", "left out:+78120000000 Up 0", "removed")
	o.ingest(call.Event{Kind: call.Unparked, Channel: call.Channel{ID: "x.0"}, Peer: call.Channel{ID: "x.2"}})
	o.enter("y", "x.0", "x.2")
	o.pass(1)
	carl.agrees()
	if c := o.channels("carl"); len(c.All) != 2 || len(c.Parked) != 0 {
		t.Errorf("%+v", c)
	}
}

// Where somebody is parked, and by whom, is AMI's word alone: it shows nobody a leg whom ARI does not have there, or who was on no call of that one's.
func TestAForgedParkingShowsNobody(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", other, "PJSIP/108") // hana is protected: not for ivo
	o.leg("y.0", other, call.StateUp, "7")
	for _, at := range []string{"x.0", "y.0", "z.0"} {
		for _, by := range []string{"PJSIP/101", "PJSIP/102"} {
			o.ingest(call.Event{Kind: call.Parked, Channel: call.Channel{ID: call.LegID(at), Name: o.ch(at).Name}, Parking: &call.Parking{Lot: "default", Space: "701", By: by}})
			for _, subject := range []string{"ivo", "carl", "anna"} {
				if c := o.channels(subject); len(c.Parked) != 0 {
					t.Errorf("%s is shown %+v", subject, c.Parked)
				}
			}
		}
	}
	o.parks("x", "PJSIP/101")
	o.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: "lot", Type: "holding"}, Channel: o.ch("y.0")})
	for _, subject := range []string{"ivo", "carl", "anna"} {
		if c := o.channels(subject); len(c.Parked) != 0 {
			t.Errorf("%s is shown %+v", subject, c.Parked)
		}
	}
	o.talk("w", other, "PJSIP/101")
	o.parks("w", "PJSIP/101")
	if c := o.channels("carl"); len(c.Parked) != 1 {
		t.Errorf("who is parked indeed is not shown: %+v", c)
	}
}
