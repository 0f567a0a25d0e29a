package doctor

import (
	"fmt"
	"strings"
	"testing"
)

// Of what `dialplan show` prints each step is read once and as what it is: a line of the form that Asterisk writes has its priority and place, whatever
// application and data stand in it, and a line that is none adds nothing.
func FuzzDialplan(f *testing.F) {
	for _, text := range []string{
		"  '101' =>          1. Dial(PJSIP/101,20)                         [extensions.conf:7]", "                     2. Hangup()                                   [extensions.conf:8]", "  Include =>        'parked'                                      [a.conf:1]",
		"  '_X.' (CID match '7916') => 1. NoOp(x) [pbx_lua]", "     [label]        3. Set(a=[b:9])  [extensions.conf:12]", "'101' => hint: PJSIP/101 [x:99999999999999999999]", "", "[ Context 'a' created by 'pbx_config' ]", "  '1' => hint: PJSIP/1&Custom:x  [e:1]",
	} {
		f.Add(text, uint16(7), "Dial(PJSIP/101,20)")
	}
	f.Add("", uint16(0), "Set(a=[b:9])")
	f.Fuzz(func(t *testing.T, text string, at uint16, app string) {
		out := strings.Split(text, "\n")
		all := places(out)
		if len(all) > len(out) {
			t.Fatalf("%d steps in %d lines", len(all), len(out))
		}
		i := 0
		for _, l := range out {
			one := places([]string{l})
			if len(one) == 0 {
				continue
			}
			if len(one) != 1 || i >= len(all) || all[i] != one[0] {
				t.Fatalf("%q is %+v alone and %+v among the others", l, one, all)
			}
			if p := one[0].place; p != (Place{}) && !strings.Contains(l, fmt.Sprintf("[%s:", p.File)) || one[0].priority == "" || !strings.Contains(l, one[0].priority) || p.Line < 0 {
				t.Fatalf("%q is %+v", l, one[0])
			}
			i++
		}
		if i != len(all) {
			t.Fatalf("%d steps alone, and %d together", i, len(all))
		}
		if strings.ContainsAny(app, "\r\n") {
			return
		}
		want := line{priority: fmt.Sprint(at), place: Place{"extensions.conf", int(at) + 1}}
		for _, before := range []string{"  '101' =>          ", "                    ", "     [label]        "} {
			l := fmt.Sprintf("%s%d. %-45s [extensions.conf:%d]", before, at, app, int(at)+1)
			if got := places([]string{l}); len(got) != 1 || got[0] != want {
				t.Fatalf("%q is %+v", l, got)
			}
		}
	})
}
