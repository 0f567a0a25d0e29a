package gate_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// One channel has a handle of each subject's own, and the one leads to the other where both are shown it, and nowhere else.
func TestAChannelIsTheSameUnderAnothersHandle(t *testing.T) {
	o := newLineOffice(t)
	o.converses("c", "PJSIP/trunk", "q-sales", "PJSIP/101")
	all := o.channels("rosa").All
	if len(all) != 2 {
		t.Fatalf("rosa is shown %v", all)
	}
	shown := func(subject, handle string) (found bool) {
		for _, c := range o.channels(subject).All {
			found = found || c.ID == handle
		}
		return found
	}
	for _, c := range all {
		if same := o.gate.SameChannel(who("rosa"), c.ID, who("carl")); same == "" || same == c.ID || !shown("carl", same) {
			t.Errorf("for carl, who sees it too, %v is %q", c, same)
		}
		same := o.gate.SameChannel(who("rosa"), c.ID, who("dora"))
		if outside := c.Employee == ""; outside != (same == "") || !outside && !shown("dora", same) {
			t.Errorf("for dora, who sees no other side, %v is %q", c, same)
		}
		if same := o.gate.SameChannel(who("carl"), c.ID, who("rosa")); same != "" {
			t.Errorf("by another's handle it is %q", same)
		}
	}
	if same := o.gate.SameChannel(who("rosa"), "", who("carl")); same != "" {
		t.Errorf("no handle leads to %q", same)
	}
}

func TestThePhoneThatIsRungIsAChannelOfOnesOwn(t *testing.T) {
	o := newOffice(t, houseThatCalls)
	v, err := o.gate.Dial(t.Context(), who("anna"), gate.DialAsk{Number: "102", Door: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if got := o.gate.RungChannel(who("anna"), v.ID); got != "" {
		t.Errorf("before it rings it is %q", got)
	}
	leg := o.pbx.calls[0].Leg
	o.pbx.appear(leg, "PJSIP/101")
	o.pbx.answer(leg)
	got, found := o.gate.RungChannel(who("anna"), v.ID), false
	for _, c := range o.channels("anna").All {
		found = found || c.ID == got && c.Employee == "anna"
	}
	if !found {
		t.Errorf("it is %q, which she is not shown", got)
	}
	if got := o.gate.RungChannel(who("boris"), v.ID); got != "" {
		t.Errorf("for another it is %q", got)
	}
}
