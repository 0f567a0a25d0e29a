package decision

import (
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/testdata/peers/company"
)

type earshot struct{ set *policy.Set }

func newEarshot(c *company.Company) (Engine, error) {
	set, problems, err := policy.Load("policy.yaml", []byte(c.YAML()), time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC))
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return earshot{set}, nil
}

// Ready keeps the names of people, which are looked up for each answer as those of the other engines are.
func (e earshot) Ready(questions []company.Question) (func() int, error) {
	type ask struct {
		subject, target string
		action          policy.Action
	}
	asks := make([]ask, len(questions))
	for i, q := range questions {
		action, ok := policy.ParseAction(q.Action)
		if !ok {
			return nil, fmt.Errorf("no action %s", q.Action)
		}
		asks[i] = ask{q.Subject, q.Target, action}
	}
	return func() (allowed int) {
		var req policy.Request
		for i := range asks {
			a := &asks[i]
			req.Subject, _ = e.set.Employee(a.subject)
			req.Target, _ = e.set.Employee(a.target)
			req.Action = a.action
			if e.set.Decide(&req).Allowed {
				allowed++
			}
		}
		return allowed
	}, nil
}
