package decisiontest

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

// A File is one parsed file of tests. It may hold mistakes, which [Compile] then reports together with its own.
type File struct {
	name     string
	problems policy.Problems
	policies []word
	at       time.Time
	tests    []test
}

// Name returns the file's name as it was given to Parse.
func (f *File) Name() string { return f.name }

// Policies returns the files and folders of the policy that the tests are about, from where the name of the file leads.
func (f *File) Policies() []string {
	var paths []string
	for _, w := range f.policies {
		path := filepath.FromSlash(w.text)
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.name), path)
		}
		paths = append(paths, path)
	}
	return paths
}

// endings are those of the names of test files, each with what a policy of the same name has instead.
var endings = map[string]string{".test.yaml": ".yaml", ".test.yml": ".yml"}

// Named reports whether a file of that name holds tests, as far as the name tells.
func Named(name string) bool { return besides(name) != "" }

// besides returns the name of the policy that a file tests which does not name it, or "".
func besides(name string) string {
	base := filepath.Base(name)
	for end, instead := range endings {
		if stem, ok := strings.CutSuffix(base, end); ok && stem != "" {
			return stem + instead
		}
	}
	return ""
}

// place is a position in the file, from 1.
type place struct{ line, column int }

// word is a scalar with its place.
type word struct {
	text string
	at   place
}

// test is one test as written.
type test struct {
	at     place
	name   string
	who    []word
	want   bool // may, and not may_not
	does   []word
	to     []word // employees, or numbers
	lines  []word
	with   []word
	access []word

	clientOf        word // nobody's when empty
	client          bool
	party           bool
	locked          bool
	unknownPhone    bool
	protectedNumber bool
	reason          bool

	moment  time.Time // zero: that of the file
	because word      // of any reason when empty
	by      word      // by any rule when empty
}

// actions are those that the test names. The parser has seen that there are such.
func (t *test) actions() []policy.Action {
	var all []policy.Action
	for _, w := range t.does {
		if a, ok := policy.ParseAction(w.text); ok {
			all = append(all, a)
		}
	}
	return all
}
