package policy

import (
	"slices"

	"github.com/earshot-pbx/earshot/policy/internal/node"
)

// maxSuggestions bounds the work for a file that is wrong all over: beyond it mistakes are still reported, without a guess.
const maxSuggestions = 100

// didYouMean returns a hint that names the candidate nearest to the word, or "" when none is near.
func didYouMean(word string, candidates []string) string { return node.DidYouMean(word, candidates) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
