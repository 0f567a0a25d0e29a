package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/auth"
)

type tokenCmd struct {
	Config   string        `required:"" type:"path" help:"The configuration file, which names the tokens file and the policy." placeholder:"FILE"`
	Employee string        `arg:"" help:"Id of the employee whom the token proves."`
	Label    string        `help:"What the token is for, to find it again in the tokens file." placeholder:"TEXT"`
	Valid    time.Duration `help:"How long it is valid, such as 720h; left out: until it is taken out of the tokens file." placeholder:"DURATION"`
}

// Run makes a token. It is printed alone on standard output, so that a script can take it.
func (c *tokenCmd) Run(s streams) error {
	cfg, err := agent.LoadConfig(c.Config)
	if err != nil {
		return err
	}
	set, err := load(cfg.Policy)
	if err != nil {
		return err
	}
	if _, err := employee(set, c.Employee); err != nil {
		return err
	}
	if c.Valid < 0 {
		return errors.New("--valid must lie in the future")
	}
	now := time.Now()
	token, hash := auth.NewToken()
	e := auth.Entry{Employee: c.Employee, Hash: hash, Label: c.Label, Created: now}
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
