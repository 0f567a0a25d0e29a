package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"

	"github.com/earshot-pbx/earshot/agent/audit"
)

type auditCmd struct {
	Rotate rotateCmd `cmd:"" help:"Have the running Earshot put its audit log away under the number of its last line and go on in a new file, and print the name. Exit 0, or 1 if it does not."`
	Verify verifyCmd `cmd:"" help:"Find an altered, removed or reordered line, and a cut-off end, and tell what the log says of its own gaps. Exit 0 if the chain is whole, 1 if not."`

	WhoHeard whoHeardCmd `cmd:"" help:"List who could hear an employee, and when. Exit 0, or 1 if the chain is not whole."`
	HeardBy  heardByCmd  `cmd:"" help:"List whom an employee could hear, and when. Exit 0, or 1 if the chain is not whole."`
}

type rotateCmd struct {
	Config string `required:"" type:"path" help:"The configuration file, which names the admin listener." placeholder:"FILE"`
}

// Run has the log put away by who writes it: a log that somebody else moves is one that was tampered with.
func (c *rotateCmd) Run(ctx context.Context, s streams) error {
	return ask(ctx, s, c.Config, http.MethodPost, "/-/rotate")
}

// broken prints the first fault, and what it may be besides a log that was tampered with.
func broken(s streams, r audit.Report) error {
	hint := ""
	switch f := r.Fault; f.Problem {
	case audit.Altered, audit.BadHead:
		if r.Lines == 0 {
			hint = ", or this is not the key that it was written with; see --key-file"
		}
	case audit.NoHead:
		if _, err := os.Stat(f.File); errors.Is(err, fs.ErrNotExist) {
			hint = ": there is no such file, and no " + f.File + ".head"
		} else {
			hint = ": there is no " + f.File + ".head, by which an end that is cut off is seen; a copy needs it too, or --part"
		}
	case audit.Missing, audit.OutOfOrder, audit.Replaced, audit.Unfinished, audit.CutOff, audit.Rewritten: // and nothing else
	}
	_, _ = fmt.Fprintf(s.out, "broken: %v%s\n", r.Fault, hint)
	return refusal{}
}

type verifyCmd struct {
	Files   []string `arg:"" type:"path" help:"The audit log; with rotated ones, in their order."`
	Part    bool     `help:"The files hold lines that were collected elsewhere, such as from a stream: any part of the chain. That lines are missing at its ends is not found."`
	KeyFile string   `type:"path" help:"The key file of the configuration, if it has one." placeholder:"FILE"`
}

// Run prints how far the chain is whole, and what is missing in it by its own word.
func (c *verifyCmd) Run(s streams) error {
	key, err := auditKey(c.KeyFile)
	if err != nil {
		return err
	}
	verify := audit.VerifyFiles
	if c.Part {
		verify = audit.VerifyPart
	}
	r, err := verify(key, c.Files...)
	if err != nil {
		return err
	}
	if !r.OK() {
		return broken(s, r)
	}
	if c.Part && r.Lines == 0 {
		_, _ = fmt.Fprintln(s.out, "empty: nothing was collected")
		return refusal{}
	}
	_, err = fmt.Fprintf(s.out, "whole: %d lines, first number %d, last number %d, hash %s\n", r.Lines, r.First, r.Last.Seq, r.Last.Hash)
	if err != nil {
		return err
	}
	return notes(s, r.Notes)
}
