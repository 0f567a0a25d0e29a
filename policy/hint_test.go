package policy_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// What is mistaken most often is told as what was surely meant.
func TestALikelyMistakeIsToldAsWhatWasMeant(t *testing.T) {
	for text, want := range map[string]string{
		"employees: {anna: {listen: all}}":                  "did you mean any?",
		"employees: {anna: {listen: {to: everyone}}}":       "did you mean any?",
		"employees: {anna: {listen: true, except: [anna]}}": "write it inside the right that it is about, as in listen: {except: ...}",
		"roles: {head: {listen: true, during: night}}":      "write it inside the right that it is about, as in listen: {during: ...}",
		"employees: {anna: {settings: true}}":               "name what it is: settings.user, settings.telephony, settings.numbers, settings.permissions",
		"roles: {head: {line: any}}":                        "name what it is: line.view, line.connect,",
		"employees: {anna: {}}\nprotected: [anna]":          "write protected: {employees: [...]}, or numbers",
		"employees: {anna: {listne: true}}":                 "did you mean \"listen\"?",
	} {
		_, err := policy.Parse("policy.yaml", []byte("version: 1\n"+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
