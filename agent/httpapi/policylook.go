package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

type (
	matrixQuery struct {
		Subject string `query:"subject" maxLength:"200" doc:"Whose rights: an employee's id, department:ID, subtree:ID, group:ID or heads; everybody's, if left out"`
		Action  string `query:"action" maxLength:"64" doc:"The one action that is wanted; all, if left out"`
		Targets string `query:"targets" enum:"1" doc:"1: with the ids of those to whom it may be done"`
	}
	explainQuery struct {
		Subject string `query:"subject" maxLength:"200" required:"true" doc:"Id of the employee who would do it"`
		Action  string `query:"action" maxLength:"64" required:"true" doc:"An action of the policy's, not dial"`
		Target  string `query:"target" maxLength:"200" doc:"Id of the employee to whom it would be done, where it is done to one"`
		Line    string `query:"line" maxLength:"200" doc:"Id of the line, where it is done to one"`
		Reason  string `query:"reason" enum:"1" doc:"1: as if a reason were given"`
	}
)

// policyLookRoutes registers what who may change the policy is shown of it.
func (s *Server) policyLookRoutes(api huma.API) {
	g := s.cfg.Gate
	add(s, api, op(http.MethodGet, "/v1/policy/status", "get-policy-status", "How the policy's files fare: the version in force and what is wrong with them; for who may change the policy"),
		func(_ context.Context, who auth.Subject, _ *nothing) (*answer[gate.PolicyStatus], error) {
			v, err := g.PolicyStatus(who)
			return reply(v, err)
		})
	add(s, api, op(http.MethodGet, "/v1/policy/matrix", "get-policy-matrix", "Who may do what to whom by the policy in force, of each pair alone; for who may change the policy"),
		func(_ context.Context, who auth.Subject, in *matrixQuery) (*answer[gate.PolicyMatrix], error) {
			v, err := g.PolicyMatrix(who, gate.MatrixAsk{Subject: in.Subject, Action: in.Action, Targets: in.Targets != ""})
			return reply(v, err)
		})
	add(s, api, op(http.MethodGet, "/v1/policy/explain", "explain-policy", "Why somebody may do something or may not, by the policy alone, and what the other answer needs; for who may change the policy"),
		func(_ context.Context, who auth.Subject, in *explainQuery) (*answer[gate.PolicyAnswer], error) {
			v, err := g.ExplainPolicy(who, gate.ExplainAsk{Subject: in.Subject, Action: in.Action, Target: in.Target, Line: in.Line, Reason: in.Reason != ""})
			return reply(v, err)
		})
}
