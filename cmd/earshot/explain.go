package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

type explainCmd struct {
	Policy  []string `type:"path" sep:"none" xor:"file" required:"" help:"The policy's file or folder; may be repeated. Instead of --config." placeholder:"PATH"`
	Config  string   `type:"path" xor:"file" required:"" help:"The configuration file, which names the policy. What an overlay lays over it in the Redis is not known here." placeholder:"FILE"`
	Subject string   `arg:"" help:"Id of the employee who asks."`
	Action  string   `arg:"" help:"${actions}."`
	Target  string   `arg:"" optional:"" help:"Id of the employee it is about; for dial the number, with its country code. Of intercept it may be left out: then no phone rings for the caller. Lock and the settings but settings.user have none; of a line it is whose conversation it is, and may be left out."`
	With    []string `help:"Id of another employee within earshot of the call (for intercept: whose phone it rings too), or who was on it; may be repeated." placeholder:"EMPLOYEE"`
	Line    string   `help:"Id of the line, for the actions that begin with line." placeholder:"LINE"`
	Client  string   `name:"client-of" help:"For intercept, dial, line.history, line.join and line.grade: id of the employee who is responsible for the client on the other side." placeholder:"EMPLOYEE"`
	Access  []string `help:"For dial, line.history, line.join and line.grade: id of an employee who has access to the client beside him; may be repeated." placeholder:"EMPLOYEE"`

	Party           bool `help:"The subject is himself on the call."`
	Locked          bool `help:"The call is locked against supervision."`
	UnknownPhone    bool `help:"A phone on the call is none that the policy knows."`
	ProtectedNumber bool `help:"A number on the call is protected."`
	Reason          bool `help:"The subject gives a reason."`

	asOf
	Format string `enum:"text,json" default:"text" help:"text or json."`
}

// Run prints allow or deny with the ground, what every rule says, and what the other answer needs.
func (c *explainCmd) Run(s streams) error {
	set, err := c.set(c.Config, c.Policy)
	if err != nil {
		return err
	}
	action, err := actionNamed(c.Action)
	if err != nil {
		return err
	}
	if err := c.fits(action); err != nil {
		return err
	}
	e, err := c.explain(set, action)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		err = writeJSON(s.out, set, e)
	} else {
		_, err = fmt.Fprintln(s.out, e)
	}
	if err != nil {
		return err
	}
	if !e.Decision.Allowed {
		return refusal{}
	}
	return nil
}

// fits refuses what the answer would not depend on: who gives it believes that it counts.
func (c *explainCmd) fits(action policy.Action) error {
	takes := action.Takes()
	for _, f := range []struct {
		name  string
		given bool
		fact  policy.Facts
	}{
		{"a target", c.Target != "", policy.FactTarget},
		{"--with", len(c.With) > 0, policy.FactWith},
		{"--line", c.Line != "", policy.FactLine},
		{"--client-of", c.Client != "", policy.FactResponsible},
		{"--access", len(c.Access) > 0, policy.FactAccess},
		{"--party", c.Party, policy.FactParty},
		{"--locked", c.Locked, policy.FactLocked},
		{"--unknown-phone", c.UnknownPhone, policy.FactUnknownPhone},
		{"--protected-number", c.ProtectedNumber, policy.FactProtectedNumber},
		{"--reason", c.Reason, policy.FactReason},
	} {
		if f.given && !takes.Has(f.fact) {
			return fmt.Errorf("%s says nothing about %s: leave it out", f.name, action)
		}
	}
	line := takes.Has(policy.FactLine)
	switch {
	case line && c.Line == "":
		return fmt.Errorf("%s is about a line: give --line", action)
	case !line && takes.Has(policy.FactTarget) && c.Target == "" && action != policy.Intercept:
		return fmt.Errorf("%s is about somebody: give a target", action)
	case line && c.Target == "" && len(c.With) > 0:
		return errors.New("--with is about a conversation: give a target")
	}
	return nil
}

func (c *explainCmd) explain(set *policy.Set, action policy.Action) (policy.Explanation, error) {
	p := &people{set: set}
	subject, responsible, access := p.one(c.Subject), p.one(c.Client), p.all(c.Access)
	if action == policy.Dial {
		to := set.Destination(c.Target)
		to.Client, to.Responsible, to.Access = c.Client != "" || len(access) > 0, responsible, access
		if p.err != nil {
			return policy.Explanation{}, p.err
		}
		return set.ExplainDial(subject, to), nil
	}
	req := policy.Request{
		Action: action, Subject: subject, Target: p.one(c.Target), Unrung: action == policy.Intercept && c.Target == "", With: p.all(c.With), Responsible: responsible, Access: access,
		Party: c.Party, Locked: c.Locked, UnknownPhone: c.UnknownPhone, ProtectedNumber: c.ProtectedNumber, ReasonGiven: c.Reason,
	}
	if c.Line != "" {
		var ok bool
		if req.Line, ok = set.Line(c.Line); !ok {
			return policy.Explanation{}, fmt.Errorf("the policy has no line %q", c.Line)
		}
	}
	if p.err != nil {
		return policy.Explanation{}, p.err
	}
	return set.Explain(req), nil
}

// people finds employees by their ids and keeps the first that there is not.
type people struct {
	set *policy.Set
	err error
}

func (p *people) one(id string) policy.Ref {
	if id == "" {
		return policy.Ref{}
	}
	ref, err := employee(p.set, id)
	if p.err == nil {
		p.err = err
	}
	return ref
}

func (p *people) all(ids []string) (refs []policy.Ref) {
	for _, id := range ids {
		refs = append(refs, p.one(id))
	}
	return refs
}

func load(config string, paths []string) (*policy.Set, error) {
	if config == "" {
		set, _, err := policyfile.Load(paths, time.Now())
		return set, err
	}
	cfg, err := agent.LoadConfig(config)
	if err != nil {
		return nil, err
	}
	set, _, err := cfg.LoadPolicy(time.Now())
	return set, err
}

func employee(set *policy.Set, id string) (policy.Ref, error) {
	ref, ok := set.Employee(id)
	if ok {
		return ref, nil
	}
	if _, err := set.Named(id); err != nil { // names the nearest
		return ref, err
	}
	return ref, fmt.Errorf("%q is no employee, and one is asked about", id)
}

// families are rights that give several actions.
var families = map[string]string{
	"listen": "say which: spy, whisper, barge", "recordings": "say which: play, download, delete", "all": "name one",
}

func actionNamed(name string) (policy.Action, error) {
	a, ok := policy.ParseAction(name)
	switch hint := families[name]; {
	case ok:
		return a, nil
	case hint != "":
		return a, fmt.Errorf("%s gives several actions: %s", name, hint)
	}
	if hint := policy.DidYouMean(name, actionNames()); hint != "" {
		return a, fmt.Errorf("unknown action %q; %s", name, hint)
	}
	return a, fmt.Errorf("unknown action %q; the actions are %s", name, actions())
}

func actions() string { return strings.Join(actionNames(), ", ") }

func actionNames() (names []string) {
	for _, a := range policy.Actions() {
		names = append(names, a.String())
	}
	return names
}
