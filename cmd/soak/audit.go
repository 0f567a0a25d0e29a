package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// record is what the audit log comes to.
type record struct {
	files, entries, allowed, refused int
	said                             string
}

// audited verifies the chain through all files by the program itself, and looks for acts without an end, and identities.
func (s *soak) audited(ctx context.Context) (sum record) {
	files, err := audit.Files(s.Path("audit.jsonl"))
	if err != nil {
		s.faults.add("the audit log: %v", err)
		return sum
	}
	sum.files = len(files)
	out, err := exec.CommandContext(ctx, s.binary, append([]string{"audit", "verify"}, files...)...).CombinedOutput() //nolint:gosec // the program that is soaked
	if err != nil {
		s.faults.add("the audit log is not whole: %v: %s", err, bytes.TrimSpace(out))
	}
	sum.said = strings.Join(strings.Split(strings.TrimSpace(string(out)), "\n"), "; ")
	open, err := audit.OpenActs(nil, files...)
	if err != nil {
		s.faults.add("the audit log: %v", err)
	}
	for _, a := range open {
		s.faults.add("nothing runs, and the audit log has no end of %s (%s of %v by %s at %s)", a.ID, a.Action, a.Targets, a.Subject, a.Time.Format("15:04:05"))
	}
	decided := map[string]audit.Entry{}
	e := &ear{name: "the audit log", of: s.hidden, told: s.leaked, heard: map[string]int{}}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			s.faults.add("the audit log: %v", err)
		}
		_, _ = e.Write(b)
		e.cut()
	}
	for entry, err := range audit.Read(nil, files...) {
		if err != nil {
			s.faults.add("the audit log: %v", err)
			break
		}
		sum.entries++
		switch {
		case entry.Phase == audit.Decided && entry.Outcome == audit.Allow:
			sum.allowed++
			decided[entry.ID] = entry
		case entry.Phase == audit.Decided:
			sum.refused++
		default:
			delete(decided, entry.ID)
		}
	}
	for _, id := range sorted(decided) {
		a := decided[id]
		if s.ledger.touched(a.Time, a.Time, settles, partEarshot) == nil {
			s.faults.add("nothing was recorded of what came of %s (%s of %v by %s at %s)", id, a.Action, a.Targets, a.Subject, a.Time.Format("15:04:05"))
		}
	}
	return sum
}

// Errors in Earshot's log that say what was done to it, or that somebody hung up in the moment between a decision and what follows it.
const (
	brokenPolicy  = "the policy is broken; the last good one stays in force"
	notCarriedOut = "what was decided was not carried out"
	gone          = "404 "
)

// after is what is looked at in the end, when nobody talks any more.
func (s *soak) after(ctx context.Context) {
	s.compare(ctx)
	s.figures = s.audited(ctx)
	if err := s.gauge(ctx, "earshot_audit_stream_behind_entries", 0); err != nil {
		s.faults.add("the audit log's copy in the Redis does not catch up: %v", err)
	}
	for _, e := range s.panels.ears {
		bytes, known := e.figures()
		if bytes == 0 {
			s.faults.add("%s was told nothing at all", e.name)
		}
		if e.told == nil && known == 0 {
			s.faults.add("%s has heard of nobody outside, so that silence elsewhere says nothing", e.name)
		}
	}
	s.present()
	s.complaints()
}

// complaints are errors in Earshot's log that nothing which was done explains.
func (s *soak) complaints() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for _, c := range s.log.bad {
		expected := strings.Contains(c.line, brokenPolicy) || strings.Contains(c.line, notCarriedOut) && s.ledger.touched(c.at, c.at, settles, partPBX, partEarshot, partMachine) != nil ||
			strings.Contains(c.line, notCarriedOut) && strings.Contains(c.line, gone)
		if !expected {
			s.faults.add("Earshot's log has an error: %s", c.line)
		}
	}
}

// present makes sure that who sees everything was told at each door of everybody outside with whom somebody has talked: what is hidden from others is
// there to be hidden.
func (s *soak) present() {
	s.past.mu.Lock()
	defer s.past.mu.Unlock()
	for _, p := range s.past.parts {
		if away, _ := s.ledger.overlap(p.began[0].Add(-edge), p.ended[1].Add(edge)); !p.whole || p.began[0].IsZero() || p.outside.number == "" || len(away) > 0 {
			continue
		}
		for _, e := range s.panels.ears {
			if e.told == nil && !e.knows(p.outside) {
				s.faults.add("%s was not told of the outside party of %v", e.name, p)
			}
		}
		s.past.told++
	}
}
