package agent_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/earshot-pbx/earshot"

// rooms says which package may import which of ours: the layout of the house as a table. What is not here is forbidden, and so is a package
// that is not here. The zero row means: nothing of ours.
var rooms = map[string][]string{
	"cmd/earshot": {"agent", "agent/audit", "agent/auth", "agent/doctor", "policy", "policy/decisiontest", "policy/policyfile"},
	"cmd/demo":    {"agent/pbxtest", "agent/pbxtest/site", "agent/pbxtest/phone", "ami", "ari"},                                     // it logs in at the AMI and ARI doors as panels do
	"cmd/soak":    {"agent/audit", "agent/pbxtest/phone", "agent/pbxtest", "agent/pbxtest/site", "ami", "ari", "cache/redisserver"}, // it holds what comes of all that was done against the log
	"cmd/company": {"policy/company"},

	"agent": {
		"agent/call", "agent/pbx", "agent/queue", "agent/feed", "agent/mask", "agent/gate", "agent/auth", "agent/audit", "agent/clients", "agent/journal", "agent/recording",
		"agent/publication", "agent/cluster", "agent/auditstream", "agent/lobby", "agent/httpapi", "agent/amiproxy", "agent/ariproxy", "agent/dialplan", "agent/strict", "ami", "ari", "policy", "policy/policyfile", "cache", "cache/redis",
	},
	"agent/call":      {},
	"agent/strict":    {"policy"}, // whose guess at what was meant it makes too
	"agent/audit":     {},
	"agent/auth":      {"agent/strict", "cache"}, // sessions are the cache's: its leaf has their form, and auth gives them their meaning
	"agent/clients":   {"agent/strict", "cache"},
	"agent/journal":   {"agent/call"},
	"agent/recording": {}, // on its own: a book and a way to ask the PBX are handed to it
	"agent/pbx":       {"agent/call", "agent/queue", "ami", "ari"},
	"agent/queue":     {},
	// One beside the other: the log knows of no copy.
	"agent/auditstream": {"agent/audit", "cache"},
	// It gives the policy to others and takes it from them, through the cache, and knows nothing of decisions.
	"agent/publication": {"cache", "policy", "policy/policyfile"}, // of the policy the overlay that it lays over it
	// It carries what it does not understand between sidecars, and knows neither calls nor the gate.
	"agent/cluster": {"cache"},
	"agent/doctor":  {"ami"}, // on its own: it looks at a PBX, and at nothing of a running Earshot
	"agent/feed":    {"agent/call"},
	"agent/mask":    {"agent/call"},
	"agent/gate":    {"agent/auth", "agent/audit", "agent/call", "agent/clients", "agent/feed", "agent/journal", "agent/mask", "agent/pbx", "agent/queue", "agent/recording", "policy", "policy/policyfile"}, // whose entries it changes

	"agent/lobby":       {},             // connections of doors, and nothing of what comes by them
	"agent/playback":    {"agent/gate"}, // what is sent of recordings, as the gate gives it
	"agent/eventstream": {"agent/gate"}, // likewise, of those that are streams: the gate says why one is over

	// The doors. A protocol's own package is a leaf that knows no calls of ours, so a door may speak it.
	"agent/httpapi":  {"agent/auth", "agent/eventstream", "agent/gate", "agent/lobby", "agent/mask", "agent/playback", "agent/httpapi/panel"},
	"agent/amiproxy": {"agent/auth", "agent/gate", "agent/mask", "ami"},
	"agent/ariproxy": {"agent/auth", "agent/eventstream", "agent/gate", "agent/lobby", "agent/mask", "agent/playback", "ari"},
	"agent/dialplan": {"agent/auth", "agent/gate", "agent/mask"},

	"agent/httpapi/panel": {}, // files and how they are sent

	"agent/pbxtest":            {"agent/pbxtest/child", "agent/pbxtest/debian", "ami", "ari"},
	"agent/pbxtest/allocation": {}, // for tests, of leaves too: it knows nothing of ours
	"agent/pbxtest/amiclient":  {"agent/pbxtest/library"},
	"agent/pbxtest/ariclient":  {"agent/pbxtest/library"},
	"agent/pbxtest/audience":   {}, // for tests, of leaves too
	"agent/pbxtest/browser":    {"agent/pbxtest/child", "agent/pbxtest/debian"},
	"agent/pbxtest/child":      {},
	"agent/pbxtest/debian":     {},
	"agent/pbxtest/library":    {"agent/pbxtest/child", "agent/pbxtest/debian"},
	"agent/pbxtest/mutation":   {}, // bytes: it knows nothing of what they mean
	"agent/pbxtest/phone":      {},
	"agent/pbxtest/processor":  {},                                                                                   // for tests, of leaves too
	"agent/pbxtest/site":       {"agent/pbxtest", "agent/pbxtest/child", "agent/pbxtest/phone", "cache/redisserver"}, // a company of several PBXs has a Redis
	"agent/pbxtest/stage":      {"agent/audit", "agent/call", "agent/clients", "policy"},                             // what the tests of doors have together

	"ami":                               {},
	"ari":                               {},
	"policy":                            {"policy/internal/node", "policy/internal/schema"},
	"policy/internal/node":              {},
	"policy/internal/schema":            {},
	"policy/internal/schema/schematest": {}, // for tests
	"policy/company":                    {},
	"policy/policyfile":                 {"policy"},
	"policy/decisiontest":               {"policy", "policy/internal/node", "policy/internal/schema", "policy/policyfile"},
	"cache":                             {},
	"cache/redis":                       {"cache"},
	"cache/cachetest":                   {"cache"},
	"cache/redisserver":                 {"agent/pbxtest/child", "agent/pbxtest/debian"},
	"cache/redistest":                   {"cache/redisserver"},

	// Tests alone, which hold the files for containers against what runs.
	"deploy": {},
}

