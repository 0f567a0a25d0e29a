package stage

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Attacks reads the attack cases of a door, from a file which says what the keys mean. That there are fewer than least is an error: none would be
// withstood as well as all.
func Attacks[T any](t testing.TB, least int, path ...string) (cases []T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < least {
		t.Fatalf("there are %d cases in %s", len(cases), path)
	}
	return cases
}

var repeated = regexp.MustCompile(`(?s)\{\{([^}]+?)\*([0-9]+)\}\}`)

// Repeated writes out what a case says is there many times: {{TEXT*TIMES}}.
func Repeated(text string) string {
	return repeated.ReplaceAllStringFunc(text, func(s string) string {
		m := repeated.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	})
}

// Filled is [Repeated] of a text in which nothing else is left to be filled in.
func Filled(t testing.TB, text string) string {
	t.Helper()
	if text = Repeated(text); strings.Contains(text, "{{") {
		t.Fatalf("not all is filled in: %q", text)
	}
	return text
}
