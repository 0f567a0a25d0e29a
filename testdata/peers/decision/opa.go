package decision

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/earshot-pbx/earshot/testdata/peers/company"
)

// OPALean is OPA with its data in the form that takes less memory and more time to read.
const OPALean = "OPA, data in its default form"

// opaModule finds everything by one step into an object, as OPA's documentation asks for where time counts.
const opaModule = `
package earshot

default allow := false

allow if {
	input.action == "observe"
	input.subject == input.target
}

allow if {
	granted
	not refused
}

granted if data.departments[data.employees[input.target].department].head == input.subject

granted if data.groups.quality[input.subject]

granted if {
	input.action in {"spy", "whisper"}
	data.groups.trainers[input.subject]
	data.groups.trainees[input.target]
}

granted if {
	input.action == "observe"
	data.employees[input.subject].observes[input.target]
}

refused if {
	input.action != "observe"
	barred
}

barred if input.subject == input.target

barred if data.groups.board[input.target]

barred if {
	data.groups.quality[input.subject]
	data.groups.legal[input.target]
}

barred if data.employees[input.subject].barred[input.target]
`

type opa struct{ query rego.PreparedEvalQuery }

// newOPA keeps the data as terms of the language, which OPA need not convert when it reads them (--optimize-store-for-read-speed of its server).
func newOPA(c *company.Company) (Engine, error) {
	return newOPAOver(inmem.NewFromObjectWithOpts(opaData(c), inmem.OptReturnASTValuesOnRead(true)))
}

func newLeanOPA(c *company.Company) (Engine, error) {
	return newOPAOver(inmem.NewFromObject(opaData(c)))
}

func newOPAOver(store storage.Store) (Engine, error) {
	query, err := rego.New(rego.Query("data.earshot.allow"), rego.Module("earshot.rego", opaModule), rego.Store(store)).PrepareForEval(context.Background())
	return opa{query}, err
}

func opaData(c *company.Company) map[string]any {
	set := func(ids []string) map[string]any {
		all := map[string]any{}
		for _, id := range ids {
			all[id] = true
		}
		return all
	}
	employees, departments, groups := map[string]any{}, map[string]any{}, map[string]any{}
	for _, e := range c.Employees {
		one := map[string]any{"name": e.Name, "phones": []any{e.Phone}, "numbers": []any{e.Number}, "department": e.Department}
		if len(e.Observes) > 0 {
			one["observes"] = set(e.Observes)
		}
		if len(e.Barred) > 0 {
			one["barred"] = set(e.Barred)
		}
		employees[e.ID] = one
	}
	for _, d := range c.Departments {
		departments[d.ID] = map[string]any{"name": d.Name, "head": d.Head}
	}
	for _, g := range company.GroupNames {
		groups[g] = set(c.Groups[g])
	}
	return map[string]any{"employees": employees, "departments": departments, "groups": groups}
}

// Ready makes the inputs in the form that OPA need not convert.
func (o opa) Ready(questions []company.Question) (func() int, error) {
	ctx := context.Background()
	inputs := make([]ast.Value, len(questions))
	for i, q := range questions {
		inputs[i] = ast.NewObject(
			ast.Item(ast.StringTerm("subject"), ast.StringTerm(q.Subject)),
			ast.Item(ast.StringTerm("action"), ast.StringTerm(q.Action)),
			ast.Item(ast.StringTerm("target"), ast.StringTerm(q.Target)),
		)
	}
	return func() (allowed int) {
		for _, input := range inputs {
			if answer, err := o.query.Eval(ctx, rego.EvalParsedInput(input)); err == nil && answer.Allowed() {
				allowed++
			}
		}
		return allowed
	}, nil
}
