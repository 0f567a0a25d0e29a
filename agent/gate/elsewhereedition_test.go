package gate_test

import (
	"slices"
	"strings"
	"testing"
)

// Of two sidecars one has a policy before the other. A phone changes hands meanwhile: who is on the call by the one policy is not who is on it by the other.
func TestWhileThePolicyThereIsAnotherNobodyIsShownWhoIsOnTheOtherSide(t *testing.T) {
	was := set(t, chain).WithEdition("1")
	is := set(t, strings.NewReplacer("PJSIP/105", "PJSIP/199", "PJSIP/199", "PJSIP/105").Replace(chain)).WithEdition("2")
	c, a, b := newChain(t, chain)
	a.gate.SetPolicy(was.Beside("a"))
	b.gate.SetPolicy(was.Beside("b"))
	a.talk("x", "PJSIP/105", "PJSIP/101") // egor, whom ivo may not see
	c.settle()
	seen := func(carl, ivo, anna bool) {
		t.Helper()
		for subject, sees := range map[string]bool{"carl": carl, "ivo": ivo, "anna": anna} {
			if r := b.row(subject, "anna"); r.State != "talking" || len(r.Calls) != 1 || r.Unknown || (r.Calls[0].Peer != nil) != sees {
				t.Errorf("%s: %+v", subject, r)
			}
		}
		if can := b.row("hana", "anna").Can; slices.Contains(can, "spy") {
			t.Errorf("%q", can)
		}
	}
	seen(true, false, true)
	b.gate.SetPolicy(is.Beside("b"))
	seen(false, false, false)
	a.gate.SetPolicy(is.Beside("a"))
	c.settle()
	seen(true, false, true) // it is nobody's now, and with a stranger ivo hears and sees nothing
	a.gate.SetPolicy(was.Beside("a"))
	c.settle()
	seen(false, false, false)
	b.gate.SetPolicy(was.Beside("b"))
	seen(true, false, true)
	// That it is the same under another number or for another moment changes nothing.
	b.gate.SetPolicy(was.WithGeneration(9).Beside("b"))
	seen(true, false, true)
}
