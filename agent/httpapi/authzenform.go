package httpapi

// The forms of the OpenID Authorization API 1.0 (AuthZEN), by its sections 5 to 9, as far as they mean something here.

// AccessSubject is about whom a question is.
type AccessSubject struct {
	Type       string         `json:"type" doc:"employee; user means the same"`
	ID         string         `json:"id" doc:"Id of the employee: oneself, or with a panel's token one for whom it may ask"`
	Properties map[string]any `json:"properties,omitempty" doc:"Not looked at: the policy says who somebody is"`
}

// AccessAction is what he wants to do.
type AccessAction struct {
	Name       string         `json:"name" doc:"An action as the policy names it, such as spy, dial, play, line.view"`
	Properties map[string]any `json:"properties,omitempty" doc:"Not looked at"`
}

// AccessResource is what he wants to do it to.
type AccessResource struct {
	Type       string              `json:"type" doc:"employee (or user), call, number, line, recording, past_call, system"`
	ID         string              `json:"id" doc:"Id of the employee; handle of the call, from a row of the board; the number, as one would dial it; id of the line; earshot for the system. Of a recording or a past call it is not looked at"`
	Properties *ResourceProperties `json:"properties,omitempty"`
}

// ResourceProperties say of what is past who was on it. They are taken from a panel's token alone.
type ResourceProperties struct {
	Employees []string `json:"employees,omitempty" nullable:"false" doc:"Of a recording or a past call: ids of all employees who were on it; the answer is worth as much as this list. Of a line: of one conversation. With a panel's token only"`
	Numbers   []string `json:"numbers,omitempty" nullable:"false" doc:"The other numbers that were on it: a protected one bars. With a panel's token only"`
}

// AccessContext is what else there is to say.
type AccessContext struct {
	Reason string `json:"reason,omitempty" doc:"Why he wants it; that one is given is all that counts, it is not kept. The search takes one as given"`
}

// AccessEvaluation is the body of POST /access/v1/evaluation.
type AccessEvaluation struct {
	Subject  *AccessSubject  `json:"subject"`
	Action   *AccessAction   `json:"action"`
	Resource *AccessResource `json:"resource"`
	Context  *AccessContext  `json:"context,omitempty"`
}

// AccessEvaluations is the body of POST /access/v1/evaluations.
type AccessEvaluations struct {
	Subject     *AccessSubject               `json:"subject,omitempty" doc:"For each evaluation that has none; so are action, resource and context"`
	Action      *AccessAction                `json:"action,omitempty"`
	Resource    *AccessResource              `json:"resource,omitempty"`
	Context     *AccessContext               `json:"context,omitempty"`
	Evaluations []tolerant[AccessEvaluation] `json:"evaluations,omitempty" nullable:"false" maxItems:"100" doc:"Left out or empty, the request is one for a single evaluation"`
	Options     *EvaluationOptions           `json:"options,omitempty"`
}

// EvaluationOptions say how evaluations are gone through.
type EvaluationOptions struct {
	Semantic string `json:"evaluations_semantic,omitempty" enum:"execute_all,deny_on_first_deny,permit_on_first_permit" doc:"Left out: execute_all"`
}

// AccessSearch is the body of POST /access/v1/search/action.
type AccessSearch struct {
	Subject  *AccessSubject  `json:"subject"`
	Resource *AccessResource `json:"resource"`
	Context  *AccessContext  `json:"context,omitempty"`
	Page     *SearchPage     `json:"page,omitempty"`
}

// SearchPage asks for a part of what is found. There are few actions, so all are always told at once.
type SearchPage struct {
	Token string `json:"token,omitempty" doc:"None is ever given out"`
}

// AccessDecision is the answer of POST /access/v1/evaluation.
type AccessDecision struct {
	Decision bool             `json:"decision"`
	Context  *DecisionContext `json:"context,omitempty" doc:"Of a refusal"`
}

// DecisionContext is why the decision is false.
type DecisionContext struct {
	Reason string           `json:"reason,omitempty" doc:"A fixed word; not_for_this_call is every refusal that rests on somebody whom the subject may not see"`
	Rule   string           `json:"rule,omitempty" doc:"The rule of the policy that refused, file:line; only where it follows from subject and target alone"`
	Error  *EvaluationError `json:"error,omitempty" doc:"Of one evaluation among several that could not be decided"`
}

// EvaluationError is why one evaluation among several could not be decided: the problem that it would be by itself.
type EvaluationError struct {
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// AccessDecisions is the answer of POST /access/v1/evaluations: evaluations, or where none were asked for, what a single one gives.
type AccessDecisions struct {
	Decision    *bool            `json:"decision,omitempty"`
	Context     *DecisionContext `json:"context,omitempty"`
	Evaluations []AccessDecision `json:"evaluations,omitempty" nullable:"false" doc:"In the order of the request, up to the one after which its semantic ends"`
}

// ActionsFound is the answer of POST /access/v1/search/action.
type ActionsFound struct {
	Page    FoundPage     `json:"page"`
	Results []ActionFound `json:"results" nullable:"false"`
}

// FoundPage says that nothing follows.
type FoundPage struct {
	NextToken string `json:"next_token" doc:"Always empty"`
	Count     int    `json:"count"`
	Total     int    `json:"total"`
}

// ActionFound is an action that the subject may do to the resource.
type ActionFound struct {
	Name string `json:"name"`
}

// AccessConfiguration is the answer of GET /.well-known/authzen-configuration.
type AccessConfiguration struct {
	DecisionPoint string `json:"policy_decision_point" doc:"The address by which this was asked for"`
	Evaluation    string `json:"access_evaluation_endpoint"`
	Evaluations   string `json:"access_evaluations_endpoint"`
	SearchAction  string `json:"search_action_endpoint"`
}
