package main

import (
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/decisiontest"
)

type schemaCmd struct {
	Of string `arg:"" optional:"" enum:"policy,tests" default:"policy" help:"Of which files: policy or tests."`
}

// Run prints the schema.
func (c *schemaCmd) Run(s streams) error {
	of := policy.Schema
	if c.Of == "tests" {
		of = decisiontest.Schema
	}
	text, err := of()
	if err != nil {
		return err
	}
	_, err = s.out.Write(text)
	return err
}
