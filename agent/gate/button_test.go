package gate_test

import (
	"slices"
	"strings"
	"testing"
)

// With every right there is, one is told of those that there is something to do with.
func TestMeListsWhatCanBeBegunAndNothingElse(t *testing.T) {
	text := strings.NewReplacer(
		"listen: {to: any, allow: [spy], except: [egor]}", "all: true",
		"intercept: {to: own, except: [egor]}", "recordings: true, journal: any, statistics: any, lock: true",
	).Replace(house)
	o := newOffice(t, text)
	for subject, want := range map[string]string{
		"dora": "observe spy whisper barge intercept dial lock settings.permissions", "carl": "observe spy whisper barge intercept", "gus": "lock", "fay": "intercept", "anna": "lock", "boris": "",
	} {
		me, err := o.gate.Me(who(subject))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(me.Actions, " "); got != want {
			t.Errorf("%s: %q, want %q", subject, got, want)
		}
	}
}

// Where a reason must be given the button is there: it works when one is.
func TestAButtonThatNeedsAReasonIsOne(t *testing.T) {
	text := strings.Replace(house, "observe: true, listen: true", "observe: true, listen: {to: any, allow: [spy], reason: [anna, egor]}", 1)
	o := newOffice(t, text)
	o.talk("x", ivanov, "PJSIP/101")
	if can := o.row("carl", "anna").Can; !slices.Equal(can, []string{"spy"}) {
		t.Errorf("to anna: %q", can)
	}
	o.talk("y", "PJSIP/105", "PJSIP/102")
	if can := o.row("carl", "boris").Can; !slices.Equal(can, []string{"spy"}) {
		t.Errorf("to boris, who talks with egor: %q", can)
	}
	if me, _ := o.gate.Me(who("carl")); !slices.Contains(me.Actions, "spy") {
		t.Errorf("%q", me.Actions)
	}
	// The row says which want one.
	o.talk("v", other, "PJSIP/106")
	for target, want := range map[string]bool{"anna": true, "boris": true, "fay": false, "egor": true, "nils": false} {
		if r := o.row("carl", target); r.ReasonRequired != want {
			t.Errorf("to %s: %+v", target, r)
		}
	}
	// And a reason opens nothing else.
	o.talk("z", "PJSIP/108", "PJSIP/107")
	if can := o.row("carl", "gus").Can; len(can) != 0 {
		t.Errorf("to gus, who talks with hana: %q", can)
	}
}
