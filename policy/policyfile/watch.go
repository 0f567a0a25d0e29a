package policyfile

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// maxWait is how many debounces long a file that never rests is waited for.
const maxWait = 10

// Watch keeps the policy in force up to date until the context ends, and returns nil then. It returns an error only when
// the directory cannot be watched. One call at a time.
//
// It watches directories and not the file: an editor writes a new file and renames it over the old one, after which a
// watch of the file would watch what nobody can see any more, and Kubernetes turns a symbolic link beside it. What
// happened there does not matter, only whether the bytes behind the path have changed.
func (f *File) Watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the policy file: %w", err)
	}
	defer func() { _ = w.Close() }()
	dirs := &directories{watcher: w, path: f.path}
	if err := dirs.follow(); err != nil {
		return fmt.Errorf("watch the policy file: %w", err)
	}
	// Between Open and the watch the file may have changed unheard.
	f.check(dirs)
	var quiet <-chan time.Time // set while changes are coming in
	var since time.Time        // of the first change that was not acted on yet
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-w.Events:
			if !ok {
				return fmt.Errorf("watch the policy file: the watcher has closed")
			}
			if quiet == nil {
				since = time.Now()
			}
			// One file that is written all the time in the same directory must not put off the reading for ever.
			if quiet == nil || time.Since(since) < maxWait*f.options.Debounce {
				quiet = time.After(f.options.Debounce)
			}
		case _, ok := <-w.Errors:
			if !ok {
				return fmt.Errorf("watch the policy file: the watcher has closed")
			}
			// Events were lost: look for ourselves.
			f.check(dirs)
		case <-quiet:
			quiet = nil
			f.check(dirs)
		case <-f.options.After(f.untilNext()):
			f.expire()
			f.check(dirs)
		}
	}
}

// check reads the file again if its bytes have changed. Its error has been told by OnChange and Status.
func (f *File) check(dirs *directories) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.load(false)
	_ = dirs.follow() // a link may lead elsewhere now; when it leads nowhere, the directories of before still tell of its return
}

// untilNext is the time until an assignment ends, at most the poll interval: a timer does not notice that the clock was set.
func (f *File) untilNext() time.Duration {
	wait := f.options.Poll
	if next, ends := f.Current().NextChange(); ends {
		if d := next.Sub(f.options.Now()); d < wait {
			wait = max(d, 0)
		}
	}
	return wait
}

// directories keeps the watcher on the directory of the path and on that of the file it leads to.
type directories struct {
	watcher *fsnotify.Watcher
	path    string
	target  string // directory of the file behind the link, "" if the same
}

func (d *directories) follow() error {
	dir := filepath.Dir(d.path)
	if err := d.watcher.Add(dir); err != nil { // adding again is harmless, and right when the directory was made anew
		return err
	}
	leaf, err := filepath.EvalSymlinks(d.path)
	if err != nil {
		return nil //nolint:nilerr // a link that leads nowhere is load's to report
	}
	target := filepath.Dir(leaf)
	// The kernel gives one watch to one directory, whatever the name: two names for it would take each other's away.
	if same, err := filepath.EvalSymlinks(dir); err == nil && same == target {
		target = ""
	}
	if d.target != "" && d.target != target {
		_ = d.watcher.Remove(d.target) // gone already when the old version was deleted
	}
	d.target = target
	if target == "" {
		return nil
	}
	return d.watcher.Add(target)
}
