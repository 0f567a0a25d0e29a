package main

import (
	"context"
	"fmt"

	"github.com/earshot-pbx/earshot/agent"
)

type publishCmd struct {
	Config string   `required:"" type:"path" help:"The configuration file, which names the Redis, the key and, unless PATHS are given, the policy." placeholder:"FILE"`
	Force  bool     `help:"Also beside an Earshot that gives its own policy, which then stays out until its next change; and in place of one that is sealed with another key."`
	Paths  []string `arg:"" optional:"" type:"path" help:"The policy's files or folders."`
}

// Run publishes.
func (c *publishCmd) Run(ctx context.Context, s streams) error {
	cfg, err := agent.LoadConfig(c.Config)
	if err != nil {
		return err
	}
	p, err := agent.Publish(ctx, cfg, c.Paths, c.Force)
	if err != nil {
		return err
	}
	what := "published"
	if !p.Fresh {
		what = "was published already"
	}
	_, err = fmt.Fprintf(s.out, "generation %d %s\n", p.Generation, what)
	return err
}
