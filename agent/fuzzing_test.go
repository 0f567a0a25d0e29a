package agent_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// CONTRIBUTING has a row for each fuzz target of the source, with its oracle, and for no other; and `make fuzz` runs exactly these.
func TestEveryFuzzTargetHasItsRow(t *testing.T) {
	var source []string
	begins := regexp.MustCompile(`(?m)^func (Fuzz\w*)\(`)
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range begins.FindAllStringSubmatch(string(text), -1) {
			source = append(source, strings.TrimPrefix(filepath.Dir(path), "../")+" "+m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z/]+)` (Fuzz\\w*) \\| [^|]+ \\|$").FindAllStringSubmatch(string(page), -1) {
		rows = append(rows, m[1]+" "+m[2])
	}
	run, err := exec.CommandContext(t.Context(), "../.ci/fuzz", "-n").Output()
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Split(strings.TrimSpace(string(run)), "\n")
	for _, l := range [][]string{source, rows, listed} {
		slices.Sort(l)
	}
	if len(source) < 50 || !slices.Equal(rows, source) || !slices.Equal(listed, source) {
		t.Errorf("there are %d targets:\n%s\n%d rows:\n%s\n%d that are run:\n%s", len(source), strings.Join(source, "\n"), len(rows), strings.Join(rows, "\n"), len(listed), strings.Join(listed, "\n"))
	}
}

// A list of targets that comes out empty is a failure, and one that does not is none.
func TestNothingToFuzzIsAFailure(t *testing.T) {
	script, err := filepath.Abs("../.ci/fuzz")
	if err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for _, args := range [][]string{{"1s", empty}, {"-n", "1s", empty}} {
		out, err := exec.CommandContext(t.Context(), script, args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "no fuzz target") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	put(t, filepath.Join(empty, "x_test.go"), "package x\n\nfunc FuzzX(f *testing.F) {}\n")
	if out, err := exec.CommandContext(t.Context(), script, "-n", "1s", empty).CombinedOutput(); err != nil || string(out) != " FuzzX\n" {
		t.Errorf("%v: %q", err, out)
	}
}

// What is kept of fuzzing is small enough to be read again with each test.
func TestTheKeptCorpusIsSmall(t *testing.T) {
	files, all := map[string]int{}, int64(0)
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/testdata/fuzz/") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files[filepath.Dir(path)]++
		if all += info.Size(); info.Size() > 4<<10 || files[filepath.Dir(path)] > 40 {
			t.Errorf("%s has %d bytes, and is one of %d", path, info.Size(), files[filepath.Dir(path)])
		}
		if _, name := filepath.Split(filepath.Dir(path)); !strings.HasPrefix(name, "Fuzz") {
			t.Errorf("%s is of no target", path)
		}
		return nil
	})
	if err != nil || all > 2<<20 || len(files) < 3 {
		t.Errorf("%d bytes for %d targets, %v", all, len(files), err)
	}
}
