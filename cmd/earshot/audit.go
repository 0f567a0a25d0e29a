package main

import (
	"fmt"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/audit"
)

type auditCmd struct {
	Verify verifyCmd `cmd:"" help:"Find an altered, removed or reordered line, and a cut-off end. Exit 0 if the chain is whole, 1 if not."`
}

type verifyCmd struct {
	Files   []string `arg:"" type:"path" help:"The audit log; with rotated ones, in their order."`
	KeyFile string   `type:"path" help:"The key file of the configuration, if it has one." placeholder:"FILE"`
}

// Run prints how far the chain is whole.
func (c *verifyCmd) Run(s streams) error {
	var key audit.Key
	if c.KeyFile != "" {
		secret, err := agent.ReadSecret(c.KeyFile)
		if err != nil {
			return err
		}
		key = audit.Key(secret)
	}
	r, err := audit.VerifyFiles(key, c.Files...)
	if err != nil {
		return err
	}
	if !r.OK() {
		_, _ = fmt.Fprintf(s.out, "broken: %v\n", r.Fault)
		return refusal{}
	}
	_, err = fmt.Fprintf(s.out, "whole: %d lines, last number %d, hash %s\n", r.Lines, r.Last.Seq, r.Last.Hash)
	return err
}
