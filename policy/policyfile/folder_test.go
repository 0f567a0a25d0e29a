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

func TestAFileAddedToAFolderAndRemovedFromItIsAChange(t *testing.T) {
	w := watch(t, tree(t, map[string]string{"people.yaml": people}), policyfile.Options{})
	if allows(w.Current()) {
		t.Fatal("allowed before")
	}
	for i := range 3 {
		replace(t, w.path+"/more.yaml", listens)
		if c := w.until(good); !allows(c.set) || c.set.Generation() != uint64(2*i+2) {
			t.Fatalf("added: generation %d", c.set.Generation())
		}
		if err := os.Remove(w.path + "/more.yaml"); err != nil {
			t.Fatal(err)
		}
		if c := w.until(good); allows(c.set) || c.set.Generation() != uint64(2*i+3) {
			t.Fatalf("removed: generation %d", c.set.Generation())
		}
	}
}

func TestTheSameBytesUnderAnotherNameAreAnotherPolicy(t *testing.T) {
	w := watch(t, tree(t, map[string]string{"a.yaml": people, "b.yaml": listens}), policyfile.Options{})
	if err := os.Rename(w.path+"/b.yaml", w.path+"/c.yaml"); err != nil {
		t.Fatal(err)
	}
	c := w.next()
	anna, _ := c.set.Employee("anna")
	boris, _ := c.set.Employee("boris")
	d := c.set.Decide(&policy.Request{Subject: anna, Action: policy.Spy, Target: boris})
	if c.err != nil || c.set.Generation() != 2 || c.set.Rule(d.Rule).File != w.path+"/c.yaml" {
		t.Errorf("%+v, ground %v", c, c.set.Rule(d.Rule))
	}
}

func TestAFolderMadeLaterIsWatchedAllTheWayDown(t *testing.T) {
	w := watch(t, tree(t, map[string]string{"people.yaml": people}), policyfile.Options{})
	deep := w.path + "/a/b/c"
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	// Whether the watch has seen the folder yet, or comes upon it with the file in it, the file must count.
	write(t, deep+"/more.yaml", listens)
	if c := w.until(good); !allows(c.set) {
		t.Fatal("a file in a new folder does not count")
	}
	// From here on the new folder is known, and only its own watch can tell.
	replace(t, deep+"/more.yaml", "version: 1\n")
	if c := w.until(good); allows(c.set) {
		t.Fatal("the new folder is not watched")
	}
	// A folder that goes by another name is watched under that one.
	if err := os.Rename(w.path+"/a", w.path+"/z"); err != nil {
		t.Fatal(err)
	}
	w.until(good)
	replace(t, w.path+"/z/b/c/more.yaml", listens)
	if c := w.until(good); !allows(c.set) {
		t.Fatal("the renamed folder is not watched")
	}
	if err := os.RemoveAll(w.path + "/z"); err != nil {
		t.Fatal(err)
	}
	if c := w.until(func(c change) bool { return good(c) && !allows(c.set) }); c.set != w.Current() {
		t.Fatal("a folder that was removed counts")
	}
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, deep+"/more.yaml", listens)
	if c := w.until(good); !allows(c.set) {
		t.Fatal("a folder that was made anew does not count")
	}
	write(t, deep+"/more.yaml", "version: 1\n")
	if c := w.until(good); allows(c.set) {
		t.Fatal("a folder that was made anew is not watched")
	}
}

func TestOneBrokenFileInAFolderKeepsTheLastGoodPolicy(t *testing.T) {
	w := watch(t, tree(t, map[string]string{"people.yaml": people, "sub/more.yaml": listens}), policyfile.Options{})
	before := w.Current()
	replace(t, w.path+"/sub/bad.yaml", misspelt)
	var p policy.Problem
	if c := w.next(); !errors.As(c.err, &p) || p.File != w.path+"/sub/bad.yaml" || c.set != before || w.Current() != before {
		t.Errorf("broken: %+v", c)
	}
	// Not one of several changes comes into force while there is a fault in any.
	if err := os.Remove(w.path + "/sub/more.yaml"); err != nil {
		t.Fatal(err)
	}
	if c := w.next(); c.err == nil || w.Current() != before || !allows(w.Current()) {
		t.Errorf("half of a change is in force: %+v", c)
	}
	if err := os.Remove(w.path + "/sub/bad.yaml"); err != nil {
		t.Fatal(err)
	}
	if c := w.next(); c.err != nil || allows(c.set) || c.set.Generation() != 2 || w.Status().LastError != nil {
		t.Errorf("mended: %+v", c)
	}
}

