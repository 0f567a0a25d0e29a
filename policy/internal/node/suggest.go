package node

import "strconv"

// DidYouMean returns a hint that names the candidate nearest to the word, or "" when none is near.
func DidYouMean(word string, candidates []string) string {
	if near, ok := nearest(word, candidates); ok {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	return ""
}

// nearest finds the candidate with the fewest edits, at most a third of the word's length and at least one. Of several
// it takes the first in the alphabet, so that a message does not depend on the order of a map.
func nearest(word string, candidates []string) (string, bool) {
	w := []rune(word)
	limit := max(1, len(w)/3)
	best, found := "", false
	for _, c := range candidates {
		r := []rune(c)
		if len(r)-len(w) > limit || len(w)-len(r) > limit {
			continue
		}
		d := edits(w, r)
		if d == 0 || d > limit || (found && d == limit && c >= best) {
			continue
		}
		best, found, limit = c, true, d
	}
	return best, found
}

// edits counts the insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string alignment).
func edits(a, b []rune) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
