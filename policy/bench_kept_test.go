package policy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// BenchmarkDecideKept decides what is not about a live call: of a recording with three people on it, of a conversation of a line with ten
// members, and of a recording at a time at which the right does not hold. Half is allowed, but at the wrong time nothing.
func BenchmarkDecideKept(b *testing.B) {
	const n = 10000
	c := newCompany(n)
	var text strings.Builder
	text.WriteString(c.yaml())
	text.WriteString("timezone: Europe/Moscow\ntimes: {night: {hours: \"22:00-06:00\"}}\nlines:\n")
	for i := range 50 {
		fmt.Fprintf(&text, "  line%d: {members: [%s]}\n", i, strings.Join(c.ids[i*10:i*10+10], ", "))
	}
	text.WriteString("roles:\n  manager: {recordings: department, line.history: department, record: {to: any, during: night}}\nassign:\n  - {role: manager, to: [everyone]}\n")
	set := load(b, text.String())
	r := rand.New(rand.NewPCG(5, 5))
	all := make([]policy.Request, 4096)
	for i := range all {
		who := func() policy.Ref { e, _ := set.Employee(c.ids[r.IntN(n)]); return e }
		req := policy.Request{Subject: who(), Target: who(), With: []policy.Ref{who(), who()}}
		for inside := range 3 { // one of them in the subject's department, or none
			at := &req.Target
			if inside > 0 {
				at = &req.With[inside-1]
			}
			for set.DepartmentOf(*at) == set.DepartmentOf(req.Subject) != (i%2 == 0 && inside == 2) {
				*at = who()
			}
		}
		req.Line, _ = set.Line(fmt.Sprintf("line%d", i%50))
		all[i] = req
	}
	for _, action := range []policy.Action{policy.Play, policy.LineHistory, policy.Record} {
		name := action.String()
		if action == policy.Record {
			name = "closed"
		}
		b.Run(fmt.Sprintf("employees=%d/%s", n, name), func(b *testing.B) {
			for i := range all {
				all[i].Action = action
			}
			b.ReportAllocs()
			i, allowed := 0, 0
			for b.Loop() {
				if set.Decide(&all[i&4095]).Allowed {
					allowed++
				}
				i++
			}
			if action != policy.Record {
				halfAllowed(b, allowed, i)
			} else if allowed > 0 {
				b.Errorf("%d allowed", allowed)
			}
			b.ReportMetric(0, "max-allocs")
		})
	}
}
