package gate

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// given is the reason that somebody gives, as it is recorded. What is pasted has spaces of other kinds, which are as good as a space.
func given(reason string) (string, *Problem) {
	if utf8.ValidString(reason) {
		reason = strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Zs, r) {
				return ' '
			}
			return r
		}, reason))
	}
	if !audit.IsReason(reason) {
		return "", badReason()
	}
	return reason, nil
}
