package policy

import (
	"slices"

	"github.com/earshot-pbx/earshot/policy/internal/node"
)

// maxSuggestions bounds the work for a file that is wrong all over: beyond it mistakes are still reported, without a guess.
const maxSuggestions = 100

// DidYouMean returns a hint that names the candidate nearest to the word, such as did you mean "listen"?, or "" when none is near: that none comes
// of the word by changes to at most a third of its letters, where neighbours swapped are one change. Capitals count, and the word itself is no
// candidate. It is for what is read beside a policy, so that all of a program's files speak of mistakes alike.
func DidYouMean(word string, candidates []string) string { return node.DidYouMean(word, candidates) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
