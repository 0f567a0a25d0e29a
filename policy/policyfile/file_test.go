package policyfile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	allowing = "version: 1\nemployees:\n  anna: {listen: true}\n  boris: {}\n"
	denying  = "version: 1\nemployees:\n  anna: {listen: false}\n  boris: {}\n"
	broken   = "version: 1\nemployees:\n  anna: {lisen: true}\n  boris: {}\n"
)

// change is one call of OnChange.
type change struct {
	set *policy.Set
	err error
}

// watched is a file that is being watched, with what it told.
type watched struct {
	*policyfile.File
	t       *testing.T
	path    string
	changes chan change
}

// watch opens the path and watches it until the test ends. It polls only when told to: what is seen was heard of.
func watch(t *testing.T, path string, options policyfile.Options) *watched {
	t.Helper()
	return watchAll(t, []string{path}, options)
}

func watchAll(t *testing.T, paths []string, options policyfile.Options) *watched {
	t.Helper()
	w := &watched{t: t, path: paths[0], changes: make(chan change, 100)}
	if options.Poll == 0 {
		options.Poll = time.Hour
	}
	options.OnChange = func(s *policy.Set, err error) { w.changes <- change{s, err} }
	after, started := options.After, make(chan struct{})
	if after == nil {
		after = time.After
	}
	var once sync.Once
	options.After = func(d time.Duration) <-chan time.Time {
		once.Do(func() { close(started) })
		return after(d)
	}
	f, err := policyfile.Open(paths, options)
	if err != nil {
		t.Fatal(err)
	}
	w.File = f
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Watch(ctx) }()
	<-started // what happens from here on is heard of, and not found by looking at the beginning
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return w
}

// next waits for a call of OnChange.
func (w *watched) next() change {
	w.t.Helper()
	select {
	case c := <-w.changes:
		return c
	case <-time.After(10 * time.Second):
		w.t.Fatal("nothing was told of the change")
		return change{}
	}
}

// until waits for a change that the test accepts: writing in place may show in more than one step.
func (w *watched) until(accept func(change) bool) change {
	w.t.Helper()
	for {
		if c := w.next(); accept(c) {
			return c
		}
	}
}

func good(c change) bool { return c.err == nil }
func bad(c change) bool  { return c.err != nil }

// allows reports whether anna may listen to boris.
func allows(s *policy.Set) bool {
	anna, _ := s.Employee("anna")
	boris, _ := s.Employee("boris")
	return s.Decide(&policy.Request{Subject: anna, Action: policy.Spy, Target: boris}).Allowed
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace does what editors do: a new file, renamed over the old one.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+"~new", text)
	if err := os.Rename(path+"~new", path); err != nil {
		t.Fatal(err)
	}
}

func policyAt(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, text)
	return path
}

func TestNoGoodPolicyNoFile(t *testing.T) {
	if _, err := policyfile.Open([]string{filepath.Join(t.TempDir(), "none.yaml")}, policyfile.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	_, err := policyfile.Open([]string{policyAt(t, broken)}, policyfile.Options{})
	var p policy.Problem
	if !errors.As(err, &p) || p.Line != 3 || !strings.Contains(p.Hint, "listen") {
		t.Errorf("broken file: %v", err)
	}
}

func TestAChangeComesIntoForce(t *testing.T) {
	for name, save := range map[string]func(*testing.T, string, string){"written in place": write, "renamed over": replace} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, policyAt(t, allowing), policyfile.Options{})
			if !allows(w.Current()) || w.Current().Generation() != 1 || w.Status().Generation != 1 {
				t.Fatal("the policy is not in force after Open")
			}
			for i := range 4 { // over and over: the watch must survive the file that it began with
				text, want := denying, false
				if i%2 == 1 {
					text, want = allowing, true
				}
				save(t, w.path, text)
				c := w.until(good)
				if allows(c.set) != want || w.Current() != c.set {
					t.Fatalf("change %d: the old policy is in force", i)
				}
				if g := uint64(i) + 2; c.set.Generation() != g || w.Status().Generation != g {
					t.Fatalf("change %d: generation %d, status %d", i, c.set.Generation(), w.Status().Generation)
				}
			}
		})
	}
}

