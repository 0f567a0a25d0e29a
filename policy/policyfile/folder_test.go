package policyfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

const (
	people   = "version: 1\nemployees:\n  anna: {}\n  boris: {}\n"
	listens  = "version: 1\nroles:\n  ear: {listen: any}\nassign:\n  - {role: ear, to: [anna]}\n"
	misspelt = "version: 1\nroles:\n  ear: {lisen: any}\n"
)

// tree makes a folder with the files; a name that ends in a slash is a folder, and "a -> b" is a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name, to, link := strings.Cut(name, " -> ")
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		switch {
		case err != nil:
		case link:
			err = os.Symlink(to, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o700)
		default:
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func names(t *testing.T, dir string, paths ...string) string {
	t.Helper()
	files, err := policyfile.Read(paths)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		all = append(all, strings.TrimPrefix(f.Name(), dir+"/"))
	}
	return strings.Join(all, " ")
}

func TestAFolderIsItsPolicyFiles(t *testing.T) {
	dir := tree(t, map[string]string{
		"b.yaml": people, "a.yml": people, "a/z.yaml": people, "a/b/c.yaml": people, "c.yaml/d.yaml": people, "empty/": "",
		// and nothing else
		"a.test.yaml": "x", "a/b.test.yml": "x", "README.md": "x", "x.yaml~": "x", ".b.yaml.swp": "x", ".hidden.yaml": "x", ".git/x.yaml": "x",
		"old.test.yaml -> gone": "", ".#b.yaml -> gone": "",
	})
	if got, want := names(t, dir, dir), "a/b/c.yaml a/z.yaml a.yml b.yaml c.yaml/d.yaml"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := names(t, dir, dir+"/b.yaml", dir+"/a", dir+"/a.test.yaml", dir+"/.git"), "b.yaml a/b/c.yaml a/z.yaml a.test.yaml .git/x.yaml"; got != want {
		t.Errorf("asked for by name: %s, want %s", got, want)
	}
	t.Chdir(dir)
	if got, want := names(t, dir, "a", "./b.yaml"), "a/b/c.yaml a/z.yaml ./b.yaml"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLinksAreFollowedAndAFileReachedTwiceIsReadOnce(t *testing.T) {
	dir := tree(t, map[string]string{
		"..v1/x.yaml": people, "..v1/sub/y.yaml": listens,
		"..data -> ..v1": "", "x.yaml -> ..data/x.yaml": "", "sub -> ..data/sub": "", // as Kubernetes lays them out
		"again.yaml -> x.yaml": "", "round -> .": "", "other.txt -> x.yaml": "",
	})
	if err := os.Link(filepath.Join(dir, "..v1", "x.yaml"), filepath.Join(dir, "z.yaml")); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir, dir), "again.yaml sub/y.yaml"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := names(t, dir, dir+"/x.yaml", dir, dir, dir+"/sub/y.yaml", dir+"/sub"), "x.yaml sub/y.yaml"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, _, err := policyfile.Load([]string{dir, dir + "/x.yaml"}, time.Now()); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeReadIsToldWithTheMistakesOfTheRest(t *testing.T) {
	dir := tree(t, map[string]string{
		"good.yaml": listens, "bad.yaml": misspelt, "empty/": "", "empty/notes.txt": "x", "tests/a.test.yaml": "x", "linked/a.yaml -> gone": "", "linked/sub -> gone": "",
	})
	paths := []string{dir + "/good.yaml", dir + "/bad.yaml", dir + "/empty", dir + "/tests", dir + "/linked", dir + "/gone.yaml"}
	set, _, err := policyfile.Load(paths, time.Now())
	want := strings.ReplaceAll(`read the policy: read D/empty: no policy file is in this folder or below it
read the policy: read D/tests: no policy file is in this folder or below it
read the policy: stat D/linked/a.yaml: no such file or directory
read the policy: stat D/linked/sub: no such file or directory
read the policy: stat D/gone.yaml: no such file or directory
D/bad.yaml:3:9: roles.ear: unknown key "lisen" (did you mean "listen"?)`, "D/", dir+"/")
	if err == nil || err.Error() != want || set != nil {
		t.Errorf("%v\nwant\n%s", err, want)
	}
	if p := (policy.Problem{}); !errors.As(err, &p) || !errors.Is(err, fs.ErrNotExist) {
		t.Error("the causes are lost")
	}
	if files, err := policyfile.Read(paths); err == nil || strings.Contains(err.Error(), "lisen") || files != nil {
		t.Errorf("Read: %v, %v", files, err)
	}
	if files, err := policyfile.Read(paths[:2]); err != nil || len(files) != 2 {
		t.Errorf("Read leaves mistakes to Compile, and says %v", err)
	}
	// What all files say together is judged when they are all there.
	if _, _, err = policyfile.Load(paths[:2], time.Now()); err == nil || strings.Count(err.Error(), "\n") != 2 || !strings.Contains(err.Error(), "good.yaml:5:") {
		t.Errorf("%v", err)
	}
	for _, none := range [][]string{nil, {}} {
		if _, err := policyfile.Open(none, policyfile.Options{}); err == nil || err.Error() != "read the policy: no file or folder is named" {
			t.Errorf("no path: %v", err)
		}
	}
}

func TestAPipeIsReadWhenItIsNamedAndRefusedInAFolder(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(people); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	link := filepath.Join(t.TempDir(), "pipe")
	if err := os.Symlink("/proc/self/fd/"+strconv.Itoa(int(r.Fd())), link); err != nil {
		t.Fatal(err)
	}
	if set, _, err := policyfile.Load([]string{link}, time.Now()); err != nil || set.Len() != 2 {
		t.Errorf("a pipe: %v", err)
	}
	dir := tree(t, map[string]string{"a.yaml": people})
	if err := os.Symlink("/proc/self/fd/"+strconv.Itoa(int(r.Fd())), filepath.Join(dir, "b.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := policyfile.Load([]string{dir}, time.Now()); err == nil || !strings.HasSuffix(err.Error(), "b.yaml: not a regular file") {
		t.Errorf("a pipe in a folder: %v", err)
	}
}

func TestAnotherWorkingFolderIsNoOtherPolicy(t *testing.T) {
	dir := tree(t, map[string]string{"p/a.yaml": people, "other/p/a.yaml": allowing})
	t.Chdir(dir)
	f, err := policyfile.Open([]string{"p"}, policyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir + "/other")
	if err := f.Reload(); err != nil || f.Current().Generation() != 1 || f.Paths()[0] != dir+"/p" {
		t.Errorf("%v, generation %d of %v", err, f.Current().Generation(), f.Paths())
	}
}
