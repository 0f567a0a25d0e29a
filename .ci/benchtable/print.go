package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchunit"
)

// print writes both tables.
func (t *table) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(t.pairs) > 0 {
		row(w, "what", "size", "ours", "floor", "ratio", "from", "to", "target", "allocs", "")
		for _, p := range t.pairs {
			row(w, what(p.ours), size(p.ours.parts[1:len(p.ours.parts)-1]), duration(p.ours), duration(p.floor),
				ratio(median(p.ratio)), ratio(slices.Min(p.ratio)), ratio(slices.Max(p.ratio)), p.wanted(), allocs(p.ours), p.verdict())
		}
	}
	if len(t.pairs) > 0 && len(t.singles) > 0 {
		row(w)
	}
	if len(t.singles) > 0 {
		row(w, "without a floor", "size", "ours", "bytes", "allocs", "to the pair's floor", "")
		for _, s := range t.singles {
			beside, verdict := "", ""
			if s.floor != nil {
				beside = ratio(median(s.series.values[unitTime]) / median(s.floor.values[unitTime]))
			}
			if _, ok, _ := s.series.target(unitMaxAllocs); ok {
				verdict = said(s.series.wasteful())
			}
			row(w, what(s.series), size(s.series.parts[1:]), duration(s.series), bytesEach(s.series), allocs(s.series), beside, verdict)
		}
	}
	return w.Flush()
}

func row(w io.Writer, cells ...string) {
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // the tabwriter holds all until Flush, which returns the error
}

func what(s *series) string { return s.pkg + " " + s.parts[0] }

func size(parts []string) string {
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, " ")
}

func duration(s *series) string {
	return benchunit.Scale(median(s.values[unitTime]), benchunit.Decimal) + "s"
}

func bytesEach(s *series) string {
	if len(s.values[unitBytes]) == 0 {
		return "-"
	}
	return strconv.FormatFloat(median(s.values[unitBytes]), 'f', -1, 64)
}

func allocs(s *series) string {
	if len(s.values[unitAllocs]) == 0 {
		return "-"
	}
	return strconv.FormatFloat(median(s.values[unitAllocs]), 'f', -1, 64)
}

func ratio(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// wanted is the pair's target as the table shows it.
func (p *pair) wanted() string {
	var s []string
	switch {
	case p.target == 0:
		s = append(s, "no target")
	case p.least:
		s = append(s, "rate at least "+strconv.FormatFloat(p.target, 'f', -1, 64))
	default:
		s = append(s, "at most "+strconv.FormatFloat(p.target, 'f', -1, 64))
	}
	if most, ok, _ := p.ours.target(unitMaxAllocs); ok {
		s = append(s, strconv.FormatFloat(most, 'f', -1, 64)+" allocs")
	}
	return strings.Join(s, ", ")
}

func (p *pair) verdict() string {
	if _, ok, _ := p.ours.target(unitMaxAllocs); p.target == 0 && !ok {
		return "-"
	}
	return said(p.slow() || p.ours.wasteful())
}

func said(missed bool) string {
	if missed {
		return "MISSED"
	}
	return "ok"
}
