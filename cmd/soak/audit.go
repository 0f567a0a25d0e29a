package main

import (
	"bytes"
	"context"
	"fmt"
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
	out, err := exec.CommandContext(ctx, s.binary, append([]string{"audit", "verify"}, files...)...).CombinedOutput()
	if err != nil {
		s.faults.add("the audit log is not whole: %v: %s", err, bytes.TrimSpace(out))
	}
	sum.said = lastLine(string(out))
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

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// said are errors in Earshot's log that say what was done to it.
var said = map[string]bool{"the policy is broken; the last good one stays in force": true}

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
	for message, n := range s.log.errors() {
		if said[message] {
			continue
		}
		s.faults.add("Earshot's log has %d errors: %s", n, message)
	}
}

// errors are those that the log has.
func (l *logFile) errors() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]int{}
	for k, v := range l.bad {
		out[k] = v
	}
	return out
}

// report prints what was done and found.
func (s *soak) report() {
	done := s.ledger.counts()
	fmt.Println("\ndeeds")
	for _, kind := range sorted(done) {
		if strings.Contains(kind, " ") {
			continue
		}
		fmt.Printf("  %-14s %6d", kind, done[kind])
		for _, what := range []string{" disturbed", " skipped"} {
			if n := done[kind+what]; n > 0 {
				fmt.Printf("  %d%s", n, what)
			}
		}
		fmt.Println()
	}
	fmt.Println("what watchers were sent, and of how many of the", len(s.hidden.known)/2, "outside they were told")
	for _, e := range s.panels.ears {
		bytes, known := e.figures()
		fmt.Printf("  %-30s %9.1f kB  %5d\n", e.name, float64(bytes)/1000, known)
	}
	fmt.Printf("  %-30s %9.1f kB  (panels that came and went)\n", "others", float64(s.passed.Load())/1000)
	fmt.Println("Earshot, when it was calm: goroutines, open files, heap, resident")
	for i, l := range s.lives {
		if len(l.records) == 0 {
			continue
		}
		first, last := l.records[min(1, len(l.records)-1)], l.records[len(l.records)-1]
		fmt.Printf("  process %d, %2d times: %4.0f → %4.0f, %3.0f → %3.0f, %5.1f → %5.1f MB, %5.1f → %5.1f MB\n", i+1, len(l.records), first.goroutines, last.goroutines,
			first.fds, last.fds, first.heap/1e6, last.heap/1e6, first.resident/1e6, last.resident/1e6)
	}
	p := &s.past
	fmt.Printf("journal: %d rows; of %d parts in calls %d are there as they were dialled, and of %d that an outage has to do with %d; %d rows say that they have a gap\n", p.rows, len(p.parts), p.found, p.cut, p.loose, p.gaps)
	fmt.Printf("audit: %d files, %d entries, %d decisions that allowed and %d that refused; %s\n", s.figures.files, s.figures.entries, s.figures.allowed, s.figures.refused, s.figures.said)
	fmt.Printf("board and PBX compared %d times while calls went on; %d supervisors' ears checked\n", s.compared.Load(), s.listened.Load())
}
