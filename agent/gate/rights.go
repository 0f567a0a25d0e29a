package gate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// PolicyFiles is the policy in its files; policyfile.File is the real one.
type PolicyFiles interface {
	Employee(id string) (*policyfile.Entry, error)
	Edit(ctx context.Context, id, tag string, changes map[string]any) (*policyfile.Entry, error)
	Status() policyfile.Status
}

// EmployeePolicy is what the policy's files say of an employee.
type EmployeePolicy struct {
	ID         string         `json:"id"`
	Name       string         `json:"name" doc:"His id where the policy gives none"`
	Department string         `json:"department,omitempty" doc:"Id of his department"`
	Groups     []string       `json:"groups" nullable:"false" doc:"Ids of the groups that name him"`
	Phones     []string       `json:"phones" nullable:"false" doc:"His Asterisk endpoints, as they are written"`
	Numbers    []string       `json:"numbers" nullable:"false" doc:"His numbers, as they are written"`
	Rights     map[string]any `json:"rights" doc:"What his own entry gives him: under each key of the policy's language what stands there, in the form that it has in YAML. What roles give him stands elsewhere"`
	InForce    bool           `json:"in_force" doc:"Whether the policy in force is made of the file as this shows it; otherwise it will be as soon as the files are read again"`

	Tag string `json:"-"` // of the policy's files; another one as soon as they change
}

// RightsAsk is a request to change what the policy's files say of an employee.
type RightsAsk struct {
	Employee string
	Tag      string         // of the EmployeePolicy that it rests on; empty: it rests on none
	Rights   map[string]any // all that his own entry is to give him
	Phones   []string       // nil: as they are
	Numbers  []string       // nil: as they are
	Door     string
}

// Mistake is one of a policy that somebody wants to write.
type Mistake struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty" doc:"In the file as it would be"`
	Column int    `json:"column,omitempty"`
	Text   string `json:"detail" doc:"What is wrong"`
	Hint   string `json:"hint,omitempty" doc:"What was surely meant, or what to write instead"`
}

// Mistakes are all of them. They are the cause of a Problem, in which a door finds them.
type Mistakes []Mistake

// Error says how many there are.
func (m Mistakes) Error() string { return fmt.Sprintf("%d mistakes in a policy", len(m)) }

// givenElsewhere are the rights that nobody gives here: who has them may change the policy, and so raise whom he likes, himself too in the end.
var givenElsewhere = []string{"all", policy.SettingsPermissions.String()}

// EmployeePolicy returns what the policy's files say of an employee now, to who may change the policy. It is counted and not recorded.
func (g *Gate) EmployeePolicy(s auth.Subject, employee string) (EmployeePolicy, error) {
	a := g.newAct(s, policy.SettingsPermissions, "")
	defer a.stop()
	var p *Problem
	g.locked(func(*call.Table) { p = g.asks(a) })
	if p != nil {
		return EmployeePolicy{}, p
	}
	set := g.policy.Load()
	w := g.consider(set, a, func(set *policy.Set, subject policy.Ref) weighing { return g.mayEdit(set, subject, a, employee) })
	g.met.question(policy.SettingsPermissions, w.d.Allowed)
	if w.p != nil {
		w.p.ID = ""
		return EmployeePolicy{}, w.p
	}
	e, err := g.cfg.Files.Employee(employee)
	if err != nil {
		return EmployeePolicy{}, unedited(err)
	}
	return employeePolicy(e), nil
}

// mayEdit decides whether the subject may change an employee's rights, and whether there is such an employee, which is told to nobody else.
func (g *Gate) mayEdit(set *policy.Set, subject policy.Ref, a *act, employee string) (w weighing) {
	if w.d = set.Decide(&policy.Request{Subject: subject, Action: policy.SettingsPermissions}); !w.d.Allowed {
		w.p = g.refusal(set, w.d, a.id)
		return w
	}
	if g.cfg.Files == nil {
		w.p = &Problem{Kind: NotFound, Code: "no_policy_files", Text: "The policy is not changed from here."}
		return w
	}
	if _, ok := set.Employee(employee); !ok {
		w.p = noSuchEmployee()
		return w
	}
	a.target = employee
	return w
}

// ChangeRights changes what an employee's own entry in the policy's files gives him, and with further rights his phones and numbers. Nobody changes
// his own, and nobody gives what one may change the policy by. It returns when that is in force, or says that it is not yet.
func (g *Gate) ChangeRights(ctx context.Context, s auth.Subject, ask RightsAsk) (EmployeePolicy, error) {
	a := g.newAct(s, policy.SettingsPermissions, ask.Door)
	var changes map[string]any
	var out EmployeePolicy
	err := g.settle(ctx, a, func(set *policy.Set, subject policy.Ref) weighing {
		w := g.mayEdit(set, subject, a, ask.Employee)
		if w.p != nil {
			return w
		}
		var e *policyfile.Entry
		switch {
		case ask.Employee == a.employee:
			w.p = ownRights()
		case ask.Tag == "":
			w.p = &Problem{Kind: Unconditional, Code: "if_match_required", Text: "Send in If-Match the ETag that GET has answered with, so that nobody's change is lost."}
		default:
			var err error
			if e, err = g.cfg.Files.Employee(ask.Employee); err != nil {
				w.p = unedited(err)
			} else if e.Tag != ask.Tag {
				w.p = unedited(policyfile.ErrChanged)
			}
		}
		if w.p == nil {
			changes, w.p = ask.changes(e)
			w.keys = changed(changes)
			g.further(set, subject, a, &w)
		}
		return w
	}, func(ctx context.Context) error {
		e, err := g.cfg.Files.Edit(ctx, ask.Employee, ask.Tag, changes)
		if err != nil {
			return unedited(err)
		}
		out = employeePolicy(e)
		return nil
	})
	return out, err
}

