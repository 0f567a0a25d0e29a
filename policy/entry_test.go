package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// What stands behind hundreds of clauses about other actions counts as what stands before them.
func TestWhatStandsBehindManyClausesCounts(t *testing.T) {
	for _, before := range []int{0, 1, 253, 254, 255, 256, 600} {
		var roles, assign strings.Builder
		role := func(name, rights string) {
			fmt.Fprintf(&roles, "  %s: {%s}\n", name, rights)
			fmt.Fprintf(&assign, "  - {role: %s, to: [anna]}\n", name)
		}
		for i := range before {
			role(fmt.Sprint("spy", i), "spy: {to: any, except: [boris]}")
		}
		role("barge", "barge: {to: any, except: [carol]}")
		set := load(t, "version: 1\nemployees: {anna: {}, boris: {}, carol: {}}\nroles:\n"+roles.String()+"assign:\n"+assign.String())
		for _, c := range []struct {
			action policy.Action
			target string
			want   policy.Reason
		}{
			{policy.Barge, "boris", policy.ReasonAllowed},
			{policy.Barge, "carol", policy.ReasonExcluded},
			{policy.Whisper, "boris", policy.ReasonNoRight},
			{policy.Whisper, "carol", policy.ReasonNoRight},
		} {
			req := policy.Request{Subject: employee(t, set, "anna"), Action: c.action, Target: employee(t, set, c.target)}
			if d := set.Decide(&req); d.Reason != c.want {
				t.Errorf("behind %d, %s %s: %s and not %s", before, c.action, c.target, d.Reason, c.want)
			}
		}
	}
}
