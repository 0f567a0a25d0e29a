package policyfile

import (
	"errors"
	"strings"
	"testing"
)

const checked = "# head\nversion: 1\nemployees:\n  anna: # a\n    name: Anna # b\n    listen: true\n  # next\n  boris: {name: Boris} # c\ngroups: {g: [boris]}\n"

// Should the text ever be cut at a wrong place, this is what notices: each of these is a spoilt file, and one is as it should be.
func TestAFileThatIsSpoiltIsNoticed(t *testing.T) {
	at := func(text string) *found {
		f, err := (&reading{files: []document{{"policy.yaml", []byte(text)}}}).find("anna")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	changes := map[string]any{"listen": "own", "lock": true}
	good := strings.Replace(checked, "listen: true", "listen: own\n    lock: true", 1)
	if err := at(checked).check(at(good), changes); err != nil {
		t.Fatalf("as it should be: %v", err)
	}
	for name, change := range map[string][2]string{
		"another employee":         {"name: Boris", "name: Borys"},
		"another employee's key":   {"boris: {", "borys: {"},
		"a comment of another":     {"# c", "#"},
		"a comment of hers":        {"# b", ""},
		"a comment behind her":     {"  # next\n", ""},
		"the file's head":          {"# head", "# heat"},
		"a blank in the tail":      {"groups: {", "groups:  {"},
		"another key of hers":      {"name: Anna", "name: Ann"},
		"her order":                {"    name: Anna # b\n    listen: own\n", "    listen: own\n    name: Anna # b\n"},
		"a value that is not it":   {"listen: own", "listen: any"},
		"a key that is not there":  {"    lock: true\n", ""},
		"a key that nobody wanted": {"lock: true", "lock: true\n    journal: own"},
		"an employee between":      {"  # next\n", "  # next\n  dora: {}\n"},
		"another section":          {"employees:", "trunks: [PJSIP/x]\nemployees:"},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if text == good {
			t.Fatalf("%s: nothing is spoilt", name)
		}
		var unsafe *UnsafeError
		if err := at(checked).check(at(text), changes); !errors.As(err, &unsafe) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}
