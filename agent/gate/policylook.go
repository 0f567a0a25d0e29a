package gate

import (
	"errors"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// PolicyStatus tells how the policy's files fare.
type PolicyStatus struct {
	Good       bool       `json:"good" doc:"Whether the policy in force is made of the files as they stand; false: they are broken, and the last good policy is in force"`
	Generation uint64     `json:"generation" doc:"Number of the policy version in force"`
	Loaded     *time.Time `json:"loaded,omitempty" doc:"When it came into force; absent where the policy is in no files"`
	Employees  int        `json:"employees" doc:"How many it knows"`
	Mistakes   []Mistake  `json:"mistakes" nullable:"false" doc:"What is wrong with the files"`
	Warnings   []Mistake  `json:"warnings" nullable:"false" doc:"What is surely not meant in the policy in force, and is no mistake"`
}

// MatrixAsk says which part of the matrix is wanted.
type MatrixAsk struct {
	Subject string // a selector of the policy's language: an id, department:sales, group:board; empty: everybody
	Action  string // empty: all
	Targets bool   // whether each row names its targets
}

// PolicyMatrix is who may do what to whom, as the policy says of each pair alone.
type PolicyMatrix struct {
	Generation uint64      `json:"generation" doc:"Number of the policy version in force"`
	Actions    []string    `json:"actions" nullable:"false" doc:"All actions of the policy, in their order"`
	Rows       []PolicyRow `json:"rows" nullable:"false" doc:"By employee in the order of the policy, and then by action; what one may not do to anybody is left out"`
}

// PolicyRow is what one employee may do by one action.
type PolicyRow struct {
	Subject string       `json:"subject" doc:"Employee id"`
	Action  string       `json:"action"`
	Grants  []PolicyMark `json:"grants" nullable:"false" doc:"In which ways, the widest first"`
}

// PolicyMark is one way in which an employee may do something.
type PolicyMark struct {
	Mark    string   `json:"mark" enum:"yes,reason,own-clients,kind,not-now,no" doc:"reason: with a reason given; own-clients: where his own client calls; kind: sees of which kind the other side is, not who; not-now: at other times; no: an exception of dial"`
	Count   int      `json:"count,omitempty" doc:"To how many employees or lines; absent where it is done to none"`
	Text    string   `json:"text,omitempty" doc:"To whom, in the words of the policy's language: everybody (41) but director"`
	Rule    string   `json:"rule,omitempty" doc:"Of dial: the rule, file:line:column: path"`
	Targets []string `json:"targets,omitempty" nullable:"false" doc:"Ids of the employees or lines, where they were asked for"`
}

// ExplainAsk is a question about the policy alone.
type ExplainAsk struct {
	Subject, Action string
	Target          string // an employee's id, of what is done to one
	Line            string // a line's id, of what is done to one
	Reason          bool   // whether a reason is given
}

// PolicyAnswer is a decision of the policy alone with everything that was said for and against it.
type PolicyAnswer struct {
	Allowed    bool           `json:"allowed"`
	Reason     string         `json:"reason" doc:"The reason's code, as decisions and the record have it"`
	Rule       string         `json:"rule,omitempty" doc:"The rule that decided, file:line:column: path; absent when the ground lies in the language itself"`
	Generation uint64         `json:"generation" doc:"Number of the policy version in force"`
	Statements []PolicySaying `json:"statements" nullable:"false" doc:"Every rule that had a say"`
	Needs      []PolicyNeed   `json:"needs" nullable:"false" doc:"What the other answer needs, all of it together"`
}

// PolicySaying is what one rule said.
type PolicySaying struct {
	Effect string `json:"effect" enum:"grants,refuses,tells,none" doc:"tells: it wants the target told; none: it does not reach the target"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
	Rule   string `json:"rule,omitempty" doc:"file:line:column: path"`
	Via    string `json:"via,omitempty" doc:"The assignment that brings the rule"`
}

// PolicyNeed is one thing that the other answer needs; any of its ways meets it.
type PolicyNeed struct {
	Reason string   `json:"reason"`
	Text   string   `json:"text,omitempty" doc:"Why there is no way"`
	Ways   []string `json:"ways" nullable:"false" doc:"Each in words, the one that changes least first"`
}

// PolicyStatus tells who may change the policy how its files fare. It is counted and not recorded.
func (g *Gate) PolicyStatus(s auth.Subject) (PolicyStatus, error) {
	set, p := g.looks(s)
	if p != nil {
		return PolicyStatus{}, p
	}
	v := PolicyStatus{Good: true, Generation: set.Generation(), Employees: set.Len(), Mistakes: []Mistake{}, Warnings: []Mistake{}}
	if g.cfg.Files == nil {
		return v, nil
	}
	status := g.cfg.Files.Status()
	v.Good, v.Loaded, v.Warnings = status.LastError == nil, &status.LoadedAt, mistakes(status.Warnings)
	if v.Good {
		return v, nil
	}
	var problems policy.Problems
	if errors.As(status.LastError, &problems) {
		v.Mistakes = mistakes(problems)
	} else if errors.Is(status.LastError, policy.ErrOverlay) {
		v.Mistakes = append(v.Mistakes, Mistake{Text: "the overlay names what the files do not have", Hint: "the log of Earshot says which of its fields; take that out of it first"})
	} else {
		v.Mistakes = append(v.Mistakes, Mistake{Text: "the files cannot be read", Hint: "the log of Earshot and earshot check say why"})
	}
	return v, nil
}

// PolicyMatrix tells who may change the policy who may do what to whom. It is counted and not recorded.
func (g *Gate) PolicyMatrix(s auth.Subject, ask MatrixAsk) (PolicyMatrix, error) {
	set, p := g.looks(s)
	if p != nil {
		return PolicyMatrix{}, p
	}
	var f policy.Filter
	if ask.Subject != "" {
		var err error
		if f.Subjects, err = set.Named(ask.Subject); err != nil {
			return PolicyMatrix{}, &Problem{Kind: Invalid, Code: "unknown_subject", Text: "subject is the id of an employee, or department:ID, subtree:ID, group:ID, heads or everyone of the policy."}
		}
		if f.Subjects == nil {
			f.Subjects = []policy.Ref{}
		}
	}
	if ask.Action != "" {
		action, ok := policy.ParseAction(ask.Action)
		if !ok {
			return PolicyMatrix{}, unknownAction()
		}
		f.Actions = []policy.Action{action}
	}
	m := PolicyMatrix{Generation: set.Generation(), Actions: []string{}, Rows: []PolicyRow{}}
	for _, a := range policy.Actions() {
		m.Actions = append(m.Actions, a.String())
	}
	for row := range set.Matrix(f) {
		m.Rows = append(m.Rows, PolicyRow{Subject: set.ID(row.Subject), Action: row.Action.String(), Grants: grants(set, &row, ask.Targets)})
	}
	return m, nil
}

// grants are the ways of a row.
func grants(set *policy.Set, row *policy.Row, named bool) []PolicyMark {
	all := []PolicyMark{}
	for _, d := range row.Dial() {
		all = append(all, PolicyMark{Mark: d.Mark.String(), Text: d.Text, Rule: d.Rule.String()})
	}
	if has := row.Has(); has != policy.MarkNo {
		all = append(all, PolicyMark{Mark: has.String()})
	}
	for _, m := range policy.Marks() {
		n := row.Count(m)
		if n == 0 {
			continue
		}
		mark := PolicyMark{Mark: m.String(), Count: n, Text: row.Text(m)}
		if named {
			for who := range row.Targets(m) {
				mark.Targets = append(mark.Targets, set.ID(who))
			}
			for line := range row.Lines(m) {
				mark.Targets = append(mark.Targets, set.LineID(line))
			}
		}
		all = append(all, mark)
	}
	return all
}

// ExplainPolicy tells who may change the policy why somebody may do something or may not, and what the other answer needs. It is about the
// policy alone and looks at no call. It is counted and not recorded.
func (g *Gate) ExplainPolicy(s auth.Subject, ask ExplainAsk) (PolicyAnswer, error) {
	set, p := g.looks(s)
	if p != nil {
		return PolicyAnswer{}, p
	}
	req := policy.Request{ReasonGiven: ask.Reason}
	var ok bool
	if req.Action, ok = policy.ParseAction(ask.Action); !ok {
		return PolicyAnswer{}, unknownAction()
	}
	if req.Subject, ok = set.Employee(ask.Subject); !ok {
		return PolicyAnswer{}, noSuchEmployee()
	}
	matter := req.Action.Matter()
	if matter == policy.MatterNumber {
		return PolicyAnswer{}, &Problem{Kind: Invalid, Code: "needs_number", Text: "Whether somebody may dial depends on the number, which belongs in no address: ask POST /access/v1/evaluation, or earshot explain."}
	}
	switch line := matter == policy.MatterLine; {
	case ask.Target != "" && (line || matter == policy.MatterNothing), ask.Target == "" && !line && matter != policy.MatterNothing, (ask.Line != "") != line:
		return PolicyAnswer{}, &Problem{Kind: Invalid, Code: "wrong_target", Text: "What is done to an employee needs target, what is done to a line needs line, and everything else neither."}
	}
	if ask.Target != "" {
		if req.Target, ok = set.Employee(ask.Target); !ok {
			return PolicyAnswer{}, noSuchEmployee()
		}
	}
	if ask.Line != "" {
		if req.Line, ok = set.Line(ask.Line); !ok {
			return PolicyAnswer{}, &Problem{Kind: NotFound, Code: "no_such_line", Text: "The policy has no such line."}
		}
	}
	return policyAnswer(set, set.Explain(req)), nil
}

func policyAnswer(set *policy.Set, e policy.Explanation) PolicyAnswer {
	v := PolicyAnswer{
		Allowed: e.Decision.Allowed, Reason: e.Decision.Reason.String(), Rule: e.Rule.String(), Generation: set.Generation(),
		Statements: []PolicySaying{}, Needs: []PolicyNeed{},
	}
	for _, st := range e.Statements {
		v.Statements = append(v.Statements, PolicySaying{st.Effect.String(), st.Reason.String(), st.Text, st.Rule.String(), st.Via.String()})
	}
	for _, n := range e.Needs {
		need := PolicyNeed{Reason: n.Reason.String(), Text: n.Text, Ways: []string{}}
		for _, w := range n.Ways {
			need.Ways = append(need.Ways, w.String())
		}
		v.Needs = append(v.Needs, need)
	}
	return v
}

// looks is the policy in force, for who may change it; what else is wrong with a question is told to nobody before.
func (g *Gate) looks(s auth.Subject) (*policy.Set, *Problem) {
	a := g.newAct(s, policy.SettingsPermissions, "")
	defer a.stop()
	var p *Problem
	g.locked(func(*call.Table) { p = g.asks(a) })
	if p != nil {
		return nil, p
	}
	set := g.policy.Load()
	w := g.consider(set, a, func(set *policy.Set, subject policy.Ref) (w weighing) {
		if w.d = set.Decide(&policy.Request{Subject: subject, Action: policy.SettingsPermissions}); !w.d.Allowed {
			w.p = g.refusal(set, w.d, "")
		}
		return w
	})
	g.met.question(policy.SettingsPermissions, w.d.Allowed)
	return set, w.p
}

func unknownAction() *Problem {
	return &Problem{Kind: Invalid, Code: "unknown_action", Text: "action is one of the policy's; GET /v1/policy/matrix lists them."}
}

// mistakes are a policy's problems as they are told.
func mistakes(problems policy.Problems) Mistakes {
	all := Mistakes{}
	for _, p := range problems {
		all = append(all, Mistake{p.File, p.Line, p.Column, p.Message, p.Hint})
	}
	return all
}
