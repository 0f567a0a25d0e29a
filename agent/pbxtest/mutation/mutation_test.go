package mutation_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/mutation"
)

// kinds are those that every request of a form has to have. What is missing would be tried of no case, and nobody would notice.
func wants(t *testing.T, what string, all []mutation.Mutant, original string, kinds ...string) {
	t.Helper()
	for _, k := range kinds {
		if !slices.Contains(mutation.Kinds(all), k) {
			t.Errorf("of %s there is no mutant of the kind %q", what, k)
		}
	}
	same := 0
	for _, m := range all {
		if m.Text == original {
			same++
		}
	}
	if same*5 > len(all) {
		t.Errorf("of %d mutants of %s %d are the original", len(all), what, same)
	}
	one := mutation.One(all, rand.New(rand.NewPCG(1, 2)))
	if len(one) != len(mutation.Kinds(all)) {
		t.Errorf("of %d kinds %d were chosen", len(mutation.Kinds(all)), len(one))
	}
}

func TestEveryKindOfMutantIsMade(t *testing.T) {
	const action = "Action: Originate\r\nChannel: PJSIP/100\r\nExten: 120\r\n\r\n"
	wants(t, "an action", mutation.AMI(action), action, "case of a name", "case of a value", "spaces", "tabs", "folded", "percent", "double percent", "unicode escape", "overlong",
		"full width", "NUL", "CR", "LF", "CR LF", "other line ends", "backslash", "plus", "invisible", "base64", "two values", "left out", "a header twice", "two", "order", "a header more", "line ends")
	q := mutation.Request{Method: "POST", Target: "/ari/channels?endpoint=PJSIP%2F100&app=x", Headers: []string{"Authorization: Basic YWxpY2U6c2VjcmV0"}}
	wants(t, "a request with parameters", mutation.HTTP(q), q.Bytes(), "another method", "absolute", "request line", "a header more", "case of the path", "path", "white space in the path", "percent",
		"double percent", "unicode escape", "overlong", "full width", "NUL", "CR LF", "invisible", "plus", "order", "separators", "case of a name", "case of a value", "white space", "a parameter twice",
		"into a body", "case of a header", "white space in a header", "folded", "a header twice", "line ends", "framing", "a member twice", "another type")
	wants(t, "a credential", mutation.Credentials(q), q.Bytes(), "case of the scheme", "white space in the credential", "another scheme", "case of the secret", "base64", "base64 of another text")
	q = mutation.Request{Method: "POST", Target: "/v1/supervisions", Headers: []string{"Content-Type: application/json"}, Body: `{"target":"bob","mode":"spy"}`}
	wants(t, "a request with a body", mutation.HTTP(q), q.Bytes(), "around the body", "case of a name", "case of a value", "white space", "a member twice", "a member more", "another type", "unicode escape",
		"overlong", "full width", "NUL", "CR LF", "plus", "percent", "double percent", "invisible", "order", "framing")
}
