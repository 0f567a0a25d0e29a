package agent_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// guides are the pages that people read.
func guides(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"../*.md", "../*/*.md", "../*/*/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all[strings.TrimPrefix(file, "../")] = string(text)
		}
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "policy/README.md", "deploy/prometheus/README.md"} {
		if all[name] == "" {
			t.Fatalf("there is no %s", name)
		}
	}
	return all
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	marks   = regexp.MustCompile(`[^\p{L}\p{N}\- ]`)
	fence   = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
)

// anchors are the headings of a page as GitHub names them in addresses.
func anchors(text string) (all []string) {
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		all = append(all, strings.ReplaceAll(marks.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// A link of a guide leads somewhere: to a file that is there, and to a heading of it.
func TestEveryLinkOfTheGuidesLeadsSomewhere(t *testing.T) {
	pages, n := guides(t), 0
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			file, anchor, _ := strings.Cut(m[1], "#")
			to := name
			if file != "" {
				to = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(filepath.Join("..", to)); err != nil {
				t.Errorf("%s: %s: %v", name, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(pages[to]), anchor) {
				t.Errorf("%s: %s has no heading %s, but %v", name, to, anchor, anchors(pages[to]))
			}
		}
	}
	if n < 20 {
		t.Errorf("there are %d links", n)
	}
}

// covered says of each command of the guides, by how it begins, which test or step of CI carries it out. make's targets are looked up in
// the Makefile.
var covered = map[string]string{
	"docker compose up":      "deploy/run_test.go: TestTheContainersWorkTogether",
	"docker compose exec":    "deploy/run_test.go: TestTheContainersWorkTogether",
	"make install":           "deploy/install_test.go: TestSystemdTakesTheUnit",
	"make demo":              "cmd/demo/tour_test.go: TestTheToursFindEverythingAsItShouldBe",
	"make test":              ".ci/run: make test",
	"make check":             ".ci/run: make check",
	"make licences":          ".ci/supply/supply_test.go: TestATableIsPutBetweenItsMarks",
	"make vulnerabilities":   ".ci/supply/supply_test.go: TestAKnownVulnerabilityIsFound",
	"make reproduce":         ".ci/run: make reproduce",
	`eval "$(make -s pbx)"`:  "agent/pbxtest/kept_test.go: TestAKeptAsteriskIsTakenUpAgain",
	"make pbx-end":           "agent/pbxtest/kept_test.go: TestAKeptAsteriskIsTakenUpAgain",
	"go test -run":           "agent/real_reload_test.go: TestFilesAreReadAnew",
	"systemctl":              "deploy/install_test.go: TestSystemdTakesTheUnit",
	"export CREDENTIALS_DIR": "deploy/install_test.go: TestMakeInstallLaysOutWhatRuns",
	"earshot setup":          "deploy/install_test.go: TestMakeInstallLaysOutWhatRuns",
	"earshot check":          "deploy/install_test.go: TestMakeInstallLaysOutWhatRuns",
	"earshot audit verify":   "cmd/earshot/testdata/audit.txtar: audit verify --part",
	"redis-cli":              "agent/auditstream/readme_test.go: TestTheReadmeShowsHowToCollect",
	"earshot token":          "deploy/install_test.go: TestTheAuditLogIsRotated",
	"earshot doctor":         "cmd/earshot/doctor_test.go: TestTheDoctorLooksAtARunningPBX",
	"promtool":               "deploy/prometheus_test.go: TestTheAlertsFire",
	"ask":                    "agent/httpapi/readme_test.go: TestTheReadmeShowsWhatIsAnswered",
	"earshot matrix":         "cmd/earshot/readme_test.go: TestTheReadmeShowsWhatIsPrinted",
	"earshot diff":           "cmd/earshot/readme_test.go: TestTheReadmeShowsWhatIsPrinted",
}

// Every command that a reader may type is carried out by something that fails when it does not work.
func TestEveryCommandOfTheGuidesIsRun(t *testing.T) {
	pages := guides(t)
	make, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	used, n := map[string]bool{}, 0
	for name := range pages {
		if name == "policy/README.md" {
			continue // a test of its own runs all of it
		}
		for _, f := range fence.FindAllStringSubmatch(pages[name], -1) {
			if f[1] != "console" && f[1] != "sh" {
				continue
			}
			for line := range strings.Lines(strings.ReplaceAll(f[2], "\\\n", "")) {
				command, typed := strings.CutPrefix(line, "$ ")
				if command = strings.TrimSpace(command); f[1] == "console" && !typed || command == "" || strings.HasPrefix(command, "#") {
					continue
				}
				n++
				by := ""
				for begins, test := range covered {
					if strings.HasPrefix(command, begins) {
						by, used[begins] = test, true
					}
				}
				if strings.HasPrefix(command, "curl ") {
					by = curled(command)
				}
				file, what, ok := strings.Cut(by, ": ")
				text, err := os.ReadFile(filepath.Join("..", file))
				if !ok || err != nil || !strings.Contains(string(text), what) {
					t.Errorf("%s: nothing carries out %s (%s, %v)", name, command, by, err)
				}
				if target := regexp.MustCompile(`\bmake (?:-s )?([\w-]+)`).FindStringSubmatch(command); target != nil && !regexp.MustCompile(`(?m)^`+target[1]+`:`).Match(make) {
					t.Errorf("%s: make has no %s", name, target[1])
				}
			}
		}
	}
	for begins := range covered {
		if !used[begins] {
			t.Errorf("nobody is told of %s", begins)
		}
	}
	if n < 15 {
		t.Errorf("there are %d commands", n)
	}
}

// curled is which test asks for what curl does, by the address.
func curled(command string) string {
	for part, test := range map[string]string{
		"/v1/lines/": "agent/httpapi/lines_test.go: /members/", "/v1/policy/employees/": "agent/httpapi/rights_test.go: /v1/policy/employees/", "/v1/clients": "agent/httpapi/clients_test.go: /v1/clients", "/joins": "agent/httpapi/lines_test.go: /joins", "/v1/journal": "agent/httpapi/journal_test.go: /v1/journal?",
	} {
		if strings.Contains(command, part) {
			return test
		}
	}
	return ""
}

// The tests that the map above names are tests.
func TestTheNamedTestsAreThere(t *testing.T) {
	for _, by := range covered {
		file, name, _ := strings.Cut(by, ": ")
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, 0)
		if err != nil || !slices.ContainsFunc(f.Decls, func(d ast.Decl) bool { fn, ok := d.(*ast.FuncDecl); return ok && fn.Name.Name == name }) {
			t.Errorf("%s has no test %s: %v", file, name, err)
		}
	}
}
