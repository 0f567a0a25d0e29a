package httpapi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// maxEvaluations is how many evaluations one request may have.
const maxEvaluations = 100

// The semantics of section 7.1.2.1.
const (
	executeAll      = "execute_all"
	denyOnFirst     = "deny_on_first_deny"
	permitOnFirst   = "permit_on_first_permit"
	semanticsDetail = "options.evaluations_semantic is one of execute_all, deny_on_first_deny, permit_on_first_permit."
)

// asker is who asks questions: an employee, about himself; or a panel's back end, about each employee for whom it may ask, whom it need not name
// in a header.
type asker struct {
	server   *Server
	exchange *exchange
	token    string
	about    map[string]auth.Subject
	denied   map[string]*Problem // about whom it may not ask
	unspent  map[string]bool     // about whom no question was asked yet for the request that was counted
	payer    string              // for whom questions count that are about nobody: the panel's token, or the employee
	spent    *Problem            // too many such questions
}

// proveAsker proves who asks. A panel's token that names nobody is good here, as the body says whom each question is about.
func (s *Server) proveAsker(x *exchange, r *http.Request) (*asker, *Problem) {
	if id, ok := r.Header[namesRequest]; ok {
		x.Header()[namesRequest] = id
	}
	c, ok := credential(r.Header, false)
	if !ok {
		return nil, unauthenticated()
	}
	a := &asker{server: s, exchange: x, token: c.Token, about: map[string]auth.Subject{}, denied: map[string]*Problem{}, unspent: map[string]bool{}}
	var named auth.Subject // whom the credential proves by itself
	p := s.look(x, r, c.Token, func() (bool, error) {
		var err error
		named, err = s.cfg.Auth.Authenticate(r.Context(), c)
		switch {
		case errors.Is(err, auth.ErrUnnamed):
			return true, nil
		case errors.Is(err, auth.ErrDenied):
			return false, nil
		}
		return named.Known(), err
	})
	if p != nil {
		return nil, p
	}
	a.payer = panelKey(c.Token)
	if named.Known() {
		if named.Panel() == "" || named.Session() {
			a.payer = named.Employee()
		}
		if p := a.admit(named); p != nil {
			return nil, p
		}
	}
	if p := mediaType(r.Header); p != nil {
		return nil, newProblem(http.StatusBadRequest, p.Code, p.Detail) // section 10.1.2 knows no 415
	}
	return a, nil
}

// panelKey is the key under which a limiter counts for a panel's token. It is no employee's id: those are text.
func panelKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "\x00" + string(sum[:])
}

// admit lets questions be asked about an employee, and counts a request of his.
func (a *asker) admit(s auth.Subject) *Problem {
	if a.exchange.subject == "" {
		a.exchange.subject, a.exchange.panel = s.Employee(), s.Panel()
	}
	if p := a.server.take(a.server.reads, limitReads, s); p != nil {
		return p
	}
	a.about[s.Employee()], a.unspent[s.Employee()] = s, true
	return nil
}

// subject is the one about whom a question is, if it may be asked about him; each question counts as a request of his. That it may not is said
// alike whether there is such an employee or not, and each such question counts for who asks.
func (a *asker) subject(ctx context.Context, of *AccessSubject) (auth.Subject, *Problem) {
	if of.Type != gate.ResourceEmployee && of.Type != gate.ResourceUser {
		return auth.Subject{}, a.refuse(notYourSubject())
	}
	id := of.ID
	if p := a.denied[id]; p != nil {
		return auth.Subject{}, a.refuse(p)
	}
	if _, ok := a.about[id]; !ok {
		s, err := a.server.cfg.Auth.Authenticate(ctx, auth.Credential{Token: a.token, Employee: id})
		p := notYourSubject()
		switch {
		case err == nil && s.Known():
			p = a.admit(s)
		case err != nil && !errors.Is(err, auth.ErrDenied):
			p = authUnavailable(err)
		}
		if p != nil {
			a.denied[id] = p
			return auth.Subject{}, a.refuse(p)
		}
	}
	if !a.unspent[id] {
		a.server.reads.charge(id)
	}
	a.unspent[id] = false
	return a.about[id], nil
}

