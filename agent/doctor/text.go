package doctor

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// WriteText writes the report for people: two lines for each finding, the worst first, what is accepted, and a summary.
func (r *Report) WriteText(to io.Writer) error {
	w := bufio.NewWriter(to)
	count := map[Severity]int{}
	for _, f := range r.Findings {
		count[f.Severity]++
		_, _ = fmt.Fprintf(w, "%-6s  %s\n        %s\n        change: %s\n\n", f.Severity, f.head(r), f.Meaning, f.Change)
	}
	for _, a := range r.Accepted {
		until := ""
		if a.Until != nil {
			until = " (until the end of " + a.Until.Add(-time.Nanosecond).Format(time.DateOnly) + ")"
		}
		_, _ = fmt.Fprintf(w, "accepted: %-6s  %s\n        %s%s\n\n", a.Severity, a.head(r), a.Why, until)
	}
	for _, s := range r.Stale {
		_, _ = fmt.Fprintf(w, "accepts nothing: %s at %s\n        %s: take it out, or look again\n\n", s.Code, s.Where, s.Reason)
	}
	accepted, from := "", strings.Join(r.Sources, " and ")
	if n := len(r.Accepted); n > 0 {
		accepted = fmt.Sprintf(", %d accepted", n)
	}
	if len(r.Findings) == 0 {
		_, _ = fmt.Fprintf(w, "nothing is open%s (%s)\n", accepted, from)
	} else {
		_, _ = fmt.Fprintf(w, "%d open: %d high, %d medium, %d low%s (%s)\n", len(r.Findings), count[High], count[Medium], count[Low], accepted, from)
	}
	return w.Flush()
}

// head is where a finding stands and what it is.
func (f *Finding) head(r *Report) string {
	head := f.place() + "  " + f.Code
	if !slices.Contains(f.Seen, spoolSource) && len(f.Seen) < len(slices.DeleteFunc(slices.Clone(r.Sources), func(s string) bool { return s == spoolSource })) {
		head += "  (" + strings.Join(f.Seen, ", ") + " alone)"
	}
	return head
}

// place is where a finding stands, as far as it is known.
func (f *Finding) place() string {
	at := f.File
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d", at, f.Line)
	}
	return strings.TrimPrefix(strings.Join(append([]string{at}, f.within()...), " "), " ")
}

// within is the place of a finding in its file.
func (f *Finding) within() (parts []string) {
	if f.Section != "" {
		parts = append(parts, "["+f.Section+"]")
	}
	if f.Subject != "" && f.Subject != f.File {
		parts = append(parts, f.Subject)
	}
	return parts
}
