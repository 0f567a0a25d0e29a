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
	Policy  []string `type:"path" sep:"none" xor:"file" required:"" help:"The policy's file or folder; may be repeated." placeholder:"PATH"`
	Config  string   `type:"path" xor:"file" required:"" help:"The configuration file, which names the policy." placeholder:"FILE"`
	Subject string   `arg:"" help:"Id of the employee who asks."`
	Action  string   `arg:"" help:"observe, observe.kind, spy, whisper, barge, intercept or dial."`
	Target  string   `arg:"" help:"Id of the employee it is about; for dial the number, with its country code."`
	With    []string `help:"Id of another employee within earshot of the call (for intercept: whose phone it rings too); may be repeated." placeholder:"EMPLOYEE"`
	Client  string   `name:"client-of" help:"For intercept and dial: id of the employee who is responsible for the client who calls or is called." placeholder:"EMPLOYEE"`
}

// Run prints allow or deny with the ground.
func (c *explainCmd) Run(s streams) error {
	if c.Config != "" {
		cfg, err := agent.LoadConfig(c.Config)
		if err != nil {
			return err
		}
		c.Policy = cfg.Policy
	}
	set, err := load(c.Policy)
	if err != nil {
		return err
	}
	action, ok := policy.ParseAction(c.Action)
	if !ok {
		return fmt.Errorf("unknown action %q; the actions are %s", c.Action, actions())
	}
	e, err := c.explain(set, action)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(s.out, strings.TrimRight(e.String(), "\n")); err != nil {
		return err
	}
	if !e.Decision.Allowed {
		return refusal{}
	}
	return nil
}

func (c *explainCmd) explain(set *policy.Set, action policy.Action) (policy.Explanation, error) {
	if action == policy.Dial {
		return c.dial(set)
	}
	req := policy.Request{Action: action}
	for _, who := range []struct {
		id  string
		ref *policy.Ref
	}{{c.Subject, &req.Subject}, {c.Target, &req.Target}, {c.Client, &req.Responsible}} {
		if who.id == "" {
			continue
		}
		ref, err := employee(set, who.id)
		if err != nil {
			return policy.Explanation{}, err
		}
		*who.ref = ref
	}
	for _, id := range c.With {
		ref, err := employee(set, id)
		if err != nil {
			return policy.Explanation{}, err
		}
		req.With = append(req.With, ref)
	}
	return set.Explain(req), nil
}

// dial explains whether the subject may call a number.
func (c *explainCmd) dial(set *policy.Set) (policy.Explanation, error) {
	if len(c.With) > 0 {
		return policy.Explanation{}, errors.New("--with is about a call that goes on, and not about dialling")
	}
	subject, err := employee(set, c.Subject)
	if err != nil {
		return policy.Explanation{}, err
	}
	to := set.Destination(c.Target)
	if c.Client != "" {
		to.Client = true
		if to.Responsible, err = employee(set, c.Client); err != nil {
			return policy.Explanation{}, err
		}
	}
	return set.ExplainDial(subject, to), nil
}

func load(paths []string) (*policy.Set, error) {
	set, _, err := policyfile.Load(paths, time.Now())
	return set, err
}

func employee(set *policy.Set, id string) (policy.Ref, error) {
	ref, ok := set.Employee(id)
	if !ok {
		return ref, fmt.Errorf("the policy has no employee %q", id)
	}
	return ref, nil
}

func actions() string {
	var names []string
	for _, a := range policy.Actions() {
		names = append(names, a.String())
	}
	return strings.Join(names, ", ")
}