// doors are the packages that talk to panels. What is behind them they see through the gate and as a View only.
var doors = []string{"agent/httpapi", "agent/amiproxy", "agent/ariproxy", "agent/dialplan"}

var behindTheDoors = []string{"agent/call", "agent/feed", "agent/pbx", "agent/audit", "agent/journal"}

// nameless are words that say nothing about what a package is.
var nameless = []string{"util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "shared", "base", "types", "models"}

// listed is what `go list -json` tells of one package.
type listed struct {
	Dir, ImportPath, Name string
	Imports               []string
	TestImports           []string // of the tests in the package
	XTestImports          []string // of the tests beside it
	IgnoredGoFiles        []string // what this system does not build
	outsideBuild          []string // what those import
}

func TestImportsStayWithinTheTable(t *testing.T) {
	packages := list(t)
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages only", len(packages))
	}
	for _, fault := range faults(packages) {
		t.Error(fault)
	}
}

func TestTheTableKeepsDoorsAndLeavesApart(t *testing.T) {
	for _, door := range doors {
		row, ok := rooms[door]
		if !ok {
			t.Errorf("%s has no row", door)
		}
		for _, forbidden := range append(slices.Clone(behindTheDoors), doors...) {
			if slices.Contains(row, forbidden) {
				t.Errorf("the table lets the door %s import %s", door, forbidden)
			}
		}
	}
	for _, leaf := range []string{"ami", "ari", "policy", "cache", "agent/call", "agent/audit"} {
		row, ok := rooms[leaf]
		if !ok || slices.ContainsFunc(row, func(to string) bool { return !strings.HasPrefix(to, leaf+"/internal/") }) {
			t.Errorf("the leaf %s has the row %v", leaf, row)
		}
	}
	for from, row := range rooms {
		for _, to := range row {
			if _, ok := rooms[to]; !ok {
				t.Errorf("%s may import %s, which is no room", from, to)
			}
		}
	}
}