// further decides about what is more than rights.
func (g *Gate) further(set *policy.Set, subject policy.Ref, a *act, w *weighing) {
	for _, need := range []struct {
		key    string
		action policy.Action
	}{{"phones", policy.SettingsTelephony}, {"numbers", policy.SettingsNumbers}} {
		if w.p != nil || !slices.Contains(w.keys, need.key) {
			continue
		}
		if d := set.Decide(&policy.Request{Subject: subject, Action: need.action}); !d.Allowed {
			w.d, w.p = d, g.refusal(set, d, a.id)
		}
	}
}

// changes is how an entry differs from what is asked for.
func (ask *RightsAsk) changes(e *policyfile.Entry) (map[string]any, *Problem) {
	changes, rights := map[string]any{}, policy.Rights()
	var wrong Mistakes
	for key, v := range ask.Rights {
		switch {
		case !slices.Contains(rights, key):
			wrong = append(wrong, Mistake{Text: "rights has a key that is no right", Hint: policy.DidYouMean(key, rights)})
		case v == nil:
			wrong = append(wrong, Mistake{Text: key + " is nothing", Hint: "leave it out"})
		case !reflect.DeepEqual(e.Values[key], v):
			changes[key] = v
		}
	}
	if len(wrong) > 0 {
		return nil, badPolicy(wrong)
	}
	for _, key := range rights {
		_, had := e.Values[key]
		_, has := ask.Rights[key]
		if had && !has {
			changes[key] = nil
		}
	}
	for _, key := range givenElsewhere {
		if v, changes := changes[key]; changes && v != nil && v != false {
			return nil, &Problem{Kind: Refused, Code: "given_elsewhere", Text: "Rights by which one may change the policy are given in its files and not here; here they are taken away."}
		}
	}
	for key, list := range map[string][]string{"phones": ask.Phones, "numbers": ask.Numbers} {
		if list == nil || slices.Equal(list, texts(e.Values[key])) {
			continue
		}
		if changes[key] = nil; len(list) > 0 {
			all := make([]any, len(list))
			for i, s := range list {
				all[i] = s
			}
			changes[key] = all
		}
	}
	return changes, nil
}

// changed are the keys of changes, in a fixed order.
func changed(changes map[string]any) (keys []string) {
	for _, key := range append([]string{"phones", "numbers"}, policy.Rights()...) {
		if _, ok := changes[key]; ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// texts is a list of the policy's as one of text.
func texts(v any) []string {
	out := []string{}
	list, _ := v.([]any)
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func employeePolicy(e *policyfile.Entry) EmployeePolicy {
	p := EmployeePolicy{
		ID: e.ID, Name: e.ID, Groups: e.Groups, Phones: texts(e.Values["phones"]), Numbers: texts(e.Values["numbers"]), Rights: map[string]any{},
		InForce: e.InForce, Tag: e.Tag,
	}
	if name, ok := e.Values["name"].(string); ok {
		p.Name = name
	}
	p.Department, _ = e.Values["department"].(string)
	for _, key := range policy.Rights() {
		if v, ok := e.Values[key]; ok {
			p.Rights[key] = v
		}
	}
	return p
}

func ownRights() *Problem {
	return &Problem{Kind: Refused, Code: "own_rights", Text: "Nobody changes his own entry here; ask somebody else who may change the policy."}
}

func badPolicy(wrong Mistakes) *Problem {
	return &Problem{Kind: Invalid, Code: "bad_policy", Text: "That would be no policy, so nothing was changed; mistakes says where and what.", cause: wrong}
}

// unedited says why an entry was not changed, or not read.
func unedited(err error) *Problem {
	var unsafe *policyfile.UnsafeError
	var bad *policyfile.BadValueError
	var problems policy.Problems
	switch {
	case errors.Is(err, policyfile.ErrBroken):
		return &Problem{Kind: Unavailable, Code: "policy_broken", Text: "The policy's files are broken as they stand, and the last good policy is in force; they have to be mended first. earshot check says where.", cause: err}
	case errors.As(err, &problems):
		return badPolicy(mistakes(problems))
	case errors.As(err, &bad):
		return badPolicy(Mistakes{{Text: "a value is true, false, text, a list or a map", Hint: "numbers and dates are text"}})
	case errors.As(err, &unsafe):
		return &Problem{Kind: Conflict, Code: "not_editable", Text: "This entry cannot be changed from here without the danger of spoiling it: " + unsafe.Reason + ".", cause: err}
	case errors.Is(err, policyfile.ErrChanged):
		return &Problem{Kind: Outdated, Code: "policy_changed", Text: "The policy's files have changed since you looked; look again and see whether you still want it."}
	case errors.Is(err, policyfile.ErrNoEmployee): // the files have lost him, and are not in force yet
		return noSuchEmployee()
	case errors.Is(err, policyfile.ErrReadOnly):
		return &Problem{Kind: Conflict, Code: "policy_read_only", Text: "Earshot may not write the policy's file; the administrator can change it, or let Earshot write it and its folder.", cause: err}
	default:
		return &Problem{Kind: Unavailable, Code: "policy_not_written", Text: "The policy's file could not be written, and nothing was changed; the log says why.", cause: err}
	}
}
