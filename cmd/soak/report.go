package main

import (
	"fmt"
	"strings"
	"time"
)

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
	fmt.Println("away")
	for _, part := range []string{partEarshot, partPBX, partRedis, partMachine} {
		times, all := s.ledger.total(part)
		fmt.Printf("  %-14s %6d times, %v in all\n", part, times, all.Round(100*time.Millisecond))
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
	fmt.Printf("presence: of %d parts who sees everything was told at each door\n", p.told)
	fmt.Printf("audit: %d files, %d entries, %d decisions that allowed and %d that refused; %s\n", s.figures.files, s.figures.entries, s.figures.allowed, s.figures.refused, s.figures.said)
	fmt.Printf("board and PBX compared %d times while calls went on; %d supervisors' ears checked\n", s.compared.Load(), s.listened.Load())
}