func TestABrokenFileKeepsTheLastGoodPolicy(t *testing.T) {
	w := watch(t, policyAt(t, denying), policyfile.Options{})
	before := w.Current()
	replace(t, w.path, broken)
	c := w.next()
	var p policy.Problem
	if !errors.As(c.err, &p) || p.Line != 3 {
		t.Errorf("told: %v", c.err)
	}
	if c.set != before || w.Current() != before || w.Status().LastError == nil || w.Status().Generation != 1 {
		t.Errorf("a broken file changed something: %+v", w.Status())
	}
	if err := w.Reload(); err == nil {
		t.Error("Reload of the broken file returned no error")
	}
	w.until(bad)

	// Back to what is in force: nothing changes but the complaint.
	replace(t, w.path, denying)
	if c := w.next(); c.err != nil || c.set != before || w.Status().LastError != nil || w.Status().Generation != 1 {
		t.Errorf("the good file of before: %v, %+v", c.err, w.Status())
	}
}

func TestARemovedFileKeepsTheLastGoodPolicy(t *testing.T) {
	w := watch(t, policyAt(t, denying), policyfile.Options{})
	before := w.Current()
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	if c := w.next(); !errors.Is(c.err, fs.ErrNotExist) || w.Current() != before {
		t.Errorf("removed: %v", c.err)
	}
	write(t, w.path, allowing)
	if c := w.until(good); !allows(c.set) || w.Status().LastError != nil {
		t.Errorf("written anew: %+v", w.Status())
	}
}

func TestAnEmptiedFileKeepsTheLastGoodPolicy(t *testing.T) {
	w := watch(t, policyAt(t, allowing), policyfile.Options{})
	write(t, w.path, "")
	if c := w.next(); c.err == nil || !allows(w.Current()) {
		t.Errorf("emptied: %v", c.err)
	}
}

func TestKubernetesTurnsTheLink(t *testing.T) {
	dir := t.TempDir()
	version := func(name, text string) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "policy.yaml"), text)
	}
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(dir, name+"_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, name+"_tmp"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	version("..v1", allowing)
	link("..v1", "..data")
	link("..data/policy.yaml", "policy.yaml")
	w := watch(t, filepath.Join(dir, "policy.yaml"), policyfile.Options{})
	for i, text := range []string{denying, allowing, denying} {
		old, name := []string{"..v1", "..v2", "..v3"}[i], []string{"..v2", "..v3", "..v4"}[i]
		version(name, text)
		link(name, "..data")
		if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
			t.Fatal(err)
		}
		if c := w.until(good); allows(c.set) != (text == allowing) {
			t.Fatalf("%s is not in force", name)
		}
	}
}

func TestTheFileBehindALinkIsWatched(t *testing.T) {
	leaf := policyAt(t, allowing)
	path := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(leaf, path); err != nil {
		t.Fatal(err)
	}
	w := watch(t, path, policyfile.Options{})
	replace(t, leaf, denying)
	if c := w.until(good); allows(c.set) {
		t.Error("the old policy is in force")
	}
}

func TestALinkTurnedElsewhereIsFollowed(t *testing.T) {
	first, second := policyAt(t, allowing), policyAt(t, denying)
	path := filepath.Join(t.TempDir(), "link.yaml")
	turn := func(to string) {
		if err := os.Symlink(to, path+"~"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+"~", path); err != nil {
			t.Fatal(err)
		}
	}
	turn(first)
	w := watch(t, path, policyfile.Options{})
	turn(second)
	if c := w.until(good); allows(c.set) {
		t.Fatal("the link is not followed")
	}
	write(t, second, allowing) // in a directory that was not watched at first
	if c := w.until(good); !allows(c.set) {
		t.Fatal("the file behind the new link is not watched")
	}
}

