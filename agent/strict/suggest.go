package strict

import (
	"slices"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/policy"
)

// suggest ends the message about an unknown key: with the known one that is nearest, if one is near, or with all of them.
func suggest(written string, known []string) string {
	word := strings.ToLower(written)
	if slices.Contains(known, word) {
		return "; did you mean " + strconv.Quote(word) + "?"
	}
	if hint := policy.DidYouMean(word, known); hint != "" {
		return "; " + hint
	}
	return "; the keys are " + strings.Join(known, ", ")
}
