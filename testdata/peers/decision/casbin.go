package decision

import (
	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"

	"github.com/earshot-pbx/earshot/testdata/peers/company"
)

// casbinModel is Casbin's RBAC with resource roles and deny-override, as its documentation has them: g are the roles and groups of who asks, g2 those of
// whom he asks about.
const casbinModel = `
[request_definition]
r = sub, obj, act

[policy_definition]
p = sub, obj, act, eft

[role_definition]
g = _, _
g2 = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = (p.act == r.act || p.act == "any" || p.act == "supervise" && r.act != "observe") && g(r.sub, p.sub) && (p.obj == "anybody" || g2(r.obj, p.obj)) && (p.sub != "everybody" || p.obj != "oneself" || r.sub == r.obj)
`

// casbinEnforcer keeps what it has decided: all that is measured is a look into that.
type casbinEnforcer struct{ e *casbin.CachedEnforcer }

func newCasbin(c *company.Company) (Engine, error) {
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		return nil, err
	}
	e, err := casbin.NewCachedEnforcer(m)
	if err != nil {
		return nil, err
	}
	rules := [][]string{
		{"quality", "anybody", "any", "allow"},
		{"quality", "legal", "supervise", "deny"},
		{"trainers", "trainees", "spy", "allow"},
		{"trainers", "trainees", "whisper", "allow"},
		{"everybody", "board", "supervise", "deny"},
		{"everybody", "oneself", "observe", "allow"},
		{"everybody", "oneself", "supervise", "deny"},
	}
	var subjects, targets [][]string
	for _, d := range c.Departments {
		rules = append(rules, []string{d.Head, d.ID, "any", "allow"})
	}
	for _, e := range c.Employees {
		subjects = append(subjects, []string{e.ID, "everybody"})
		targets = append(targets, []string{e.ID, e.Department}, []string{e.ID, "oneself"})
		for _, target := range e.Observes {
			rules = append(rules, []string{e.ID, target, "observe", "allow"})
		}
		for _, target := range e.Barred {
			rules = append(rules, []string{e.ID, target, "supervise", "deny"})
		}
	}
	for _, g := range company.GroupNames {
		for _, id := range c.Groups[g] {
			if g == "quality" || g == "trainers" {
				subjects = append(subjects, []string{id, g})
			} else {
				targets = append(targets, []string{id, g})
			}
		}
	}
	if _, err := e.AddPolicies(rules); err != nil {
		return nil, err
	}
	if _, err := e.AddNamedGroupingPolicies("g", subjects); err != nil {
		return nil, err
	}
	if _, err := e.AddNamedGroupingPolicies("g2", targets); err != nil {
		return nil, err
	}
	return casbinEnforcer{e}, nil
}

// Ready decides each once, so that all of them are in the cache.
func (c casbinEnforcer) Ready(questions []company.Question) (func() int, error) {
	for _, q := range questions {
		if _, err := c.e.Enforce(q.Subject, q.Target, q.Action); err != nil {
			return nil, err
		}
	}
	return func() (allowed int) {
		for i := range questions {
			q := &questions[i]
			if ok, err := c.e.Enforce(q.Subject, q.Target, q.Action); ok && err == nil {
				allowed++
			}
		}
		return allowed
	}, nil
}