func TestAFolderThatIsGoneOrEmptyKeepsTheLastGoodPolicy(t *testing.T) {
	w := watch(t, filepath.Join(tree(t, map[string]string{"policy/all.yaml": allowing}), "policy"), policyfile.Options{})
	before := w.Current()
	if err := os.Remove(w.path + "/all.yaml"); err != nil {
		t.Fatal(err)
	}
	if c := w.next(); c.err == nil || !strings.Contains(c.err.Error(), "no policy file is in this folder") || w.Current() != before {
		t.Errorf("empty: %+v", c)
	}
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	if c := w.next(); !errors.Is(c.err, fs.ErrNotExist) || w.Current() != before {
		t.Errorf("gone: %+v", c)
	}
	if err := os.Mkdir(w.path, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, w.path+"/all.yaml", denying)
	if c := w.until(good); allows(c.set) {
		t.Error("a folder that has come back does not count")
	}
	write(t, w.path+"/all.yaml", allowing)
	if c := w.until(good); !allows(c.set) {
		t.Error("a folder that has come back is not watched")
	}
}

func TestALinkToAFolderOutsideIsWatchedAndFollowed(t *testing.T) {
	first, second := tree(t, map[string]string{"sub/more.yaml": "version: 1\n"}), tree(t, map[string]string{"sub/more.yaml": listens})
	w := watch(t, tree(t, map[string]string{"people.yaml": people, "others -> " + first: ""}), policyfile.Options{})
	replace(t, first+"/sub/more.yaml", listens)
	if c := w.until(good); !allows(c.set) {
		t.Fatal("the folder behind the link is not watched")
	}
	replace(t, first+"/sub/more.yaml", "version: 1\n")
	w.until(good)
	if err := os.Symlink(second, w.path+"/.next"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(w.path+"/.next", w.path+"/others"); err != nil {
		t.Fatal(err)
	}
	if c := w.until(good); !allows(c.set) {
		t.Fatal("the link is not followed")
	}
	replace(t, second+"/sub/more.yaml", "version: 1\n")
	if c := w.until(good); allows(c.set) {
		t.Fatal("the folder behind the new link is not watched")
	}
}

func TestKubernetesTurnsTheLinkOfAFolder(t *testing.T) {
	// In each version the two files fit each other only: a mixture of two versions would be broken or allow.
	version := func(n string) map[string]string {
		return map[string]string{
			"people.yaml": "version: 1\nemployees:\n  anna: {}\n  boris: {}\ngroups:\n  g" + n + ": [anna]\n",
			"rights.yaml": "version: 1\nroles:\n  ear: {listen: [boris]}\nassign:\n  - {role: ear, to: [group:g" + n + "]}\n",
		}
	}
	dir := tree(t, map[string]string{"people.yaml -> ..data/people.yaml": "", "rights.yaml -> ..data/rights.yaml": ""})
	turn := func(n string) {
		for name, text := range version(n) {
			if err := os.MkdirAll(filepath.Join(dir, "..v"+n), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "..v"+n, name), text)
		}
		if err := os.Symlink("..v"+n, dir+"/..data_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(dir+"/..data_tmp", dir+"/..data"); err != nil {
			t.Fatal(err)
		}
	}
	turn("0")
	w := watch(t, dir, policyfile.Options{})
	for i := range 5 {
		old, next := string(rune('0'+i)), string(rune('1'+i))
		turn(next)
		if err := os.RemoveAll(dir + "/..v" + old); err != nil {
			t.Fatal(err)
		}
		if c := w.next(); c.err != nil || !allows(c.set) || c.set.Generation() != uint64(i)+2 {
			t.Fatalf("version %s: %+v", next, c)
		}
	}
}

func TestFilesThatAreSavedTogetherAreOneChange(t *testing.T) {
	const moved, rest = "version: 1\nemployees:\n  boris: {}\n", "version: 1\nemployees:\n  anna: {listen: any}\n"
	w := watch(t, tree(t, map[string]string{"a.yaml": people}), policyfile.Options{Debounce: 500 * time.Millisecond})
	replace(t, w.path+"/a.yaml", moved)
	replace(t, w.path+"/b.yaml", rest)
	if c := w.next(); c.err != nil || !allows(c.set) || c.set.Generation() != 2 {
		t.Errorf("the first that was told: %+v", c)
	}
	// What was told of is all that there was: the next that is told is the next change.
	replace(t, w.path+"/b.yaml", "version: 1\nemployees:\n  anna: {}\n")
	if c := w.next(); c.err != nil || allows(c.set) || c.set.Generation() != 3 {
		t.Errorf("the second: %+v", c)
	}
}

func TestSeveralPathsAreWatched(t *testing.T) {
	dir, file := tree(t, map[string]string{"more.yaml": "version: 1\n"}), policyAt(t, people)
	w := watchAll(t, []string{file, dir}, policyfile.Options{})
	replace(t, dir+"/more.yaml", listens)
	if c := w.until(good); !allows(c.set) {
		t.Error("the folder is not watched")
	}
	replace(t, file, "version: 1\nemployees:\n  boris: {}\n")
	if c := w.next(); c.err == nil || !strings.Contains(c.err.Error(), dir+"/more.yaml:5:") || !allows(w.Current()) {
		t.Errorf("the file is not watched: %+v", c)
	}
	if got := w.Paths(); len(got) != 2 || got[0] != file || got[1] != dir {
		t.Errorf("Paths: %v", got)
	}
}
