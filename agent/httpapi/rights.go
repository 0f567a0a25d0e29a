package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// PutRights is the body of PUT /v1/policy/employees/{id}.
type PutRights struct {
	Rights  rights   `json:"rights" doc:"All that his own entry is to give him, as GET shows it: what is left out is taken away. Numbers and dates are text"`
	Phones  []string `json:"phones,omitempty" nullable:"false" doc:"His Asterisk endpoints; left out, they stay. To change them one needs settings.telephony too"`
	Numbers []string `json:"numbers,omitempty" nullable:"false" doc:"His numbers; left out, they stay. To change them one needs settings.numbers too"`
}

// rights are read strictly: no name twice, wherever.
type rights map[string]any

// UnmarshalJSON reads an object. The error is a *Problem.
func (r *rights) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil // as if it were not there
	}
	if twice(json.NewDecoder(bytes.NewReader(data))) {
		return newProblem(http.StatusBadRequest, "duplicate_member", "An object in the body has a member twice.")
	}
	m := map[string]any{}
	if json.Unmarshal(data, &m) != nil {
		return newProblem(http.StatusBadRequest, "wrong_type", "rights must be an object.")
	}
	*r = m
	return nil
}

// twice reports whether an object in well-formed JSON has a name twice.
func twice(d *json.Decoder) bool {
	t, err := d.Token()
	if open, ok := t.(json.Delim); err == nil && ok {
		seen := map[any]bool{}
		for d.More() {
			if open == '{' {
				name, _ := d.Token()
				if seen[name] {
					return true
				}
				seen[name] = true
			}
			if twice(d) {
				return true
			}
		}
		_, _ = d.Token() // what closes it
	}
	return false
}

type (
	policyOf struct {
		ID string `path:"id" doc:"Id of the employee"`
	}
	policyPut struct {
		ID      string `path:"id" doc:"Id of the employee"`
		IfMatch string `header:"If-Match" doc:"The ETag that GET, or the PUT before, has answered with; required"`
		Body    body[PutRights]
	}
	policyAnswer struct {
		ETag string `header:"ETag" doc:"Of the policy's files; another one as soon as they change"`
		Body gate.EmployeePolicy
	}
)

func policyReply(v gate.EmployeePolicy, err error) (*policyAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &policyAnswer{ETag: `"` + v.Tag + `"`, Body: v}, nil
}

// tagOf is the one tag that a header names; one that names several, or any, names none (RFC 9110, section 13.1.1: the comparison is the strong
// one, by which a weak tag never matches).
func tagOf(ifMatch string) string {
	tag, ok := strings.CutPrefix(strings.TrimSpace(ifMatch), `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	switch {
	case ifMatch == "" || ifMatch == "*":
		return ""
	case !ok || !closed || strings.Contains(tag, `"`):
		return ifMatch // which is nobody's
	}
	return tag
}

func (s *Server) policyRoutes(api huma.API) {
	g := s.cfg.Gate
	add(s, api, op(http.MethodGet, "/v1/policy/employees/{id}", "get-rights", "What the policy's files say of an employee; for who may change the policy"),
		func(_ context.Context, who auth.Subject, in *policyOf) (*policyAnswer, error) {
			return policyReply(g.EmployeePolicy(who, in.ID))
		})
	put := op(http.MethodPut, "/v1/policy/employees/{id}", "put-rights", "Change what an employee's own entry in the policy's files gives him")
	put.Description = "The file keeps everything else, comments and order too. Answered when the change is in force; in_force says otherwise when it is not after some seconds. " +
		"Without If-Match it is 428; when the files have changed since, 412. " +
		"Nobody changes his own entry (403 own_rights), and nobody gives settings.permissions or all, though he may take them away (403 given_elsewhere): " +
		"so who may change the policy raises nobody to his own power, and himself not at all, by himself or by another."
	add(s, api, put, func(ctx context.Context, who auth.Subject, in *policyPut) (*policyAnswer, error) {
		b := in.Body.value
		if in.Body.problem != nil {
			return nil, in.Body.problem
		}
		if b.Rights == nil {
			return nil, newProblem(http.StatusUnprocessableEntity, "no_rights", "rights is required: an object, which may be empty.")
		}
		return policyReply(g.ChangeRights(ctx, who, gate.RightsAsk{Employee: in.ID, Tag: tagOf(in.IfMatch), Rights: b.Rights, Phones: b.Phones, Numbers: b.Numbers, Door: door}))
	})
}
