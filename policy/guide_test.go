package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/decisiontest"
)

// fenced is a block of the guide.
type fenced struct {
	line    int    // of its first line
	kind    string // yaml or console
	section string // the heading that it stands under
	text    string
}

// fencedIn returns the blocks of YAML, and of what commands print, in the guide.
func fencedIn(t *testing.T, guide string) []fenced {
	t.Helper()
	var all []fenced
	section, open := "", false
	for i, line := range strings.Split(guide, "\n") {
		switch {
		case line == "```yaml", line == "```console":
			open = true
			all = append(all, fenced{line: i + 2, kind: line[3:], section: section})
		case line == "```":
			open = false
		case open:
			all[len(all)-1].text += line + "\n"
		case strings.HasPrefix(line, "## "):
			section = strings.TrimPrefix(line, "## ")
		}
	}
	if open {
		t.Fatal("the last block of the guide has no end")
	}
	return all
}

// The guide says of each of its policies what it answers, and each of its policies loads without a warning, but for the one with mistakes.
// Those that begin with "# beside company.yaml" are a second file.
func TestTheGuideTellsTheTruth(t *testing.T) {
	var company *policy.File
	var last fenced     // the policy before
	var set *policy.Set // of it
	told := true        // whether something was said of it
	policies, asked := 0, 0
	for _, e := range fencedIn(t, string(read(t, "README.md"))) {
		switch {
		case e.kind == "console":
			holdPrinted(t, last, e)
			told = true
			continue
		case strings.Contains(e.text, "tests:\n"):
			asked += hold(t, set, e)
			told = true
			continue
		case !told:
			t.Errorf("README.md:%d: nothing is said of what this policy answers", last.line)
		}
		last, told, policies = e, false, policies+1
		if strings.HasPrefix(e.text, "# with mistakes\n") {
			continue
		}
		f, _ := policy.Parse(e.section, []byte(strings.Repeat("\n", e.line-1)+e.text))
		files := []*policy.File{f}
		switch {
		case strings.HasPrefix(e.text, "# company.yaml\n"):
			company = f
		case strings.HasPrefix(e.text, "# beside company.yaml\n"):
			files = append(files, company)
		}
		made, warnings, err := policy.Compile(day, files...)
		// The company has groups for all the examples.
		warnings = slices.DeleteFunc(warnings, func(w policy.Problem) bool { return strings.Contains(w.Error(), "nothing refers to it") })
		if err != nil || len(warnings) > 0 {
			t.Fatalf("README.md: %v %v", err, warnings)
		}
		set = made
	}
	if !told || policies < 15 || asked < 150 {
		t.Errorf("%d policies and %d answers were found in the guide, and the last is told of: %v", policies, asked, told)
	}
}

// holdPrinted holds what a command prints in the guide to what it has to print of the policy before it.
func holdPrinted(t *testing.T, of, e fenced) {
	t.Helper()
	command, want, _ := strings.Cut(e.text, "\n")
	words := strings.Fields(command)
	switch set, _, err := policy.Load("/etc/earshot/policy.yaml", []byte(of.text), day); {
	case slices.Contains(words, "check"):
		if err == nil || err.Error() != strings.TrimSpace(want) {
			t.Errorf("README.md:%d: it prints\n%v", e.line, err)
		}
	case slices.Contains(words, "explain"):
		who := words[slices.Index(words, "irina"):]
		got := set.Explain(request(t, set, append(who[:3:3], who[4]))).String()
		if got != strings.TrimSpace(want) {
			t.Errorf("README.md:%d: it prints\n%s", e.line, got)
		}
	case !slices.Contains(words, "test"): // which the block before it was held to
		t.Errorf("README.md:%d: nothing is known of %s", e.line, command)
	}
}

// hold holds the policy to the tests of a block and returns how many answers it gave. Their clock is that of the guide.
func hold(t *testing.T, set *policy.Set, e fenced) int {
	t.Helper()
	head := "version: 1\nat: 2026-06-01T12:00:00+03:00\n"
	if strings.HasPrefix(e.text, "version:") {
		head = ""
	}
	f, _ := decisiontest.Parse("README.test.yaml", []byte(head+strings.Repeat("\n", e.line-1-strings.Count(head, "\n"))+e.text))
	suite, err := decisiontest.Compile(f, set)
	if err != nil {
		t.Fatal(err)
	}
	results := suite.Run()
	for _, r := range results {
		if !r.OK {
			t.Error(r)
		}
	}
	return len(results)
}
