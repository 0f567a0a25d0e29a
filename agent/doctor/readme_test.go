package doctor

import (
	"os"
	"strings"
	"testing"
)

// What the doctor finds is listed for people, every kind of it.
func TestEveryKindOfFindingIsInTheReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		if !strings.Contains(string(text), "`"+k.code+"`") {
			t.Errorf("README.md does not name %s", k.code)
		}
	}
}
