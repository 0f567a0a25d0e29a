package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// A reader tells which licences a text is.
type reader struct{ c *classifier.Classifier }

func newReader() (reader, error) {
	c, err := assets.DefaultClassifier()
	if err != nil {
		return reader{}, fmt.Errorf("read the known licences: %w", err)
	}
	return reader{c}, nil
}

// silent says of a file that it grants nothing of what is linked: it says who, lists what the module's own tests use, or is about a picture.
func silent(file string) bool {
	name := strings.ToUpper(filepath.Base(file))
	return strings.HasPrefix(name, "NOTICE") || strings.Contains(name, "3RD-PARTY") || strings.HasSuffix(name, "-LOGO")
}

// of lists the licences of a module, in order. A module without any is an error. So is, of one that is linked, a text that nobody knows: somebody has to
// read it. Elsewhere it counts as another licence.
func (r reader) of(m module, linked bool) ([]string, error) {
	names := map[string]bool{}
	for _, file := range m.files {
		if silent(file) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a licence: %w", err)
		}
		found := r.in(text)
		if len(found) == 0 && !linked {
			found = []string{"others"}
		}
		if len(found) == 0 && filepath.Base(file) != "COPYING" { // which may say which of two others one may choose
			return nil, fmt.Errorf("%s: no licence that is known: read it, and tell supply of it", file)
		}
		for _, name := range found {
			names[name] = true
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s %s: it has no licence", m.path, m.version)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

func (r reader) in(text []byte) []string {
	var names []string
	for _, m := range r.c.Match(r.c.Normalize(text)).Matches {
		if (m.MatchType == "License" || m.MatchType == "Header") && !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	// SQLite's says that it is nobody's, in words of its own.
	if bytes.Contains(text, []byte("SQLite")) && bytes.Contains(bytes.ToLower(text), []byte("public domain")) {
		names = append(names, "public domain (SQLite)")
	}
	return names
}

// A part is something that is made of modules.
type part struct {
	name, folder string
	args         []string
	linked       bool // into what is given to others
}

// parts lists what there is: the program, what its tests take besides, and each module that helps to make it.
func parts() ([]part, error) {
	all := []part{
		{name: "the program", folder: ".", args: []string{program}, linked: true},
		{name: "its tests", folder: ".", args: []string{"-test", "./..."}},
	}
	var mods []string
	for _, pattern := range []string{".ci/*/go.mod", "testdata/*/go.mod", "testdata/*/*/go.mod"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("look for modules: %w", err)
		}
		mods = append(mods, found...)
	}
	if len(mods) == 0 {
		return nil, errors.New("there is no module beside Earshot's own: run this in the root of the repository")
	}
	for _, mod := range mods {
		folder := filepath.Dir(mod)
		args := []string{"-test", "./..."}
		if folder == ".ci/tools" {
			args = []string{"tool"}
		}
		all = append(all, part{name: folder, folder: folder, args: args})
	}
	return all, nil
}

// licences writes the tables into the page, or compares them with what it has.
func licences(ctx context.Context, page string, check bool) error {
	r, err := newReader()
	if err != nil {
		return err
	}
	all, err := parts()
	if err != nil {
		return err
	}
	var problems []error
	var own, others strings.Builder
	own.WriteString("| module | version | licence |\n|---|---|---|\n")
	others.WriteString("| what | modules | licences |\n|---|---|---|\n")
	for _, p := range all {
		modules, err := uses(ctx, p.folder, p.args...)
		if err != nil {
			return err
		}
		count := map[string]int{}
		for _, m := range modules {
			names, err := r.of(m, p.linked)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			for _, name := range names {
				count[name]++
				if p.linked && !mayBeLinked[name] {
					problems = append(problems, fmt.Errorf("%s %s: nobody has said that %s may be linked", m.path, m.version, name))
				}
			}
			if p.linked {
				fmt.Fprintf(&own, "| %s | %s | %s |\n", m.path, m.version, strings.Join(names, ", "))
			}
		}
		if !p.linked {
			var list []string
			for _, name := range slices.Sorted(maps.Keys(count)) {
				list = append(list, fmt.Sprintf("%s (%d)", name, count[name]))
			}
			fmt.Fprintf(&others, "| %s | %d | %s |\n", p.name, len(modules), strings.Join(list, ", "))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	text, err := place(string(old), "linked", own.String())
	if err == nil {
		text, err = place(text, "others", others.String())
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", page, err)
	case text == string(old):
		return nil
	case check:
		return fmt.Errorf("%s does not say what Earshot is made of: run make licences, and read what has changed", page)
	}
	return os.WriteFile(page, []byte(text), 0o644)
}

// place puts a table between the marks of its name.
func place(text, name, table string) (string, error) {
	first, last := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	head, rest, ok := strings.Cut(text, first)
	_, tail, ok2 := strings.Cut(rest, last)
	if !ok || !ok2 {
		return "", fmt.Errorf("it has no %q and %q", strings.TrimSpace(first), strings.TrimSpace(last))
	}
	return head + first + table + last + tail, nil
}

// texts writes the licences of what is linked, one after the other.
func texts(ctx context.Context, file string) error {
	modules, err := uses(ctx, ".", program)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("Earshot is under the Apache License 2.0. What it is made of besides, and Go's own library:\n")
	root, err := goRoot(ctx)
	if err != nil {
		return err
	}
	modules = append(modules, module{path: "Go's standard library", root: root, files: []string{filepath.Join(root, "LICENSE")}})
	for _, m := range modules {
		for _, name := range m.files {
			text, err := os.ReadFile(name)
			if err != nil {
				return fmt.Errorf("read a licence: %w", err)
			}
			rel, err := filepath.Rel(m.root, name)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "\n%s\n%s %s: %s\n\n%s\n", strings.Repeat("=", 80), m.path, m.version, rel, bytes.TrimSpace(text))
		}
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}
