package agent_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// What CONTRIBUTING names is there: files, and names in them.
func TestWhatContributingNamesIsThere(t *testing.T) {
	page, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	place := regexp.MustCompile("`([\\w.-]+(?:/[\\w.-]+)+|\\w+\\.(?:go|md|yaml))(?::(\\w+))?`")
	n := 0
	for _, m := range place.FindAllStringSubmatch(text, -1) {
		if m[1] == "doc.go" {
			continue
		}
		n++
		b, err := os.ReadFile(filepath.Join("..", m[1]))
		if st, serr := os.Stat(filepath.Join("..", m[1])); serr == nil && st.IsDir() {
			b, err = nil, nil
		}
		if err != nil || m[2] != "" && !regexp.MustCompile(`(?m)^(func|var|type|const|\t)[^/\n]*\b`+m[2]+`\b`).Match(b) {
			t.Errorf("%s: %v, %s", m[1], err, m[2])
		}
	}
	if n < 40 {
		t.Errorf("it names %d places", n)
	}
}
