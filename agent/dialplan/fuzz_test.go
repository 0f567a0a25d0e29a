package dialplan_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/dialplan"
)

var (
	// askedForm is what the gate may be asked for on behalf of anna, whatever Stasis's arguments are.
	askedForm = regexp.MustCompile(`\A(?:(?:supervise|intercept|oldest) anna by phone:PJSIP/101: (?:(?:spy|whisper|barge|take) [0-9]{1,20}|group ) on 1\.1, |dial anna: \+?[0-9]{1,20} on 1\.1, |lock anna by phone:PJSIP/101 on 1\.1\z)`)
	awayForm  = regexp.MustCompile(`\Aturn away 1\.1: (bad_request|unknown_phone|no_request)\z`)
	helpForm  = regexp.MustCompile(`\Adial : 112 on 1\.1, `)
)

// Whatever the arguments of Stasis and the endpoint are, the gate is asked one thing in a form that is known, for the owner of the endpoint and nobody else,
// with nothing but digits in it; or the leg is turned away.
func FuzzRequest(f *testing.F) {
	for _, args := range []string{"spy,102", "whisper,102", "take,102", "group", "lock", "dial,+7916", "dial,112", "spy", "spy,${X}", "spy,102,q", "dial,*98", "", ",", "spy,１０２", "dial,++1", "dial,1\n2", "SPY,102", "lock,1"} {
		f.Add("PJSIP/101", args)
		f.Add("PJSIP/999", args)
	}
	f.Fuzz(func(t *testing.T, endpoint, arguments string) {
		g := &asked{came: make(chan struct{}, 8)}
		d := openFuzz(t, g)
		args := strings.Split(arguments, ",")
		d.Asked("1.1", endpoint, args)
		got := g.next(t)
		hers := strings.EqualFold(endpoint, "PJSIP/101")
		switch {
		case awayForm.MatchString(got):
		case helpForm.MatchString(got) && !hers && arguments == "dial,112":
		case hers && askedForm.MatchString(got):
			if !strings.HasPrefix(strings.ReplaceAll(got, "dial anna:", "dial"), map[string]string{
				"spy": "supervise", "whisper": "supervise", "barge": "supervise", "take": "intercept", "group": "oldest", "dial": "dial", "lock": "lock",
			}[args[0]]) {
				t.Fatalf("%q is asked as %s", args, got)
			}
			if len(args) == 2 && !strings.Contains(got, " "+args[1]+" on 1.1") {
				t.Fatalf("%q is asked as %s", args, got)
			}
		default:
			t.Fatalf("%q from %q is asked as %s", args, endpoint, got)
		}
		if err := d.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if g.mu.Lock(); len(g.log) > 0 {
			t.Fatalf("%q is asked as more than one thing: %q", args, g.log)
		}
		g.mu.Unlock()
	})
}

func openFuzz(t *testing.T, g *asked) *dialplan.Door {
	t.Helper()
	d, _ := open(t, false, func(c *dialplan.Config) { c.Gate = g })
	return d
}
