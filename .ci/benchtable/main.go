// Benchtable reads what `go test -bench . -benchmem` printed, round after round, and prints each benchmark beside its floor.
//
// A floor is the least that has to be done, in the same run: sub-benchmarks …/earshot and …/floor are one pair. A pair's target stands in
// the benchmark itself, as metrics of its …/earshot half:
//
//	b.ReportMetric(1.5, "max-ratio")  // an operation takes at most 1.5 times as long as the floor's
//	b.ReportMetric(0.75, "min-ratio") // it is done at least 0.75 times as often in the same time
//	b.ReportMetric(0, "max-allocs")   // an operation allocates no more often; any benchmark may say this
//
// Times are medians over the rounds. The ratio is the median of the ratios of each round, because what else the machine does slows the two
// halves of one round alike; its least and greatest stand beside it.
//
// A target of time that is missed is a failure with -strict only, as a machine that others use too gives no promise. Too many allocations, a
// half without its other half, a line that cannot be read and a run that failed are failures always.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	strict := flag.Bool("strict", false, "fail when a target of time is missed")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *strict); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

// run prints the tables of what it reads, also when a target is missed, which is the error then.
func run(in io.Reader, out io.Writer, strict bool) error {
	all, err := read(in)
	if err != nil {
		return err
	}
	t, err := match(all)
	if err != nil {
		return err
	}
	if err := t.print(out); err != nil {
		return err
	}
	return t.missed(strict)
}
