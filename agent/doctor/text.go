package doctor

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteText writes the report for people: two lines for each finding, the worst first, and a summary.
func (r *Report) WriteText(to io.Writer) error {
	w := bufio.NewWriter(to)
	count := map[Severity]int{}
	for _, f := range r.Findings {
		count[f.Severity]++
		_, _ = fmt.Fprintf(w, "%-6s  %s  %s", f.Severity, f.place(), f.Code)
		if len(f.Seen) < len(r.Sources) {
			_, _ = fmt.Fprintf(w, "  (%s alone)", strings.Join(f.Seen, ", "))
		}
		_, _ = fmt.Fprintf(w, "\n        %s\n        change: %s\n\n", f.Meaning, f.Change)
	}
	from := strings.Join(r.Sources, " and ")
	if len(r.Findings) == 0 {
		_, _ = fmt.Fprintf(w, "nothing is open (%s)\n", from)
	} else {
		_, _ = fmt.Fprintf(w, "%d open: %d high, %d medium, %d low (%s)\n", len(r.Findings), count[High], count[Medium], count[Low], from)
	}
	return w.Flush()
}

// place is where a finding stands, as far as it is known.
func (f *Finding) place() string {
	at := f.File
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d", at, f.Line)
	}
	parts := []string{at}
	if f.Section != "" {
		parts = append(parts, "["+f.Section+"]")
	}
	if f.Subject != "" && f.Subject != f.File {
		parts = append(parts, f.Subject)
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