// refuse counts a question that cannot be read or may not be asked, and gives the problem that it has. When there were too many, the rest of the request is not
// looked at.
func (a *asker) refuse(p *Problem) *Problem {
	if a.unspent[a.payer] { // the request was counted for him
		a.unspent[a.payer] = false
		return p
	}
	if wait := a.server.reads.take(a.payer); wait > 0 {
		a.server.met.limited.WithLabelValues(limitReads).Inc()
		a.spent = tooManyRequests(wait)
		return a.spent
	}
	return p
}

// vouched refuses to hear from an employee himself who was on a call. By what he made up he could find out whom the policy protects or excludes,
// number by number; a panel's back end is trusted to know. A session is in his hands too.
func vouched(of *AccessResource, who auth.Subject) *Problem {
	p := of.Properties
	if p == nil || len(p.Employees)+len(p.Numbers) == 0 || who.Panel() != "" && !who.Session() {
		return nil
	}
	return newProblem(http.StatusForbidden, "not_yours_to_say", "resource.properties.employees and numbers are taken from a panel's token alone: its back end knows who was on a call.")
}

// hears takes what a question is about. One about a number, which is one about dialling it, counts with the commands of whom it is about: the
// directory of clients may be asked for it as for a call, and it tells as much.
func (a *asker) hears(of *AccessResource, who auth.Subject) *Problem {
	if p := vouched(of, who); p != nil || of.Type != gate.ResourceNumber {
		return p
	}
	return a.server.take(a.server.commands, limitCommands, who)
}

// evaluate answers one question.
func (a *asker) evaluate(ctx context.Context, e *AccessEvaluation) (AccessDecision, *Problem) {
	if p := cmp.Or(e.Subject.missing(), e.Action.missing(), e.Resource.missing()); p != nil {
		return AccessDecision{}, a.refuse(p)
	}
	who, p := a.subject(ctx, e.Subject)
	if p != nil {
		return AccessDecision{}, p
	}
	if p = a.hears(e.Resource, who); p != nil {
		return AccessDecision{}, p
	}
	reason := e.Context != nil && strings.TrimSpace(e.Context.Reason) != ""
	got := a.server.cfg.Gate.Evaluate(ctx, who, gate.Question{Action: e.Action.Name, Resource: e.Resource.resource(), Reason: reason})
	if got.Allowed {
		return AccessDecision{Decision: true}, nil
	}
	return AccessDecision{Context: &DecisionContext{Reason: got.Reason, Rule: got.Rule}}, nil
}

// evaluateAll answers several questions, or the one that there is.
func (a *asker) evaluateAll(ctx context.Context, all *AccessEvaluations) (AccessDecisions, *Problem) {
	common := AccessEvaluation{Subject: all.Subject, Action: all.Action, Resource: all.Resource, Context: all.Context}
	semantic := executeAll
	if all.Options != nil && all.Options.Semantic != "" {
		semantic = all.Options.Semantic
	}
	switch semantic {
	case executeAll, denyOnFirst, permitOnFirst:
	default:
		return AccessDecisions{}, a.refuse(newProblem(http.StatusBadRequest, "unknown_semantic", semanticsDetail))
	}
	switch n := len(all.Evaluations); {
	case n == 0:
		one, p := a.evaluate(ctx, &common)
		return AccessDecisions{Decision: &one.Decision, Context: one.Context}, p
	case n > maxEvaluations:
		return AccessDecisions{}, a.refuse(newProblem(http.StatusBadRequest, "too_many_evaluations", fmt.Sprintf("There are too many evaluations; send at most %d at a time.", maxEvaluations)))
	}
	out := AccessDecisions{Evaluations: make([]AccessDecision, 0, len(all.Evaluations))}
	for i := range all.Evaluations {
		e := &all.Evaluations[i]
		var d AccessDecision
		var p *Problem
		if e.problem != nil {
			p = a.refuse(e.problem)
		} else {
			d, p = a.evaluate(ctx, e.value.over(&common))
		}
		if a.spent != nil {
			return AccessDecisions{}, a.spent
		}
		if p != nil {
			a.exchange.note(p)
			d = AccessDecision{Context: &DecisionContext{Error: &EvaluationError{Status: p.Status, Code: p.Code, Message: p.Detail}}}
		}
		out.Evaluations = append(out.Evaluations, d)
		if d.Decision && semantic == permitOnFirst || !d.Decision && semantic == denyOnFirst {
			break
		}
	}
	return out, nil
}