func TestABusyNeighbourDoesNotHoldUpThePolicy(t *testing.T) {
	w := watch(t, policyAt(t, allowing), policyfile.Options{Debounce: 100 * time.Millisecond})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		// Often enough that it is never quiet, and not so often that the kernel loses events, which is another case.
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = os.WriteFile(filepath.Join(filepath.Dir(w.path), "log"), []byte{byte(i)}, 0o600)
			}
		}
	})
	replace(t, w.path, denying)
	c := w.until(good)
	close(stop)
	wg.Wait()
	if allows(c.set) {
		t.Error("the old policy is in force")
	}
}

func TestPollingSeesWhatNobodyTold(t *testing.T) {
	// The link is in the path's directory part, so that nothing happens in a directory that is watched.
	dir := t.TempDir()
	for _, v := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, v), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "a", "policy.yaml"), allowing)
	write(t, filepath.Join(dir, "b", "policy.yaml"), denying)
	if err := os.Symlink("a", filepath.Join(dir, "now")); err != nil {
		t.Fatal(err)
	}
	tick := make(chan time.Time)
	w := watch(t, filepath.Join(dir, "now", "policy.yaml"), policyfile.Options{After: func(time.Duration) <-chan time.Time { return tick }})
	tick <- time.Time{} // Watch is in its loop
	if err := os.Symlink("b", filepath.Join(dir, "next")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "now")); err != nil {
		t.Fatal(err)
	}
	tick <- time.Time{}
	if c := w.until(good); allows(c.set) {
		t.Error("the old policy is in force")
	}
}

func TestAnAssignmentEndsByTheClock(t *testing.T) {
	const dated = "version: 1\ntimezone: Europe/Moscow\nemployees:\n  anna: {}\n  boris: {}\nroles:\n  ear: {listen: any}\n" +
		"assign:\n  - {role: ear, to: [anna], until: 2027-01-31}\n"
	end := time.Date(2027, 1, 31, 21, 0, 0, 0, time.UTC) // midnight in Moscow
	var now atomic.Pointer[time.Time]
	set := func(t time.Time) { now.Store(&t) }
	set(end.Add(-3 * time.Second))
	waits, tick := make(chan time.Duration, 100), make(chan time.Time)
	w := watch(t, policyAt(t, dated), policyfile.Options{
		Now:   func() time.Time { return *now.Load() },
		After: func(d time.Duration) <-chan time.Time { waits <- d; return tick },
	})
	if d := <-waits; d != 3*time.Second {
		t.Errorf("waits %v", d)
	}
	set(end.Add(-time.Nanosecond))
	tick <- time.Time{}
	if <-waits; !allows(w.Current()) || w.Status().Generation != 1 {
		t.Error("ended before its time")
	}
	set(end)
	tick <- time.Time{}
	if c := w.next(); c.err != nil || allows(c.set) || c.set.Generation() != 2 || w.Current() != c.set {
		t.Errorf("has not ended: %+v", w.Status())
	}
	// The clock may have been set wrong: it is followed back too, and what it makes no difference to is no new policy.
	set(end.Add(-48 * time.Hour))
	<-waits
	tick <- time.Time{}
	if c := w.next(); c.err != nil || !allows(c.set) || c.set.Generation() != 3 {
		t.Errorf("is over though it has not come: %+v", w.Status())
	}
	set(end.Add(-72 * time.Hour))
	<-waits
	tick <- time.Time{}
	if <-waits; w.Status().Generation != 3 || !w.Current().Moment().Equal(end.Add(-72*time.Hour)) {
		t.Errorf("%+v", w.Status())
	}
}

func TestReloadDoesNotDisturbADecisionUnderWay(t *testing.T) {
	w := watch(t, policyAt(t, allowing), policyfile.Options{Debounce: time.Millisecond})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// One Set is one policy, whatever happens meanwhile: odd generations allow.
				if s := w.Current(); allows(s) != (s.Generation()%2 == 1) {
					t.Error("a decision mixes two policies")
					return
				}
			}
		})
	}
	for i := range 20 {
		replace(t, w.path, []string{denying, allowing}[i%2])
		w.until(good)
	}
	close(stop)
	wg.Wait()
}
