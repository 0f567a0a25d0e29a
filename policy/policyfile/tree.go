package policyfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

var (
	errEmpty      = errors.New("no policy file is in this folder or below it")
	errNotRegular = errors.New("not a regular file")
)

// tree is which files the paths lead to at a moment.
type tree struct {
	files []entry // each once, under the first name that leads to it
	errs  []error // of what cannot be looked at, and may be part of the policy

	met   sightings
	visit func(folder string) // may be nil
}

// entry is one policy file.
type entry struct {
	name string      // the path as given, joined with the name below it
	info fs.FileInfo // of the file itself, behind any link
}

// walk looks at every path. It visits each folder where a change may matter before it looks there: those below the paths, those that the
// paths stand in, and those where a link leads to a file.
func walk(paths []string, visit func(folder string)) *tree {
	t := &tree{met: sightings{}, visit: visit}
	for _, path := range paths {
		t.path(path)
	}
	return t
}

func (t *tree) path(path string) {
	t.visits(filepath.Dir(path)) // where it may be replaced
	info, err := os.Stat(path)
	switch {
	case err != nil:
		t.fail(err)
	case !info.IsDir():
		t.file(path, info, true) // whatever its name, and be it a pipe: it was asked for
	case !t.folder(path, info, sightings{}):
		t.fail(&fs.PathError{Op: "read", Path: path, Err: errEmpty})
	}
}

// folder looks at the policy files in a folder and below it, and reports whether there was one, or an error. The folders met below the
// same path are looked at once, or a link to a folder above would have no end.
func (t *tree) folder(path string, info fs.FileInfo, met sightings) (found bool) {
	if !met.first(info) {
		return false
	}
	t.visits(path)
	items, err := os.ReadDir(path)
	if err != nil {
		t.fail(err)
		return true
	}
	for _, item := range items {
		name, link := item.Name(), item.Type()&fs.ModeSymlink != 0
		// What begins with a dot is an editor's, or Kubernetes' ..data, to whose files there are links beside it.
		if strings.HasPrefix(name, ".") || !item.IsDir() && (isTest(name) || !link && !isPolicy(name)) {
			continue
		}
		below := filepath.Join(path, name)
		// A link that leads nowhere is an error whatever its name: what is missing may be a whole folder.
		switch info, err := os.Stat(below); {
		case err != nil:
			t.fail(err)
		case info.IsDir():
			if !t.folder(below, info, met) {
				continue
			}
		case !isPolicy(name):
			continue
		case !info.Mode().IsRegular(): // reading a pipe would have no end
			t.fail(&fs.PathError{Op: "read", Path: below, Err: errNotRegular})
		default:
			t.file(below, info, link)
		}
		found = true
	}
	return found
}

func (t *tree) file(name string, info fs.FileInfo, mayBeLink bool) {
	if mayBeLink && t.visit != nil {
		if leaf, err := filepath.EvalSymlinks(name); err == nil {
			t.visit(filepath.Dir(leaf))
		}
	}
	if t.met.first(info) {
		t.files = append(t.files, entry{name, info})
	}
}

func (t *tree) visits(folder string) {
	if t.visit != nil {
		t.visit(folder)
	}
}

func (t *tree) fail(err error) { t.errs = append(t.errs, unreadable(err)) }

// same reports whether nothing was added, removed, replaced or written between two walks.
func (t *tree) same(later *tree) bool {
	return slices.EqualFunc(t.files, later.files, entry.same) &&
		slices.EqualFunc(t.errs, later.errs, func(a, b error) bool { return a.Error() == b.Error() })
}

func (e entry) same(later entry) bool {
	return e.name == later.name && os.SameFile(e.info, later.info) &&
		(!e.info.Mode().IsRegular() || stampOf(e.info) == stampOf(later.info)) // a pipe changes while it is read
}

// isPolicy reports whether a file of that name in a folder is part of the policy, if it holds no tests.
func isPolicy(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// isTest reports whether a file of that name holds decision tests, which stand beside the policy that they are about.
func isTest(name string) bool {
	return strings.HasSuffix(name, ".test.yaml") || strings.HasSuffix(name, ".test.yml")
}

// sightings are files or folders that have been met, whatever the name: one behind two links, or a path that was given twice.
type sightings map[stamp][]fs.FileInfo

// stamp is what two sightings of one file have in common and most other files have not, so that few have to be compared.
type stamp struct{ size, changed int64 }

func stampOf(info fs.FileInfo) stamp { return stamp{info.Size(), info.ModTime().UnixNano()} }

// first reports whether the file has not been met before, and remembers it.
func (s sightings) first(info fs.FileInfo) bool {
	at := stampOf(info)
	if slices.ContainsFunc(s[at], func(other fs.FileInfo) bool { return os.SameFile(info, other) }) {
		return false
	}
	s[at] = append(s[at], info)
	return true
}
