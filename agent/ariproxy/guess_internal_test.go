package ariproxy

import (
	"fmt"
	"testing"
	"time"
)

// From one address so many may be tried and no more, until time has gone by; who has proven somebody is not held up by others, and other addresses are not.
func TestGuessesFromOneAddressAreBounded(t *testing.T) {
	now := time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct{ from, same, other string }{
		"IPv4": {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
		"IPv6": {"2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"},
	} {
		t.Run(name, func(t *testing.T) {
			var g guesses
			g.held("good")
			tried := 0
			for g.may(tc.from, "bad", now) {
				g.failed(tc.from, now)
				tried++
			}
			if tried != guessBurst {
				t.Errorf("%d were looked at", tried)
			}
			if g.may(tc.same, "new", now) || !g.may(tc.same, "good", now) || !g.may(tc.other, "new", now) {
				t.Error("it holds for the wrong ones")
			}
			if g.may(tc.from, "bad", now.Add(guessEvery/2)) || !g.may(tc.from, "bad", now.Add(guessEvery)) {
				t.Error("time does not give back one")
			}
		})
	}
	var g guesses
	for i := range guessKnown + 100 {
		g.failed(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now)
		g.held(fmt.Sprint(i))
	}
	if len(g.from.of) != guessKnown || len(g.proven.of) != guessKnown || len(g.from.order) != guessKnown {
		t.Errorf("%d addresses and %d credentials are known", len(g.from.of), len(g.proven.of))
	}
}
