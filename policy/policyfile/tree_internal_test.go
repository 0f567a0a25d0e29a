package policyfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Whatever happens to the files between two walks, the second is not the same.
func TestAnyChangeBetweenTwoWalksIsSeen(t *testing.T) {
	then := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, change := range map[string]func(dir string) error{
		"nothing":   func(string) error { return nil },
		"elsewhere": func(dir string) error { return os.WriteFile(dir+"/notes.txt", nil, 0o600) },
		"written": func(dir string) error {
			return os.WriteFile(dir+"/a.yaml", []byte("longer"), 0o600)
		},
		"written, as long": func(dir string) error { return os.WriteFile(dir+"/a.yaml", []byte("x"), 0o600) },
		"written, as old": func(dir string) error {
			return join(os.WriteFile(dir+"/a.yaml", []byte("xx"), 0o600), os.Chtimes(dir+"/a.yaml", then, then))
		},
		"replaced by its like": func(dir string) error { return join(fresh(dir+"/.new", then), os.Rename(dir+"/.new", dir+"/a.yaml")) },
		"renamed":              func(dir string) error { return os.Rename(dir+"/b.yaml", dir+"/c.yaml") },
		"removed":              func(dir string) error { return os.Remove(dir + "/b.yaml") },
		"added":                func(dir string) error { return fresh(dir+"/c.yaml", then) },
		"a dangling link":      func(dir string) error { return os.Symlink("gone", dir+"/c") },
	} {
		dir := t.TempDir()
		if err := join(fresh(dir+"/a.yaml", then), fresh(dir+"/b.yaml", then)); err != nil {
			t.Fatal(err)
		}
		before := walk([]string{dir}, nil)
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if got, want := before.same(walk([]string{dir}, nil)), name == "nothing" || name == "elsewhere"; got != want {
			t.Errorf("%s: the same is %t", name, got)
		}
	}
}

// Reading the named pipe again because somebody wrote into it meanwhile would find nothing any more.
func TestAPipeThatWasWrittenToIsTheSame(t *testing.T) {
	pipe := t.TempDir() + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	before := walk([]string{pipe}, nil)
	if err := os.Chtimes(pipe, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if len(before.files) != 1 || !before.same(walk([]string{pipe}, nil)) {
		t.Error("it counts as another")
	}
}

func fresh(path string, at time.Time) error {
	return join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, at, at))
}

func join(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A pipe between two files holds up the reading after the first, and meanwhile Kubernetes turns its link. What was read is not
// taken, although it makes a policy: half of the old one and half of the new one.
func TestFilesOfTwoVersionsAreNeverReadAsOne(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := join(os.MkdirAll(filepath.Dir(dir+"/"+name), 0o700), os.WriteFile(dir+"/"+name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put("..old/a.yaml", "version: 1\nemployees: {anna: {listen: any}}\n")
	put("..old/b.yaml", "version: 1\nemployees: {old: {}}\n")
	put("..new/a.yaml", "version: 1\nemployees: {anna: {listen: none}}\n")
	put("..new/b.yaml", "version: 1\nemployees: {new: {}}\n")
	put("regular", "version: 1\n")
	turn := func() error {
		return join(os.Symlink("..new", dir+"/..tmp"), os.Rename(dir+"/..tmp", dir+"/..data"))
	}
	if err := join(os.Symlink("..old", dir+"/..data"), os.Symlink("..data/a.yaml", dir+"/a.yaml"), os.Symlink("..data/b.yaml", dir+"/b.yaml"), syscall.Mkfifo(dir+"/pipe", 0o600)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		pipe, err := os.OpenFile(dir+"/pipe", os.O_WRONLY, 0) // returns when it is opened for reading: the first file has been read
		if err != nil {
			done <- err
			return
		}
		_, err = pipe.WriteString("version: 1\n")
		done <- join(err, turn(), os.Rename(dir+"/regular", dir+"/pipe"), pipe.Close())
	}()
	r := read([]string{dir + "/a.yaml", dir + "/pipe", dir + "/b.yaml"})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(r.errs) > 0 || len(r.files) != 3 || !strings.Contains(string(r.files[0].data), "none") || !strings.Contains(string(r.files[2].data), "new") {
		t.Errorf("%v, %q", r.errs, r.files)
	}
}

// A folder that the paths lead to no more is not watched any more, and one that is missing is.
func TestTheFoldersOfNowAreWatchedAndNoOthers(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string) {
		t.Helper()
		if err := join(os.MkdirAll(filepath.Dir(dir+"/"+name), 0o700), os.WriteFile(dir+"/"+name, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put("one/x.yaml")
	put("two/x.yaml")
	put("policy/sub/deep/y.yaml")
	put("policy/.git/z.yaml")
	turn := func(to string) {
		t.Helper()
		if err := join(os.Symlink(to, dir+"/policy/.tmp"), os.Rename(dir+"/policy/.tmp", dir+"/policy/link.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	turn("../one/x.yaml")
	w, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for range w.Events { // nobody else listens, and it would hold up the watcher
		}
	}()
	defer func() { _ = w.Close(); <-heard }()
	in := &folders{watcher: w, paths: []string{dir + "/policy"}}
	want := func(names ...string) {
		t.Helper()
		if err := in.follow(); err != nil {
			t.Fatal(err)
		}
		got := w.WatchList()
		slices.Sort(got)
		for i := range names {
			names[i] = strings.TrimSuffix(dir+"/"+names[i], "/")
		}
		if !slices.Equal(got, names) {
			t.Errorf("%q, want %q", got, names)
		}
	}
	want("", "one", "policy", "policy/sub", "policy/sub/deep")
	turn("../two/x.yaml")
	want("", "policy", "policy/sub", "policy/sub/deep", "two")
	if err := os.RemoveAll(dir + "/policy/sub/deep"); err != nil {
		t.Fatal(err)
	}
	want("", "policy", "policy/sub", "two")
	turn("../three/x.yaml")
	want("", "policy", "policy/sub", "two")
	put("three/x.yaml")
	want("", "policy", "policy/sub", "three")
}
