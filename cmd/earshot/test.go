package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/earshot-pbx/earshot/policy/decisiontest"
)

type testCmd struct {
	Paths   []string `arg:"" name:"path" help:"Files of tests; of a folder every *.test.yaml below it."`
	Policy  []string `sep:"none" help:"A file or folder of another policy, to be tested instead of the one that the tests name; may be repeated." placeholder:"PATH"`
	Verbose bool     `short:"v" help:"Print every decision, and not only those that did not come as expected."`
	Cover   bool     `help:"Print the rules of the policy that spoke for or against nothing that was tested, and how many."`
}

// Run prints what did not come as expected, and then a line that begins with ok or FAIL.
func (c *testCmd) Run(s streams) error {
	suites, err := c.load()
	if err != nil {
		return err
	}
	var cover decisiontest.Cover
	tests, decisions, failed := 0, 0, 0
	for _, suite := range suites {
		results := suite.Run()
		cover.Add(suite, results)
		tests, decisions = tests+suite.Tests(), decisions+len(results)
		for _, r := range results {
			switch {
			case !r.OK:
				failed++
				_, _ = fmt.Fprintln(s.out, "FAIL", r)
			case c.Verbose:
				_, _ = fmt.Fprintln(s.out, "ok  ", r)
			}
		}
	}
	if c.Cover {
		silent := cover.Silent()
		for _, rule := range silent {
			_, _ = fmt.Fprintln(s.out, "untested", rule)
		}
		_, _ = fmt.Fprintf(s.out, "%d of %d rules are tested\n", cover.Len()-len(silent), cover.Len())
	}
	if failed > 0 {
		_, _ = fmt.Fprintf(s.out, "FAIL %d of %d decisions in %d tests\n", failed, decisions, tests)
		return refusal{}
	}
	_, err = fmt.Fprintf(s.out, "ok %d decisions in %d tests\n", decisions, tests)
	return err
}

// load reads all tests. With a mistake in any file nothing is tested.
func (c *testCmd) load() ([]*decisiontest.Suite, error) {
	var suites []*decisiontest.Suite
	var errs []error
	seen := map[string]bool{} // a file may be named beside its folder
	for _, path := range c.Paths {
		files, err := testFiles(path)
		if err != nil {
			errs = append(errs, err)
		}
		for _, file := range files {
			if seen[filepath.Clean(file)] {
				continue
			}
			seen[filepath.Clean(file)] = true
			suite, err := decisiontest.Load(file, c.Policy...)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			suites = append(suites, suite)
		}
	}
	return suites, errors.Join(errs...)
}

// testFiles returns the file itself, or the files of tests below a folder.
func testFiles(path string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (file == path || decisiontest.Named(file)) {
			files = append(files, file)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the tests: %w", err)
	case len(files) == 0:
		return nil, fmt.Errorf("no *.test.yaml in %s", path)
	}
	return files, nil
}
