package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/policy"
)

type tokenCmd struct {
	Config   string        `required:"" type:"path" help:"The configuration file, which names the tokens file and the policy." placeholder:"FILE"`
	Employee string        `arg:"" optional:"" help:"Id of the employee whom the token proves."`
	Panel    string        `help:"Instead of an employee: the name of a panel whose back end gets the token. It says with each request, in the header X-Earshot-Employee, for whom it asks." placeholder:"NAME"`
	ActsFor  []string      `help:"For whom the panel may ask: ids of employees, or everyone, or the panel's own name for its entry alone." placeholder:"EMPLOYEE,..."`
	Label    string        `help:"What the token is for, to find it again in the tokens file." placeholder:"TEXT"`
	Valid    time.Duration `help:"How long it is valid, such as 720h; left out: until it is taken out of the tokens file." placeholder:"DURATION"`
}

// Run makes a token. It is printed alone on standard output, so that a script can take it.
func (c *tokenCmd) Run(s streams) error {
	cfg, err := agent.LoadConfig(c.Config)
	if err != nil {
		return err
	}
	set, _, err := cfg.LoadPolicy(time.Now())
	if err != nil {
		return err
	}
	if err := c.whose(set); err != nil {
		return err
	}
	if c.Valid < 0 {
		return errors.New("--valid must lie in the future")
	}
	now := time.Now()
	token, hash := auth.NewToken()
	e := auth.Entry{Employee: c.Employee, Panel: c.Panel, ActsFor: c.ActsFor, Hash: hash, Label: c.Label, Created: now}
	if c.Valid > 0 {
		e.Expires = now.Add(c.Valid)
	}
	if err := auth.AddToken(cfg.Tokens, e); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.err, "added to %s; a running Earshot takes it up at once. The token is shown this once:\n", cfg.Tokens)
	_, err = fmt.Fprintln(s.out, token)
	return err
}

// whose checks for whom the token is to be: an employee, or a panel and those for whom it may ask.
func (c *tokenCmd) whose(set *policy.Set) error {
	var ids []string
	switch {
	case c.Panel == "" && c.Employee == "":
		return errors.New("whose token? give the id of an employee, or --panel and --acts-for")
	case c.Panel == "" && len(c.ActsFor) > 0:
		return errors.New("--acts-for goes with --panel")
	case c.Panel == "":
		ids = []string{c.Employee}
	case c.Employee != "":
		return errors.New("a token is an employee's or a panel's; leave one of them out")
	case len(c.ActsFor) == 0:
		return errors.New("--panel needs --acts-for: ids of employees, or everyone, or the panel's own name for its entry alone")
	case !slices.Equal(c.ActsFor, []string{auth.Everyone}):
		ids = c.ActsFor
	}
	for _, id := range ids {
		if _, err := employee(set, id); err != nil {
			return err
		}
	}
	return nil
}
