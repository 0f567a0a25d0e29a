package ariproxy_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

// ofTransfers is what olga is told while bob holds somebody, transfers him, and somebody's name becomes known.
func ofTransfers(t *testing.T) (all []told) {
	t.Helper()
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	w.talks("2", "Petrov", "+4915550002", "PJSIP/211")
	l := w.listen("olga", subscribe)
	one, two := leg("1.p", "PJSIP/210", call.StateUp, call.Identity{}, call.Identity{}), leg("2.p", "PJSIP/211", call.StateUp, call.Identity{}, call.Identity{})
	w.ingest(call.Event{Kind: call.LegHeld, Channel: one, At: at(20)})
	all = append(all, l.until("ChannelHold", "")...)
	w.ingest(call.Event{Kind: call.LegUnheld, Channel: one, At: at(21)})
	all = append(all, l.until("ChannelUnhold", "")...)
	known := leg("1.t", "PJSIP/trunk", call.StateUp, call.Identity{Name: "Sidorov", Number: "+4915550001"}, call.Identity{})
	w.ingest(call.Event{Kind: call.LegSeen, Channel: known, At: at(22)})
	all = append(all, l.until("ChannelCallerId", "Sidorov")...)
	w.ingest(call.Event{Kind: call.AttendedTransferred, Channel: one, Peer: two, Transferee: "1.t", At: at(23)})
	all = append(all, l.until("BridgeAttendedTransfer", "")...)
	w.ingest(call.Event{Kind: call.BlindTransferred, Channel: two, Transferee: "2.t", Dialled: "300", At: at(24)})
	return append(all, l.until("BridgeBlindTransfer", "")...)
}

func TestHoldAndTransfersAreTold(t *testing.T) {
	all := ofTransfers(t)
	find := func(kind string) string {
		for _, e := range all {
			if e.Type == kind {
				return e.text
			}
		}
		t.Errorf("there is no %s in\n%s", kind, joined(all))
		return ""
	}
	if hold, ends := find("ChannelHold"), find("ChannelUnhold"); !strings.Contains(hold, `"name":"PJSIP/210-`) || !strings.Contains(ends, `"name":"PJSIP/210-`) {
		t.Errorf("hold is %s and %s", hold, ends)
	}
	blind := plain(find("BridgeBlindTransfer"))
	for _, part := range []string{`"channel":{"id":"<0>","name":"PJSIP/211-<0>"`, `"transferee":{"id":"<1>","name":"PJSIP/trunk-<1>"`, `"exten":"300","context":"from-internal","result":"Success","is_external":true`, `"channels":["<0>","<1>"]`} {
		if !strings.Contains(blind, part) {
			t.Errorf("of a blind transfer %s is not told: %s", part, blind)
		}
	}
	attended := plain(find("BridgeAttendedTransfer"))
	for _, part := range []string{`"transferer_first_leg":{"id":"<0>","name":"PJSIP/210-<0>"`, `"transferer_second_leg":{"id":"<1>","name":"PJSIP/211-<1>"`, `"transferee":{"id":"<2>","name":"PJSIP/trunk-<2>"`, `"destination_type":"bridge","destination_bridge":"<3>"`} {
		if !strings.Contains(attended, part) {
			t.Errorf("of an attended transfer %s is not told: %s", part, attended)
		}
	}
}
