package strict

import (
	"fmt"
	"strings"
)

// suggest ends the message about an unknown key: with the known one that is nearest, if one is near, or with all of them.
func suggest(written string, known []string) string {
	word := []rune(strings.ToLower(written))
	best, limit := "", max(1, len(word)/3)
	for _, k := range known {
		if len(word) > 2*len(k)+limit {
			continue // far from it, and not worth the work
		}
		if d := edits(word, []rune(k)); d < limit || d == limit && best == "" {
			best, limit = k, d
		}
	}
	if best == "" {
		return "; the keys are " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// edits counts the insertions, deletions, replacements and swaps of neighbours that turn a into b.
func edits(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
