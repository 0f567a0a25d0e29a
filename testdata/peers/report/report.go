// Package report prints what has been measured, against its targets.
package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/earshot-pbx/earshot/testdata/peers/contest"
)

// A Kind says how a ratio is to be read.
type Kind int

const (
	// Faster is how many times as long the other takes: more is better.
	Faster Kind = iota
	// Slower is how many times as long Earshot takes: less is better. It is for floors.
	Slower
	// Smaller is how many times as much memory Earshot takes: less is better.
	Smaller
)

// A Row is Earshot beside one other.
type Row struct {
	Work, Against string
	Ours, Theirs  float64 // medians; nanoseconds, or bytes of a Smaller
	Ratios        []float64
	Kind          Kind
	Target        float64 // of the ratio; zero: none
	Allocs        float64 // of Earshot for one piece of work
	NoAllocs      bool    // the target is that there are none
}

// Times is a row of what two took, as often as they were measured beside each other.
func Times(work string, ours, theirs *contest.Result, kind Kind, target float64) Row {
	r := Row{
		Work: work, Against: theirs.Name, Ours: contest.Median(ours.Nanos), Theirs: contest.Median(theirs.Nanos), Kind: kind, Target: target, Allocs: ours.Allocs,
	}
	if kind == Faster {
		r.Ratios = theirs.Over(ours)
	} else {
		r.Ratios = ours.Over(theirs)
	}
	return r
}

// allocating is more than what the runtime itself allocates beside a round, divided by its thousands of pieces of work.
const allocating = 0.01

// Missed reports whether a target is missed.
func (r Row) Missed() bool {
	if r.NoAllocs && r.Allocs > allocating {
		return true
	}
	switch ratio := contest.Median(r.Ratios); {
	case r.Target == 0:
		return false
	case r.Kind == Faster:
		return ratio < r.Target
	default:
		return ratio > r.Target
	}
}

// Head are the names of the columns.
var head = []string{"work", "beside", "Earshot", "other", "ratio", "from", "to", "target", ""}

func (r Row) cells() []string {
	ours, theirs := duration(r.Ours), duration(r.Theirs)
	if r.Kind == Smaller {
		ours, theirs = size(r.Ours), size(r.Theirs)
	}
	var targets []string
	if r.Target != 0 {
		targets = append(targets, map[Kind]string{Faster: "≥ ", Slower: "≤ ", Smaller: "≤ "}[r.Kind]+figure(r.Target))
	}
	if r.NoAllocs {
		targets = append(targets, "0 allocs")
	}
	verdict := "OK"
	switch {
	case len(targets) == 0:
		verdict = "-"
	case r.Missed():
		verdict = "MISSED"
	}
	if r.NoAllocs && r.Allocs > allocating {
		verdict = fmt.Sprintf("MISSED: %s allocs", figure(r.Allocs))
	}
	return []string{
		r.Work, r.Against, ours, theirs, figure(contest.Median(r.Ratios)), figure(slices.Min(r.Ratios)), figure(slices.Max(r.Ratios)),
		strings.Join(targets, ", "), verdict,
	}
}

// Terminal prints a table for people.
func Terminal(out io.Writer, rows []Row) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(cells []string) {
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // a buffer takes everything
	}
	line(head)
	work := ""
	for _, r := range rows {
		cells := r.cells()
		if r.Work == work {
			cells[0] = ""
		} else if work = r.Work; len(rows) > 0 {
			line(make([]string, len(cells)))
		}
		line(cells)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for text := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(text, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// Markdown prints the same table for a page.
func Markdown(out io.Writer, rows []Row) error {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	b.WriteString("|---|---|--:|--:|--:|--:|--:|---|---|\n")
	for _, r := range rows {
		line(r.cells())
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// Missed are the rows whose targets are missed.
func Missed(rows []Row) (missed []Row) {
	for _, r := range rows {
		if r.Missed() {
			missed = append(missed, r)
		}
	}
	return missed
}

// figure has three digits, or two behind the point.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	case v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func duration(nanos float64) string {
	switch {
	case nanos >= 1e6:
		return figure(nanos/1e6) + " ms"
	case nanos >= 1e3:
		return figure(nanos/1e3) + " µs"
	}
	return figure(nanos) + " ns"
}

func size(bytes float64) string {
	if bytes >= 1<<20 {
		return figure(bytes/(1<<20)) + " MiB"
	}
	return figure(bytes/(1<<10)) + " KiB"
}
