package amiproxy_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// A panel that dials feature codes asks for what a desk phone would with them, each decided by its own right: what is not permitted rings nothing.
func TestAFeatureCodeIsTheCommandThatItStandsFor(t *testing.T) {
	codes := gate.Codes{Spy: "*50", Whisper: "*51", Barge: "*52", Pickup: "**", GroupPickup: "*8", Lock: "*59"}
	for _, c := range []struct {
		who, phone, exten, order, action string // order: empty where it is refused
	}{
		{"olga", "PJSIP/300", "*50210", "ring PJSIP/300", "spy"},
		{"olga", "PJSIP/300", "*51210", "ring PJSIP/300", "whisper"},
		{"olga", "PJSIP/300", "*52210", "ring PJSIP/300", "barge"},
		{"carol", "PJSIP/120", "*50210", "ring PJSIP/120", "spy"},
		{"carol", "PJSIP/120", "*51210", "", "whisper"},
		{"alice", "PJSIP/100", "*50210", "", "spy"},
		{"olga", "PJSIP/300", "*50200", "", "spy"}, // he is protected
		{"olga", "PJSIP/100", "*50210", "", "spy"}, // not her phone
		{"dave", "PJSIP/130", "**210", "take PJSIP/130 1.p", "intercept"},
		{"alice", "PJSIP/100", "**210", "", "intercept"},
		{"dave", "PJSIP/130", "*8", "take PJSIP/130 1.p", "intercept"},
		{"alice", "PJSIP/100", "*8", "", "intercept"},
		{"olga", "PJSIP/300", "*43", "", ""},
		{"olga", "PJSIP/300", "*50", "", ""},
		{"olga", "PJSIP/300", "*5021x", "", ""},
		{"bob", "PJSIP/100", "*59", "", ""},
	} {
		t.Run(c.who+" "+c.phone+" "+c.exten, func(t *testing.T) {
			w := newWorld(t, func(cfg *amiproxy.Config) { cfg.Codes = codes })
			if c.action == "intercept" {
				w.rings("1", "Client", "+4915550001", "PJSIP/210")
			} else {
				w.talks("1", "Client", "+4915550001", "PJSIP/210")
				w.talks("2", "Other", "+4915550002", "PJSIP/200")
			}
			before := len(w.pbx.taken())
			got := answered(t, w.as(c.who), act("Originate", "Channel", c.phone, "Exten", c.exten, "Context", "any", "Priority", "1", "Async", "true"))
			if c.order == "" {
				if all := w.pbx.taken(); got == "ok" || len(all) != before {
					t.Errorf("%q, and the PBX was asked for %v", got, all)
				}
			} else {
				if got != "ok" {
					t.Fatal(got)
				}
				w.pbx.ordered(t, c.order)
			}
			if c.action != "" {
				all := w.book.Decided()
				if len(all) == 0 || all[len(all)-1].Action != c.action || all[len(all)-1].Subject != c.who || all[len(all)-1].Door != "ami" {
					t.Errorf("recorded is %+v", all)
				}
			}
		})
	}
}

// The code for the lock locks the call that one is on, and takes the lock off again.
func TestTheCodeForTheLockLocksAndUnlocks(t *testing.T) {
	w := newWorldOf(t, policyText+"roles: {shut: {lock: true}}\nassign: [{role: shut, to: [bob]}]\n", []string{"bob", "carol"},
		func(cfg *amiproxy.Config) { cfg.Codes.Lock = "*59" })
	w.talks("1", "Client", "+4915550001", "PJSIP/210")
	lock := act("Originate", "Channel", "PJSIP/210", "Exten", "*59", "Priority", "1")
	spy := act("Originate", "Channel", "PJSIP/120", "Application", "ChanSpy", "Data", "PJSIP/210,q", "Async", "true")
	bob, carol := w.as("bob"), w.as("carol")
	if got := answered(t, bob, lock); got != "ok" {
		t.Fatal(got)
	}
	if got := answered(t, carol, spy); got == "ok" {
		t.Error("a locked call is listened to")
	}
	if got := answered(t, bob, lock); got != "ok" {
		t.Fatal(got)
	}
	if got := answered(t, carol, spy); got != "ok" {
		t.Errorf("the lock is off: %q", got)
	}
}
