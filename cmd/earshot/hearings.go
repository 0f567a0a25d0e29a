package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/audit"
)

// hearingsCmd is what both questions about hearings are asked with.
type hearingsCmd struct {
	Employee string   `arg:"" help:"The employee's id, as in the policy."`
	Files    []string `arg:"" type:"path" help:"The audit log; with rotated ones, in their order."`
	KeyFile  string   `type:"path" help:"The key file of the configuration, if it has one." placeholder:"FILE"`
}

type whoHeardCmd struct{ hearingsCmd }

// Run prints who could hear the employee, and when.
func (c *whoHeardCmd) Run(s streams) error {
	return c.print(s, func(h *audit.Hearing) bool { return h.Heard(c.Employee) })
}

type heardByCmd struct{ hearingsCmd }

// Run prints whom the employee could hear, and when.
func (c *heardByCmd) Run(s streams) error {
	return c.print(s, func(h *audit.Hearing) bool { return h.Subject == c.Employee })
}

// print lists some hearings, and what the log says of what it may lack. Of a log that is not whole it lists what can be read, and says that it is not.
func (c *hearingsCmd) print(s streams, fits func(*audit.Hearing) bool) error {
	key, err := auditKey(c.KeyFile)
	if err != nil {
		return err
	}
	r, err := audit.VerifyFiles(key, c.Files...)
	if err != nil {
		return err
	}
	named := false
	hearings, err := audit.Hearings(func(yield func(audit.Entry, error) bool) {
		for e, err := range audit.Read(key, c.Files...) {
			named = named || e.Subject == c.Employee || slices.Contains(e.Targets, c.Employee) || slices.Contains(e.Employees, c.Employee)
			if !yield(e, err) {
				return
			}
		}
	})
	if err != nil && r.OK() {
		return err
	}
	for i := range hearings {
		if h := &hearings[i]; fits(h) {
			if _, err := fmt.Fprintln(s.out, hearing(h)); err != nil {
				return err
			}
		}
	}
	// An empty answer reassures, and must not come of a misspelt name or of files that were not given.
	if !named {
		_, _ = fmt.Fprintf(s.err, "earshot: nothing here is about %q: is the id written as in the policy?\n", c.Employee)
	}
	if r.First > 1 {
		_, _ = fmt.Fprintf(s.err, "earshot: the first entry here is number %d: those before it are in files that were put away, which come before this one\n", r.First)
	}
	if !r.OK() {
		return broken(s, r)
	}
	return notes(s, r.Notes)
}

// hearing is the line of one: from when to when, who, what, whom, how it ended, and the act's id.
func hearing(h *audit.Hearing) string {
	to, end := "-", "no end on record"
	if !h.To.IsZero() {
		to, end = h.To.UTC().Format(time.RFC3339), strings.TrimSpace(string(h.End)+" "+h.Reason)
		if end == "" {
			end = "changed"
		}
	}
	if !h.Confirmed {
		end = "perhaps; " + end
	}
	subject := h.Subject
	if subject == "" {
		subject = "-"
	}
	return fmt.Sprintf("%s %s %s %s %s: %s (%s)", h.From.UTC().Format(time.RFC3339), to, subject, h.Action, strings.Join(h.Employees, ","), end, h.ID)
}

// notes prints what a log says of its gaps, if it does.
func notes(s streams, n audit.Notes) error {
	text := n.String()
	if text == "" {
		return nil
	}
	_, err := fmt.Fprintf(s.out, "notes: %s\n", text)
	return err
}

// auditKey reads the key of a log; without a file there is none.
func auditKey(file string) (audit.Key, error) {
	if file == "" {
		return nil, nil
	}
	secret, err := agent.ReadSecret(file)
	return audit.Key(secret), err
}
