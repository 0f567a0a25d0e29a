package decision

import (
	"fmt"

	"github.com/cedar-policy/cedar-go"

	"github.com/earshot-pbx/earshot/testdata/peers/company"
)

// cedarPolicies are one for each of the policy's sentences, so that their number does not grow with the company: departments and groups are the
// parents of people, and what is said of single ones are attributes of these.
const cedarPolicies = `
permit (principal, action, resource) when { principal has heads && resource in principal.heads };
permit (principal in Group::"quality", action, resource);
permit (principal in Group::"trainers", action in [Action::"spy", Action::"whisper"], resource in Group::"trainees");
permit (principal, action == Action::"observe", resource) when { principal has observes && principal.observes.contains(resource) };
permit (principal, action == Action::"observe", resource) when { principal == resource };
forbid (principal, action in Action::"supervise", resource) when { principal == resource };
forbid (principal, action in Action::"supervise", resource in Group::"board");
forbid (principal in Group::"quality", action in Action::"supervise", resource in Group::"legal");
forbid (principal, action in Action::"supervise", resource) when { principal has barred && principal.barred.contains(resource) };
`

type cedarAuthorizer struct {
	policies *cedar.PolicySet
	entities cedar.EntityMap
}

func newCedar(c *company.Company) (Engine, error) {
	policies, err := cedar.NewPolicySetFromBytes("policies.cedar", []byte(cedarPolicies))
	if err != nil {
		return nil, err
	}
	entities := cedar.EntityMap{}
	add := func(uid cedar.EntityUID, attributes cedar.RecordMap, parents ...cedar.EntityUID) {
		entities[uid] = cedar.Entity{UID: uid, Parents: cedar.NewEntityUIDSet(parents...), Attributes: cedar.NewRecord(attributes)}
	}
	for _, a := range company.Actions {
		if a == company.Observe {
			add(cedarID("Action", a), nil)
			continue
		}
		add(cedarID("Action", a), nil, cedarID("Action", "supervise"))
	}
	parents, heads := map[string][]cedar.EntityUID{}, map[string]cedar.EntityUID{}
	for _, g := range company.GroupNames {
		add(cedarID("Group", g), nil)
		for _, id := range c.Groups[g] {
			parents[id] = append(parents[id], cedarID("Group", g))
		}
	}
	for _, d := range c.Departments {
		add(cedarID("Department", d.ID), cedar.RecordMap{"name": cedar.String(d.Name)})
		heads[d.Head] = cedarID("Department", d.ID)
	}
	for _, e := range c.Employees {
		attributes := cedar.RecordMap{"name": cedar.String(e.Name), "phone": cedar.String(e.Phone), "number": cedar.String(e.Number)}
		if d, ok := heads[e.ID]; ok {
			attributes["heads"] = d
		}
		if len(e.Observes) > 0 {
			attributes["observes"] = cedarSet(e.Observes)
		}
		if len(e.Barred) > 0 {
			attributes["barred"] = cedarSet(e.Barred)
		}
		add(cedarID("Employee", e.ID), attributes, append(parents[e.ID], cedarID("Department", e.Department))...)
	}
	return cedarAuthorizer{policies, entities}, nil
}

func cedarID(kind, id string) cedar.EntityUID {
	return cedar.NewEntityUID(cedar.EntityType(kind), cedar.String(id))
}

func cedarSet(ids []string) cedar.Set {
	var all []cedar.Value
	for _, id := range ids {
		all = append(all, cedarID("Employee", id))
	}
	return cedar.NewSet(all...)
}

// Ready makes the requests.
func (c cedarAuthorizer) Ready(questions []company.Question) (func() int, error) {
	requests := make([]cedar.Request, len(questions))
	for i, q := range questions {
		requests[i] = cedar.Request{
			Principal: cedarID("Employee", q.Subject), Action: cedarID("Action", q.Action), Resource: cedarID("Employee", q.Target),
			Context: cedar.NewRecord(nil),
		}
		if _, d := cedar.Authorize(c.policies, c.entities, requests[i]); len(d.Errors) > 0 {
			return nil, fmt.Errorf("%+v: %v", q, d.Errors)
		}
	}
	return func() (allowed int) {
		for i := range requests {
			if ok, _ := cedar.Authorize(c.policies, c.entities, requests[i]); ok == cedar.Allow {
				allowed++
			}
		}
		return allowed
	}, nil
}