func TestAForbiddenImportIsFound(t *testing.T) {
	ours := func(p string) string { return module + "/" + p }
	for name, tc := range map[string]struct {
		p    listed
		want string
	}{
		"a door that imports calls":           {listed{ImportPath: ours("agent/httpapi"), Imports: []string{ours("agent/call")}}, "agent/httpapi imports agent/call"},
		"a door that imports another":         {listed{ImportPath: ours("agent/dialplan"), Imports: []string{ours("agent/httpapi")}}, "agent/dialplan imports agent/httpapi"},
		"a door that imports the audit log":   {listed{ImportPath: ours("agent/amiproxy"), Imports: []string{ours("agent/audit")}}, "agent/amiproxy imports agent/audit"},
		"a leaf that imports another":         {listed{ImportPath: ours("ami"), Imports: []string{"fmt", ours("policy")}}, "ami imports policy"},
		"an inner package that imports agent": {listed{ImportPath: ours("agent/feed"), Imports: []string{ours("agent")}}, "agent/feed imports agent"},
		"an import for another system":        {listed{ImportPath: ours("ari"), outsideBuild: []string{ours("ami")}}, "ari imports ami"},
		"a package without a row":             {listed{ImportPath: ours("agent/attic")}, "agent/attic is not in the table"},
		"the module's root":                   {listed{ImportPath: module}, ". is not in the table"},
		"go-redis in the gate":                {listed{ImportPath: ours("agent/gate"), Imports: []string{"github.com/redis/go-redis/v9"}}, "agent/gate imports github.com/redis/go-redis/v9"},
		"go-redis in a test":                  {listed{ImportPath: ours("agent/gate"), XTestImports: []string{"github.com/redis/go-redis/v9/auth"}}, "agent/gate imports github.com/redis/go-redis/v9/auth"},
		"a package called util":               {listed{ImportPath: ours("policy/util"), Name: "util"}, `policy/util is called "util"`},
		"a package that calls itself helpers": {listed{ImportPath: ours("ami"), Name: "helpers"}, `ami is called "helpers"`},
	} {
		if got := strings.Join(faults([]listed{tc.p}), "\n"); !strings.Contains(got, tc.want) {
			t.Errorf("%s: found %q, want %q", name, got, tc.want)
		}
	}
	for name, p := range map[string]listed{
		"the agent":             {ImportPath: ours("agent"), Name: "agent", Imports: []string{"fmt", ours("agent/gate"), ours("policy/policyfile")}},
		"a test that may":       {ImportPath: ours("agent/httpapi"), Name: "httpapi", XTestImports: []string{ours("agent/call")}},
		"go-redis in the cache": {ImportPath: ours("cache"), Name: "cache", Imports: []string{"github.com/redis/go-redis/v9"}},
	} {
		if got := faults([]listed{p}); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// faults says, a sentence each, what does not stand in the table.
func faults(packages []listed) []string {
	var found []string
	for _, p := range packages {
		room := inModule(p.ImportPath)
		row, ok := rooms[room]
		if !ok {
			found = append(found, fmt.Sprintf("%s is not in the table of rooms: give it a row, or put the code where it belongs", room))
		}
		for _, name := range []string{p.Name, path.Base(room)} {
			if slices.Contains(nameless, name) {
				found = append(found, fmt.Sprintf("%s is called %q, which says nothing; name what it is, or put the code where it is used", room, name))
			}
		}
		built := slices.Concat(p.Imports, p.outsideBuild)
		for _, to := range built {
			if target := inModule(to); target != to && !slices.Contains(row, target) {
				found = append(found, fmt.Sprintf("%s imports %s, which its row does not have", room, target))
			}
		}
		for _, to := range slices.Concat(built, p.TestImports, p.XTestImports) {
			if isRedis(to) && room != "cache" && !strings.HasPrefix(room, "cache/") {
				found = append(found, fmt.Sprintf("%s imports %s; only packages below cache may", room, to))
			}
		}
	}
	return found
}

// inModule is an import path without the module's, or the path itself when it is not ours.
func inModule(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func isRedis(importPath string) bool {
	return strings.HasPrefix(importPath, "github.com/redis/") || strings.HasPrefix(importPath, "github.com/go-redis/")
}

// list asks the go command for the packages of the module. Files that this system does not build count too.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=Dir,ImportPath,Name,Imports,TestImports,XTestImports,IgnoredGoFiles", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		for _, name := range p.IgnoredGoFiles {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				to, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				p.outsideBuild = append(p.outsideBuild, to)
			}
		}
		packages = append(packages, p)
	}
}
