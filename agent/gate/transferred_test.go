package gate_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// transfers has somebody's leg send the other of a call to a number, as Asterisk tells it.
func (o *office) transfers(by, leg call.LegID, endpoint, number string) {
	o.ingest(call.Event{Kind: call.BlindTransferred, Channel: call.Channel{ID: by, Name: endpoint + "-00000001"}, Transferee: leg, Dialled: number})
}

// A leg asks for who has transferred it: to that number and no other, that leg and no other, and once.
func TestALegThatWasTransferredAsksForWhoHasTransferredIt(t *testing.T) {
	const number = "88121234567"
	for name, c := range map[string]struct {
		leg, number, by string // of the transfer
		first, second   string
	}{
		"as it was":       {"out", number, "PJSIP/101", "ok", "not_your_phone"},
		"another number":  {"out", "88121234568", "PJSIP/101", "not_your_phone", "not_your_phone"},
		"another leg":     {"other", number, "PJSIP/101", "not_your_phone", "not_your_phone"},
		"somebody else's": {"out", number, "PJSIP/102", "not_your_phone", "not_your_phone"},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := dialOffice(t)
			o.seen(call.Channel{ID: "out", Name: "PJSIP/trunk-00000002", State: call.StateUp, App: "Stasis"})
			o.transfers("in", call.LegID(c.leg), c.by, c.number)
			endpoint, ok := o.gate.TransferredBy(t.Context(), "out", c.number)
			if ok != (c.leg == "out") || ok && endpoint != c.by {
				t.Fatalf("it was transferred by %q, %v", endpoint, ok)
			}
			for i, want := range []string{c.first, c.second} {
				_, err := o.gate.Dial(t.Context(), who("ann"), gate.DialAsk{Number: number, Phone: "PJSIP/101", Leg: "out", Transferred: true, Door: gate.DoorPhone})
				if got := code(err); got != want {
					t.Errorf("attempt %d: %s, want %s", i+1, got, want)
				}
			}
			if c.first == "ok" {
				if e := o.audit.last(t, audit.Done); e.Subject != "ann" || e.Action != "dial" {
					t.Errorf("on record is %+v", e)
				}
			}
		})
	}
}

// Asterisk may tell of the transfer after the leg has asked. A leg that was on no call is not waited for.
func TestATransferThatIsToldLateCounts(t *testing.T) {
	o, _ := dialOffice(t)
	o.seen(call.Channel{ID: "out", Name: "PJSIP/trunk-00000002", State: call.StateUp, App: "Stasis"})
	o.seen(call.Channel{ID: "new", Name: "PJSIP/trunk-00000003", State: call.StateRing, App: "Stasis"})
	told := make(chan string)
	go func() {
		endpoint, _ := o.gate.TransferredBy(t.Context(), "out", "112233")
		told <- endpoint
	}()
	begun := time.Now()
	if _, ok := o.gate.TransferredBy(t.Context(), "new", "112233"); ok || time.Since(begun) > 900*time.Millisecond { // who waits does for a second
		t.Errorf("a leg that was on no call: %v after %v", ok, time.Since(begun))
	}
	o.transfers("in", "out", "PJSIP/101", "112233")
	if got := <-told; got != "PJSIP/101" {
		t.Errorf("it was transferred by %q", got)
	}
	if _, ok := o.gate.TransferredBy(t.Context(), "out", "445566"); ok {
		t.Error("a transfer to one number counts for another")
	}
}