// search tells what may be done.
func (a *asker) search(ctx context.Context, b *AccessSearch) (ActionsFound, *Problem) {
	if p := cmp.Or(b.Subject.missing(), b.Resource.missing()); p != nil {
		return ActionsFound{}, a.refuse(p)
	}
	if b.Page != nil && b.Page.Token != "" {
		return ActionsFound{}, a.refuse(newProblem(http.StatusBadRequest, "unknown_page", "page.token is none that was given out; all that is found is told at once."))
	}
	who, p := a.subject(ctx, b.Subject)
	if p != nil {
		return ActionsFound{}, p
	}
	if p = a.hears(b.Resource, who); p != nil {
		return ActionsFound{}, p
	}
	found := ActionsFound{Results: []ActionFound{}}
	for _, name := range a.server.cfg.Gate.SearchActions(ctx, who, b.Resource.resource()) {
		found.Results = append(found.Results, ActionFound{name})
	}
	found.Page.Count, found.Page.Total = len(found.Results), len(found.Results)
	return found, nil
}

// over is the evaluation with what it does not have from what is common to all. A whole subject, action, resource or context stands in the
// place of the common one; only a type, id or name that it lacks is still the common one's.
func (e *AccessEvaluation) over(common *AccessEvaluation) *AccessEvaluation {
	whole := *e
	if whole.Subject == nil {
		whole.Subject = common.Subject
	} else if c := common.Subject; c != nil {
		whole.Subject = &AccessSubject{Type: cmp.Or(e.Subject.Type, c.Type), ID: cmp.Or(e.Subject.ID, c.ID)}
	}
	if whole.Action == nil || whole.Action.Name == "" && common.Action != nil {
		whole.Action = common.Action
	}
	if whole.Resource == nil {
		whole.Resource = common.Resource
	} else if c := common.Resource; c != nil {
		whole.Resource = &AccessResource{Type: cmp.Or(e.Resource.Type, c.Type), ID: cmp.Or(e.Resource.ID, c.ID), Properties: e.Resource.Properties}
	}
	if whole.Context == nil {
		whole.Context = common.Context
	}
	return &whole
}

// missing names what is missing of what a question must have.
func (s *AccessSubject) missing() *Problem {
	switch {
	case s == nil:
		return missing("subject")
	case s.Type == "":
		return missing("subject.type")
	case s.ID == "":
		return missing("subject.id")
	}
	return nil
}

func (a *AccessAction) missing() *Problem {
	switch {
	case a == nil:
		return missing("action")
	case a.Name == "":
		return missing("action.name")
	}
	return nil
}

func (r *AccessResource) missing() *Problem {
	switch {
	case r == nil:
		return missing("resource")
	case r.Type == "":
		return missing("resource.type")
	case r.ID == "":
		return missing("resource.id")
	}
	return nil
}

func missing(name string) *Problem {
	return newProblem(http.StatusBadRequest, "missing_member", name+" is required.")
}

func (r *AccessResource) resource() gate.Resource {
	out := gate.Resource{Type: r.Type, ID: r.ID}
	if p := r.Properties; p != nil {
		out.Employees, out.Numbers = p.Employees, p.Numbers
	}
	return out
}

// notYourSubject is the answer to a question about somebody about whom one may not ask, and about what is no employee.
func notYourSubject() *Problem {
	return newProblem(http.StatusForbidden, "not_your_subject", "subject is an employee (type employee): oneself, or with a panel's token one for whom it may ask.")
}
