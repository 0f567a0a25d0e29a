package policyfile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

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

// turns tells of each turn of the loop of Watch, and has the poll come when told to.
func turns(options policyfile.Options) (o policyfile.Options, turned <-chan time.Duration, poll chan<- time.Time) {
	waits, tick := make(chan time.Duration, 1000), make(chan time.Time)
	options.After = func(d time.Duration) <-chan time.Time { waits <- d; return tick }
	return options, waits, tick
}

func TestFilesThatAreSavedTogetherAreOneChange(t *testing.T) {
	const moved, rest = "version: 1\nemployees:\n  boris: {}\n", "version: 1\nemployees:\n  anna: {listen: any}\n"
	options, turned, _ := turns(policyfile.Options{Debounce: 500 * time.Millisecond})
	w := watch(t, tree(t, map[string]string{"a.yaml": people}), options)
	<-turned
	replace(t, w.path+"/a.yaml", moved)
	for range 4 { // created, written, moved from, moved to: the first save has been heard of
		<-turned
	}
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

func TestPollingLeavesASaveUnderWayAlone(t *testing.T) {
	options, turned, poll := turns(policyfile.Options{Debounce: time.Hour})
	w := watch(t, tree(t, map[string]string{"a.yaml": people}), options)
	<-turned
	replace(t, w.path+"/b.yaml", listens)
	for range 4 {
		<-turned
	}
	poll <- time.Time{}
	<-turned
	if w.Current().Generation() != 1 || len(w.changes) > 0 {
		t.Error("the first file of a save is in force before the last is written")
	}
	if err := w.Reload(); err != nil || w.Current().Generation() != 2 || !allows(w.Current()) {
		t.Errorf("who asks for it gets it: %v", err)
	}
}

func TestLostEventsDoNotEndTheWatch(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Fatal(err)
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	blocked, free := make(chan struct{}, 1), make(chan struct{})
	// The loop is held up at a turn, so that nobody takes what the kernel tells.
	var hold atomic.Bool
	w := watch(t, tree(t, map[string]string{"a.yaml": people}), policyfile.Options{After: func(time.Duration) <-chan time.Time {
		if hold.CompareAndSwap(true, false) {
			blocked <- struct{}{}
			<-free
		}
		return nil
	}})
	hold.Store(true)
	write(t, w.path+"/first.txt", "")
	<-blocked
	for range limit { // two events each, and what is read ahead does not count
		if err := errors.Join(os.Symlink("x", w.path+"/.x"), os.Remove(w.path+"/.x")); err != nil {
			t.Fatal(err)
		}
	}
	replace(t, w.path+"/b.yaml", listens) // of which nothing is told
	close(free)
	if c := w.until(good); !allows(c.set) {
		t.Error("a change of which the event was lost is not in force")
	}
	replace(t, w.path+"/b.yaml", "version: 1\n")
	if c := w.until(good); allows(c.set) {
		t.Error("the watch has ended")
	}
}

func TestAChangeBetweenOpenAndWatchIsSeen(t *testing.T) {
	path, changes := policyAt(t, allowing), make(chan change, 10)
	f, err := policyfile.Open([]string{path}, policyfile.Options{OnChange: func(s *policy.Set, err error) { changes <- change{s, err} }})
	if err != nil {
		t.Fatal(err)
	}
	replace(t, path, denying)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Watch(ctx) }()
	select {
	case c := <-changes:
		if c.err != nil || allows(c.set) {
			t.Errorf("%+v", c)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was told of the change")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
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
